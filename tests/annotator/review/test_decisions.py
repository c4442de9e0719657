"""The use cases of reviewing, on a real store and a model whose answers are written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from annotator.review import decisions, history
from annotator.review.queue_filter import read_filter
from storage.queue import QueueFilter, QueueOrder, ReviewState
from storage.records import (
    Criterion,
    EvidenceError,
    InvalidRecord,
    NotFound,
    Post,
    Prediction,
    Reviewer,
    Role,
    SpanOrigin,
    Verdict,
)
from storage.store import Store
from tests.builders import MOOD, SLEEP, a_post, a_prediction, an_annotation
from tests.statements import taken_down

ANA = Reviewer("ana")
BEN = Reviewer("ben")
TEXT = "I cannot sleep 😞. The dog is well. I lie awake."


class WrittenModel:
    """A model that knows the predictions it was given; it is still loading when told so."""

    def __init__(self, *predictions: Prediction, version: str = "m1", loading: bool = False) -> None:
        self._answers = {(p.post_id, p.criterion_id): p for p in predictions}
        self._loading = loading
        self.version: str | None = version

    def status(self) -> str:
        return "loading" if self._loading else "ready"

    def predictions(self, post: Post) -> Mapping[str, Prediction]:
        return {} if self._loading else {c: p for (post_id, c), p in self._answers.items() if post_id == post.id}

    stored = predictions

    def improved(self, post: Post, predictions: Mapping[str, Prediction]) -> Mapping[str, Prediction]:
        return predictions

    def hint(self, criterion: Criterion) -> str:
        return "Not learned yet." if criterion.id == MOOD.id else ""

    def predict_post(self, post: Post) -> Mapping[str, Prediction]:
        if self._loading:
            raise EvidenceError("The model is still loading.")
        return self.predictions(post)


@pytest.fixture
def post(store: Store) -> Post:
    post = a_post(TEXT)
    store.add_posts([post])
    return post


def a_model(post: Post, **options: Any) -> WrittenModel:
    return WrittenModel(a_prediction(post, "I cannot sleep 😞.", "I lie awake."), **options)


def criterion_of(item: dict[str, Any], criterion: Criterion = SLEEP) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in item["criteria"] if c["id"] == criterion.id)
    return found


def a_decision(item: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What the page sends when every predicted span of SLEEP is accepted, with `changes`."""
    shown = criterion_of(item)
    return {
        "op_id": "gesture1.0",
        "post_id": item["post"]["id"],
        "criterion_id": SLEEP.id,
        "criterion_version": shown["version"],
        "expected_revision": shown["revision"],
        "verdict": "evidence",
        "spans": [[p[0], p[1], "accepted", p] for p in shown["undecided"]],
        "rejected": [],
        "undecided": [],
        "model_version": shown["model_version"],
        "note": "",
        "seconds": 2.5,
        **changes,
    }


def test_an_item_holds_what_the_page_shows_with_offsets_in_code_points(store: Store, post: Post) -> None:
    item = decisions.load_item(store, a_model(post), post.id, ANA)
    assert item["post"]["text"] == TEXT
    assert [TEXT[a:b] for a, b in item["sentences"]] == ["I cannot sleep 😞.", "The dog is well.", "I lie awake."]
    shown = criterion_of(item)
    assert [TEXT[p[0] : p[1]] for p in shown["undecided"]] == ["I cannot sleep 😞.", "I lie awake."]
    assert (shown["verdict"], shown["revision"], shown["model_version"]) == (None, 0, "m1")


def test_a_post_and_a_decision_take_few_transactions(store: Store, post: Post) -> None:
    model = WrittenModel(*(a_prediction(post, "I cannot sleep 😞.", criterion=c) for c in (SLEEP, MOOD)))
    with taken_down(store) as statements:
        decisions.save(store, ANA, a_decision(decisions.load_item(store, model, post.id, ANA)))
    begun = [s for s in statements if s.startswith("BEGIN")]
    assert begun == ["BEGIN", "BEGIN", "BEGIN IMMEDIATE", "BEGIN", "BEGIN"]  # the last one ends the record
    assert not [s for s in statements if s.startswith("SAVEPOINT")]


def test_a_post_can_be_reviewed_while_the_model_loads_and_the_item_says_so(store: Store, post: Post) -> None:
    item = decisions.load_item(store, a_model(post, loading=True), post.id, ANA)
    assert item["model"] == {"version": "m1", "status": "loading", "missing": True, "hidden": False}
    assert criterion_of(item)["predicted"] is False


def test_a_decision_comes_back_as_it_was_saved(store: Store, post: Post) -> None:
    model = a_model(post)
    item = decisions.load_item(store, model, post.id, ANA)
    assert decisions.save(store, ANA, a_decision(item))["revision"] == 1
    shown = criterion_of(decisions.load_item(store, model, post.id, ANA))
    assert (shown["verdict"], shown["revision"], shown["undecided"]) == ("evidence", 1, [])
    assert [s[2] for s in shown["spans"]] == ["accepted", "accepted"]
    saved = store.annotations_of(post.id, "ana")[SLEEP.id]
    assert saved.spans[0].predicted == a_prediction(post, "I cannot sleep 😞.").spans[0]
    assert saved.seconds == 2.5


def test_saving_twice_with_the_same_key_stores_one_revision(store: Store, post: Post) -> None:
    decision = a_decision(decisions.load_item(store, a_model(post), post.id, ANA))
    assert decisions.save(store, ANA, decision) == decisions.save(store, ANA, decision)
    assert len(store.history(post.id)) == 1


def test_a_key_of_somebody_else_is_refused(store: Store, post: Post) -> None:
    decision = a_decision(decisions.load_item(store, a_model(post), post.id, ANA))
    decisions.save(store, ANA, decision)
    assert decisions.save(store, BEN, decision)["ok"] is False


def test_a_save_that_missed_a_newer_revision_gets_the_stored_answer_instead_of_overwriting_it(
    store: Store, post: Post
) -> None:
    item = decisions.load_item(store, a_model(post), post.id, ANA)
    decisions.save(store, ANA, a_decision(item))
    nothing = a_decision(item, op_id="gesture2.0", verdict="unsure", spans=[], expected_revision=0)
    result = decisions.save(store, ANA, nothing)
    assert result["ok"] is False
    assert (result["conflict"]["revision"], result["conflict"]["verdict"]) == (1, "evidence")
    assert len(store.history(post.id)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"spans": [[0, 4000, "added", None]]},
        {"spans": [[3, 3, "added", None]]},
        {"spans": [[0, 3, "accepted", None]]},
        {"spans": [[0, 3, "adjusted", [0, 4000, 0.5, None, None]]]},
        {"spans": [], "verdict": "evidence"},
        {"verdict": "perhaps"},
        {"criterion_version": 7},
        {"post_id": "nowhere"},
        {"spans": "all"},
    ],
)
def test_a_decision_that_contradicts_itself_or_its_post_is_refused_with_a_reason(
    wrong: dict[str, Any], store: Store, post: Post
) -> None:
    item = decisions.load_item(store, a_model(post), post.id, ANA)
    result = decisions.save(store, ANA, a_decision(item, **wrong))
    assert result["ok"] is False
    assert result["error"]
    assert store.history(post.id) == []


def test_what_others_decided_is_shown_only_after_ones_own_decision(store: Store, post: Post) -> None:
    store.add_annotation(an_annotation(post, "I lie awake.", reviewer="ben"), expected_revision=0)
    item = decisions.load_item(store, a_model(post), post.id, ANA)
    assert criterion_of(item)["others"] == []
    assert history.history(store, post.id, ANA) == []
    store.add_reviewer("jo", Role.ADJUDICATOR)
    judge = store.reviewer("jo")
    assert criterion_of(decisions.load_item(store, a_model(post), post.id, judge))["others"][0]["verdict"] == "evidence"
    result = decisions.save(store, ANA, a_decision(item))
    assert [o["verdict"] for o in result["others"]] == ["evidence"]
    assert len(history.history(store, post.id, ANA)) == 2


def test_an_open_answer_takes_up_the_predictions_of_a_new_model_and_a_decided_one_keeps_its_own(
    store: Store, post: Post
) -> None:
    item = decisions.load_item(store, a_model(post), post.id, ANA)
    first, second = criterion_of(item)["undecided"]
    decisions.save(
        store, ANA, a_decision(item, verdict=None, spans=[[first[0], first[1], "accepted", first]], undecided=[second])
    )
    newer = WrittenModel(a_prediction(post, "The dog is well.", "I cannot sleep 😞.", model="m2"), version="m2")
    shown = criterion_of(decisions.load_item(store, newer, post.id, ANA))
    assert [TEXT[p[0] : p[1]] for p in shown["undecided"]] == ["The dog is well."]
    assert shown["model_version"] == "m2"
    decided = a_decision(decisions.load_item(store, newer, post.id, ANA), op_id="g2.0")
    decisions.save(store, ANA, decided)
    shown = criterion_of(decisions.load_item(store, a_model(post), post.id, ANA))
    assert (shown["undecided"], shown["model_version"]) == ([], "m2")


def test_undo_and_redo_walk_over_posts_and_add_revisions_instead_of_removing_any(store: Store, post: Post) -> None:
    other = a_post("I lie awake again.", id="p2")
    store.add_posts([other])
    model = WrittenModel(a_prediction(post, "I lie awake."), a_prediction(other, "I lie awake again."))
    for number, shown in enumerate((post, other)):
        decisions.save(store, ANA, a_decision(decisions.load_item(store, model, shown.id, ANA), op_id=f"g{number}.0"))
    assert history.undo(store, ANA, "u1")["post_id"] == "p2"
    assert history.undo(store, ANA, "u2")["post_id"] == "p1"
    assert history.undo(store, ANA, "u3")["post_id"] is None
    assert store.annotations_of("p1", "ana")[SLEEP.id].verdict is None
    assert history.undo(store, ANA, "r1", redo=True)["post_id"] == "p1"
    assert store.annotations_of("p1", "ana")[SLEEP.id].verdict is Verdict.EVIDENCE
    assert history.undo(store, ANA, "u4")["post_id"] == "p1"
    assert [a.revision for a in store.history("p1")] == [4, 3, 2, 1]


def test_undo_takes_a_gesture_over_several_criteria_back_as_one_and_only_once(store: Store, post: Post) -> None:
    item = decisions.load_item(store, a_model(post), post.id, ANA)
    mood = a_decision(item, op_id="all.1", criterion_id="DEPRESSED_MOOD", verdict="no_evidence", spans=[])
    for decision in (a_decision(item, op_id="all.0"), mood):
        decisions.save(store, ANA, decision)
    first = history.undo(store, ANA, "u1")
    assert sorted(first["criteria"]) == ["DEPRESSED_MOOD", "SLEEP_ISSUES"]
    assert sorted(history.undo(store, ANA, "u1")["criteria"]) == sorted(first["criteria"])
    assert len(store.history(post.id)) == 4


def test_a_new_decision_after_an_undo_leaves_nothing_to_redo(store: Store, post: Post) -> None:
    item = decisions.load_item(store, a_model(post), post.id, ANA)
    decisions.save(store, ANA, a_decision(item))
    history.undo(store, ANA, "u1")
    again = a_decision(
        decisions.load_item(store, a_model(post), post.id, ANA), op_id="g2.0", verdict="unsure", spans=[]
    )
    assert decisions.save(store, ANA, again)["ok"]
    assert history.undo(store, ANA, "r1", redo=True)["post_id"] is None


def test_an_undo_made_in_the_page_is_known_to_the_next_session(store: Store, post: Post) -> None:
    item = decisions.load_item(store, a_model(post), post.id, ANA)
    decisions.save(store, ANA, a_decision(item))
    back = a_decision(
        item,
        op_id="g2.0",
        undoes="gesture1.0",
        verdict=None,
        spans=[],
        undecided=criterion_of(item)["undecided"],
        expected_revision=1,
    )
    assert decisions.save(store, ANA, back)["ok"]
    assert history.undo(store, ANA, "u1")["post_id"] is None
    assert history.undo(store, ANA, "r1", redo=True)["post_id"] == post.id
    assert store.annotations_of(post.id, "ana")[SLEEP.id].verdict is Verdict.EVIDENCE


def test_restoring_adds_a_revision_that_names_what_it_restores(store: Store, post: Post) -> None:
    item = decisions.load_item(store, a_model(post), post.id, ANA)
    decisions.save(store, ANA, a_decision(item))
    decisions.save(store, ANA, a_decision(item, op_id="g2.0", verdict="unsure", spans=[], expected_revision=1))
    earlier = history.history(store, post.id, ANA)[-1]
    assert history.restore(store, ANA, earlier["id"], expected_revision=2, op_id="g3.0")["revision"] == 3
    restored = store.annotations_of(post.id, "ana")[SLEEP.id]
    assert (restored.verdict, restored.restored_from) == (Verdict.EVIDENCE, earlier["id"])
    assert restored.spans[0].origin is SpanOrigin.ACCEPTED
    stale = history.restore(store, ANA, earlier["id"], expected_revision=2, op_id="g4.0")
    assert stale["conflict"]["revision"] == 3


def test_an_answer_that_one_is_not_shown_cannot_be_restored_by_its_number(store: Store, post: Post) -> None:
    theirs = store.add_annotation(an_annotation(post, reviewer="ben", note="secret"), expected_revision=0)
    assert theirs.id is not None
    with pytest.raises(NotFound, match="no revision"):
        history.restore(store, ANA, theirs.id, expected_revision=0, op_id="g1.0")
    assert store.annotations_of(post.id, "ana") == {}
    store.add_annotation(an_annotation(post, reviewer="ana"), expected_revision=0)  # now she sees his, too
    assert history.restore(store, ANA, theirs.id, expected_revision=1, op_id="g2.0")["ok"]


def test_one_resumes_at_an_unfinished_post_and_goes_on_to_the_queue_after_a_finished_one(
    store: Store, post: Post
) -> None:
    other = a_post("Another.", id="p2")
    store.add_posts([other])
    model, wanted = a_model(post), QueueFilter(order=QueueOrder.NEWEST)
    store.open_post(post.id, "ana")
    assert decisions.first_post(store, model, ANA, wanted) == post.id
    for criterion in store.criteria():
        store.add_annotation(an_annotation(post, criterion=criterion), expected_revision=0)
    assert decisions.first_post(store, model, ANA, wanted) == "p2"
    assert decisions.progress(store, model, ANA, wanted) == {
        "posts": 2,
        "reviewed": 1,
        "left": 1,
        "at_least": False,
        "rounds": [],
    }


def test_a_post_that_the_queue_chose_says_why_by_the_criteria_in_use(store: Store, post: Post) -> None:
    def why(**given: Any) -> str | None:
        item: dict[str, Any] = decisions.load_item(store, a_model(post), post.id, ANA, **given)
        return item.get("why")

    assert why() is None
    unsure = QueueFilter(order=QueueOrder.UNCERTAIN)
    assert "most of all about Sleep problems" in (why(chosen_by=unsure) or "")
    assert "by chance" in (why(chosen_by=QueueFilter(order=QueueOrder.RANDOM)) or "")
    store.save_criteria([replace(SLEEP, name="Nights")])
    assert "most of all about Nights" in (why(chosen_by=unsure) or "")


def test_filters_are_read_from_the_page_and_nonsense_is_refused(store: Store) -> None:
    wanted = read_filter(
        store, {"order": "newest", "state": "any", "min_score": "0.5", "assigned_to": "me", "query": ""}, ANA
    )
    assert wanted == QueueFilter(order=QueueOrder.NEWEST, state=ReviewState.ANY, min_score=0.5, assigned_to="ana")
    refused = {
        "order is 'loudest'; it may be ": {"order": "loudest"},
        "state is 'bogus'; it may be ": {"state": "bogus"},
        "min_score is 'much'; it needs a number": {"min_score": "much"},
        "drop": {"drop": "table"},
    }
    for words, wrong in refused.items():
        with pytest.raises(InvalidRecord, match=words):
            read_filter(store, wrong, ANA)


def test_a_post_that_is_not_there_is_said_to_be_missing(store: Store) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        decisions.load_item(store, WrittenModel(), "nowhere", ANA)
