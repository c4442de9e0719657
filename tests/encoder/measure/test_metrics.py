"""The metrics' arithmetic, against scikit-learn and against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from encoder.measure import metrics
from storage.records import Span


def test_precision_recall_and_f1_are_zero_where_nothing_is_right() -> None:
    precision, recall, f1 = metrics.precision_recall_f1([3, 0, 0], [1, 0, 2], [2, 0, 0])

    assert precision == pytest.approx([0.75, 0, 0])
    assert recall == pytest.approx([0.6, 0, 0])
    assert f1 == pytest.approx([2 / 3, 0, 0])


@pytest.mark.parametrize("decimals", [1, 8])
def test_average_precision_equals_scikit_learns_with_and_without_ties_and_weights(decimals: int) -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(3)
    gold, score, weight = rng.random(400) < 0.2, rng.random(400).round(decimals), rng.integers(0, 4, 400)

    assert metrics.average_precision(gold, score) == pytest.approx(average_precision_score(gold, score))
    assert metrics.average_precision(gold, score, weight) == pytest.approx(
        average_precision_score(gold, score, sample_weight=weight)
    )


def test_average_precision_without_a_positive_is_not_a_number() -> None:
    assert np.isnan(metrics.average_precision([0, 0], [0.1, 0.9]))


def test_a_bootstrap_round_of_average_precision_is_the_weighted_one() -> None:
    rng = np.random.default_rng(1)
    gold, score, post = rng.random(60) < 0.3, rng.random(60), np.repeat(np.arange(12), 5)
    weights = metrics.post_weights(12, rounds=7, seed=2)

    rounds = metrics.bootstrap_average_precision(gold, score, post, weights)

    assert rounds == pytest.approx([metrics.average_precision(gold, score, w[post]) for w in weights])


def test_a_bootstrap_draws_as_many_posts_as_there_are() -> None:
    assert metrics.post_weights(9, rounds=50, seed=0).sum(axis=1) == pytest.approx(np.full(50, 9.0))


def test_reliability_bins_hold_every_score_once_also_zero_and_one() -> None:
    bins = metrics.reliability_bins([0.0, 0.05, 0.95, 1.0, 0.5], [0, 1, 1, 1, 0], bins=10)

    assert [(b.low, b.count, b.share_positive) for b in bins] == [(0.0, 2, 0.5), (0.5, 1, 0.0), (0.9, 2, 1.0)]
    assert metrics.expected_calibration_error(bins) == pytest.approx((2 * 0.475 + 0.5 + 2 * 0.025) / 5)


def test_brier_is_the_mean_squared_distance() -> None:
    assert metrics.brier([0.2, 0.9], [0, 1]) == pytest.approx((0.04 + 0.01) / 2)


def test_a_span_that_slips_over_an_edge_does_not_make_the_neighbor_evidence() -> None:
    assert metrics.sentence_is_evidence(Span(0, 20), [Span(5, 24)])
    assert not metrics.sentence_is_evidence(Span(21, 60), [Span(5, 24)])
    assert metrics.sentence_is_evidence(Span(21, 60), [Span(30, 34)])


def test_exact_and_overlapping_spans_are_counted() -> None:
    predicted, gold = [Span(0, 5), Span(10, 20)], [Span(0, 5), Span(19, 30), Span(40, 50)]

    assert metrics.exact_hits(predicted, gold) == 1
    assert metrics.overlap_hits(predicted, gold) == 2
    assert metrics.overlap_hits(gold, predicted) == 2


def test_an_interval_leaves_out_what_is_not_a_number() -> None:
    interval = metrics.percentile_interval(np.array([np.nan, 0.0, 1.0]))

    assert interval == metrics.Interval(pytest.approx(0.025), pytest.approx(0.975))
    assert metrics.percentile_interval(np.array([np.nan])) is None


def test_spans_match_one_to_one_by_their_intersection_over_union() -> None:
    gold = [Span(0, 10), Span(20, 30)]

    assert metrics.matching_hits([Span(0, 10), Span(1, 10)], gold) == 1
    assert metrics.matching_hits([Span(0, 5), Span(24, 30)], gold) == 2
    assert metrics.matching_hits([Span(0, 4), Span(15, 36)], gold) == 0
    assert metrics.matching_hits([], gold) == metrics.matching_hits(gold, []) == 0


def test_a_character_counts_once_however_many_spans_hold_it() -> None:
    predicted, gold = [Span(0, 10), Span(5, 15)], [Span(12, 20), Span(40, 41)]

    assert metrics.character_counts(predicted, gold) == (3, 15, 9)


def test_macro_f1_leaves_out_what_has_no_gold() -> None:
    assert metrics.macro_f1([1, 0, 2], [0, 5, 0], [1, 0, 0]) == pytest.approx((2 / 3 + 1) / 2)
    assert np.isnan(metrics.macro_f1([0], [3], [0]))
