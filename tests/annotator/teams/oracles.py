"""Coefficients by the letter of their definitions, in exact fractions and without numpy: what the fast ones are held against."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction

from storage.matching import Words, match

Ranges = Sequence[tuple[int, int]]


def nominal_alpha(units: Iterable[Sequence[Hashable]]) -> float:
    """Krippendorff's alpha: disagreeing pairs within units against those among all pairable values.

    units: the values that each unit was given, missing ones left out.
    """
    several = [list(values) for values in units if len(values) > 1]
    pairable = [value for values in several for value in values]
    n = len(pairable)
    observed = sum(
        Fraction(sum(a != b for a, b in itertools.permutations(values, 2)), len(values) - 1) for values in several
    )
    counts = Counter(pairable)
    expected = Fraction(n * n - sum(c * c for c in counts.values()), n - 1)
    return float(1 - observed / expected)


def cohen_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float:
    """Cohen's kappa of (what one person said, what the other said)."""
    n = len(pairs)
    one, other = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    observed = Fraction(sum(a == b for a, b in pairs), n)
    expected = Fraction(sum(one[value] * other[value] for value in one), n * n)
    return float((observed - expected) / (1 - expected))


def pair_sums(one: Ranges, other: Ranges, text: str, *, threshold: float) -> list[float]:
    """[spans of both, exact matches, matches by words, summed distance of borders, spans so compared], one pair of answers at a time."""
    near = len(match(one, other, Words.of(text), threshold=threshold))
    compared = overlapping_pairs(one, other)
    apart = sum(abs(one[i][0] - other[j][0]) + abs(one[i][1] - other[j][1]) for i, j in compared) / 2
    return [len(one) + len(other), len(set(one) & set(other)), near, apart, len(compared)]


def overlapping_pairs(one: Ranges, other: Ranges) -> list[tuple[int, int]]:
    """One-to-one pairs of ranges that share characters, those with the largest IoU first: for distances between borders."""
    candidates = []
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            shared = min(a[1], b[1]) - max(a[0], b[0])
            if shared > 0:
                candidates.append((-shared / (a[1] - a[0] + b[1] - b[0] - shared), i, j))
    pairs: list[tuple[int, int]] = []
    left, right = set(range(len(one))), set(range(len(other)))
    for _, i, j in sorted(candidates):
        if i in left and j in right:
            left.discard(i)
            right.discard(j)
            pairs.append((i, j))
    return sorted(pairs)
