"""A share of posts without suggestions: who sees what, what is kept with the answers, and what is compared."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from annotator.review import decisions, history
from annotator.review.arms import arms_of, set_share, share_of
from annotator.review.post_list import find_posts
from annotator.teams.reports import work_out
from encoder.measure.metrics import wilson
from storage.queue import QueueFilter
from storage.records import Annotation, InvalidRecord, ModelVersion, Post, Prediction, Reviewer, Span, Split, Verdict
from storage.rounds import Assigned, RoundPost
from storage.store import Store
from storage.team_records import Round, RoundChange, RoundKind, Suggestions
from tests.annotator.review.test_decisions import WrittenModel
from tests.builders import SLEEP, a_span, an_annotation

ANA = Reviewer("ana")
TEXT = "I cannot sleep. The dog is well."


@pytest.fixture
def posts(store: Store) -> list[Post]:
    found = [Post(f"p{n}", f"{TEXT} It is day {n}.", split=Split.TRAIN) for n in range(60)]
    store.add_posts(found)
    return found


def a_model(posts: list[Post]) -> WrittenModel:
    return WrittenModel(
        *(Prediction(p.id, SLEEP.id, "m1", (a_span(p, "I cannot sleep.", score=0.9),), 0.1) for p in posts)
    )


def decide(store: Store, post: Post, shown: dict[str, Any], *spans: Span) -> Annotation:
    sleep = next(c for c in shown["criteria"] if c["id"] == SLEEP.id)
    wire = {
        "post_id": post.id, "criterion_id": SLEEP.id, "criterion_version": 1, "expected_revision": 0, "op_id": f"op-{post.id}",
        "verdict": "evidence" if spans else "no_evidence", "spans": [[s.start, s.end, "added", None] for s in spans],
        "rejected": sleep["undecided"], "undecided": [], "model_version": sleep["model_version"], "seconds": 4 if spans else 2,
    }  # fmt: skip
    assert decisions.save(store, ANA, wire)["ok"]
    return store.annotations_of(post.id, "ana")[SLEEP.id]


def test_every_post_has_suggestions_until_a_share_is_set(store: Store, posts: list[Post]) -> None:
    assert share_of(store) == 0
    assert not any(store.hides_suggestions(p.id, "ana") for p in posts)
    with pytest.raises(InvalidRecord, match="between 0 and 100"):
        set_share(store, 1.5)


def test_the_share_is_drawn_for_each_person_and_only_grows_with_it(store: Store, posts: list[Post]) -> None:
    hidden: dict[float, set[str]] = {}
    for share in (0.25, 0.5, 1.0):
        set_share(store, share)
        hidden[share] = {p.id for p in posts if store.hides_suggestions(p.id, "ana")}
    assert hidden[0.25] < hidden[0.5] < hidden[1.0] == {p.id for p in posts}
    assert 5 < len(hidden[0.25]) < 26
    set_share(store, 0.5)
    assert {p.id for p in posts if store.hides_suggestions(p.id, "ben")} != hidden[0.5]


def test_the_list_tells_no_score_of_posts_that_are_read_without_marks(store: Store, posts: list[Post]) -> None:
    model = a_model(posts)
    store.add_model(ModelVersion(id="m1", path="kept-in-the-tests"))
    store.add_predictions(p for post in posts for p in model.predictions(post).values())
    set_share(store, 0.5)
    model.version = "m1"
    listed = find_posts(store, model, ANA, QueueFilter())["posts"]
    assert {(p["evidence"] is None) == store.hides_suggestions(p["post_id"], "ana") for p in listed} == {True}
    assert {p["uncertainty"] is None for p in listed} == {True, False}


def test_an_open_round_decides_for_its_own_posts(store: Store, posts: list[Post]) -> None:
    set_share(store, 1.0)
    given = Round(0, "first", RoundKind.MAIN, False, Suggestions.SHOWN, ("ana",), {1: 1.0}, seed=1)
    opened = store.add_round(given, [RoundPost("p1", 1)], [Assigned("p1", "ana", None)])
    assert not store.hides_suggestions("p1", "ana")
    store.change_round(opened.id, RoundChange(closed=True), expected_revision=opened.revision)
    assert store.hides_suggestions("p1", "ana")


def test_answers_keep_whether_the_marks_were_shown_and_are_compared(store: Store, posts: list[Post]) -> None:
    model = a_model(posts)
    store.add_predictions(p for post in posts for p in model.predictions(post).values())
    set_share(store, 0.5)
    for number, post in enumerate(posts):
        shown = decisions.load_item(store, model, post.id, ANA)
        hidden = store.hides_suggestions(post.id, "ana")
        assert shown["model"]["hidden"] is hidden
        marked = [a_span(post, "The dog is well.")] if hidden and number % 2 else [a_span(post, "I cannot sleep.")]
        assert decide(store, post, shown, *marked).suggested is not hidden
        store.add_annotation(
            an_annotation(post, "I cannot sleep.", criterion=SLEEP, reviewer="ben"), expected_revision=0
        )
    found = arms_of(store, "m1")
    assert found is not None
    with_marks, without = found["rows"]
    odd = sum(store.hides_suggestions(p.id, "ana") for p in posts[1::2])
    arms = [store.hides_suggestions(p.id, "ana") for p in posts]
    begun = arms.index(True)  # what was answered before any post was without is not compared
    assert (with_marks["decisions"], without["decisions"]) == (arms[begun:].count(False), arms.count(True))
    assert (with_marks["missed"], without["missed"]) == (0, odd)
    assert with_marks["seconds"] == 4.0
    assert found["recall"] == {
        "found": without["decisions"] - odd,
        "of": without["decisions"],
        "interval": wilson(without["decisions"] - odd, without["decisions"]),
    }
    assert arms_of(store, "m1", of="ben") is None


def test_the_leads_figures_count_what_was_shown_and_not_how_a_post_was_given(store: Store, posts: list[Post]) -> None:
    """Outside of rounds the share decides, and nobody was shown anything where an import's people answered."""
    model = a_model(posts)
    store.add_predictions(p for post in posts for p in model.predictions(post).values())
    set_share(store, 0.5)
    for post in posts:
        decide(store, post, decisions.load_item(store, model, post.id, ANA))
        store.add_annotation(
            an_annotation(post, "I cannot sleep.", criterion=SLEEP, reviewer="ben"), expected_revision=0
        )
    hidden = sum(store.hides_suggestions(p.id, "ana") for p in posts)
    arms = {row["suggestions"]: row["decisions"] for row in work_out(store)["arms"]}
    assert arms == {"shown": 60 - hidden, "hidden": hidden}


def test_without_a_model_it_is_not_known_and_nothing_is_compared(store: Store, posts: list[Post]) -> None:
    shown = decisions.load_item(store, WrittenModel(version="m1"), "p1", ANA)
    assert decide(store, posts[1], shown).suggested is None
    assert arms_of(store, "m1") is None


def test_taking_back_keeps_the_arm(store: Store, posts: list[Post]) -> None:
    set_share(store, 1.0)
    stored = decide(store, posts[1], decisions.load_item(store, a_model(posts), "p1", ANA))
    assert store.revision(stored.id or 0) == dataclasses.replace(stored, verdict=Verdict.NO_EVIDENCE)
    history.undo(store, ANA, "gesture")
    assert store.annotations_of("p1", "ana")[SLEEP.id].suggested is False


def test_the_interval_of_a_share() -> None:
    assert wilson(0, 0) is None
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # as R's binom.confint, method "wilson"
    assert wilson(0, 5) == pytest.approx((0.0, 0.4345), abs=1e-4)
