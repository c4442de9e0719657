"""The gold rule: agreement by words, one to one; what becomes of the spans; adjudications."""

from __future__ import annotations

import dataclasses

import pytest

from storage.gold import gold_of, settle
from storage.matching import Words, match, word_iou
from storage.records import AnnotatedSpan, Annotation, Span, Verdict
from storage.team_records import Adjudication, GoldRule, Outcome, SpanRule, Standing
from tests.builders import SLEEP, a_post, a_span, an_annotation

POST = a_post("I have not slept. I lie awake all night. The dog is well.")


def settled(*answers: Annotation, adjudication: Adjudication | None = None, rule: GoldRule | None = None):
    numbered = [dataclasses.replace(a, id=n + 1, created_at=f"2026-11-02T0{n}:00:00Z") for n, a in enumerate(answers)]
    return settle(numbered, adjudication, rule=rule or GoldRule(), text=lambda: POST.text)


def by(name: str, *words: str, verdict: Verdict | None = None) -> Annotation:
    return an_annotation(POST, *words, reviewer=name, verdict=verdict)


def test_one_answer_is_gold_and_says_so() -> None:
    found = settled(by("ana", "not slept"))
    assert (found.standing, found.gold.rule, found.score) == (Standing.SINGLE, "one reader", None)


def test_a_whole_sentence_and_a_third_of_it_are_a_disagreement_with_no_gold() -> None:
    found = settled(by("ana", "I lie awake all night."), by("ben", "all night"))
    assert (found.standing, found.gold, found.score) == (Standing.OPEN, None, 0.0)


def test_two_spans_of_one_person_cannot_both_be_the_one_of_another() -> None:
    found = settled(by("ana", "I lie awake", "all night."), by("ben", "I lie awake all night."))
    assert found.standing is Standing.OPEN
    assert found.score == pytest.approx(2 / 3)


def test_different_verdicts_are_a_disagreement() -> None:
    for other in (Verdict.NO_EVIDENCE, Verdict.UNSURE):
        found = settled(by("ana", "not slept"), by("ben", verdict=other))
        assert (found.standing, found.score) == (Standing.OPEN, 0.0)


def test_a_lower_threshold_of_the_project_makes_them_agree() -> None:
    answers = (by("ana", "I lie awake all night."), by("ben", "all night"))
    assert settled(*answers, rule=GoldRule(iou=0.3)).standing is Standing.AGREED


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (SpanRule.LATEST, "lie awake all night"),
        (SpanRule.UNION, "I lie awake all night"),
        (SpanRule.INTERSECTION, "lie awake all"),
        (SpanRule.LONGEST, "lie awake all night"),
    ],
)
def test_what_becomes_of_the_spans_of_people_who_agree(rule: SpanRule, words: str) -> None:
    found = settled(by("ana", "I lie awake all"), by("ben", "lie awake all night"), rule=GoldRule(spans=rule))
    assert found.gold.spans == (a_span(POST, words),)
    assert (found.gold.rule, found.gold.reviewers) == (f"agreement, {rule}", ("ana", "ben"))


def test_everybody_unsure_is_agreement_without_gold() -> None:
    found = settled(by("ana", verdict=Verdict.UNSURE), by("ben", verdict=Verdict.UNSURE))
    assert (found.standing, found.gold) == (Standing.AGREED, None)


def test_an_adjudication_settles_also_that_there_is_nothing_although_all_marked_something() -> None:
    decision = Adjudication(POST.id, SLEEP.id, "jo", Outcome.NO_EVIDENCE, reason="She writes of her dog.")
    found = settled(by("ana", "not slept"), by("ben", "The dog is well."), adjudication=decision)
    assert (found.standing, found.gold.verdict, found.gold.spans) == (Standing.ADJUDICATED, Verdict.NO_EVIDENCE, ())
    assert (found.gold.annotation.reviewer, found.gold.annotation.note) == ("jo", "She writes of her dog.")


def test_what_cannot_be_decided_is_settled_and_never_gold() -> None:
    decision = Adjudication(POST.id, SLEEP.id, "jo", Outcome.UNDECIDABLE)
    found = settled(by("ana", "not slept"), by("ben"), adjudication=decision)
    assert (found.standing, found.gold) == (Standing.UNDECIDABLE, None)


def test_a_decision_that_was_opened_again_leaves_the_disagreement_open() -> None:
    again = Adjudication(POST.id, SLEEP.id, "jo", Outcome.REOPENED, revision=2)
    assert settled(by("ana", "not slept"), by("ben"), adjudication=again).standing is Standing.OPEN


def test_an_answer_that_was_taken_back_does_not_count() -> None:
    withdrawn = dataclasses.replace(by("ben"), verdict=None)
    assert settled(by("ana", "not slept"), withdrawn).standing is Standing.SINGLE
    assert gold_of([withdrawn]) is None


def test_rejected_predictions_stay_negatives_where_the_decision_marks_nothing() -> None:
    first, second = a_span(POST, "not slept", score=0.9), a_span(POST, "The dog is well.", score=0.6)
    answer = dataclasses.replace(by("ana"), rejected=(first, second))
    decision = Adjudication(POST.id, SLEEP.id, "jo", Outcome.EVIDENCE, spans=(Span(first.start, first.end),))
    found = settled(answer, by("ben", "not slept"), adjudication=decision)
    assert found.gold.rejected == (second,)


def test_words_are_counted_and_not_characters() -> None:
    words = Words.of("an extraordinarily bad, bad day")
    assert word_iou((0, 18), (3, 22), words) == pytest.approx(1 / 3)
    assert word_iou((3, 22), (3, 23), words) == pytest.approx(2 / 3)  # a comma is a word of its own
    assert word_iou((2, 3), (2, 3), words) == 1.0


def test_as_many_spans_match_as_can() -> None:
    words = Words.of("a b c d e f")
    one, other = [(0, 5), (4, 9)], [(0, 7), (0, 3)]
    assert match(one, other, words, threshold=0.3) == [(0, 1), (1, 0)]


def test_a_span_keeps_where_it_came_from_when_the_rule_takes_it_whole() -> None:
    predicted = a_span(POST, "I lie awake all night", score=0.8)
    kept = AnnotatedSpan(predicted.start, predicted.end, predicted=predicted, origin="accepted")  # type: ignore[arg-type]
    wide = dataclasses.replace(by("ana", "not slept"), spans=(kept,))
    found = settled(wide, by("ben", "lie awake all night"), rule=GoldRule(spans=SpanRule.UNION))
    assert found.gold.annotation.spans == (kept,)
