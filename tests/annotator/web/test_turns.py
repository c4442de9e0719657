"""A few answers at a time, in few threads; who takes long is not waited for."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from annotator.web.turns import Turns
from tests.threads import in_a_thread

SECONDS = 30.0


def awaited(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """The test as pytest takes it, in a thread and an event loop of its own: a browser of other tests keeps one here."""

    @functools.wraps(test)
    def run() -> None:
        in_a_thread(lambda: asyncio.run(test()))

    return run


class Answers:
    """Answers that wait until they may go on, and who began."""

    def __init__(self) -> None:
        self.open, self.begun = threading.Event(), list[int]()

    def __call__(self, number: int) -> int:
        self.begun.append(number)
        assert self.open.wait(SECONDS)
        return number

    async def have_begun(self, count: int) -> list[int]:
        """Who has begun when so many have, and a moment later."""
        while len(self.begun) < count:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        return sorted(self.begun)


async def asked(turns: Turns, answers: Answers, count: int) -> list[asyncio.Future[int]]:
    made = [asyncio.ensure_future(turns.run(answers, number)) for number in range(count)]
    await asyncio.sleep(0)
    return made


@awaited
async def test_a_few_are_worked_on_at_a_time_in_the_order_in_which_they_came() -> None:
    turns, answers = Turns(at_once=2, long_seconds=SECONDS), Answers()
    all_of_them = await asked(turns, answers, 6)
    assert await answers.have_begun(2) == [0, 1]
    answers.open.set()
    assert await asyncio.gather(*all_of_them) == list(range(6))
    assert sorted(answers.begun) == list(range(6))
    turns.close()


@awaited
async def test_the_thread_that_was_used_last_is_used_next() -> None:
    turns = Turns(at_once=4)
    names = {await turns.run(lambda: threading.current_thread().name) for _ in range(20)}
    assert len(names) == 1
    many = await asyncio.gather(*(turns.run(lambda: threading.current_thread()) for _ in range(40)))
    assert len(set(many)) <= 4
    turns.close()


@awaited
async def test_who_takes_long_holds_up_nobody_and_leaves_one_turn_behind() -> None:
    turns, long_one, others = Turns(at_once=1, long_seconds=0.02), Answers(), Answers()
    waiting = asyncio.ensure_future(turns.run(long_one, 0))
    assert await asyncio.wait_for(turns.run(str, 7), SECONDS) == "7"
    assert not waiting.done()
    long_one.open.set()
    assert await waiting == 0
    turns_of_one = Turns(at_once=1, long_seconds=SECONDS)
    some = await asked(turns_of_one, others, 3)
    assert await others.have_begun(1) == [0]
    others.open.set()
    assert await asyncio.gather(*some) == [0, 1, 2]
    turns.close()
    turns_of_one.close()


@awaited
async def test_while_all_threads_take_long_the_next_wait_for_one() -> None:
    turns, answers = Turns(at_once=4, long_seconds=0.01, most_threads=2), Answers()
    some = await asked(turns, answers, 4)
    assert await answers.have_begun(2) == [0, 1]
    answers.open.set()
    assert await asyncio.wait_for(asyncio.gather(*some), SECONDS) == [0, 1, 2, 3]
    turns.close()


@awaited
async def test_who_leaves_or_fails_gives_their_turn_and_thread_on() -> None:
    turns, answers = Turns(at_once=1, long_seconds=SECONDS, most_threads=1), Answers()
    first = asyncio.ensure_future(turns.run(answers, 0))
    leaving = [asyncio.ensure_future(turns.run(str, n)) for n in range(3)]
    last = asyncio.ensure_future(turns.run(str, "last"))
    assert await answers.have_begun(1) == [0]
    leaving[1].cancel()
    first.cancel()  # its thread is not done with it
    await asyncio.sleep(0.05)
    assert not leaving[0].done()
    answers.open.set()
    assert await asyncio.wait_for(last, SECONDS) == "last"
    assert [await leaving[0], await leaving[2]] == ["0", "2"]
    with pytest.raises(ValueError, match="invalid literal"):
        await turns.run(int, "no number")
    assert await asyncio.wait_for(turns.run(str, 1), SECONDS) == "1"
    turns.close()


@awaited
async def test_who_still_waits_at_the_end_is_told() -> None:
    turns, answers = Turns(at_once=1, long_seconds=SECONDS), Answers()
    some = await asked(turns, answers, 2)
    assert await answers.have_begun(1) == [0]
    turns.close()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(some[1], SECONDS)
    answers.open.set()
    assert await some[0] == 0
