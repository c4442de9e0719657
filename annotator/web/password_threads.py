"""Where passwords are hashed: two threads of their own, so that a flood of them holds up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from annotator.problems import Busy

AT_ONCE = 2  # each takes 64 MB and a core for 50 ms
MOST_WAITING = 40
Result = TypeVar("Result")


class PasswordThreads:
    """Shared by every route that takes a password."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "password")
        self._waiting = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns, or raises; Busy where too many wait already."""
        if self._waiting >= MOST_WAITING:
            raise Busy("Many people are signing in now. Try again in a few seconds.", retry_after=5.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
