"""In which unit people mark evidence for a criterion: whole sentences, or passages of their own length. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from encoder.examples import Example
from encoder.text.sentences import sentences
from storage.records import Span

WHOLE_SHARE = 0.7
"""From this share of whole sentences among the marked passages on, the unit is the sentence."""
EDGE_CHARACTERS = 2
"""What an edge may be off: a full stop, a quotation mark."""


class Unit(StrEnum):
    SENTENCE = "sentence"
    PASSAGE = "passage"


@dataclass(frozen=True, slots=True)
class UnitChoice:
    """`unit`, and what it rests on: `whole` of `spans` marked passages are one or several whole sentences."""

    unit: Unit
    whole: int
    spans: int

    @property
    def reason(self) -> str:
        """In words, for the page."""
        if not self.spans:
            return "Nothing is marked yet; whole sentences until something is."
        return f"{self.whole} of {self.spans} marked passages are whole sentences."


def choose_unit(examples: Iterable[Example], criterion_id: str) -> UnitChoice:
    """The unit of the gold spans for a criterion; sentences without any."""
    labels = ((e.labels.get(criterion_id), e.post) for e in examples)
    return unit_of((label.spans, sentences(post.text)) for label, post in labels if label is not None and label.spans)


def unit_of(marked: Iterable[tuple[Sequence[Span], Sequence[Span]]]) -> UnitChoice:
    """The unit of the marked passages of posts, each with the post's sentences."""
    whole = count = 0
    for spans, found in marked:
        count += len(spans)
        whole += sum(is_whole(span, found) for span in spans)
    return _choice(whole, count)


def together(choices: Iterable[UnitChoice]) -> UnitChoice:
    """The unit of all passages that these rest on."""
    known = list(choices)
    return _choice(sum(c.whole for c in known), sum(c.spans for c in known))


def _choice(whole: int, count: int) -> UnitChoice:
    return UnitChoice(Unit.SENTENCE if whole >= WHOLE_SHARE * count else Unit.PASSAGE, whole, count)


def is_whole(span: Span, found: Iterable[Span]) -> bool:
    """True if the span begins where a sentence begins and ends where one ends, give or take a mark."""
    passages = list(found)
    begins = any(abs(span.start - s.start) <= EDGE_CHARACTERS for s in passages)
    return begins and any(abs(span.end - s.end) <= EDGE_CHARACTERS for s in passages)
