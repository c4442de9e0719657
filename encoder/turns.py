"""Who computes next, where one computes at a time. No torch."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PATIENCE = 8
"""After so many others have gone first, who waits goes before all that came later."""


@dataclass(order=True, slots=True)
class _Waiting:
    work: int
    number: int
    passed: int = field(default=0, compare=False)


class Turns:
    """One thread computes at a time. Of those that wait, the one with the least left to do goes first.

    Work is cut into turns, so that who asks for little waits for one turn of another, not for the whole of it. Nobody waits
    for ever: see PATIENCE.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._numbers = itertools.count()
        self._busy = False

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return len(self._waiting)

    @contextmanager
    def turn(self, work: int) -> Iterator[None]:
        """Wait for a turn, and compute within the block. work: how much is left to do, in any unit that all use."""
        with self._changed:
            me = _Waiting(work, next(self._numbers))
            self._waiting.append(me)
            self._changed.wait_for(lambda: not self._busy and self._next() is me)
            self._waiting.remove(me)
            for other in self._waiting:
                other.passed += other.number < me.number
            self._busy = True
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _next(self) -> _Waiting:
        patient = [w for w in self._waiting if w.passed < PATIENCE]
        overdue = [w for w in self._waiting if w.passed >= PATIENCE]
        return min(overdue, key=lambda w: w.number) if overdue else min(patient)
