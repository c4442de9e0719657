"""Ranking and recall of evidence against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from encoder.examples import Example, Label
from encoder.measure.outcomes import outcomes
from encoder.measure.ranking import evidence_recall, ranking
from storage.records import Post, Prediction, Span, Verdict
from tests.builders import SLEEP


def test_a_ranking_of_six_sentences() -> None:
    """By score: right, wrong, right, wrong, wrong, right."""
    relevant = np.array([True, False, False, True, True, False])
    found = ranking(relevant, np.array([0.9, 0.8, 0.2, 0.7, 0.1, 0.3]))
    assert (found.relevant, found.ranked) == (3, 6)
    assert found.average_precision == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    assert found.r_precision == pytest.approx(2 / 3)
    assert found.precision_at_10 == pytest.approx(3 / 10)
    gained = 1 + 1 / math.log2(4) + 1 / math.log2(7)
    assert found.ndcg == pytest.approx(gained / (1 + 1 / math.log2(3) + 1 / math.log2(4)))
    assert ranking(np.zeros(3, bool), np.ones(3)).ndcg is None


def test_recall_of_evidence_is_the_best_highlight_of_each_passage_over_users() -> None:
    """eva: 'I cannot sleep' is highlighted whole with three words more, 'I lie awake' by two words of three; tom: nothing is."""
    posts = [
        Post("a", "I cannot sleep for many nights.", author="eva"),
        Post("b", "Now I lie awake.", author="eva"),
        Post("c", "No sleep.", author="tom"),
    ]
    gold = [Span(0, 14), Span(4, 15), Span(0, 8)]
    marked = [(Span(0, 23, 0.9),), (Span(6, 15, 0.9),), ()]
    examples = [Example(p, {SLEEP.id: Label(Verdict.EVIDENCE, (s,))}) for p, s in zip(posts, gold, strict=True)]
    predictions = [
        Prediction(p.id, SLEEP.id, "m", spans, no_evidence_score=0.5) for p, spans in zip(posts, marked, strict=True)
    ]
    found = evidence_recall(outcomes(predictions, examples, [SLEEP]))
    words = 5  # I cannot sleep for many
    eva = (1 + 2 / 3) / 2
    assert (found.users, found.passages) == (2, 3)
    assert found.recall == pytest.approx((eva + 0) / 2)
    assert found.weighted_recall == pytest.approx(((3 / words + 2 / 3) / 2 + 0) / 2)
