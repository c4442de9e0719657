"""Small posts with answers in two units: one criterion is answered by whole sentences, one by a few words."""

from __future__ import annotations

from collections.abc import Sequence

from encoder.examples import Example, Label
from encoder.text.sentences import sentences
from storage.records import Criterion, Post, Verdict
from tests.builders import a_span

NIGHTS = Criterion("NIGHTS", "Nights", "The writer lies awake.")
FOOD = Criterion("FOOD", "Food", "Names something to eat.")
_AWAKE = ("I lie awake until four.", "Awake again all night long.", "My nights are awake and long.")
_CALM = ("The dog is well.", "We went to the park today.", "Work was quiet on Monday.")
_DISHES = ("apple pie", "rice pudding", "apple soup", "bean soup")


def posts_with_answers(count: int = 24) -> list[Example]:
    """`count` posts of three sentences; every second one has a sentence for NIGHTS, two of three a dish for FOOD."""
    return [_example(number) for number in range(count)]


def _example(number: int) -> Example:
    dish = _DISHES[number % 4] if number % 3 else None
    middle = _AWAKE[number % 3] if number % 2 else _CALM[number % 3]
    meal = f"For dinner we had {dish} and then some tea." if dish else "For dinner we had nothing at all today."
    post = Post(f"p{number}", f"{_CALM[(number + 1) % 3]} {middle} {meal}")
    awake = [sentences(post.text)[1]] if number % 2 else []
    food = [a_span(post, dish)] if dish else []
    return Example(post, {"NIGHTS": _label(awake), "FOOD": _label(food)})


def _label(spans: Sequence[object]) -> Label:
    return Label(Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE, tuple(spans))  # type: ignore[arg-type]
