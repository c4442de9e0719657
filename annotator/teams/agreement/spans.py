"""Agreement on spans between two answers: F1 (exact, and from half of the words on), and how far borders lie apart.

All pairs of spans of all pairs of answers are columns. Only where a span could be matched with more than one, which needs more than one
span in an answer, is a pair of answers looked at by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.teams.agreement.continua import Marks
from annotator.teams.agreement.figures import Array, Ints, ratio
from storage.matching import matched

COLUMNS = 5  # of what `pair_sums` says of one pair of answers


@dataclass(frozen=True, slots=True)
class Edges:
    """Every span of the one answer with every span of the other. pair: of answers; one, other: spans; shapes (edges,)."""

    pair: Ints
    one: Ints
    other: Ints


def edges_of(marks: Marks, left: Ints, right: Ints) -> Edges:
    """marks: sorted by answer. left, right: the two answers of each pair, shape (pairs,)."""
    answers = int(max(left.max(initial=-1), right.max(initial=-1), marks.answer.max(initial=-1))) + 1
    count = np.bincount(marks.answer, minlength=answers)
    first = np.concatenate([[0], np.cumsum(count)[:-1]]) if answers else count
    each = count[left] * count[right]
    pair = np.repeat(np.arange(len(left)), each)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(each) - each, each)
    width = np.repeat(count[right], each)
    return Edges(pair, first[left[pair]] + within // width, first[right[pair]] + within % width)


def pair_sums(marks: Marks, words: tuple[Ints, Ints], pairs: tuple[Ints, Ints], *, threshold: float) -> Array:
    """Per pair of answers [spans of both, exact matches, matches by words, summed distance of borders in characters, spans so compared].

    marks: sorted by answer, none twice. words: numbers of the first word that each span touches and of the one after the last, shape
    (spans,); they count along one line, so that only differences within a text mean anything. Returns shape (pairs, 5).
    """
    left, right = pairs
    edges = edges_of(marks, left, right)
    count = np.bincount(marks.answer, minlength=int(max(left.max(initial=0), right.max(initial=0))) + 1)
    sums = np.zeros((len(left), COLUMNS))
    sums[:, 0] = count[left] + count[right]
    characters = (marks.start, marks.end)
    equal = (marks.start[edges.one] == marks.start[edges.other]) & (marks.end[edges.one] == marks.end[edges.other])
    sums[:, 1] = np.bincount(edges.pair[equal], minlength=len(left))
    by_characters = _iou(*characters, edges)
    wordless = words[0] == words[1]
    near = np.where(wordless[edges.one] | wordless[edges.other], by_characters, _iou(*words, edges))
    sums[:, 2] = _most_pairs(edges, (near >= threshold) | equal, len(left))
    compared = _nearest_first(edges, by_characters)
    apart = np.abs(marks.start[edges.one] - marks.start[edges.other]) + np.abs(
        marks.end[edges.one] - marks.end[edges.other]
    )
    sums[:, 3] = np.bincount(edges.pair[compared], weights=apart[compared] / 2, minlength=len(left))
    sums[:, 4] = np.bincount(edges.pair[compared], minlength=len(left))
    return sums


def f1_exact(sums: Array) -> Array:
    """F1 of spans with equal borders, of summed `pair_sums`: shape (..., 5) -> (...)."""
    return ratio(2 * sums[..., 1], sums[..., 0])


def f1_by_words(sums: Array) -> Array:
    """F1 of spans that share enough words."""
    return ratio(2 * sums[..., 2], sums[..., 0])


def border_distance(sums: Array) -> Array:
    """Mean distance of the borders of overlapping spans, in characters (mean of start and end)."""
    return np.asarray(ratio(sums[..., 3], sums[..., 4]))


def _iou(start: Ints, end: Ints, edges: Edges) -> Array:
    """Intersection over union of the two ranges of each edge."""
    a, b = edges.one, edges.other
    shared = np.maximum(0, np.minimum(end[a], end[b]) - np.maximum(start[a], start[b]))
    together = end[a] - start[a] + end[b] - start[b] - shared
    return shared / np.maximum(together, 1)


def _crowded(edges: Edges, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which chosen edges are of a pair of answers in which a span has more than one chosen edge."""
    pair = edges.pair[chosen]
    several = np.zeros(len(pair), bool)
    for ends in (edges.one[chosen], edges.other[chosen]):
        key = pair * (int(ends.max(initial=0)) + 1) + ends
        _, where, times = np.unique(key, return_inverse=True, return_counts=True)
        several |= times[where] > 1
    crowded = np.zeros(len(edges.pair), bool)
    crowded[chosen] = np.isin(pair, pair[several])
    return crowded


def _groups(edges: Edges, chosen: NDArray[np.bool_]) -> Iterable[tuple[int, Ints]]:
    """(pair of answers, its chosen edges); edges are in the order of the pairs."""
    rows = np.flatnonzero(chosen)
    if len(rows):
        borders = np.flatnonzero(np.diff(edges.pair[rows])) + 1
        for group in np.split(rows, borders):
            yield int(edges.pair[group[0]]), group


def _most_pairs(edges: Edges, near: NDArray[np.bool_], pairs: int) -> Array:
    """Per pair of answers, in how many pairs their spans can be put one to one, of near ones."""
    crowded = _crowded(edges, near)
    found = np.bincount(edges.pair[near & ~crowded], minlength=pairs).astype(np.float64)
    for pair, group in _groups(edges, crowded):
        ones, one = np.unique(edges.one[group], return_inverse=True)
        of_one: list[list[int]] = [[] for _ in ones]
        for i, j in zip(one.tolist(), edges.other[group].tolist(), strict=True):
            of_one[i].append(j)
        found[pair] = len(matched(of_one))
    return found


def _nearest_first(edges: Edges, iou: Array) -> NDArray[np.bool_]:
    """Which edges pair spans that overlap one to one, those with the largest IoU first."""
    overlapping = iou > 0
    crowded = _crowded(edges, overlapping)
    kept = overlapping & ~crowded
    for _, group in _groups(edges, crowded):
        taken: set[tuple[bool, int]] = set()
        for edge in sorted(group.tolist(), key=lambda e: (-iou[e], edges.one[e], edges.other[e])):
            ends = {(False, int(edges.one[edge])), (True, int(edges.other[edge]))}
            if not taken & ends:
                taken |= ends
                kept[edge] = True
    return kept
