"""How good a model is on reviewed posts: every metric of the field in one record, with bootstrap intervals. No torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from encoder.examples import Example
from encoder.measure.metrics import (
    Bin,
    Floats,
    Interval,
    average_precision,
    bootstrap_average_precision,
    brier,
    expected_calibration_error,
    harmonic,
    macro_f1,
    mean_of_defined,
    percentile_interval,
    post_weights,
    precision_recall_f1,
    reliability_bins,
)
from encoder.measure.outcomes import Outcomes, SpanCounts, outcomes
from encoder.measure.squad import squad_scores
from storage.records import Criterion, Prediction

SPAN_FIGURES = ("span_exact", "span_match", "span_characters", "span_overlap")


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall, F1 (and average precision where items are ranked), with 95 % intervals by post.

    support: gold items; predicted: highlighted items. A figure is None where it is not defined, as F1 without any gold.
    """

    support: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None
    average_precision: float | None = None
    precision_interval: Interval | None = None
    recall_interval: Interval | None = None
    f1_interval: Interval | None = None
    average_precision_interval: Interval | None = None


NOT_MEASURED = Scores(0, 0, None, None, None)
"""In evaluations that were kept before there was such a figure."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether a score of .7 is right seven times of ten."""

    ece: float | None
    brier: float | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Evaluation:
    """All metrics of one model on one set of examples.

    criteria, micro, macro: over sentences, the main figures; macro averages the criteria that have gold evidence.
    span_exact: spans equal to the character. span_match: spans matched one to one with IoU at or above .5. span_characters: the
    characters that spans hold. span_overlap: spans that share at least one character.
    detection: pairs of post and criterion, is there evidence at all; detection_criteria the same for each criterion.
    squad: exact match and F1 in percent, as the official SQuAD 2.0 script counts them.
    no_evidence_accuracy: of the pairs reviewed as holding no evidence, the share without a highlight.
    sentence_calibration: over sentences; pair_calibration: `1 - no_evidence_score` against "there is evidence".
    """

    posts: int
    pairs: int
    criteria: Mapping[str, Scores]
    micro: Scores
    macro: Scores
    span_exact: Scores
    span_overlap: Scores
    detection: Scores
    detection_criteria: Mapping[str, Scores]
    squad: Mapping[str, float]
    no_evidence_accuracy: float | None
    sentence_calibration: Calibration
    pair_calibration: Calibration
    unknown_criteria: tuple[str, ...] = ()
    bootstrap: int = 0
    span_match: Scores = NOT_MEASURED
    span_characters: Scores = NOT_MEASURED

    @property
    def macro_f1(self) -> float:
        """Mean sentence F1 over the criteria that have gold evidence; 0 if none has."""
        return self.macro.f1 or 0.0

    @property
    def micro_f1(self) -> float:
        return self.micro.f1 or 0.0

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evaluation:
        """The evaluation that `to_dict` gave, also after a round trip through JSON."""
        known = {field.name for field in dataclasses.fields(cls)}  # older ones held more
        fields = {name: value for name, value in data.items() if name in known}
        for name in ("micro", "macro", *SPAN_FIGURES, "detection"):
            if name in fields:
                fields[name] = _scores_from(fields[name])
        for name in ("criteria", "detection_criteria"):
            fields[name] = {key: _scores_from(value) for key, value in fields[name].items()}
        for name in ("sentence_calibration", "pair_calibration"):
            value = fields[name]
            bins = tuple(Bin(**b) for b in value["bins"])
            fields[name] = Calibration(value["ece"], value["brier"], bins)
        fields["unknown_criteria"] = tuple(fields.get("unknown_criteria", ()))
        return cls(**fields)

    def table(self) -> str:
        """A table for people: one line per criterion, then the averages and the other metrics."""
        lines = [f"{'criterion':<22} {'gold':>5} {'found':>5} {'P':>5} {'R':>5} {'F1':>5} {'AP':>5}  95% of F1"]
        named = [*self.criteria.items(), ("micro", self.micro), ("macro", self.macro)]
        named += [("spans, exact", self.span_exact), ("spans, IoU .5", self.span_match)]
        named += [("spans, characters", self.span_characters), ("spans, overlapping", self.span_overlap)]
        named += [("evidence in post", self.detection)]
        lines += [_line(name, scores) for name, scores in named]
        lines.append(
            f"SQuAD exact {self.squad.get('exact', 0):.1f}, F1 {self.squad.get('f1', 0):.1f}; "
            f"no-evidence accuracy {_figure(self.no_evidence_accuracy)}; "
            f"ECE {_figure(self.sentence_calibration.ece)}, Brier {_figure(self.sentence_calibration.brier)}; "
            f"{self.posts} posts, {self.pairs} pairs"
        )
        if self.unknown_criteria:
            lines.append(f"not known to the model, counted as no highlight: {', '.join(self.unknown_criteria)}")
        return "\n".join(lines)


def evaluate(
    predictions: Iterable[Prediction],
    examples: Sequence[Example],
    criteria: Sequence[Criterion],
    *,
    thresholds: Mapping[str, float] | None = None,
    ranked: Iterable[Prediction] | None = None,
    bootstrap: int = 1000,
) -> Evaluation:
    """Judge predictions by the examples' labels; only reviewed pairs count.

    thresholds: highlight a span only at or above its criterion's; with predictions that hold every sentence's score this gives
        a full average precision. None highlights every span, and AP then ranks only what was highlighted.
    ranked: predictions that hold every sentence's score, for the average precision of a model that marks in another unit.
    bootstrap: rounds for the intervals, 0 for none; the same posts are drawn each time.

    Raises BadExamples if a reviewed pair was not predicted, or nothing was reviewed.
    """
    found = outcomes(predictions, examples, criteria, thresholds=thresholds, ranked=ranked)
    weights = (
        post_weights(len(found.examples), rounds=bootstrap, seed=0) if bootstrap else np.empty((0, len(found.examples)))
    )
    per_criterion, micro, macro = _sentence_scores(found, weights)
    detection_each, detection = _detection_scores(found, weights)
    spans = _span_scores(found, weights)
    negatives = [pair for pair in found.pairs if not pair.label.has_evidence]
    silent = sum(not pair.highlighted for pair in negatives)
    unknown = {found.criteria[p.criterion].id for p in found.pairs if not p.prediction.known}
    return Evaluation(
        posts=len({pair.post for pair in found.pairs}),
        pairs=len(found.pairs),
        criteria=per_criterion,
        micro=micro,
        macro=macro,
        **spans,
        detection=detection,
        detection_criteria=detection_each,
        squad=_squad(found),
        no_evidence_accuracy=silent / len(negatives) if negatives else None,
        sentence_calibration=_calibration(
            np.concatenate([rows.score for rows in found.rows]), np.concatenate([rows.gold for rows in found.rows])
        ),
        pair_calibration=_calibration(
            np.asarray([1 - p.prediction.no_evidence_score for p in found.pairs]),
            np.asarray([p.label.has_evidence for p in found.pairs]),
        ),
        unknown_criteria=tuple(sorted(unknown)),
        bootstrap=bootstrap,
    )


def _sentence_scores(found: Outcomes, weights: Floats) -> tuple[dict[str, Scores], Scores, Scores]:
    tp, fp, fn = found.sentence_counts()
    ranked = [average_precision(rows.gold, rows.score) for rows in found.rows]
    drawn = [bootstrap_average_precision(rows.gold, rows.score, rows.post, weights) for rows in found.rows]
    drawn_ap = np.stack(drawn, axis=1)
    each = _scores_by_column(tp, fp, fn, weights, ranked, drawn_ap)
    everything = [np.concatenate([getattr(rows, name) for rows in found.rows]) for name in ("gold", "score", "post")]
    micro = dataclasses.replace(
        _scores(tp.sum(1), fp.sum(1), fn.sum(1), weights),
        average_precision=_defined(average_precision(everything[0], everything[1])),
        average_precision_interval=percentile_interval(
            bootstrap_average_precision(everything[0], everything[1], everything[2], weights)
        ),
    )
    macro = _macro(each, (tp, fp, fn), weights, drawn_ap)
    return {c.id: s for c, s in zip(found.criteria, each, strict=True)}, micro, macro


def _scores_by_column(
    tp: Floats, fp: Floats, fn: Floats, weights: Floats, ranked: Sequence[float], drawn_ap: Floats
) -> list[Scores]:
    return [
        dataclasses.replace(
            _scores(tp[:, c], fp[:, c], fn[:, c], weights),
            average_precision=_defined(ranked[c]),
            average_precision_interval=percentile_interval(drawn_ap[:, c]),
        )
        for c in range(tp.shape[1])
    ]


def _macro(each: Sequence[Scores], counts: tuple[Floats, Floats, Floats], weights: Floats, drawn_ap: Floats) -> Scores:
    """The mean over the criteria that have gold; in a bootstrap round, over those that have gold in that round.

    counts: true positives, false positives and false negatives, each (posts, criteria).
    """
    scored = [column for column, scores in enumerate(each) if scores.support]

    def mean(name: str) -> float | None:
        values = [getattr(each[c], name) for c in scored]
        return float(np.mean([v for v in values if v is not None])) if values else None

    intervals: list[Interval | None] = [None] * 4
    if len(weights) and scored:
        drawn = [weights @ table[:, scored] for table in counts]
        no_gold = drawn[0] + drawn[2] == 0
        columns = [np.where(no_gold, np.nan, figure) for figure in precision_recall_f1(*drawn)[:2]]
        means = [mean_of_defined(column) for column in columns]
        means += [macro_f1(*drawn), mean_of_defined(drawn_ap[:, scored])]
        intervals = [percentile_interval(column) for column in means]
    f1 = float(macro_f1(*(table.sum(0) for table in counts))) if scored else None
    support, predicted = sum(s.support for s in each), sum(s.predicted for s in each)
    return Scores(support, predicted, mean("precision"), mean("recall"), f1, mean("average_precision"), *intervals)


def _scores(tp: Floats, fp: Floats, fn: Floats, weights: Floats) -> Scores:
    """Scores of per-post counts, each of shape (posts,)."""
    precision, recall, f1 = (float(x) for x in precision_recall_f1(tp.sum(), fp.sum(), fn.sum()))
    support, predicted = int(tp.sum() + fn.sum()), int(tp.sum() + fp.sum())
    intervals: list[Interval | None] = [None, None, None]
    if len(weights) and support:
        drawn = [weights @ table for table in (tp, fp, fn)]
        no_gold = drawn[0] + drawn[2] == 0
        intervals = [percentile_interval(np.where(no_gold, np.nan, x)) for x in precision_recall_f1(*drawn)]
    if not support:
        return Scores(0, predicted, 0.0 if predicted else None, None, None)
    return Scores(support, predicted, precision, recall, f1, None, *intervals)


def _detection_scores(found: Outcomes, weights: Floats) -> tuple[dict[str, Scores], Scores]:
    tp, fp, fn = found.detection_counts()
    each = {c.id: _scores(tp[:, i], fp[:, i], fn[:, i], weights) for i, c in enumerate(found.criteria)}
    return each, _scores(tp.sum(1), fp.sum(1), fn.sum(1), weights)


def _span_scores(found: Outcomes, weights: Floats) -> dict[str, Scores]:
    """The figures of SPAN_FIGURES by name."""
    counts = found.span_counts()
    predicted, gold, shared = counts.predicted, counts.gold, counts.shared_characters
    return {
        "span_exact": _scores(counts.exact, predicted - counts.exact, gold - counts.exact, weights),
        "span_match": _scores(counts.matching, predicted - counts.matching, gold - counts.matching, weights),
        "span_characters": _scores(
            shared, counts.predicted_characters - shared, counts.gold_characters - shared, weights
        ),
        "span_overlap": _overlap_scores(counts, weights),
    }


def _overlap_scores(counts: SpanCounts, weights: Floats) -> Scores:
    support, count = int(counts.gold.sum()), int(counts.predicted.sum())
    if not support:
        return Scores(0, count, 0.0 if count else None, None, None)
    sides = counts.touching, counts.touched, counts.predicted, counts.gold
    precision, recall, f1 = (float(x[0]) for x in _overlap(np.ones((1, len(counts.gold))), *sides))
    intervals: list[Interval | None] = [None, None, None]
    if len(weights):
        intervals = [percentile_interval(x) for x in _overlap(weights, *sides)]
    return Scores(support, count, precision, recall, f1, None, *intervals)


def _overlap(
    weights: Floats, touching: Floats, touched: Floats, predicted: Floats, gold: Floats
) -> tuple[Floats, Floats, Floats]:
    """Precision over predicted spans, recall over gold spans and their harmonic mean, in each round; shape (rounds,)."""
    precision, _, _ = precision_recall_f1(weights @ touching, weights @ (predicted - touching), 0.0)
    recall, _, _ = precision_recall_f1(weights @ touched, weights @ (gold - touched), 0.0)
    return precision, recall, harmonic(precision, recall)


def _squad(found: Outcomes) -> dict[str, float]:
    answers: dict[str, list[str]] = {}
    given: dict[str, str] = {}
    silent: dict[str, float] = {}
    for pair in found.pairs:
        text = found.examples[pair.post].post.text
        key = f"{pair.post}\t{pair.criterion}"
        answers[key] = [span.quote(text) for span in pair.label.spans]
        best = max(pair.highlighted, key=lambda s: (s.score or 0.0, -s.start), default=None)
        given[key] = best.quote(text) if best else ""
        silent[key] = pair.prediction.no_evidence_score
    return squad_scores(answers, given, no_answer_scores=silent)


def _calibration(score: Floats, gold: Any) -> Calibration:
    bins = reliability_bins(score, gold)
    return Calibration(_defined(expected_calibration_error(bins)), _defined(brier(score, gold)), bins)


def _scores_from(data: Mapping[str, Any]) -> Scores:
    intervals = {k: Interval(**v) if v else None for k, v in data.items() if k.endswith("_interval")}
    return Scores(**{**data, **intervals})


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _figure(value: float | None) -> str:
    return "    -" if value is None else f"{value:5.3f}"


def _line(name: str, s: Scores) -> str:
    interval = f"{s.f1_interval.low:.3f} to {s.f1_interval.high:.3f}" if s.f1_interval else ""
    figures = " ".join(_figure(x) for x in (s.precision, s.recall, s.f1, s.average_precision))
    return f"{name:<22} {s.support:>5} {s.predicted:>5} {figures}  {interval}".rstrip()
