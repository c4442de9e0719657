"""Posts that take a model so long that nobody waits for them: they are read in the background, and how far that is can be asked."""

from __future__ import annotations

import threading
from collections.abc import Callable

from encoder.errors import ModelUnusable, StillReading

LONG_CHARACTERS = 8_000
"""Longer posts are read in the background: about 1,500 words."""


class Stopping(Exception):
    """The app stops: the post is read another time."""


class Readings:
    """How far the long posts are that wait or are being read, and those that could not be. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fractions: dict[str, float] = {}
        self._failed: dict[tuple[str, str], str] = {}  # (version, post id) -> why

    def ask(self, version: str, post_id: str) -> StillReading | ModelUnusable:
        """What to answer who opens the post now; it counts as waiting from here on."""
        with self._lock:
            if why := self._failed.get((version, post_id)):
                return ModelUnusable(why)
            return StillReading(self._fractions.setdefault(post_id, 0.0))

    def following(self, post_id: str, stopping: threading.Event) -> Callable[[float], None]:
        """Takes down how far the post is. Raises Stopping in the midst of it once the app stops."""

        def note(fraction: float) -> None:
            if stopping.is_set():
                raise Stopping
            with self._lock:
                self._fractions[post_id] = fraction

        return note

    def done(self, version: str, post_id: str, failure: str = "") -> None:
        with self._lock:
            self._fractions.pop(post_id, None)
            if failure:
                self._failed[version, post_id] = failure

    def failed(self, version: str) -> set[str]:
        """Ids of the posts that this version could not read."""
        with self._lock:
            return {post_id for of, post_id in self._failed if of == version}

    def forget_failures(self) -> None:
        with self._lock:
            self._failed.clear()
