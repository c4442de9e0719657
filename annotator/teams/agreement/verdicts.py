"""Agreement on verdicts: percent, Cohen's and Fleiss' kappa, Gwet's AC1 and Krippendorff's alpha for nominal data.

Each coefficient is a function of sums over units, shape (..., columns) -> (...), so that a bootstrap can weight the units. A unit that
one person alone has answered counts for how often a category is used (as in Gwet's software) and for nothing else.

Sources: Artstein and Poesio 2008 (doi 10.1162/coli.07-034-R2); Gwet 2014, Handbook of Inter-Rater Reliability; Krippendorff 2004,
Content Analysis, chapter 11.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from annotator.teams.agreement.figures import Array, Ints, ratio


def counts_of(unit: Ints, category: Ints, *, units: int, categories: int) -> Array:
    """How many people put each unit into each category, shape (units, categories)."""
    flat = np.bincount(unit * categories + category, minlength=units * categories)
    return flat.reshape(units, categories).astype(np.float64)


def sums_by_unit(counts: Array) -> Array:
    """What `percent`, `fleiss_kappa`, `gwet_ac1` and `alpha` need of each unit.

    counts: shape (units, k). Returns shape (units, 3 + k + k * k): agreement of the pairs, 1 if there is a pair, 1 if anybody answered,
    share of each category, coincidence matrix.
    """
    raters = counts.sum(axis=1)
    several = raters > 1
    pairs = np.where(several, raters * (raters - 1), 1.0)
    agreement = np.where(several, (counts * (counts - 1)).sum(axis=1) / pairs, 0.0)
    share = counts / np.maximum(raters, 1.0)[:, None]
    together = counts[:, :, None] * counts[:, None, :]
    together[:, np.arange(counts.shape[1]), np.arange(counts.shape[1])] -= counts
    coincidences = together / np.where(several, raters - 1, 1.0)[:, None, None] * several[:, None, None]
    head = np.stack([agreement, several.astype(float), (raters > 0).astype(float)], axis=1)
    return np.concatenate([head, share, coincidences.reshape(len(counts), counts.shape[1] ** 2)], axis=1)


def categories_of(sums: Array) -> int:
    """k, from the number of columns that `sums_by_unit` makes of k categories."""
    return int((-1 + np.sqrt(1 + 4 * (sums.shape[-1] - 3))) / 2)


def percent(sums: Array) -> Array:
    """Share of the pairs of answers that are equal, averaged over units."""
    return ratio(sums[..., 0], sums[..., 1])


def fleiss_kappa(sums: Array) -> Array:
    """Fleiss 1971, as generalised to units with different numbers of people (Gwet 2014)."""
    share = _category_shares(sums)
    return _beyond_chance(percent(sums), (share**2).sum(axis=-1))


def gwet_ac1(sums: Array) -> Array:
    """Gwet's first-order coefficient. Categories that nobody used anywhere have to be left out before."""
    share = _category_shares(sums)
    k = share.shape[-1]
    return (
        _beyond_chance(percent(sums), (share * (1 - share)).sum(axis=-1) / (k - 1)) if k > 1 else np.nan * sums[..., 0]
    )


def alpha(sums: Array) -> Array:
    """Krippendorff's alpha for nominal data."""
    return alpha_of_coincidences(sums[..., 3 + categories_of(sums) :])


def alpha_of_coincidences(coincidences: Array) -> Array:
    """Krippendorff's nominal alpha of coincidence matrices, shape (..., k * k); NaN if one category only occurs."""
    k = round(np.sqrt(coincidences.shape[-1]))
    matrix = coincidences.reshape(*coincidences.shape[:-1], k, k)
    of_category = matrix.sum(axis=-1)
    n = of_category.sum(axis=-1)
    differing = n - np.trace(matrix, axis1=-2, axis2=-1)
    by_chance = n**2 - (of_category**2).sum(axis=-1)
    return 1 - ratio((n - 1) * differing, np.where(by_chance > 1e-9 * n**2, by_chance, 0.0))


def cohen_kappa(confusion: Array) -> Array:
    """Cohen 1960. confusion: what one person said against what the other did, shape (..., k * k)."""
    k = round(np.sqrt(confusion.shape[-1]))
    matrix = confusion.reshape(*confusion.shape[:-1], k, k)
    n = matrix.sum(axis=(-2, -1))
    observed = ratio(np.trace(matrix, axis1=-2, axis2=-1), n)
    expected = ratio((matrix.sum(axis=-1) * matrix.sum(axis=-2)).sum(axis=-1), n**2)
    return _beyond_chance(observed, expected)


def mean_cohen_kappa(confusions: Array) -> Array:
    """Mean of the pairs' kappas, each weighted by the units that the pair shares. confusions: shape (..., pairs * 9)."""
    by_pair = confusions.reshape(*confusions.shape[:-1], -1, 9)
    kappas = cohen_kappa(by_pair)
    weight = by_pair.sum(axis=-1) * np.isfinite(kappas)
    return ratio((np.nan_to_num(kappas) * weight).sum(axis=-1), weight.sum(axis=-1))


COEFFICIENTS: dict[str, Callable[[Array], Array]] = {
    "percent": percent,
    "fleiss_kappa": fleiss_kappa,
    "gwet_ac1": gwet_ac1,
    "alpha": alpha,
}


def _category_shares(sums: Array) -> Array:
    k = categories_of(sums)
    return ratio(sums[..., 3 : 3 + k], sums[..., 2:3])


def _beyond_chance(observed: Array, expected: Array) -> Array:
    room = 1 - expected
    return ratio(observed - expected, np.where(room > 1e-12, room, 0.0))
