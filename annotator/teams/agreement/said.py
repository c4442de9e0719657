"""Agreement on what is said beside a verdict: levels, flags and labels of posts. Pure; `annotator.teams.said` asks the store.

Percent, and Krippendorff's alpha: ordinal for levels in an order, nominal for flags and for labels without one.

Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability (the ordinal difference function).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from annotator.teams.agreement.figures import Array, Bootstrap, Figure, figure, ratio
from annotator.teams.agreement.verdicts import alpha, percent, sums_by_unit

NOBODY = "no two people said it of the same span, or post"
ONE_VALUE = "everybody said the same: there is no chance to correct for"


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that was said: its values, from the lowest where they are ordered. what: severity, flag or label."""

    what: str
    name: str
    values: Sequence[str]
    ordered: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """What people said of one thing: a span that two of them marked, or a post. post: its number; values: numbers of `Asked.values`."""

    post: int
    values: Sequence[int]


def ordinal_alpha(coincidences: Array) -> Array:
    """Krippendorff's alpha for ordered values. coincidences: shape (..., k * k), values in their order; NaN if one occurs only."""
    k = round(np.sqrt(coincidences.shape[-1]))
    matrix = coincidences.reshape(*coincidences.shape[:-1], k, k)
    of_value = matrix.sum(axis=-1)
    middle = np.cumsum(of_value, axis=-1) - of_value / 2  # between two values lie those that are used in between
    apart = (middle[..., :, None] - middle[..., None, :]) ** 2
    n = of_value.sum(axis=-1)
    observed = (matrix * apart).sum(axis=(-2, -1))
    expected = (of_value[..., :, None] * of_value[..., None, :] * apart).sum(axis=(-2, -1))
    return 1 - ratio((n - 1) * observed, expected)


def agreement_on(asked: Asked, units: Sequence[Unit], bootstrap: Bootstrap) -> dict[str, Any]:
    """Percent and alpha with intervals by post; units that fewer than two people spoke of do not count."""
    told = [unit for unit in units if len(unit.values) > 1]
    reason = ONE_VALUE if told else NOBODY
    found = {"what": asked.what, "name": asked.name, "ordered": asked.ordered, "units": len(told)}
    if not told:
        nothing = Figure(None, reason=NOBODY).to_dict()
        return found | {"percent": nothing, "alpha": nothing}
    counts = np.zeros((len(told), len(asked.values)))
    for number, unit in enumerate(told):
        for value in unit.values:
            counts[number, value] += 1
    sums = bootstrap.sums(sums_by_unit(counts), np.array([unit.post for unit in told], dtype=np.int64))
    k = counts.shape[1]

    def of_order(rows: Array) -> Array:
        return ordinal_alpha(rows[..., 3 + k :])

    statistic = of_order if asked.ordered else alpha
    return found | {
        "percent": figure(sums, percent, units=len(told), reason=reason).to_dict(),
        "alpha": figure(sums, statistic, units=len(told), reason=reason).to_dict(),
    }
