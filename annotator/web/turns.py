"""Answers take turns: a few at a time are worked on in threads, the others wait without one.

Python works on one thing at a time. Thirty threads that all have something to do hand the interpreter to each other at every question
to the database, and each has a connection of its own, with pages and statements that the others have read as well: that costs more
than the questions. So the thread that was used last is used next. An answer that takes long (a model reads the post, another program
holds the database) does not count any more after a moment, so that nobody waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

AT_ONCE = 4
LONG_SECONDS = 0.1
MOST_THREADS = 32  # while so many take long, everybody else waits


class Turns:
    """For one event loop at a time. The three limits may be others in tests."""

    def __init__(
        self, *, at_once: int = AT_ONCE, long_seconds: float = LONG_SECONDS, most_threads: int = MOST_THREADS
    ) -> None:
        self._free, self._long_seconds, self._most = at_once, long_seconds, most_threads
        self._waiting: deque[asyncio.Future[ThreadPoolExecutor]] = deque()
        self._threads: list[ThreadPoolExecutor] = []
        self._idle: list[ThreadPoolExecutor] = []

    async def run(self, call: Callable[Given, Answer], *given: Given.args, **named: Given.kwargs) -> Answer:
        """What the call returns or raises, made in a thread when it is its turn: whoever came first goes first."""
        loop = asyncio.get_running_loop()
        thread = await self._come_up(loop)
        turn = _Turn(self._pass_on)
        timer = loop.call_later(self._long_seconds, turn.end)
        work = thread.submit(call, *given, **named)
        try:
            return await asyncio.wrap_future(work, loop=loop)
        finally:
            timer.cancel()
            if work.done():
                self._is_idle(thread)
            else:  # whoever asked has left, and the thread is not done with it
                work.add_done_callback(lambda _: self._give_back(loop, thread))
            turn.end()

    def close(self) -> None:
        """Begin nothing more; who waits is told so. From any thread."""
        for thread in self._threads:
            thread.shutdown(wait=False, cancel_futures=True)
        for waiting in list(self._waiting):
            with contextlib.suppress(RuntimeError):  # its loop is closed already
                waiting.get_loop().call_soon_threadsafe(waiting.cancel)

    async def _come_up(self, loop: asyncio.AbstractEventLoop) -> ThreadPoolExecutor:
        if self._may_begin():
            return self._taken()
        mine: asyncio.Future[ThreadPoolExecutor] = loop.create_future()
        self._waiting.append(mine)
        try:
            return await mine
        except asyncio.CancelledError:
            if not mine.cancelled():  # it had come up meanwhile
                self._idle.append(mine.result())
                self._pass_on()  # and with it the thread
            raise

    def _may_begin(self) -> bool:
        return self._free > 0 and (bool(self._idle) or len(self._threads) < self._most)

    def _taken(self) -> ThreadPoolExecutor:
        """A thread and a turn; that which was idle last, whose connection is warm."""
        self._free -= 1
        if self._idle:
            return self._idle.pop()
        self._threads.append(ThreadPoolExecutor(1, "answers"))
        return self._threads[-1]

    def _is_idle(self, thread: ThreadPoolExecutor) -> None:
        self._idle.append(thread)
        self._go_on()

    def _give_back(self, loop: asyncio.AbstractEventLoop, thread: ThreadPoolExecutor) -> None:
        with contextlib.suppress(RuntimeError):  # the app has ended meanwhile
            loop.call_soon_threadsafe(self._is_idle, thread)

    def _pass_on(self) -> None:
        self._free += 1
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._may_begin():
            following = self._waiting.popleft()
            if not following.done():
                following.set_result(self._taken())


class _Turn:
    """One turn, which ends once."""

    def __init__(self, pass_on: Callable[[], None]) -> None:
        self._pass_on: Callable[[], None] | None = pass_on

    def end(self) -> None:
        pass_on, self._pass_on = self._pass_on, None
        if pass_on is not None:
            pass_on()
