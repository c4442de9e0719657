"""Which spans of two answers are the same evidence: one to one, by the share of words that they have in common. Standard library only.

Words, not characters, because a span that takes a full stop or a space more says nothing else; a word is a run of letters and
digits, and every other sign that is not white space is one of its own.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

AGREEMENT_IOU = 0.5
Range = tuple[int, int]

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Words:
    """Where the words of a text lie, as code points: `starts[i]` to `ends[i]`, in text order."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Words:
        found = [match.span() for match in _WORD.finditer(text)]
        return cls(tuple(start for start, _ in found), tuple(end for _, end in found))

    def touched(self, start: int, end: int) -> Range:
        """Numbers `[first, last + 1)` of the words that share a character with `[start, end)`; empty between two words."""
        first = bisect_right(self.ends, start)
        return first, max(first, bisect_left(self.starts, end))


def words_near(text: str, start: int, end: int) -> list[Range]:
    """The words of the text that `[start, end)` touches, and those that they hang together with: no word crosses white space."""
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return [match.span() for match in _WORD.finditer(text, start, end)]


def word_iou(one: Range, other: Range, words: Words) -> float:
    """Intersection over union of the words that two character ranges touch, in [0, 1]; of their characters if they touch none."""
    if one == other:
        return 1.0
    a, b = words.touched(*one), words.touched(*other)
    if a[0] == a[1] or b[0] == b[1]:
        a, b = one, other
    shared = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / (a[1] - a[0] + b[1] - b[0] - shared)


def match(
    one: Sequence[Range], other: Sequence[Range], words: Words, *, threshold: float = AGREEMENT_IOU
) -> list[tuple[int, int]]:
    """As many pairs (number in `one`, number in `other`) as can be made one to one with word IoU at or above `threshold`.

    Kuhn's augmenting paths; at .5 or more, where nobody's spans overlap, the pairs are the only possible ones.
    """
    near = [[j for j, b in enumerate(other) if word_iou(a, b, words) >= threshold] for a in one]
    return matched(near)


def matched(near: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """As many pairs (i, j) as can be made one to one, j being one of `near[i]`."""
    taken: dict[int, int] = {}

    def augment(i: int, seen: set[int]) -> bool:
        for j in near[i]:
            if j not in seen:
                seen.add(j)
                if j not in taken or augment(taken[j], seen):
                    taken[j] = i
                    return True
        return False

    for i in range(len(near)):
        augment(i, set())
    return sorted((i, j) for j, i in taken.items())
