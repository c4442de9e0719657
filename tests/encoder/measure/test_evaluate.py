"""Predictions judged by gold: counts that can be followed by hand, and two models side by side."""

from __future__ import annotations

import json

import pytest

from encoder.errors import BadExamples
from encoder.examples import Example, Label
from encoder.measure.compare import compare
from encoder.measure.evaluate import Evaluation, evaluate
from storage.records import Criterion, Post, Prediction, Span, Verdict
from tests.builders import MOOD, SLEEP, a_post, a_prediction, a_span

TEXT = "I cannot sleep. The dog is well. I lie awake."


def an_example(id: str, *evidence: str, criterion: Criterion = SLEEP) -> Example:
    post = a_post(TEXT, id=id)
    spans = tuple(a_span(post, words) for words in evidence)
    return Example(post, {criterion.id: Label(Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE, spans)})


def a_perfect(example: Example) -> list[Prediction]:
    return [
        Prediction(
            example.post.id,
            key,
            "m1",
            tuple(Span(s.start, s.end, 0.9) for s in label.spans),
            0.1 if label.spans else 0.9,
        )
        for key, label in example.labels.items()
    ]


def test_perfect_predictions_score_one_everywhere() -> None:
    examples = [an_example("p1", "I cannot sleep."), an_example("p2"), an_example("p3", "I lie awake.")]

    found = evaluate([p for e in examples for p in a_perfect(e)], examples, [SLEEP], bootstrap=50)

    assert found.macro_f1 == found.micro_f1 == found.span_exact.f1 == found.span_overlap.f1 == found.detection.f1 == 1.0
    assert found.criteria[SLEEP.id].average_precision == 1.0
    assert found.squad["exact"] == 100.0
    assert found.no_evidence_accuracy == 1.0
    assert found.pair_calibration.ece == pytest.approx(0.1)


def test_sentences_spans_and_pairs_are_counted_apart() -> None:
    one, two = an_example("p1", "cannot sleep", "I lie awake."), an_example("p2")
    predictions = [
        a_prediction(one.post, "I cannot sleep.", "The dog is well."),
        a_prediction(two.post, "I lie awake."),
    ]

    found = evaluate(predictions, [one, two], [SLEEP], bootstrap=0)

    sentences = found.criteria[SLEEP.id]
    assert (sentences.support, sentences.predicted) == (2, 3)
    assert (sentences.precision, sentences.recall) == (pytest.approx(1 / 3), 0.5)
    assert (found.span_exact.f1, found.span_overlap.precision, found.span_overlap.recall) == (
        0,
        pytest.approx(1 / 3),
        0.5,
    )
    # "cannot sleep" is 12 of the 15 characters of "I cannot sleep."; 3 predicted and 2 gold spans
    assert (found.span_match.precision, found.span_match.recall) == (pytest.approx(1 / 3), 0.5)
    assert (found.span_characters.precision, found.span_characters.recall) == (
        pytest.approx(12 / 43),
        pytest.approx(12 / 24),
    )
    assert (found.detection.precision, found.detection.recall) == (0.5, 1.0)
    assert found.no_evidence_accuracy == 0.0
    assert sentences.f1_interval is None


def test_a_criterion_that_was_not_reviewed_does_not_count() -> None:
    example = an_example("p1", "I cannot sleep.")
    wrong = a_prediction(example.post, "The dog is well.", criterion=MOOD)

    found = evaluate([*a_perfect(example), wrong], [example], [SLEEP, MOOD], bootstrap=0)

    assert found.pairs == 1
    assert found.criteria[MOOD.id].f1 is None
    assert found.macro_f1 == 1.0


def test_thresholds_choose_what_is_highlighted_and_leave_the_ranking() -> None:
    example = an_example("p1", "I cannot sleep.")
    post = example.post
    spans = (a_span(post, "I cannot sleep.", score=0.8), a_span(post, "The dog is well.", score=0.4))
    every = Prediction(post.id, SLEEP.id, "m1", tuple(sorted(spans)), 0.2)

    loose = evaluate([every], [example], [SLEEP], bootstrap=0)
    strict = evaluate([every], [example], [SLEEP], thresholds={SLEEP.id: 0.5}, bootstrap=0)

    assert (loose.criteria[SLEEP.id].precision, strict.criteria[SLEEP.id].precision) == (0.5, 1.0)
    assert loose.criteria[SLEEP.id].average_precision == strict.criteria[SLEEP.id].average_precision == 1.0


def test_intervals_hold_the_figure_and_come_out_the_same_twice() -> None:
    examples = [an_example(f"p{i}", *(["I cannot sleep."] if i % 2 else [])) for i in range(30)]
    predictions = [a_prediction(e.post, *(["I cannot sleep."] if i % 3 else [])) for i, e in enumerate(examples)]

    first, second = (evaluate(predictions, examples, [SLEEP], bootstrap=200) for _ in range(2))

    scores = first.criteria[SLEEP.id]
    assert scores.f1_interval is not None
    assert scores.f1 is not None
    assert scores.f1_interval.low < scores.f1 < scores.f1_interval.high
    assert first == second


def test_an_evaluation_survives_json() -> None:
    examples = [an_example("p1", "I cannot sleep."), an_example("p2")]
    predictions = [*a_perfect(examples[0]), a_prediction(examples[1].post, "The dog is well.")]

    found = evaluate(predictions, examples, [SLEEP], bootstrap=20)

    kept = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert Evaluation.from_dict({**kept, "a figure of an older release": {}}) == found


def test_the_table_names_every_criterion_and_every_average() -> None:
    example = an_example("p1", "I cannot sleep.")
    unknown = Prediction("p1", MOOD.id, "m1", (), 1.0, known=False)
    both = Example(example.post, {**example.labels, MOOD.id: Label(Verdict.NO_EVIDENCE)})

    table = evaluate([*a_perfect(example), unknown], [both], [SLEEP, MOOD], bootstrap=10).table()

    assert [line.split()[0] for line in table.splitlines()[1:5]] == ["SLEEP_ISSUES", "DEPRESSED_MOOD", "micro", "macro"]
    assert "not known to the model, counted as no highlight: DEPRESSED_MOOD" in table


def test_a_reviewed_pair_without_a_prediction_is_an_error() -> None:
    with pytest.raises(BadExamples, match="1 reviewed pairs have no prediction, the first is p1 x SLEEP_ISSUES"):
        evaluate([], [an_example("p1")], [SLEEP])


def test_examples_without_any_asked_criterion_are_an_error() -> None:
    with pytest.raises(BadExamples, match="Nothing to evaluate"):
        evaluate([], [an_example("p1")], [MOOD])


def test_a_comparison_says_which_is_better_and_where_they_differ() -> None:
    examples = [an_example(f"p{i}", "I cannot sleep.") for i in range(8)]
    after = [p for e in examples for p in a_perfect(e)]
    before = [*after[:5], *(a_prediction(e.post, "The dog is well.") for e in examples[5:])]

    found = compare(before, after, examples, [SLEEP], bootstrap=300)

    sleep = found.criteria[SLEEP.id]
    assert (sleep.before, sleep.after, sleep.change) == (0.625, 1.0, 0.375)
    assert sleep.better is not None
    assert sleep.better > 0.95
    assert [(d.post_id, d.gain) for d in found.differing] == [(f"p{i}", 2) for i in (5, 6, 7)]
    assert json.dumps(found.to_dict())
    assert "+0.375" in found.table()


def test_two_units_are_compared_by_their_spans() -> None:
    """Sentences against passages: the same sentences are found, the passages have the right edges."""
    examples = [an_example(f"p{i}", "cannot sleep") for i in range(8)]
    passages = [p for e in examples for p in a_perfect(e)]
    sentences = [a_prediction(e.post, "I cannot sleep.") for e in examples]

    found = compare(sentences, passages, examples, [SLEEP], bootstrap=50)

    assert found.macro.change == 0.0
    assert (found.span_exact.before, found.span_exact.after) == (0.0, 1.0)
    assert (found.span_match.before, found.span_match.after) == (1.0, 1.0)
    assert found.span_characters.before == pytest.approx(2 * 12 / (12 + 15))
    assert found.span_exact.better == 1.0


def test_an_evaluation_from_before_there_were_such_figures_can_be_read() -> None:
    example = an_example("p1", "I cannot sleep.")
    kept = evaluate(a_perfect(example), [example], [SLEEP], bootstrap=0).to_dict()
    del kept["span_match"], kept["span_characters"]

    assert Evaluation.from_dict(kept).span_match.f1 is None


def test_a_model_compared_with_itself_is_neither_better_nor_different() -> None:
    examples = [an_example("p1", "I cannot sleep."), an_example("p2")]
    same = [p for e in examples for p in a_perfect(e)]

    found = compare(same, same, examples, [SLEEP], bootstrap=50)

    assert (found.macro.change, found.macro.better, found.differing) == (0.0, 0.5, ())


def test_offsets_are_code_points_also_behind_emoji() -> None:
    post = Post("p1", "😴😴 cannot sleep. Fine. \U0001f415")
    example = Example(post, {SLEEP.id: Label(Verdict.EVIDENCE, (a_span(post, "😴😴 cannot sleep."),))})

    assert evaluate(a_perfect(example), [example], [SLEEP], bootstrap=0).squad["exact"] == 100.0
