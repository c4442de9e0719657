"""Makes scores honest and places the thresholds, on reviewed posts that were not trained on. NumPy only.

A temperature divides all logits, so that a score of .7 is right seven times of ten; then each criterion gets the threshold
that gives the best F1, or for chosen criteria the highest threshold that still finds the wanted share of the evidence.
Source of the temperature: Guo et al. 2017 (arXiv:1706.04599).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import expit

from encoder.measure.metrics import Bools, Floats, precision_recall_f1

GRID = np.linspace(0.02, 0.98, 193)
PRIOR_POSITIVES = 8.0
"""Weight of the pooled curve when a criterion's own is drawn, in positives: with few of them its own best point is luck."""
MIN_POSITIVES = 5
TEMPERATURE_PRIOR = 5.0
"""Nats that a temperature of e or 1/e costs."""
START_POSITIVES = 40.0
"""Weight of the threshold that a model had before, in positives: it was fitted on more than a few corrections."""
_TEMPERATURES = (0.2, 5.0)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What calibration found; `positives` says on how much gold evidence, per criterion."""

    temperature: float
    thresholds: Mapping[str, float] = field(default_factory=dict)
    default_threshold: float = 0.5
    positives: Mapping[str, int] = field(default_factory=dict)


def calibrate(
    logits: Mapping[str, Floats],
    gold: Mapping[str, Bools],
    *,
    recall_first: Collection[str] = (),
    recall_target: float = 0.9,
    weights: Floats | None = None,
    start: Calibrated | None = None,
) -> Calibrated | None:
    """Temperature and thresholds from sentence logits and labels by criterion id, each of shape (sentences,).

    weights: how much each sentence counts for the thresholds, (sentences,); None: all the same.
    start: what the model had before; what is found moves away from it only as far as the labels carry.
    None is returned if there are too few positives (under five in all) to say anything: keep what the model has.
    """
    positives = {key: int(labels.sum()) for key, labels in gold.items()}
    if sum(positives.values()) < MIN_POSITIVES:
        return None
    all_logits = np.concatenate([logits[key] for key in gold])
    around = 1.0 if start is None else start.temperature
    temperature = fit_temperature(all_logits, np.concatenate(list(gold.values())), around=around)
    scores = {key: expit(logits[key].astype(np.float64) / temperature) for key in gold}
    if start is not None:
        start = at_temperature(start, temperature)
    thresholds, default = fit_thresholds(
        scores, gold, recall_first=recall_first, recall_target=recall_target, weights=weights, start=start
    )
    return Calibrated(temperature, thresholds, default, positives)


def at_temperature(start: Calibrated, temperature: float) -> Calibrated:
    """The same thresholds on the logits, as probabilities under another temperature."""
    ratio = start.temperature / temperature
    same = {key: _probability(_logit(threshold) * ratio) for key, threshold in start.thresholds.items()}
    default = _probability(_logit(start.default_threshold) * ratio)
    return replace(start, temperature=temperature, thresholds=same, default_threshold=default)


def fit_temperature(logits: Floats, gold: Bools, *, around: float = 1.0) -> float:
    """The temperature in [0.2, 5] with the lowest cross entropy, by golden section on its logarithm; `around` without both classes.

    logits, gold: one per answer, shape (answers,); gold is True for evidence. The result divides logits, so it has no unit.
    A weak prior holds it near `around`: on few posts that the model gets all right, any temperature below would do.

    Source: temperature scaling, Guo et al. 2017 (arXiv:1706.04599).
    """
    if not gold.any() or gold.all():
        return around
    sign = np.where(gold, -1.0, 1.0)
    finite = np.clip(logits, -60.0, 60.0)

    def loss(log_temperature: float) -> float:
        nats = np.sum(np.logaddexp(0.0, sign * finite / np.exp(log_temperature)))
        return float(nats + TEMPERATURE_PRIOR * (log_temperature - np.log(around)) ** 2)

    low, high = np.log(_TEMPERATURES[0]), np.log(_TEMPERATURES[1])
    golden = (np.sqrt(5.0) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-4:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(right)
    return float(np.exp((low + high) / 2))


def fit_thresholds(
    scores: Mapping[str, Floats],
    gold: Mapping[str, Bools],
    *,
    recall_first: Collection[str] = (),
    recall_target: float = 0.9,
    weights: Floats | None = None,
    start: Calibrated | None = None,
) -> tuple[dict[str, float], float]:
    """A threshold per criterion that has gold evidence, and the default for the others; all are probabilities in [0, 1].

    scores, gold: by criterion id, arrays of shape (answers,): probabilities, and True for evidence. weights: what each answer
    counts, the same shape, so that of all criteria too; 1 unless given. recall_first: ids whose threshold is the highest that
    finds `recall_target` of the evidence; for all others F1 decides. start: an earlier calibration, which few labels move
    little.

    Raises KeyError if a criterion of `gold` has no scores.
    """
    mass = {key: np.ones(len(labels)) if weights is None else weights for key, labels in gold.items()}
    counts = {key: _counts(scores[key], gold[key], mass[key]) for key in gold}
    pooled = np.sum(list(counts.values()), axis=0)
    default, found = _best_f1(pooled), pooled[0, 0] + pooled[2, 0]
    if start is not None:
        default = _between(start.default_threshold, default, found / (found + START_POSITIVES))
    share = PRIOR_POSITIVES / max(1.0, found)
    before = {} if start is None else _shifted(start.thresholds, scores, gold, mass)
    thresholds: dict[str, float] = {}
    for key, own in counts.items():
        if not gold[key].any():
            continue
        threshold = _best_f1(own + share * pooled)
        if key in before:
            positives = own[0, 0] + own[2, 0]
            threshold = _between(before[key], threshold, positives / (positives + START_POSITIVES))
        if key in recall_first:
            threshold = min(threshold, _for_recall(scores[key][gold[key]], mass[key][gold[key]], recall_target))
        thresholds[key] = round(float(threshold), 4)
    return thresholds, round(float(default), 4)


def _counts(score: Floats, gold: Bools, mass: Floats) -> Floats:
    """True positives, false positives and false negatives at every threshold of GRID, shape (3, thresholds)."""

    def at_or_above(chosen: Bools) -> Floats:
        order = np.argsort(score[chosen])
        below = np.concatenate([[0.0], np.cumsum(mass[chosen][order])])
        return below[-1] - below[np.searchsorted(score[chosen][order], GRID, side="left")]

    tp, fp = at_or_above(gold), at_or_above(~gold)
    return np.stack([tp, fp, mass[gold].sum() - tp])


def _best_f1(counts: Floats) -> float:
    """The middle of the thresholds that reach the best F1: the edge of a plateau would not survive new posts."""
    f1 = precision_recall_f1(counts[0], counts[1], counts[2])[2]
    best = np.flatnonzero(f1 >= f1.max() - 1e-9)
    return float(GRID[best[len(best) // 2]])


def _shifted(
    thresholds: Mapping[str, float], scores: Mapping[str, Floats], gold: Mapping[str, Bools], mass: Mapping[str, Floats]
) -> dict[str, float]:
    """The thresholds, all moved by as much on the scale of logits: towards the move that gives the best F1 over all criteria.

    Training moves all scores of a model a little up or down; few labels tell by how much, far fewer than each threshold needs.
    """
    moves: Floats = np.linspace(-2.0, 2.0, 81, dtype=np.float64)
    counts = np.zeros((3, len(moves)))
    for key in scores.keys() & thresholds.keys():
        at = expit(_logit(thresholds[key]) + moves)
        lit = scores[key] >= at[:, None]
        own, truth = mass[key], gold[key]
        counts += [(lit & truth) @ own, (lit & ~truth) @ own, (~lit & truth) @ own]
    positives = counts[0, 0] + counts[2, 0]
    if not positives:
        return dict(thresholds)
    f1 = precision_recall_f1(counts[0], counts[1], counts[2])[2]
    best = np.flatnonzero(f1 >= f1.max() - 1e-9)
    move = moves[best[len(best) // 2]] * positives / (positives + START_POSITIVES)
    return {key: _probability(_logit(threshold) + move) for key, threshold in thresholds.items()}


def _between(start: float, end: float, share: float) -> float:
    """The probability that lies at `share` of the way from one to the other, on the scale of logits."""
    return _probability((1 - share) * _logit(start) + share * _logit(end))


def _probability(logit: float) -> float:
    return float(expit(np.array([logit]))[0])


def _logit(probability: float) -> float:
    held = float(np.clip(probability, GRID[0], GRID[-1]))
    return float(np.log(held / (1 - held)))


def _for_recall(positive: Floats, mass: Floats, target: float) -> float:
    """The highest threshold at which at least `target` of the positives' mass is found, a hair below the score it rests on."""
    order = np.argsort(-positive)
    reached = np.cumsum(mass[order]) / mass.sum()
    last = min(int(np.searchsorted(reached, target - 1e-9)), len(order) - 1)
    return float(np.clip(positive[order][last] - 1e-3, GRID[0], GRID[-1]))
