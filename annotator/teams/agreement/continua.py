"""Agreement on passages: how alike several people cut the same text into evidence and the rest.

All texts are laid end to end on one line of positions (characters, or sentences), so that numpy does the work: a sweep over the
borders of all spans says for each stretch how many people marked it.

The unitizing coefficients are those of Krippendorff, Mathet, Bouvry and Widlöcher 2016 (doi 10.1007/s11135-015-0266-1); the numbers of
the equations are theirs. Chance pairs lengths, but never a unit with itself: hence the squared lengths that are taken off (equation 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from annotator.teams.agreement.figures import Array, Ints, ratio

Unitization = Sequence[tuple[int, int, str]]  # (start, end, value), without overlaps
GAP = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """Spans of many answers. answer: which answer a span belongs to; start, end: positions in its text. Shapes (spans,)."""

    answer: Ints
    start: Ints
    end: Ints

    def merged(self) -> Marks:
        """The union of each answer's spans, touching ones joined: how a passage was cut up does not matter."""
        if not len(self.answer):
            return self
        order = np.lexsort((self.start, self.answer))
        answer, start, end = self.answer[order], self.start[order], self.end[order]
        apart = int(end.max()) + 2  # answers far enough from each other on one line that none touches the next
        low, high = answer * apart + start, answer * apart + end
        reached = np.maximum.accumulate(high)
        begins = np.concatenate([[True], low[1:] > reached[:-1]])
        last = np.concatenate([np.flatnonzero(begins)[1:] - 1, [len(low) - 1]])
        first_answer = answer[begins]
        return Marks(first_answer, low[begins] - first_answer * apart, reached[last] - first_answer * apart)


def coincidences(marks: Marks, unit: Ints, length: Ints) -> Array:
    """Per unit (one text for one criterion): what `unitizing_alpha` and `alpha_of_coincidences` need.

    marks: of the answers. unit: the unit of each answer, shape (answers,). length: positions of each unit's text, shape (units,).
    Returns shape (units, 6): coincidences of unmarked with unmarked, unmarked with marked, the same again, marked with marked, each
    divided by the people less one (equation 1); summed squared lengths of the marked, summed lengths of the unmarked.
    Units with fewer than two answers are all zero.
    """
    marks = marks.merged()
    people = np.bincount(unit, minlength=len(length)).astype(np.float64)
    base = np.concatenate([[0], np.cumsum(length)[:-1]])
    of_mark = unit[marks.answer]
    sizes, covered, of_stretch = _sweep(base[of_mark] + marks.start, base[of_mark] + marks.end, base)
    m = people[of_stretch]
    weight = np.where(m > 1, sizes / np.maximum(m - 1, 1), 0.0)

    def total(values: Array) -> Array:
        return np.bincount(of_stretch, weights=values * weight, minlength=len(length)).astype(np.float64)

    both, mixed = total(covered * (covered - 1)), total(covered * (m - covered))
    several = people > 1
    neither = np.where(several, people * length, 0.0) - both - 2 * mixed
    lengths = (marks.end - marks.start).astype(np.float64)
    marked = np.bincount(of_mark, weights=lengths, minlength=len(length))
    squares = np.bincount(of_mark, weights=lengths**2, minlength=len(length))
    gaps = people * length - marked
    return np.stack([neither, mixed, mixed, both, squares * several, gaps * several], axis=1)


def unitizing_alpha(sums: Array) -> Array:
    """|uα of summed `coincidences`, shape (..., 6) -> (...): evidence against the rest; NaN if there is only one of them.

    With a single value, uα is the same (equations 5 and 6). Gaps have no structure: only their characters are not paired with themselves.
    """
    unmarked, mixed, marked = sums[..., 0], sums[..., 1], sums[..., 3]
    squares, gaps = sums[..., 4], sums[..., 5]
    length = unmarked + 2 * mixed + marked
    denominator = length**2 - squares - gaps
    expected = ratio(length * (unmarked + mixed) * (marked + mixed), denominator)
    return 1 - ratio(mixed, np.where(np.isfinite(expected), expected, 0.0))


def _sweep(start: Ints, end: Ints, base: Ints) -> tuple[Array, Array, Ints]:
    """Stretches of the line that somebody marked: their sizes, by how many, and in which unit each lies."""
    places = np.concatenate([start, end])
    steps = np.concatenate([np.ones(len(start), np.int64), -np.ones(len(end), np.int64)])
    order = np.argsort(places, kind="stable")
    places, covered = places[order], np.cumsum(steps[order])
    sizes = np.diff(places)
    inside = (covered[:-1] > 0) & (sizes > 0)
    unit = np.searchsorted(base, places[:-1][inside], side="right") - 1
    return sizes[inside].astype(np.float64), covered[:-1][inside].astype(np.float64), unit


@dataclass(frozen=True, slots=True)
class UnitizingAlphas:
    """The family for units with values: `u` (units and gaps), `binary` (|uα), `coding` (cuα: values where units meet), `by_value`
    ((k)uα). None: undefined."""

    u: float | None
    binary: float | None
    coding: float | None
    by_value: Mapping[str, float | None]


def unitizing_alphas(people: Sequence[Unitization], length: int) -> UnitizingAlphas:
    """All coefficients of the family for one continuum of `length` positions that each of `people` cut into units with values.

    Raises ValueError if fewer than two people cut it, or if somebody's units overlap.
    """
    if len(people) < 2:
        raise ValueError("Two people or more have to have read the same text.")
    sections = [_with_gaps(units, length) for units in people]
    values = [GAP, *sorted({value for units in people for _, _, value in units})]
    place = {value: number for number, value in enumerate(values)}
    observed = np.zeros((len(values), len(values)))
    own = np.zeros(len(values))
    met, met_own = np.zeros(len(values)), np.zeros(len(values))
    for i, mine in enumerate(sections):
        for start, end, value in mine:
            size = end - start
            own[place[value]] += size if value == GAP else size**2
            pairable = 0.0  # what of this unit meets others' units
            for j, theirs in enumerate(sections):
                for other_start, other_end, other in theirs if j != i else ():
                    common = max(0, min(end, other_end) - max(start, other_start)) / (len(people) - 1)
                    observed[place[value], place[other]] += common
                    pairable += common if GAP not in (value, other) else 0
            met[place[value]] += pairable
            met_own[place[value]] += pairable**2
    expected = _expected(observed.sum(axis=1), own)
    coded = observed[1:, 1:]
    coding = _expected(met[1:], met_own[1:])
    return UnitizingAlphas(
        u=_alpha(observed.sum() - np.trace(observed), expected.sum() - np.trace(expected)),
        binary=_alpha(2 * (observed[0].sum() - observed[0, 0]), 2 * (expected[0].sum() - expected[0, 0])),
        coding=_alpha(coded.sum() - np.trace(coded), coding.sum() - np.trace(coding)),
        by_value={value: _of_value(coded, coding, number) for number, value in enumerate(values[1:])},
    )


def _with_gaps(units: Unitization, length: int) -> list[tuple[int, int, str]]:
    sections, reached = [], 0
    for start, end, value in sorted(units):
        if start < reached or end > length or value == GAP:
            raise ValueError(f"Unit {start}:{end} overlaps another, runs past {length} or has no value.")
        if start > reached:
            sections.append((reached, start, GAP))
        sections.append((start, end, value))
        reached = end
    if reached < length:
        sections.append((reached, length, GAP))
    return sections


def _expected(lengths: Array, own: Array) -> Array:
    """Coincidences by chance (equations 4 and 10). lengths, own: of each value, shape (k,)."""
    total = lengths.sum()
    denominator = total**2 - own.sum()
    if denominator <= 0:
        return np.zeros((len(lengths), len(lengths)))
    return total * (np.outer(lengths, lengths) - np.diag(own)) / denominator


def _alpha(observed: float, expected: float) -> float | None:
    return None if expected <= 1e-12 else float(1 - observed / expected)


def _of_value(observed: Array, expected: Array, k: int) -> float | None:
    """(k)uα (equation 13): disagreement about one value where units meet."""
    seen, chance = observed[:, k].sum(), expected[:, k].sum()
    by_chance = chance - expected[k, k]
    if seen <= 0 or by_chance <= 1e-12:
        return None
    return float(1 - chance / seen * (seen - observed[k, k]) / by_chance)
