"""Calibration: temperatures that make scores honest, thresholds that survive few positives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from encoder.measure.calibrate import Calibrated, calibrate, fit_temperature, fit_thresholds
from encoder.measure.metrics import expected_calibration_error, reliability_bins


def drawn(*, temperature: float, items: int = 20000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `temperature` times too large, and labels drawn from the honest probabilities."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(-1.5, 2.0, items)
    return honest * temperature, rng.random(items) < expit(honest)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_distorted_the_logits_is_found(temperature: float) -> None:
    logits, gold = drawn(temperature=temperature)

    assert fit_temperature(logits, gold) == pytest.approx(temperature, rel=0.05)


def test_few_sentences_that_are_all_right_do_not_make_the_model_sure_of_itself() -> None:
    logits = np.array([-1.0, -0.8, 0.7, 1.1] * 3)

    assert 0.5 < fit_temperature(logits, logits > 0) < 1.0


def test_calibrated_scores_are_right_as_often_as_they_say() -> None:
    logits, gold = drawn(temperature=3.0)
    found = calibrate({"A": logits}, {"A": gold})

    assert found is not None
    before = expected_calibration_error(reliability_bins(expit(logits), gold))
    after = expected_calibration_error(reliability_bins(expit(logits / found.temperature), gold))
    assert before > 0.05
    assert after < 0.01


def test_a_threshold_lies_in_the_middle_of_the_gap_it_separates() -> None:
    scores = np.array([0.1, 0.2, 0.8, 0.9] * 20)
    gold = np.array([False, False, True, True] * 20)

    thresholds, default = fit_thresholds({"A": scores}, {"A": gold})

    assert thresholds == {"A": pytest.approx(0.5, abs=0.02)}
    assert default == pytest.approx(0.5, abs=0.02)


def test_a_criterion_with_one_positive_stays_near_the_pooled_threshold() -> None:
    scores = {"MANY": np.array([0.1, 0.3, 0.7, 0.9] * 50), "ONE": np.array([0.05, 0.1, 0.95])}
    gold = {"MANY": np.array([False, False, True, True] * 50), "ONE": np.array([False, False, True])}

    thresholds, default = fit_thresholds(scores, gold)

    assert abs(thresholds["ONE"] - default) < 0.1


def test_recall_first_lowers_a_threshold_until_the_wanted_share_is_found() -> None:
    rng = np.random.default_rng(0)
    gold = rng.random(4000) < 0.1
    scores = np.clip(rng.normal(np.where(gold, 0.6, 0.3), 0.15), 0, 1)

    plain, _ = fit_thresholds({"A": scores}, {"A": gold})
    careful, _ = fit_thresholds({"A": scores}, {"A": gold}, recall_first={"A"}, recall_target=0.9)

    assert np.mean(scores[gold] >= plain["A"]) < 0.8
    assert np.mean(scores[gold] >= careful["A"]) >= 0.9


def test_too_few_positives_say_nothing() -> None:
    assert calibrate({"A": np.array([1.0, -1.0])}, {"A": np.array([True, False])}) is None


def test_a_criterion_without_positives_gets_the_default() -> None:
    logits, gold = drawn(temperature=1.0, items=500)
    found = calibrate({"A": logits, "B": logits - 3}, {"A": gold, "B": np.zeros_like(gold)})

    assert found is not None
    assert set(found.thresholds) == {"A"}


def test_sentences_that_count_more_draw_the_threshold_to_where_they_are_told_apart() -> None:
    scores = np.array([0.1, 0.3, 0.35, 0.4] * 20 + [0.5, 0.6, 0.8, 0.9] * 20)
    gold = np.array([False, False, True, True] * 20 + [False, False, True, True] * 20)
    heavy_last = np.where(np.arange(len(gold)) < 80, 0.01, 1.0)

    plain, _ = fit_thresholds({"A": scores}, {"A": gold})
    weighted, _ = fit_thresholds({"A": scores}, {"A": gold}, weights=heavy_last)

    assert plain["A"] < 0.36
    assert 0.6 < weighted["A"] <= 0.8


def test_few_labels_move_the_thresholds_that_a_model_had_only_a_little_and_together() -> None:
    rng = np.random.default_rng(1)
    gold = rng.random(60) < 0.2
    scores = {"A": np.where(gold, 0.9, 0.2), "B": np.where(gold, 0.8, 0.1)}
    start = Calibrated(1.0, {"A": 0.4, "B": 0.3, "C": 0.5})

    near, near_default = fit_thresholds(scores, {"A": gold, "B": gold}, start=start)
    free, free_default = fit_thresholds(scores, {"A": gold, "B": gold})

    assert abs(near_default - 0.5) < abs(free_default - 0.5)
    assert all(start.thresholds[key] < near[key] < free[key] for key in ("A", "B"))
    assert set(near) == {"A", "B"}


def test_the_temperature_stays_near_what_the_model_had_where_few_labels_speak() -> None:
    logits = np.array([-1.0, -0.8, 0.7, 1.1] * 2)

    assert fit_temperature(logits, logits > 0, around=2.0) > 1.2


@pytest.mark.parametrize("before", [0.5, 3.0])
def test_earlier_thresholds_stay_where_they_were_on_the_logits_when_the_temperature_changes(before: float) -> None:
    logits, gold = drawn(temperature=1.0, items=4000)
    gold = gold & (np.arange(len(gold)) < 60)  # few labels: the earlier threshold is what counts
    earlier = float(expit(np.array(1.2 / before)))
    found = calibrate({"A": logits}, {"A": gold}, start=Calibrated(before, {"A": earlier}, earlier))

    assert found is not None
    assert abs(found.temperature - before) > 0.1
    free = calibrate({"A": logits}, {"A": gold})
    assert free is not None
    on_logits = [
        c.temperature * np.log(t / (1 - t)) for c, t in ((found, found.thresholds["A"]), (free, free.thresholds["A"]))
    ]
    assert min(1.2, on_logits[1]) - 0.05 <= on_logits[0] <= max(1.2, on_logits[1]) + 0.05
