"""Whether agreement changes: of one person with the others (drift), and of everybody on a criterion (when to calibrate anew).

Every pair of answers is a comparison: equal verdicts or not. The comparisons are put in order of time and parted in two; the change is the
share of equal ones after, less that before, with its bootstrap interval by post.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.teams.agreement.answers import Answers
from annotator.teams.agreement.figures import Array, Bootstrap, Figure, Ints, figure, ratio

LEAST = 20  # comparisons on either side
DRIFT_PART = 0.5  # of a person's comparisons: the later half against the earlier one
LATEST_PART = 0.25  # of a criterion's: the last quarter against all before
LEAST_FALL = 0.1  # from which calibrating again is proposed
TOO_FEW = f"fewer than {LEAST} comparisons before or after"


@dataclass(frozen=True, slots=True)
class Change:
    """Shares of equal verdicts; `difference` is after less before. since: the time of the first comparison that counts as after."""

    before: float | None
    after: float | None
    difference: Figure
    since: str = ""

    @property
    def falls(self) -> bool:
        """Whether agreement fell by as much as matters, and by more than chance."""
        by, high = self.difference.value, self.difference.high
        return by is not None and high is not None and by <= -LEAST_FALL and high < 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "before": self.before,
            "after": self.after,
            "difference": self.difference.to_dict(),
            "since": self.since,
            "falls": self.falls,
        }


class Comparisons:
    """Every two answers to the same thing. pairs: their rows, see `Answers.pairs`."""

    def __init__(self, answers: Answers, pairs: tuple[Ints, Ints], bootstrap: Bootstrap) -> None:
        self._answers, self._bootstrap = answers, bootstrap
        self._left, self._right = pairs
        self._same = answers.verdict[self._left] == answers.verdict[self._right]

    def drift(self, person: str) -> Change:
        """Of a person with the others, by the time of their own answers."""
        number = self._answers.people.index(person)
        left, right = self._answers.person[self._left], self._answers.person[self._right]
        chosen = (left == number) | (right == number)
        own = np.where(left == number, self._left, self._right)[chosen]
        return self._change(chosen, self._answers.at[own], DRIFT_PART)

    def fall(self, criterion: str | None) -> Change:
        """Of everybody on a criterion, or on all, by the time of the later answer."""
        of = self._answers.criterion[self._left]
        chosen = np.ones(len(of), bool) if criterion is None else of == self._answers.criteria.index(criterion)
        one, other = self._answers.at[self._left[chosen]], self._answers.at[self._right[chosen]]
        return self._change(chosen, np.where(one > other, one, other), LATEST_PART)

    def _change(self, chosen: NDArray[np.bool_], at: NDArray[np.str_], part: float) -> Change:
        order = np.argsort(at, kind="stable")
        first_after = len(order) - int(len(order) * part)
        if min(first_after, len(order) - first_after) < LEAST:
            return Change(None, None, Figure(None, units=len(order), reason=TOO_FEW))
        after = np.zeros(len(order), np.int64)
        after[order[first_after:]] = 1
        cell = after * 2 + self._same[chosen]
        summed = self._bootstrap.sums_of_cells(cell, self._answers.post[self._left[chosen]], columns=4)
        shares = _shares(summed[0])
        found = figure(summed, lambda s: _shares(s)[..., 1] - _shares(s)[..., 0], units=len(order), reason=TOO_FEW)
        return Change(float(shares[0]), float(shares[1]), found, str(at[order[first_after]]))


def _shares(sums: Array) -> Array:
    """Shares of equal ones before and after. sums: [different before, equal before, different after, equal after]."""
    parts = sums.reshape(*sums.shape[:-1], 2, 2)
    return ratio(parts[..., 1], parts.sum(axis=-1))
