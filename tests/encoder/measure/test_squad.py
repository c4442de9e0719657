"""SQuAD 2.0 figures. The expected ones were computed with the official evaluate-v2.0.py on the same data."""

from __future__ import annotations

import pytest

from encoder.measure.squad import normalize_answer, squad_scores

ANSWERS = {
    "q1": ["I cannot sleep.", "awake until four"],
    "q2": [],
    "q3": ["The dog's fine, an odd thing"],
    "q4": [],
    "q5": ["..."],
    "q6": ["nothing tastes of anything"],
}
PREDICTIONS = {"q1": "awake until FOUR!", "q2": "", "q3": "the dogs odd", "q4": "a walk", "q5": "", "q6": ""}
NO_ANSWER = {"q1": 0.1, "q2": 0.9, "q3": 0.3, "q4": 0.7, "q5": 0.5, "q6": 0.8}
EXPECTED = {
    "exact": 66.66666666666667,
    "f1": 77.77777777777777,
    "total": 6,
    "HasAns_exact": 50.0,
    "HasAns_f1": 66.66666666666666,
    "HasAns_total": 4,
    "NoAns_exact": 100.0,
    "NoAns_f1": 100.0,
    "NoAns_total": 2,
    "best_exact": 66.66666666666667,
    "best_exact_thresh": 0.5,
    "best_f1": 77.77777777777777,
    "best_f1_thresh": 0.5,
}


def test_answers_are_normalized_by_case_punctuation_articles_and_white_space() -> None:
    assert normalize_answer("  The  dog's a-live, AN\towl…") == "dogs alive owl…"


def test_figures_equal_the_official_script() -> None:
    assert squad_scores(ANSWERS, PREDICTIONS, no_answer_scores=NO_ANSWER, no_answer_threshold=0.6) == pytest.approx(
        EXPECTED
    )


def test_a_question_without_a_prediction_is_an_error() -> None:
    with pytest.raises(KeyError):
        squad_scores({"q1": ["x"]}, {})
