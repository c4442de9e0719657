"""Reading and changing criteria: versions are kept, and only an admin changes anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from annotator.exchange.exporting import export_file
from annotator.exchange.sources import wording_beside
from annotator.people.accounts import NotAllowed
from annotator.review import guidelines
from annotator.review.wording_changes import pieces
from storage.attributes import Attributes, Scale
from storage.criterion_examples import PostExample
from storage.records import MOST_EXAMPLES, Conflict, InvalidRecord, NotFound, Reviewer, Role, Span
from storage.store import Store
from storage.team_records import Adjudication, Assigned, Outcome, Round, RoundKind, RoundPost, Suggestions
from tests.builders import MOOD, SLEEP, a_post, an_annotation

ADMIN = Reviewer("ana", Role.ADMIN)


def a_change(**changes: Any) -> dict[str, Any]:
    wire = {
        "id": SLEEP.id,
        "name": SLEEP.name,
        "text": SLEEP.text,
        "guideline": SLEEP.guideline,
        "active": True,
        "version": 1,
    }
    return {**wire, **changes}


def test_a_changed_wording_is_a_new_version_and_the_old_one_can_still_be_read(store: Store) -> None:
    assert guidelines.save_criterion(store, a_change(guideline="Mark naps too."), by=ADMIN).version == 2
    sleep, mood = guidelines.criteria_with_versions(store, ADMIN)
    assert (sleep["version"], sleep["guideline"]) == (2, "Mark naps too.")
    assert [(v["version"], v["guideline"]) for v in sleep["earlier"]] == [(1, SLEEP.guideline)]
    (what,) = sleep["earlier"][0]["changes"]
    assert what == {
        "part": "Guideline",
        "pieces": [("=", "Mark "), ("-", "nights awake"), ("+", "naps too"), ("=", ".")],
    }
    assert (mood["id"], mood["earlier"]) == (MOOD.id, [])


def test_examples_are_part_of_the_wording_and_travel_with_it(store: Store, tmp_path: Path) -> None:
    written = {"examples": "I lie awake.\n\nThree hours, again.\n", "counterexamples": ["My phone went to sleep."]}
    saved = guidelines.save_criterion(store, a_change(**written), by=ADMIN)
    assert (saved.version, saved.examples) == (2, ("I lie awake.", "Three hours, again."))
    assert store.criteria()[0] == saved
    sleep = guidelines.criteria_with_versions(store, ADMIN)[0]
    assert [v["examples"] for v in (sleep, *sleep["earlier"])] == [saved.examples, ()]
    post = a_post("I cannot sleep.")
    store.add_posts([post])
    store.add_annotation(an_annotation(post, criterion=SLEEP), expected_revision=0)
    export_file(store, "gold", tmp_path / "gold.jsonl")
    (carried, _) = wording_beside(tmp_path / "gold.jsonl")
    assert (carried.examples, carried.counterexamples) == (saved.examples, ("My phone went to sleep.",))


@pytest.mark.parametrize("long", [1, 2000])
def test_a_difference_holds_both_texts_in_full(long: int) -> None:
    old, new = "Mark <b>nights</b>,\n🌙 awake.\n" * long, "Mark nights 🌙 asleep.\n" * long
    found = pieces(old, new)
    assert (
        "".join(text for sign, text in found if sign != "+"),
        "".join(text for sign, text in found if sign != "-"),
    ) == (old, new)


def test_passages_that_were_adjudicated_become_examples_until_they_are_removed(store: Store) -> None:
    for id, words in (("p1", ["cannot sleep"]), ("p2", ["The dog is well."])):
        post = a_post(id=id)
        store.add_posts([post])
        for name in ("ben", "cem"):
            store.ensure_reviewer(name)
            mark = words if name == "ben" else []
            store.add_annotation(an_annotation(post, *mark, reviewer=name), expected_revision=0)
    store.update_reviewer("ana", role=Role.ADMIN)
    with pytest.raises(InvalidRecord, match="Decide first"):
        guidelines.add_examples(store, ADMIN, "p1", SLEEP.id)
    store.add_adjudication(Adjudication("p1", SLEEP.id, "ana", Outcome.EVIDENCE, (Span(2, 14),)), expected_revision=0)
    store.add_adjudication(Adjudication("p2", SLEEP.id, "ana", Outcome.NO_EVIDENCE), expected_revision=0)
    with pytest.raises(NotAllowed):
        guidelines.add_examples(store, Reviewer("ben"), "p1", SLEEP.id)
    assert [guidelines.add_examples(store, ADMIN, id, SLEEP.id) for id in ("p1", "p2", "p1")] == [1, 1, 1]
    sleep = guidelines.criteria_with_versions(store, Reviewer("ben"))[0]
    assert sleep["version"] == 1  # nobody's answer is older for it
    shown = [(e["post_id"], e["words"], e["evidence"]) for e in sleep["from_posts"]]
    assert shown == [("p1", "cannot sleep", True), ("p2", "The dog is well.", False)]
    has = guidelines.fresh_examples(store, Reviewer("ben"), None)
    assert [e["post_id"] for e in has["examples"]] == ["p1", "p2"]
    assert guidelines.fresh_examples(store, Reviewer("ben"), has["examples_mark"]) == {}  # they are sent once
    store.ensure_reviewer("dan")  # has answered neither post: both would tell what was decided
    assert guidelines.criteria_with_versions(store, Reviewer("dan"))[0]["from_posts"] == []

    store.add_reviewer("eve", Role.ADJUDICATOR)
    blind = Round(0, "b", RoundKind.MAIN, True, Suggestions.SHOWN, ("cem", "eve"), {2: 1.0}, 0, {})
    store.add_round(blind, [RoundPost("p1", 2)], [Assigned("p1", who, None) for who in blind.people])
    seen = {name: [e.post_id for e in store.examples(name)] for name in ("ana", "ben", "cem")}
    assert seen == {"ana": ["p1", "p2"], "ben": ["p2"], "cem": ["p2"]}  # gold of a post that is read blind
    by_now = guidelines.fresh_examples(store, Reviewer("ben"), has["examples_mark"])
    assert [e["post_id"] for e in by_now["examples"]] == ["p2"]
    store.add_adjudication(Adjudication("p1", SLEEP.id, "ana", Outcome.NO_EVIDENCE), expected_revision=1)
    assert [e.post_id for e in store.examples("ana")] == ["p2"]  # what was decided otherwise since teaches nobody
    guidelines.remove_example(store, {"criterion_id": SLEEP.id, "post_id": "p2", "start": 16, "end": 32}, by=ADMIN)
    with pytest.raises(NotFound, match="no example any more"):
        guidelines.remove_example(store, {"criterion_id": SLEEP.id, "post_id": "p2", "start": 16, "end": 32}, by=ADMIN)
    for n in range(1, MOST_EXAMPLES):
        store.add_example(PostExample(SLEEP.id, "p1", 0, n, False), by="ana")
    for _ in range(2):  # again it is one of as many as there may be
        assert guidelines.add_examples(store, ADMIN, "p1", SLEEP.id) == 1
    store.add_example(PostExample(SLEEP.id, "p1", 1, 2, False), by="ana")
    eve = Reviewer("eve", Role.ADJUDICATOR)
    assert store.examples("eve") == []  # of a post that she reads blind; they count all the same
    for who, post_id in ((ADMIN, "p1"), (eve, "p2")):
        with pytest.raises(InvalidRecord, match="keep at most"):
            guidelines.add_examples(store, who, post_id, SLEEP.id)


def test_saving_without_a_change_makes_no_version(store: Store) -> None:
    assert guidelines.save_criterion(store, a_change(), by=ADMIN).version == 1


def test_two_admins_on_one_criterion_do_not_overwrite_each_other(store: Store) -> None:
    guidelines.save_criterion(store, a_change(text="One."), by=ADMIN)
    with pytest.raises(Conflict, match="somebody else"):
        guidelines.save_criterion(store, a_change(text="Two."), by=ADMIN)


def test_a_criterion_can_be_added_and_taken_out_of_use(store: Store) -> None:
    new = {"id": "ANGER", "name": "Anger", "text": "The writer is angry.", "guideline": "", "version": None}
    assert guidelines.save_criterion(store, new, by=ADMIN).position == 2
    guidelines.save_criterion(store, a_change(active=False), by=ADMIN)
    assert [c.id for c in store.criteria()] == [MOOD.id, "ANGER"]
    assert [c["id"] for c in guidelines.criteria_with_versions(store, ADMIN)] == [MOOD.id, "ANGER", SLEEP.id]
    with pytest.raises(Conflict, match="already"):
        guidelines.save_criterion(store, new, by=ADMIN)


def test_reviewers_read_and_do_not_change(store: Store) -> None:
    for role in (Role.REVIEWER, Role.ADJUDICATOR):
        with pytest.raises(NotAllowed):
            guidelines.save_criterion(store, a_change(), by=Reviewer("ben", role))


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": " "},
        {"name": ""},
        {"id": "no spaces please", "version": None},
        {"examples": ["x" * 2000]},
        {"examples": [str(n) for n in range(30)]},
    ],
)
def test_a_criterion_that_says_nothing_is_refused(wrong: dict[str, Any], store: Store) -> None:
    with pytest.raises(InvalidRecord):
        guidelines.save_criterion(store, a_change(**wrong), by=ADMIN)


def test_an_admin_orders_the_criteria_and_no_wording_changes(store: Store) -> None:
    assert guidelines.reorder(store, [MOOD.id, SLEEP.id], by=ADMIN) == [MOOD.id, SLEEP.id]
    assert [(c.id, c.version) for c in store.criteria()] == [(MOOD.id, 1), (SLEEP.id, 1)]
    with pytest.raises(NotAllowed):
        guidelines.reorder(store, [SLEEP.id, MOOD.id], by=Reviewer("ben"))
    for wrong in ([MOOD.id], [MOOD.id, SLEEP.id, SLEEP.id], [MOOD.id, "ANGER"]):
        with pytest.raises(Conflict):
            guidelines.reorder(store, wrong, by=ADMIN)


def test_exports_follow_the_order_of_the_criteria(store: Store, tmp_path: Path) -> None:
    post = a_post("I cannot sleep. All is grey.")
    store.add_posts([post])
    for criterion in (SLEEP, MOOD):
        store.add_annotation(an_annotation(post, criterion=criterion), expected_revision=0)
    for order in ([MOOD.id, SLEEP.id], [SLEEP.id, MOOD.id]):
        guidelines.reorder(store, order, by=ADMIN)
        export_file(store, "gold", tmp_path / "gold.jsonl")
        line = json.loads((tmp_path / "gold.jsonl").read_text("utf-8"))
        assert [a["criterion"] for a in line["annotations"]] == order


def test_an_admin_defines_what_more_is_said_and_nothing_that_was_said_is_lost(store: Store) -> None:
    nothing = guidelines.attributes_form(store.attributes())
    assert nothing == {"rationale": "", "severity": "", "flags": "", "labels": ""}
    form = {
        "rationale": "Why?",
        "severity": "Burden: mild < severe",
        "flags": "past, other person",
        "labels": "Risk: none < low < high\nKind: question, report",
    }
    assert guidelines.save_attributes(store, {**form, "before": nothing}, by=ADMIN) == form
    said = store.attributes()
    assert [(s.name, s.ordered) for s in said.labels] == [("Risk", True), ("Kind", False)]
    with pytest.raises(Conflict):
        guidelines.save_attributes(store, {**nothing, "before": nothing}, by=ADMIN)
    with pytest.raises(NotAllowed):
        guidelines.save_attributes(store, {**nothing, "before": form}, by=Reviewer("ben"))
    with pytest.raises(InvalidRecord, match="Risk needs at least two levels"):
        guidelines.save_attributes(store, {**form, "labels": "Risk: none", "before": form}, by=ADMIN)
    assert guidelines.save_attributes(store, {**nothing, "before": form}, by=ADMIN) == nothing
    assert (store.attributes().retired_flags, store.attributes().of_spans) == (("past", "other person"), False)


def test_saving_the_form_as_it_is_changes_nothing(store: Store) -> None:
    given = Attributes(
        severity=Scale("Kind", ("x", "y"), ordered=False),
        labels=(Scale("Risk", ("low", "high")), Scale("Tone", ("a", "b"), ordered=False)),
    )
    store.replace_attributes(given)
    form = guidelines.attributes_form(given)
    assert guidelines.save_attributes(store, {**form, "before": form}, by=ADMIN) == form
    assert store.attributes() == given
