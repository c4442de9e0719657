from __future__ import annotations

import dataclasses
import sqlite3

import pytest

from storage.records import Conflict, InvalidRecord, NotFound, Role, Span, Split, Verdict
from storage.store import Store
from storage.team_records import Adjudication, Outcome
from tests.builders import MOOD, SLEEP, a_post, a_span, accepted, an_annotation


def test_a_saved_annotation_comes_back_whole(store: Store) -> None:
    post = a_post("I 😀 cannot sleep. The dog is well.")
    store.add_posts([post])
    predicted = a_span(post, "I 😀 cannot sleep.", score=0.75)
    saved = store.add_annotation(
        dataclasses.replace(
            an_annotation(post, "cannot sleep"),
            spans=(accepted(predicted),),
            rejected=(a_span(post, "The dog is well.", score=0.6),),
            note="clear",
            seconds=2.5,
            model_version="m1",
            op_id="op-1",
        ),
        expected_revision=0,
    )
    assert saved.revision == 1
    assert store.annotations_of(post.id, "ana") == {SLEEP.id: saved}
    assert saved.spans[0].span.quote(post.text) == "I 😀 cannot sleep."


def test_a_save_on_an_outdated_revision_is_a_conflict_and_stores_nothing(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    first = store.add_annotation(an_annotation(post), expected_revision=0)
    with pytest.raises(Conflict) as caught:
        store.add_annotation(an_annotation(post, "cannot sleep"), expected_revision=0)
    assert caught.value.current_revision == 1
    assert store.history(post.id) == [first]


def test_a_repeated_operation_is_stored_once(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    operation = dataclasses.replace(an_annotation(post), op_id="op-1")
    first = store.add_annotation(operation, expected_revision=0)
    assert store.add_annotation(operation, expected_revision=0) == first
    assert len(store.history(post.id)) == 1

    another = dataclasses.replace(operation, reviewer="ben")
    with pytest.raises(InvalidRecord):  # whose it is, and of what, is not told to who guesses a key
        store.add_annotation(another, expected_revision=0)


def test_two_reviewers_do_not_overwrite_each_other(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post), expected_revision=0)
    store.add_annotation(an_annotation(post, "cannot sleep", reviewer="ben"), expected_revision=0)
    verdicts = {a.reviewer: a.verdict for a in store.latest_annotations(post.id)}
    assert verdicts == {"ana": Verdict.NO_EVIDENCE, "ben": Verdict.EVIDENCE}


def test_a_span_outside_its_post_is_refused(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    outside = dataclasses.replace(an_annotation(post), rejected=(Span(0, 999),))
    with pytest.raises(InvalidRecord, match="runs past post p1"):
        store.add_annotation(outside, expected_revision=0)
    with pytest.raises(NotFound):
        store.add_annotation(dataclasses.replace(outside, post_id="nowhere"), expected_revision=0)


def test_stored_annotations_can_be_neither_changed_nor_deleted(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post), expected_revision=0)
    for statement in ("UPDATE main.annotation SET note = 'x'", "DELETE FROM main.annotation"):
        with pytest.raises(sqlite3.IntegrityError), store.write() as db:
            db.conn.execute(statement)
    assert len(store.history(post.id)) == 1


def test_gold_of_one_reviewer_is_their_latest_answer(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post), expected_revision=0)
    store.add_annotation(an_annotation(post, "cannot sleep"), expected_revision=1)
    (gold,) = store.gold()
    assert (gold.verdict, gold.spans) == (Verdict.EVIDENCE, (a_span(post, "cannot sleep"),))


def test_a_decision_that_was_taken_back_is_no_gold(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post), expected_revision=0)
    store.add_annotation(dataclasses.replace(an_annotation(post), verdict=None), expected_revision=1)
    assert store.gold() == []


def test_unsure_is_never_gold(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post, verdict=Verdict.UNSURE), expected_revision=0)
    assert store.gold() == []


def test_reviewers_who_disagree_leave_the_pair_open_until_an_adjudicator_decides(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post), expected_revision=0)
    store.add_annotation(an_annotation(post, "cannot sleep", reviewer="ben"), expected_revision=0)
    assert store.gold() == []
    assert [d.post_id for d in store.disagreements()] == [post.id]
    store.ensure_reviewer("jo", Role.ADJUDICATOR)
    store.add_annotation(an_annotation(post, reviewer="jo"), expected_revision=0)  # their own answer is one more
    assert store.gold() == []
    decision = Adjudication(post.id, SLEEP.id, "jo", Outcome.NO_EVIDENCE, reason="It is about the dog.")
    store.add_adjudication(decision, expected_revision=0)
    (gold,) = store.gold()
    assert (gold.verdict, gold.annotation.reviewer, gold.rule) == (Verdict.NO_EVIDENCE, "jo", "adjudicated")
    assert store.disagreements() == []


def test_reviewers_whose_spans_overlap_by_half_agree_and_the_latest_is_gold(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post, "I cannot sleep."), expected_revision=0)
    store.add_annotation(an_annotation(post, "cannot sleep", reviewer="ben"), expected_revision=0)
    (gold,) = store.gold()
    assert gold.reviewers == ("ana", "ben")
    assert gold.annotation.reviewer == "ben"


def test_spans_that_hardly_overlap_do_not_agree(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post, "I cannot sleep. The dog is well."), expected_revision=0)
    store.add_annotation(an_annotation(post, "cannot", reviewer="ben"), expected_revision=0)
    assert store.gold() == []


def test_gold_can_be_asked_for_one_split(store: Store) -> None:
    train, dev = a_post(id="p1"), a_post(id="p2", split=Split.DEV)
    store.add_posts([train, dev])
    for post in (train, dev):
        store.add_annotation(an_annotation(post), expected_revision=0)
        store.add_annotation(an_annotation(post, criterion=MOOD), expected_revision=0)
    assert {(g.post_id, g.criterion_id) for g in store.gold(split=Split.DEV)} == {("p2", SLEEP.id), ("p2", MOOD.id)}
