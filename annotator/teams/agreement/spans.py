"""Agreement on spans between two answers: F1 (exact, and from half of the words on), and how far borders lie apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from annotator.teams.agreement.figures import Array, ratio
from storage.matching import AGREEMENT_IOU, Range, Words, match, overlapping_pairs

COLUMNS = 5  # of what `pair_sums` says of one pair of answers


@dataclass(frozen=True, slots=True)
class PairOfAnswers:
    """The spans that two people marked in one text for one criterion."""

    one: Sequence[Range]
    other: Sequence[Range]


def pair_sums(pair: PairOfAnswers, words: Callable[[], Words], *, threshold: float = AGREEMENT_IOU) -> list[float]:
    """[spans of both, exact matches, matches by words, summed distance of borders in characters, spans so compared].

    words: of the text, asked for only where the spans differ.
    """
    one, other = pair.one, pair.other
    exact = len(set(one) & set(other))
    if exact == len(one) == len(other):
        return [2.0 * exact, exact, exact, 0.0, exact]
    if not one or not other:
        return [float(len(one) + len(other)), 0.0, 0.0, 0.0, 0.0]
    near = len(match(one, other, words(), threshold=threshold))
    compared = overlapping_pairs(one, other)
    apart = sum(abs(one[i][0] - other[j][0]) + abs(one[i][1] - other[j][1]) for i, j in compared) / 2
    return [float(len(one) + len(other)), float(exact), float(near), float(apart), float(len(compared))]


def f1_exact(sums: Array) -> Array:
    """F1 of spans with equal borders, of summed `pair_sums`: shape (..., 5) -> (...)."""
    return ratio(2 * sums[..., 1], sums[..., 0])


def f1_by_words(sums: Array) -> Array:
    """F1 of spans that share enough words."""
    return ratio(2 * sums[..., 2], sums[..., 0])


def border_distance(sums: Array) -> Array:
    """Mean distance of the borders of overlapping spans, in characters (mean of start and end)."""
    return np.asarray(ratio(sums[..., 3], sums[..., 4]))
