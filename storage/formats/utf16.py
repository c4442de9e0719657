"""Offsets in UTF-16 units, as Java and JavaScript count, and in code points, as everything here does."""

from __future__ import annotations

from bisect import bisect_left


class CodePoints:
    """Code-point offsets of a text by UTF-16 ones."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._wide = [n for n, ch in enumerate(text) if ord(ch) > 0xFFFF]  # each takes two units
        self._units = [n + k for k, n in enumerate(self._wide)]  # where each begins

    def of(self, units: int) -> int | None:
        """The code-point offset; None if it lies outside the text or in the middle of a character."""
        before = bisect_left(self._units, units)
        if before and self._units[before - 1] == units - 1:
            return None
        found = units - before
        return found if units >= 0 and found <= self._length else None
