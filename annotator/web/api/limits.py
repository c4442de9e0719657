"""How much may be asked at once: so many requests per minute and person, and few heavy ones at the same time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from annotator.problems import Busy, TooManyRequests

WINDOW_SECONDS = 60.0
REMEMBERED_KEYS = 10_000


class RateLimit:
    """At most `per_minute` requests in any minute per key. Kept in memory. `clock` gives seconds that only grow."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: dict[str, deque[float]] = {}

    def take(self, key: str) -> None:
        """Count one request. Raises TooManyRequests with the time to wait; a refused one does not count."""
        with self._lock:
            now = self._clock()
            asked = self._asked.pop(key, None) or deque()
            self._asked[key] = asked  # the last in the dictionary is the one that asked last
            while asked and asked[0] <= now - WINDOW_SECONDS:
                asked.popleft()
            if len(asked) >= self._per_minute:
                wait = asked[0] + WINDOW_SECONDS - now
                raise TooManyRequests(
                    f"More than {self._per_minute} requests in a minute. Try again in {wait:.0f} seconds.",
                    retry_after=wait,
                )
            asked.append(now)
            while len(self._asked) > REMEMBERED_KEYS:
                del self._asked[next(iter(self._asked))]


class Slots:
    """At most `count` callers at the same time; others wait for up to `patience` seconds."""

    def __init__(self, count: int, *, patience: float) -> None:
        self._free = threading.BoundedSemaphore(count)
        self._patience = patience

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold one of them. Raises Busy."""
        if not self._free.acquire(timeout=self._patience):
            raise Busy("Too many others are asking for this now. Try again in a few seconds.", retry_after=5.0)
        try:
            yield
        finally:
            self._free.release()
