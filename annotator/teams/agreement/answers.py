"""Many people's answers as columns, which is what the statistics read: 300,000 rows are a few arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from annotator.teams.agreement.continua import Marks
from annotator.teams.agreement.figures import Ints
from storage.records import Verdict

CATEGORIES = (Verdict.NO_EVIDENCE, Verdict.EVIDENCE, Verdict.UNSURE)  # in the order of their numbers
UNSURE = CATEGORIES.index(Verdict.UNSURE)


@dataclass(frozen=True, slots=True)
class Answers:
    """One row per answer of a person (or model version) to (post, criterion), at most one per three of them.

    posts, criteria, people: what the numbers in `post`, `criterion`, `person` stand for. verdict: number in CATEGORIES.
    marks: the spans, `answer` being the row. texts: of the posts with these numbers, in that order.
    at: when the answer was given, ISO 8601; shape (answers,), as all columns.
    """

    posts: Sequence[str]
    criteria: Sequence[str]
    people: Sequence[str]
    post: Ints
    criterion: Ints
    person: Ints
    verdict: Ints
    marks: Marks
    texts: Callable[[Sequence[int]], Iterable[str]]
    at: NDArray[np.str_] = field(default_factory=lambda: np.zeros(0, "U20"))

    def __len__(self) -> int:
        return len(self.post)

    def where(self, chosen: NDArray[np.bool_]) -> Answers:
        """Only the answers for which `chosen`, shape (answers,), is true; the numbers keep their meaning."""
        new_row = np.cumsum(chosen) - 1
        kept = chosen[self.marks.answer]
        marks = Marks(new_row[self.marks.answer[kept]], self.marks.start[kept], self.marks.end[kept])
        return replace(
            self,
            post=self.post[chosen],
            criterion=self.criterion[chosen],
            person=self.person[chosen],
            verdict=self.verdict[chosen],
            marks=marks,
            at=self.at[chosen] if len(self.at) else self.at,
        )

    def units(self) -> tuple[Ints, Ints, Ints]:
        """(unit of each answer, post of each unit, criterion of each unit): a unit is a (post, criterion) with an answer."""
        key = self.post * len(self.criteria) + self.criterion
        found, unit = np.unique(key, return_inverse=True)
        return unit, found // len(self.criteria), found % len(self.criteria)

    def pairs(self) -> tuple[Ints, Ints]:
        """Rows of every two answers to the same (post, criterion), the lower person number first."""
        key = (self.post * len(self.criteria) + self.criterion) * len(self.people) + self.person
        order = np.argsort(key, kind="stable")
        unit = key[order] // len(self.people)
        left, right = [], []
        for distance in range(1, len(self.people)):
            same = np.flatnonzero(unit[:-distance] == unit[distance:])
            if not len(same):
                break
            left.append(order[same])
            right.append(order[same + distance])
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *left]), np.concatenate([none, *right])
