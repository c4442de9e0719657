"""What is said of spans and posts is part of an answer: saved, shown, undone and restored with it, and checked."""

from __future__ import annotations

from typing import Any

import pytest

from annotator.review import decisions, history
from storage.attributes import Attributes, Scale
from storage.records import OF_POST, Post, Reviewer, SpanAttributes
from storage.store import Store
from tests.annotator.review.test_decisions import WrittenModel
from tests.builders import SLEEP, a_post

ANA, BEN = Reviewer("ana"), Reviewer("ben")
SAID = {"severity": "severe", "flags": ["past"], "rationale": "<i>so</i>"}


@pytest.fixture
def post(store: Store) -> Post:
    post = a_post()
    store.add_posts([post])
    severity, risk = Scale("Severity", ("mild", "severe")), Scale("Risk", ("none", "high"))
    store.replace_attributes(Attributes("Why?", severity, ("past", "negated"), (risk,)))
    return post


def a_decision(post: Post, *said: Any, op: str, revision: int = 0, **changes: Any) -> dict[str, Any]:
    """That "cannot sleep" is evidence for SLEEP, with what is said of it."""
    return {
        "op_id": op,
        "post_id": post.id,
        "criterion_id": SLEEP.id,
        "criterion_version": 1,
        "expected_revision": revision,
        "verdict": "evidence",
        "spans": [[2, 14, "added", None, *said]],
        "rejected": [],
        "undecided": [],
        **changes,
    }


def test_attributes_are_part_of_an_answer_and_of_its_history_undo_and_restoring(store: Store, post: Post) -> None:
    assert decisions.save(store, ANA, a_decision(post, SAID, op="1.0"))["ok"]
    assert decisions.save(store, ANA, a_decision(post, op="2.0", revision=1))["ok"]
    shown = history.history(store, post.id, ANA)
    assert [entry["said"] for entry in shown] == [[{}], [SAID]]
    assert history.undo(store, ANA, "3")["post_id"] == post.id
    item = decisions.load_item(store, WrittenModel(), post.id, ANA)
    assert item["criteria"][0]["spans"] == [[2, 14, "added", None, SAID]]
    again = history.restore(store, ANA, shown[0]["id"], expected_revision=3, op_id="4.0")
    kept = store.annotations_of(post.id, "ana")[SLEEP.id].spans[0]
    assert (again["ok"], kept.attributes) == (True, SpanAttributes())


def test_what_the_project_does_not_define_is_refused_with_what_it_does(store: Store, post: Post) -> None:
    refused = decisions.save(store, ANA, a_decision(post, {"severity": "worse"}, op="1.0"))
    assert refused == {"ok": False, "error": "'worse' is no level of Severity; it has mild, severe."}
    assert not decisions.save(store, ANA, a_decision(post, {"mood": "x"}, op="2.0"))["ok"]
    long = decisions.save(store, ANA, a_decision(post, {"rationale": "x" * 1001}, op="3.0"))
    assert long["error"] == "Span 2:14: the rationale has 1001 characters; write at most 1000."
    assert store.history(post.id) == []


def test_the_whole_post_is_labelled_apart_from_its_criteria_and_seen_by_nobody_else(store: Store, post: Post) -> None:
    of_post: dict[str, Any] = {"criterion_id": OF_POST, "verdict": None, "spans": []}
    label = a_decision(post, op="1.0", **of_post, labels={"Risk": "high"})
    assert decisions.save(store, ANA, label)["ok"]
    mine = decisions.load_item(store, WrittenModel(), post.id, ANA)["whole"]
    assert (mine["labels"], mine["revision"]) == ({"Risk": "high"}, 1)
    assert decisions.load_item(store, WrittenModel(), post.id, BEN)["whole"]["labels"] == {}
    assert history.history(store, post.id, BEN) == []
    assert decisions.save(store, ANA, {**label, "op_id": "2.0"})["conflict"]["labels"] == {"Risk": "high"}
    assert history.undo(store, ANA, "3")["post_id"] == post.id
    assert store.annotations_of(post.id, "ana")[OF_POST].labels == ()
    odd = decisions.save(store, ANA, {**label, "labels": {"Mood": "high"}, "op_id": "4.0", "expected_revision": 2})
    assert odd["error"] == "'Mood' is no label of posts; there are Risk."
