"""Answers that are doubted: what is found, who sees it, and what a second look makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from annotator.learning.doubts import DoubtService
from annotator.review import decisions
from annotator.teams import adjudicating
from storage.queue import QueueFilter, QueueOrder
from storage.records import Criterion, InvalidRecord, NotFound, Post, Prediction, Reviewer, Role, Split, Verdict
from storage.rounds import RoundPost
from storage.store import Store, open_store
from storage.team_records import Round, RoundKind, Suggestions
from tests.builders import an_annotation
from tests.encoder.simple.answers import FOOD, NIGHTS, posts_with_answers

ANA, BEN, CHIEF = Reviewer("ana"), Reviewer("ben"), Reviewer("cleo", Role.ADJUDICATOR)
DOUBTS = QueueFilter(order=QueueOrder.DOUBTS)
WRONG = "p25"  # lies awake in it, and it was overlooked


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data")
    opened.save_criteria([NIGHTS, FOOD])
    for person in (ANA, BEN, CHIEF):
        opened.add_reviewer(person.name, person.role)
    for example in posts_with_answers(40):
        opened.add_posts([Post(example.post.id, example.post.text, split=Split.TRAIN)])
        quotes = [s.quote(example.post.text) for s in example.labels["NIGHTS"].spans]
        given = [] if example.post.id == WRONG else quotes
        opened.add_annotation(an_annotation(example.post, *given, criterion=NIGHTS), expected_revision=0)
    yield opened
    opened.close()


def look(store: Store) -> None:
    assert DoubtService(store).look("m1", patience=60)


def doubted(store: Store, me: Reviewer) -> list[str]:
    return store.queue_ids(DOUBTS, me=me.name, model_version="m1", limit=9)


def test_an_answer_that_differs_from_all_like_it_is_doubted(store: Store) -> None:
    look(store)
    assert doubted(store, ANA)[0] == WRONG
    (found, *_) = store.doubts_of(WRONG, "ana")
    assert found.passage.quote(store.post(WRONG).text) == "Awake again all night long."
    assert (found.criterion_id, found.is_evidence, found.doubt >= 0.7) == ("NIGHTS", False, True)
    (wire,) = [
        c["doubts"] for c in decisions.load_item(store, _Nothing(), WRONG, ANA)["criteria"] if c["id"] == "NIGHTS"
    ]
    assert wire[0]["passage"] == [found.passage.start, found.passage.end]


def test_what_was_kept_is_not_doubted_again(store: Store) -> None:
    look(store)
    (found, *_) = store.doubts_of(WRONG, "ana")
    decisions.look_again(store, ANA, WRONG, found.annotation_id, "kept")
    assert WRONG not in doubted(store, ANA)
    look(store)
    assert WRONG not in doubted(store, ANA)
    with pytest.raises(NotFound, match="no longer doubted"):
        decisions.look_again(store, ANA, WRONG, found.annotation_id, "kept")


def test_an_answer_that_was_changed_leaves_the_queue(store: Store) -> None:
    look(store)
    post = store.post(WRONG)
    store.add_annotation(an_annotation(post, criterion=NIGHTS, verdict=Verdict.UNSURE), expected_revision=1)
    assert WRONG not in doubted(store, ANA)
    assert store.doubts_of(WRONG, "ana") == []


def test_an_adjudicator_who_was_asked_decides(store: Store) -> None:
    look(store)
    (found, *_) = store.doubts_of(WRONG, "ana")
    with pytest.raises(InvalidRecord):
        decisions.look_again(store, ANA, WRONG, found.annotation_id, "burnt")
    decisions.look_again(store, ANA, WRONG, found.annotation_id, "handed_over")
    (asked,) = adjudicating.queue(store, CHIEF)["cases"]
    assert (asked["post_id"], asked["criterion_id"]) == (WRONG, "NIGHTS")
    criteria = store.criteria()
    store.save_criteria([replace(c, active=c.id != "NIGHTS") for c in criteria])
    assert adjudicating.queue(store, CHIEF)["total"] == 0
    assert adjudicating.queue(store, CHIEF, criterion="NIGHTS")["total"] == 1
    store.save_criteria(criteria)
    decision = {"post_id": WRONG, "criterion_id": "NIGHTS", "outcome": "no_evidence", "expected_revision": 0}
    adjudicating.decide(store, CHIEF, decision)
    assert adjudicating.queue(store, CHIEF)["total"] == 0
    assert [c["post_id"] for c in adjudicating.queue(store, CHIEF, done=True)["cases"]] == [WRONG]
    look(store)
    assert WRONG not in doubted(store, CHIEF)


def test_nobody_learns_of_an_answer_that_they_may_not_see(store: Store) -> None:
    look(store)
    assert doubted(store, BEN) == []  # he has not decided these posts himself
    with pytest.raises(NotFound):
        decisions.look_again(store, BEN, WRONG, store.doubts_of(WRONG, "ana")[0].annotation_id, "kept")


def test_a_blind_round_that_is_open_is_left_alone(store: Store) -> None:
    given = Round(0, "first", RoundKind.MAIN, True, Suggestions.SHOWN, ("ana", "ben"), {2: 1.0}, seed=1)
    store.add_round(given, [RoundPost(WRONG, 2)], [])
    look(store)
    assert store.doubts_of(WRONG, "cleo") == []


def test_too_few_answers_or_only_one_kind_are_not_doubted(tmp_path: Path) -> None:
    small = open_store(tmp_path / "small")
    small.save_criteria([NIGHTS])
    small.ensure_reviewer("ana")
    look(small)
    for example in posts_with_answers(30):
        small.add_posts([Post(example.post.id, example.post.text, split=Split.TRAIN)])
        small.add_annotation(an_annotation(example.post, criterion=NIGHTS), expected_revision=0)
        if example.post.id == "p5":
            look(small)
    look(small)
    assert small.queue_ids(DOUBTS, me="ana", model_version="m1", limit=9) == []
    small.close()


class _Nothing:
    """A project without a model."""

    version = None

    def status(self) -> str:
        return "none"

    def predictions(self, post: Post) -> dict[str, Prediction]:
        return {}

    def hint(self, criterion: Criterion) -> str:
        return ""

    predict_post = stored = predictions

    def improved(self, post: Post, predictions: Mapping[str, Prediction]) -> Mapping[str, Prediction]:
        return predictions
