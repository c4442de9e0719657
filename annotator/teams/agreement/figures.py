"""A figure with its interval, or the reason why there is none; and the bootstrap by post that makes the interval.

Every statistic here is a function of sums over posts. A resample of the posts is then a weighted sum, so that all statistics of a table
share one set of weights and cost a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

REPLICATES = 1000
MOST_GROUPS = (
    2000  # beyond, posts are resampled in this many equal groups: the variance is the same, the work is bounded
)
CONFIDENCE = 0.95
LEAST_DEFINED = 0.9  # share of the resamples in which a figure has to be defined for an interval to be shown


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` with its 95 % interval; None means undefined, and `reason` says why. `units`: on how many things it rests."""

    value: float | None
    low: float | None = None
    high: float | None = None
    units: int = 0
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        if self.value is None:
            return f"undefined ({self.reason})"
        return f"{self.value:.3f}" + (f" [{self.low:.3f}, {self.high:.3f}]" if self.low is not None else "")


class Bootstrap:
    """Resamples of posts, drawn once. posts: how many there are. The same seed gives the same intervals."""

    def __init__(self, posts: int, *, seed: int = 0, replicates: int = REPLICATES) -> None:
        random = np.random.default_rng(seed)
        self.posts = posts
        self.groups = min(posts, MOST_GROUPS)
        self._group = random.permutation(posts) % max(self.groups, 1)
        drawn = (
            random.multinomial(self.groups, np.full(self.groups, 1 / self.groups), size=replicates)
            if posts > 1
            else None
        )
        self._weights = None if drawn is None else np.ascontiguousarray(drawn.T, dtype=np.float64)

    def sums(self, rows: Array, post: Ints) -> tuple[Array, Array | None]:
        """The sum of the rows, shape (columns,), and of each resample, shape (replicates, columns); None below two posts.

        rows: shape (rows, columns). post: the post of each row, shape (rows,).
        """
        grouped = np.empty((self.groups, rows.shape[1]))
        group = self._group[post]
        for column in range(rows.shape[1]):
            grouped[:, column] = np.bincount(group, weights=rows[:, column], minlength=self.groups)
        return self._resampled(grouped)

    def sums_of_cells(self, cell: Ints, post: Ints, *, columns: int) -> tuple[Array, Array | None]:
        """As `sums` of rows that are 1 in the column `cell`, shape (rows,), and 0 elsewhere."""
        flat = np.bincount(self._group[post] * columns + cell, minlength=self.groups * columns)
        return self._resampled(flat.reshape(self.groups, columns).astype(np.float64))

    def _resampled(self, grouped: Array) -> tuple[Array, Array | None]:
        if self._weights is None:
            return grouped.sum(axis=0), None
        said = grouped.any(axis=1)  # two people, or a round, share few of the posts
        return grouped.sum(axis=0), self._weights[said].T @ grouped[said]


def figure(sums: tuple[Array, Array | None], statistic: Callable[[Array], Array], *, units: int, reason: str) -> Figure:
    """The statistic of the sums with its percentile interval.

    statistic: from sums of shape (..., columns) to values of shape (...), NaN where it is undefined.
    reason: what to say if it is.
    """
    total, resampled = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(total))
        if not np.isfinite(value):
            return Figure(None, units=units, reason=reason)
        if resampled is None:
            return Figure(value, units=units)
        values = statistic(resampled)
    defined = values[np.isfinite(values)]
    if len(defined) < LEAST_DEFINED * len(values):
        return Figure(value, units=units)
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(defined, [tail, 100 - tail])
    return Figure(value, float(low), float(high), units)


def ratio(above: Array, below: Array) -> Array:
    """above / below, NaN where there is nothing below."""
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)
