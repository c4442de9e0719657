"""Turns: who has less to do goes first, nobody computes beside another, and nobody waits for ever."""

from __future__ import annotations

import threading

from encoder.turns import PATIENCE, Turns

LONG = 60.0


class Queue:
    """Threads that ask for a turn one after the other while somebody computes, and the order in which they got it."""

    def __init__(self) -> None:
        self.turns, self.order = Turns(), list[int]()
        self._threads: list[threading.Thread] = []

    def ask(self, *works: int) -> None:
        for work in works:
            thread = threading.Thread(target=self._take, args=(work,))
            self._threads.append(thread)
            thread.start()
            while self.turns.waiting < len(self._threads):  # the order of asking is the order here
                thread.join(0.001)

    def _take(self, work: int) -> None:
        with self.turns.turn(work):
            self.order.append(work)

    def finish(self) -> list[int]:
        for thread in self._threads:
            thread.join(LONG)
        return self.order


def test_who_has_less_to_do_goes_first_and_equals_in_the_order_they_came() -> None:
    queue = Queue()
    with queue.turns.turn(1):
        queue.ask(100, 3, 50, 3, 1)
        assert queue.order == []
    assert queue.finish() == [1, 3, 3, 50, 100]


def test_who_was_passed_over_often_enough_goes_next() -> None:
    queue = Queue()
    with queue.turns.turn(1):
        queue.ask(100, *[1] * (PATIENCE + 3))
    assert queue.finish() == [*[1] * PATIENCE, 100, 1, 1, 1]
