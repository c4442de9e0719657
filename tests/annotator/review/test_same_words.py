"""The same words elsewhere are offered, never decided."""

from __future__ import annotations

from typing import Any

from annotator.learning.instant import switch
from annotator.review import decisions
from annotator.review.arms import set_share
from annotator.review.same_words import places_of
from storage.records import Post, Prediction, Reviewer, Span, Split
from storage.store import Store
from tests.annotator.review.test_decisions import WrittenModel
from tests.builders import SLEEP, a_span, an_annotation

ANA = Reviewer("ana")
FIRST = Post("p1", "I lie awake all night. Fine so far. And I lie awake, all NIGHT again.", split=Split.TRAIN)
OTHER = Post("p2", "Now I lie awake all night too. They were awake all night.", split=Split.TRAIN)


def shown(store: Store, post: Post, me: Reviewer = ANA) -> list[str]:
    model = WrittenModel(*(Prediction(p.id, SLEEP.id, "m1", (), 0.9) for p in (FIRST, OTHER)))
    item = decisions.load_item(store, model, post.id, me)
    (sleep,) = [c for c in item["criteria"] if c["id"] == SLEEP.id]
    assert sleep["spans"] == []
    return [post.text[s[0] : s[1]] for s in sleep["undecided"]]


def accept(store: Store) -> dict[str, Any]:
    span = Span(0, len("I lie awake all night"))
    return decisions.save(store, ANA, {
        "post_id": "p1", "criterion_id": SLEEP.id, "criterion_version": 1, "expected_revision": 0, "op_id": "op", "rejected": [],
        "verdict": "evidence", "spans": [[span.start, span.end, "added", None]], "undecided": [], "model_version": "m1",
    })  # fmt: skip


def test_the_same_words_are_offered_in_the_post_and_in_others_for_who_accepted_them(store: Store) -> None:
    store.add_posts([FIRST, OTHER])
    assert shown(store, OTHER) == []
    (place,) = accept(store)["same"]
    assert FIRST.text[place[0] : place[1]] == "I lie awake, all NIGHT"
    assert shown(store, OTHER) == ["I lie awake all night"]
    assert shown(store, OTHER, Reviewer("ben")) == []
    assert store.annotations_of("p2", "ana") == {}  # offered, not decided
    switch(store, on=False)
    assert shown(store, OTHER) == []


def test_a_wording_that_was_rejected_is_not_offered_again(store: Store) -> None:
    third = Post("p3", "I lie awake all night, they say.", split=Split.TRAIN)
    store.add_posts([FIRST, OTHER, third])
    accept(store)
    declined = an_annotation(third, criterion=SLEEP, rejected=(a_span(third, "I lie awake all night"),))
    store.add_annotation(declined, expected_revision=0)
    assert shown(store, OTHER) == []


def test_who_reads_without_suggestions_is_offered_nothing(store: Store) -> None:
    store.add_posts([FIRST, OTHER])
    set_share(store, 1.0)
    assert accept(store)["same"] == []
    assert shown(store, OTHER) == []


def test_short_wordings_parts_of_words_and_what_is_marked_already_are_left_out() -> None:
    text = "Bad sleep. My bad sleeper. bad\n sleep! BAD SLEEP"
    assert [s.quote(text) for s in places_of(["bad sleep"], text, beside=[Span(0, 9)])] == ["bad\n sleep", "BAD SLEEP"]
    assert places_of(["bad", "I am"], "I am bad, I am", beside=[]) == []
    assert [s.quote("(a+b [c] x") for s in places_of(["a+b [c]"], "(a+b [c] x", beside=[])] == []
    assert len(places_of(["all night"], "all night " * 20, beside=[])) == 5
