"""Coefficients by the letter of their definitions, in exact fractions and without numpy: what the fast ones are held against."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction


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
