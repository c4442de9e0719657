"""Gamma: one best alignment of everybody's spans, its disorder against that of spans laid at random.

Mathet, Widlöcher and Métivier 2015 (doi 10.1162/COLI_a_00227), with the positional dissimilarity alone: a criterion is one category. The
chance disorder comes from the people's own spans, shifted round the text by random distances, so a seed belongs to each figure.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp

Range = tuple[int, int]
EMPTY = 1.0  # the dissimilarity of a span and nothing
SAMPLES = 30
MOST_ALIGNMENTS = 200_000


@dataclass(frozen=True, slots=True)
class Gamma:
    """value: None if nobody marked anything. observed, expected: disorder per span. texts: those with a span."""

    value: float | None
    observed: float
    expected: float
    texts: int
    samples: int
    seed: int
    reason: str = ""


def gamma(texts: Sequence[tuple[int, Sequence[Sequence[Range]]]], *, samples: int = SAMPLES, seed: int = 0) -> Gamma:
    """Gamma over texts, each weighted by the spans that a person marks in it.

    texts: (length in characters, the spans of each person who read it). Those that fewer than two read, or without a span, say nothing.
    Raises ValueError if a text has so many people and spans that the alignment cannot be computed.
    """
    random = np.random.default_rng(seed)
    observed = expected = spans = 0.0
    used = 0
    for length, people in texts:
        if len(people) < 2 or not any(people):
            continue
        per_person = sum(map(len, people)) / len(people)
        used += 1
        spans += per_person
        observed += least_disorder(people)
        expected += per_person * _chance_disorder(length, people, samples, random)
    if not used or expected <= 0:
        return Gamma(None, 0.0, 0.0, used, samples, seed, "nobody marked a passage in a text that several people read")
    return Gamma(1 - observed / expected, observed / spans, expected / spans, used, samples, seed)


def dissimilarity(one: Range, other: Range) -> float:
    """Positional: squared distance of the borders against the lengths (equation 5)."""
    apart = abs(one[0] - other[0]) + abs(one[1] - other[1])
    return (apart / (one[1] - one[0] + other[1] - other[0])) ** 2 * EMPTY


def least_disorder(people: Sequence[Sequence[Range]]) -> float:
    """The disorder of the best alignment, summed over its unitary alignments (each the mean over pairs of people)."""
    if not any(people):
        return 0.0
    return _by_assignment(*people) if len(people) == 2 else _by_program(people)


def _chance_disorder(
    length: int, people: Sequence[Sequence[Range]], samples: int, random: np.random.Generator
) -> float:
    """Mean disorder per span of `samples` texts in which every person has somebody's spans, shifted."""
    found: list[float] = []
    while len(found) < samples:
        drawn = [
            _shifted(people[int(random.integers(len(people)))], int(random.integers(length)), length) for _ in people
        ]
        if any(drawn):
            found.append(least_disorder(drawn) * len(people) / sum(map(len, drawn)))
    return float(np.mean(found))


def _shifted(spans: Sequence[Range], by: int, length: int) -> list[Range]:
    moved = ((start + by) % length for start, _ in spans)
    return [(start, start + end - begin) for start, (begin, end) in zip(moved, spans, strict=True)]


def _by_assignment(one: Sequence[Range], other: Sequence[Range]) -> float:
    """Two people: a bipartite assignment in which every span may also stay alone."""
    n, m = len(one), len(other)
    costs = np.full((n + m, m + n), EMPTY)
    for i, j in itertools.product(range(n), range(m)):
        costs[i, j] = dissimilarity(one[i], other[j])
    costs[n:, m:] = 0.0
    rows, columns = linear_sum_assignment(costs)
    return float(costs[rows, columns].sum())


def _by_program(people: Sequence[Sequence[Range]]) -> float:
    """Three people or more: the cheapest choice of unitary alignments in which every span occurs once."""
    choices: list[list[Range | None]] = [[None, *spans] for spans in people]
    number = int(np.prod([len(c) for c in choices], dtype=float))
    if number > MOST_ALIGNMENTS:
        raise ValueError(f"{len(people)} people with that many spans have {number} alignments: too many for gamma.")
    first = np.concatenate([[0], np.cumsum([len(spans) for spans in people])])
    pairs = len(people) * (len(people) - 1) / 2
    alone = EMPTY * (len(people) - 1) / pairs
    costs, members = [], []
    for combination in itertools.product(*(range(len(c)) for c in choices)):
        units = [choices[p][k] for p, k in enumerate(combination)]
        there = [int(first[p]) + k - 1 for p, k in enumerate(combination) if k]
        cost = sum(_pair_cost(a, b) for a, b in itertools.combinations(units, 2)) / pairs
        if there and cost <= alone * len(there) + 1e-12:
            costs.append(cost)
            members.append(there)
    once: Any = np.zeros((int(first[-1]), len(costs)))
    for column, there in enumerate(members):
        once[there, column] = 1
    solved = milp(
        np.array(costs), constraints=LinearConstraint(once, 1, 1), integrality=np.ones(len(costs)), bounds=Bounds(0, 1)
    )
    return float(solved.fun)


def _pair_cost(one: Range | None, other: Range | None) -> float:
    if one is None and other is None:
        return 0.0
    return EMPTY if one is None or other is None else dissimilarity(one, other)
