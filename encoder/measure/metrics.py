"""The numbers by which a model is judged, as functions of arrays. NumPy only; knows no model and no file.

Conventions, everywhere: precision without any prediction and recall without any gold are 0; F1 is 0 when nothing is right.
A criterion without gold evidence has no F1 worth averaging: callers leave it out of macro averages (`nan` here).
Intervals are percentile bootstraps over posts, because the sentences of one post are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from storage.records import Span, merge_overlapping

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

AP_ROUNDS = 200
"""Ranking anew costs a pass over all sentences per round; 200 rounds place a 95 % interval well enough."""
_CHUNK_CELLS = 4_000_000
MATCH_IOU = 0.5
"""From this intersection over union on, a predicted span is the gold span with other edges."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval, `low` <= `high`."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a reliability diagram: `count` scores in [low, high), their mean, and the share that was right."""

    low: float
    high: float
    count: int
    mean_score: float
    share_positive: float


def precision_recall_f1(tp: npt.ArrayLike, fp: npt.ArrayLike, fn: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of counts, each in [0, 1]; 0 where the quotient is undefined (nothing predicted, nothing gold).

    tp, fp, fn: true positives, false positives and false negatives, numbers or arrays whose shapes broadcast; the results have
    the broadcast shape. Raises ValueError if they do not broadcast. The only place where F1 is computed from counts.
    """
    hit, wrong, missed = (np.asarray(x, dtype=np.float64) for x in (tp, fp, fn))
    precision = _ratio(hit, hit + wrong)
    recall = _ratio(hit, hit + missed)
    return precision, recall, _ratio(2 * hit, 2 * hit + wrong + missed)


def criterion_f1(tp: npt.ArrayLike, fp: npt.ArrayLike, fn: npt.ArrayLike) -> Floats:
    """F1 of counts, element by element; nan where there is no gold evidence."""
    hit, missed = np.asarray(tp, dtype=np.float64), np.asarray(fn, dtype=np.float64)
    return np.where(hit + missed == 0, np.nan, precision_recall_f1(hit, fp, missed)[2])


def macro_f1(tp: npt.ArrayLike, fp: npt.ArrayLike, fn: npt.ArrayLike) -> Floats:
    """Mean F1 over the criteria that have gold evidence, nan if none has: (..., criteria) -> (...)."""
    return mean_of_defined(criterion_f1(tp, fp, fn))


def harmonic(precision: npt.ArrayLike, recall: npt.ArrayLike) -> Floats:
    """F1 of a precision and a recall that were counted over different things (predicted and gold spans), element by element.

    Both in [0, 1], of shapes that broadcast; 0 where both are 0.
    """
    p, r = np.asarray(precision, dtype=np.float64), np.asarray(recall, dtype=np.float64)
    return _ratio(2 * p * r, p + r)


def average_precision(gold: npt.ArrayLike, score: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float:
    """Area under the precision-recall curve by steps, ties taken together; nan without a positive.

    gold, score, weight: shape (items,). Equal to scikit-learn's `average_precision_score`.
    """
    gold_, score_ = np.asarray(gold, dtype=np.float64), np.asarray(score, dtype=np.float64)
    weight_ = np.ones_like(score_) if weight is None else np.asarray(weight, dtype=np.float64)
    return float(_weighted_average_precision(gold_, score_, weight_[None, :])[0])


def wilson(successes: int, of: int) -> tuple[float, float] | None:
    """The 95 % interval of a share, within [0, 1]; None of nothing.

    Source: Wilson 1927 (JASA 22), the score interval.
    """
    if not of:
        return None
    z, share = 1.959964, successes / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * float(np.sqrt(share * (1 - share) / of + z * z / (4 * of * of)))
    return max(0.0, middle - half), min(1.0, middle + half)


def reliability_bins(score: npt.ArrayLike, gold: npt.ArrayLike, *, bins: int = 10) -> tuple[Bin, ...]:
    """The non-empty bars of a reliability diagram with `bins` bars of equal width over [0, 1].

    score: probabilities, shape (answers,); gold: 1 for evidence and 0 for none, the same shape.
    """
    score_, gold_ = np.asarray(score, dtype=np.float64), np.asarray(gold, dtype=np.float64)
    which = np.minimum((score_ * bins).astype(np.int64), bins - 1)
    count = np.bincount(which, minlength=bins)
    total_score = np.bincount(which, weights=score_, minlength=bins)
    total_gold = np.bincount(which, weights=gold_, minlength=bins)
    return tuple(
        Bin(b / bins, (b + 1) / bins, int(count[b]), float(total_score[b] / count[b]), float(total_gold[b] / count[b]))
        for b in range(bins)
        if count[b]
    )


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Mean distance between score and share of positives over the bins, weighted by their counts; nan without items."""
    total = sum(b.count for b in bins)
    return sum(b.count * abs(b.mean_score - b.share_positive) for b in bins) / total if total else float("nan")


def brier(score: npt.ArrayLike, gold: npt.ArrayLike) -> float:
    """Mean squared distance between score and truth, in [0, 1]; nan without items. Both of shape (answers,).

    Source: Brier 1950.
    """
    score_, gold_ = np.asarray(score, dtype=np.float64), np.asarray(gold, dtype=np.float64)
    return float(np.mean((score_ - gold_) ** 2)) if score_.size else float("nan")


def sentence_is_evidence(sentence: Span, spans: Sequence[Span]) -> bool:
    """True if a span shares at least half of the shorter of the two with the sentence.

    A span that slips over a sentence's edge by a word does not make the neighbour evidence.
    """
    for span in spans:
        shared = min(sentence.end, span.end) - max(sentence.start, span.start)
        if shared > 0 and 2 * shared >= min(sentence.end - sentence.start, span.end - span.start):
            return True
    return False


def exact_hits(predicted: Sequence[Span], gold: Sequence[Span]) -> int:
    """How many predicted spans equal a gold span, character for character."""
    return len({(s.start, s.end) for s in predicted} & {(s.start, s.end) for s in gold})


def overlap_hits(spans: Sequence[Span], others: Sequence[Span]) -> int:
    """How many of `spans` share at least one character with one of `others`."""
    return sum(any(span.overlaps(other) for other in others) for span in spans)


def matching_hits(predicted: Sequence[Span], gold: Sequence[Span], *, least: float = MATCH_IOU) -> int:
    """How many predicted spans match a gold span, one to one, with an intersection over union of at least `least`.

    The closest pairs are matched first.
    """
    pairs = sorted(
        ((p.iou(g), i, j) for i, p in enumerate(predicted) for j, g in enumerate(gold) if p.overlaps(g)), reverse=True
    )
    used_predicted: set[int] = set()
    used_gold: set[int] = set()
    for iou, i, j in pairs:
        if iou >= least and i not in used_predicted and j not in used_gold:
            used_predicted.add(i)
            used_gold.add(j)
    return len(used_gold)


def character_counts(predicted: Sequence[Span], gold: Sequence[Span]) -> tuple[int, int, int]:
    """Characters in spans of both sides, in predicted ones, in gold ones; a character counts once, however many spans hold it."""
    one, other = (merge_overlapping(spans) for spans in (predicted, gold))
    shared = sum(max(0, min(p.end, g.end) - max(p.start, g.start)) for p in one for g in other)
    return shared, sum(p.end - p.start for p in one), sum(g.end - g.start for g in other)


def post_weights(posts: int, *, rounds: int, seed: int) -> Floats:
    """How often each post is drawn in each bootstrap round, shape (rounds, posts)."""
    draw = np.random.default_rng(seed).multinomial(posts, np.full(posts, 1.0 / posts), size=rounds)
    return draw.astype(np.float64)


def bootstrap_average_precision(gold: Bools, score: Floats, post: Ints, weights: Floats) -> Floats:
    """Average precision in the first AP_ROUNDS bootstrap rounds, shape (rounds,); nan in rounds without a positive.

    gold, score, post: shape (items,); `post` is the column of `weights`, shape (rounds, posts).
    """
    truth = gold.astype(np.float64)
    step = max(1, _CHUNK_CELLS // max(1, score.size))
    rounds = weights[:AP_ROUNDS]
    parts = [
        _weighted_average_precision(truth, score, rounds[i : i + step][:, post]) for i in range(0, len(rounds), step)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def percentile_interval(values: Floats, *, level: float = 0.95) -> Interval | None:
    """The interval that holds the middle `level` of the values, shape (resamples,); nan is left out, None if nothing is left."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def mean_of_defined(values: Floats, *, axis: int = -1) -> Floats:
    """The mean over `axis` of what is a number; nan where nothing is. The shape is that of `values` without `axis`."""
    defined = np.isfinite(values)
    count = defined.sum(axis=axis)
    total = np.where(defined, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros(np.broadcast(top, bottom).shape), where=bottom > 0)


def _weighted_average_precision(gold: Floats, score: Floats, weight: Floats) -> Floats:
    """Average precision of each row of `weight`, shape (rounds, items) -> (rounds,)."""
    if not score.size:
        return np.full(len(weight), np.nan)
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    ordered = weight[:, order]
    hits = np.cumsum(ordered * gold[order], axis=1)[:, last_of_tie]
    drawn = np.cumsum(ordered, axis=1)[:, last_of_tie]
    positives = hits[:, -1:]
    precision = _ratio(hits, drawn)
    gained = np.diff(hits, axis=1, prepend=0.0)
    total = (precision * gained).sum(axis=1)
    return np.where(positives[:, 0] > 0, total / np.maximum(positives[:, 0], 1e-300), np.nan)
