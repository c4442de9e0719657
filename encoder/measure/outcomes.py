"""Predictions laid beside gold, as arrays: what `evaluate` and `compare` count. No torch.

Only reviewed (post, criterion) pairs count. A pair is looked at three ways: sentence by sentence, span by span, and as a
whole (is there evidence at all).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from encoder.errors import BadExamples
from encoder.examples import Example, Label
from encoder.measure.metrics import (
    Bools,
    Floats,
    Ints,
    character_counts,
    exact_hits,
    matching_hits,
    overlap_hits,
    sentence_is_evidence,
)
from encoder.text.sentences import sentences
from storage.records import Criterion, Prediction, Span


@dataclass(frozen=True, slots=True)
class SentenceRows:
    """All sentences of the posts reviewed for one criterion; every array has shape (sentences,).

    post: index of the post. score: of the best predicted span on the sentence, 0 without one.
    """

    post: Ints
    gold: Bools
    predicted: Bools
    score: Floats


@dataclass(frozen=True, slots=True)
class Pair:
    """One reviewed (post, criterion): the label, the highlighted spans (those at or above the threshold), the prediction."""

    post: int
    criterion: int
    label: Label
    highlighted: tuple[Span, ...]
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class SpanCounts:
    """Spans and their characters by post; every array has shape (posts,).

    exact: predicted spans equal to a gold one. matching: matched one to one with IoU at or above .5. touching: predicted spans
    that share a character with gold; touched: gold spans that share one with a prediction.
    """

    exact: Floats
    matching: Floats
    touching: Floats
    touched: Floats
    predicted: Floats
    gold: Floats
    shared_characters: Floats
    predicted_characters: Floats
    gold_characters: Floats


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Everything that was predicted for everything that was reviewed."""

    examples: tuple[Example, ...]
    criteria: tuple[Criterion, ...]
    rows: tuple[SentenceRows, ...]
    pairs: tuple[Pair, ...]

    def sentence_counts(self) -> tuple[Floats, Floats, Floats]:
        """True positives, false positives and false negatives, each of shape (posts, criteria)."""
        shape = (len(self.examples), len(self.criteria))
        tp, fp, fn = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for column, rows in enumerate(self.rows):
            for table, hit in (
                (tp, rows.gold & rows.predicted),
                (fp, ~rows.gold & rows.predicted),
                (fn, rows.gold & ~rows.predicted),
            ):
                table[:, column] = np.bincount(rows.post, weights=hit, minlength=shape[0])
        return tp, fp, fn

    def detection_counts(self) -> tuple[Floats, Floats, Floats]:
        """The same for whole pairs: is there evidence, and did the model highlight anything; shape (posts, criteria)."""
        shape = (len(self.examples), len(self.criteria))
        tp, fp, fn = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for pair in self.pairs:
            gold, found = pair.label.has_evidence, bool(pair.highlighted)
            table = tp if gold and found else fp if found else fn if gold else None
            if table is not None:
                table[pair.post, pair.criterion] = 1
        return tp, fp, fn

    def span_counts(self) -> SpanCounts:
        """How the highlighted spans lie to the gold ones, by post."""
        table = np.zeros((9, len(self.examples)))
        for pair in self.pairs:
            predicted, gold = pair.highlighted, pair.label.spans
            table[:, pair.post] += (
                exact_hits(predicted, gold),
                matching_hits(predicted, gold),
                overlap_hits(predicted, gold),
                overlap_hits(gold, predicted),
                len(predicted),
                len(gold),
                *character_counts(predicted, gold),
            )
        return SpanCounts(*table)


def outcomes(
    predictions: Iterable[Prediction],
    examples: Sequence[Example],
    criteria: Sequence[Criterion],
    *,
    thresholds: Mapping[str, float] | None = None,
    ranked: Iterable[Prediction] | None = None,
) -> Outcomes:
    """Lay predictions beside gold; BadExamples if a reviewed pair was not predicted, or nothing was reviewed.

    thresholds: a span below its criterion's counts for the score but is not highlighted; None highlights every span.
    ranked: predictions that hold every sentence's score; None takes the scores of `predictions`.
    """
    scored = {(p.post_id, p.criterion_id): p for p in ranked or ()}
    by_pair = {(p.post_id, p.criterion_id): p for p in predictions}
    pairs: list[Pair] = []
    columns: list[list[tuple[int, bool, bool, float]]] = [[] for _ in criteria]
    missing: list[str] = []
    for index, example in enumerate(examples):
        passages = sentences(example.post.text)
        for column, criterion in enumerate(criteria):
            label = example.labels.get(criterion.id)
            if label is None:
                continue
            key = example.post.id, criterion.id
            prediction = by_pair.get(key)
            if prediction is None:
                missing.append(f"{example.post.id} x {criterion.id}")
                continue
            threshold = (thresholds or {}).get(criterion.id, 0.0)
            lit = tuple(s for s in prediction.spans if s.score is None or s.score >= threshold)
            pairs.append(Pair(index, column, label, lit, prediction))
            columns[column].extend((index, *_sentence(s, label, lit, scored.get(key, prediction))) for s in passages)
    if missing:
        raise BadExamples(f"{len(missing)} reviewed pairs have no prediction, the first is {missing[0]}.")
    if not pairs:
        raise BadExamples("Nothing to evaluate: no example is labelled for any of the criteria.")
    return Outcomes(tuple(examples), tuple(criteria), tuple(_rows(c) for c in columns), tuple(pairs))


def _sentence(sentence: Span, label: Label, lit: Sequence[Span], prediction: Prediction) -> tuple[bool, bool, float]:
    scores = (
        1.0 if s.score is None else s.score
        for s in prediction.spans
        if s.overlaps(sentence) and sentence_is_evidence(sentence, [s])
    )
    return (
        sentence_is_evidence(sentence, label.spans),
        sentence_is_evidence(sentence, lit),
        max(scores, default=0.0),
    )


def _rows(found: Sequence[tuple[int, bool, bool, float]]) -> SentenceRows:
    post, gold, predicted, score = zip(*found, strict=True) if found else ((), (), (), ())
    return SentenceRows(
        np.asarray(post, dtype=np.int64),
        np.asarray(gold, dtype=np.bool_),
        np.asarray(predicted, dtype=np.bool_),
        np.asarray(score, dtype=np.float64),
    )
