"""Whether the app can store what is decided now, for whoever watches over it. Looked at seldom: strangers may ask, too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from storage.probe import trouble_now
from storage.store import Store
from storage.trouble import StorageTrouble

LOOK_EVERY_SECONDS = 5.0


class Health:
    """The storage of one project. `clock` gives seconds that only grow."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._thread = ThreadPoolExecutor(1, "health")  # its own: a busy app answers too
        self._looking = asyncio.Lock()
        self._looked_at: float | None = None
        self._found: StorageTrouble | None = None

    async def trouble(self) -> StorageTrouble | None:
        """What is wrong, at most LOOK_EVERY_SECONDS old; a write that was just refused counts until one goes through."""
        async with self._looking:
            now = self._clock()
            if self._looked_at is None or now - self._looked_at >= LOOK_EVERY_SECONDS:
                loop = asyncio.get_running_loop()
                self._found = await loop.run_in_executor(self._thread, trouble_now, self._store.path)
                self._looked_at = now
        return self._found or self._store.refused
