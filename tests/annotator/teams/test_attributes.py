"""Levels, flags and labels in a team: agreement on them, whether they are a disagreement, and adjudicating with them."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3

import numpy as np
import pytest

from annotator.people.accounts import NotAllowed
from annotator.review import history
from annotator.teams import adjudicating, measuring
from annotator.teams.agreement.figures import Bootstrap
from annotator.teams.agreement.said import NOBODY, ONE_VALUE, Asked, Unit, agreement_on
from annotator.teams.methods import methods_report
from annotator.teams.naming import codes_of
from annotator.teams.reports import work_out
from annotator.teams.rules import all_rules, set_rules
from annotator.teams.said import agreement_on_attributes
from storage.attributes import Attributes, Scale
from storage.exports import ExportFilter
from storage.records import OF_POST, AnnotatedSpan, Annotation, InvalidRecord, Reviewer, Role, SpanAttributes
from storage.store import Store
from storage.team_records import Assigned, Round, RoundKind, RoundPost, Suggestions
from tests.builders import SLEEP, a_post, an_annotation

JUDGE, LEAD = Reviewer("eve", Role.ADJUDICATOR), Reviewer("lea", Role.ADMIN)
# four observers, twelve units, from Krippendorff 2011, Computing Krippendorff's Alpha-Reliability
DATA = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


@pytest.mark.parametrize(("ordered", "alpha"), [(True, 0.815), (False, 0.743)])
def test_alpha_is_that_of_the_published_example(ordered: bool, alpha: float) -> None:
    units = [Unit(n, [row[n] - 1 for row in DATA if row[n] is not None]) for n in range(12)]
    asked = Asked("severity", "Severity", "12345", ordered)
    found = agreement_on(asked, units, Bootstrap(12))
    assert found["alpha"]["value"] == pytest.approx(alpha, abs=5e-4)
    assert found["units"] == 11  # one unit was seen by one observer alone
    assert found["alpha"]["low"] < alpha < found["alpha"]["high"]


def test_too_little_is_undefined_with_its_reason() -> None:
    asked = Asked("flag", "past", ("no", "yes"), ordered=False)
    alone = agreement_on(asked, [Unit(0, [1])], Bootstrap(1))
    assert (alone["units"], alone["percent"]["value"], alone["alpha"]["reason"]) == (0, None, NOBODY)
    same = agreement_on(asked, [Unit(0, [1, 1]), Unit(1, [1, 1])], Bootstrap(2))
    assert (same["percent"]["value"], same["alpha"]["value"], same["alpha"]["reason"]) == (1.0, None, ONE_VALUE)
    assert np.isnan(agreement_on(asked, [], Bootstrap(0))["alpha"]["value"] or np.nan)


def answer(store: Store, post_id: str, name: str, place: tuple[int, int], said: SpanAttributes, **labels: str) -> None:
    span = AnnotatedSpan(*place, attributes=said)
    given = dataclasses.replace(an_annotation(store.post(post_id), "cannot sleep", reviewer=name), spans=(span,))
    store.add_annotation(given, expected_revision=0)
    if labels:
        whole = Annotation(post_id, OF_POST, name, None, labels=tuple(sorted(labels.items())))
        store.add_annotation(whole, expected_revision=0)


@pytest.fixture
def team(store: Store) -> Store:
    """Two readers of three posts: on two they mark the same evidence with another border, on the third they mark different sentences."""
    severity = Scale("Severity", ("mild", "moderate", "severe"))
    store.replace_attributes(Attributes("Why?", severity, ("past", "negated"), (Scale("Risk", ("none", "high")),)))
    store.add_posts([a_post("I cannot sleep. The dog is well.", id=f"p{n}") for n in range(3)])
    for person, role in (("ana", Role.REVIEWER), ("ben", Role.REVIEWER), ("eve", JUDGE.role), ("lea", LEAD.role)):
        store.ensure_reviewer(person, role)
    answer(store, "p0", "ana", (2, 14), SpanAttributes("a", "mild", ("past",)), Risk="none")
    answer(store, "p0", "ben", (0, 14), SpanAttributes("b", "mild", ("past",)), Risk="none")
    answer(store, "p1", "ana", (2, 14), SpanAttributes("", "mild"), Risk="high")
    answer(store, "p1", "ben", (2, 14), SpanAttributes("", "severe", ("past",)), Risk="none")
    answer(store, "p2", "ana", (2, 14), SpanAttributes("", "severe"))
    answer(store, "p2", "ben", (16, 31), SpanAttributes("", "mild"), Risk="high")
    return store


def test_agreement_counts_the_spans_that_both_marked_and_the_posts_that_both_labelled(team: Store) -> None:
    rows = {row["name"]: row for row in agreement_on_attributes(team)}
    assert {name: row["units"] for name, row in rows.items()} == {"Severity": 2, "past": 2, "negated": 2, "Risk": 2}
    assert {name: row["percent"]["value"] for name, row in rows.items()} == {
        "Severity": 0.5,
        "past": 0.5,
        "negated": 1.0,
        "Risk": 0.5,
    }
    assert (rows["Severity"]["ordered"], rows["negated"]["alpha"]["reason"]) == (True, ONE_VALUE)
    assert measuring.report(team)["attributes"] == list(rows.values())
    text = methods_report(team).markdown()
    assert "Agreement on levels, flags and labels" in text
    assert text.count(ONE_VALUE) == 1  # why figures are undefined is one note, whatever the number of cells
    team.replace_attributes(Attributes())
    assert measuring.report(team)["attributes"] == []


def test_levels_and_flags_are_a_disagreement_only_where_the_project_says_so(team: Store) -> None:
    assert [d.post_id for d in team.disagreements(criterion_id=SLEEP.id)] == ["p2"]
    shown = all_rules(team)
    assert "attributes" not in shown["gold"]
    set_rules(team, LEAD, {**shown, "gold": {**shown["gold"], "attributes": True}}, shown=shown)
    assert [d.post_id for d in team.disagreements(criterion_id=SLEEP.id)] == ["p2", "p1"]


def test_who_is_taken_is_taken_with_what_they_say(team: Store) -> None:
    case = adjudicating.case(team, JUDGE, "p1", SLEEP.id)
    assert (case["attributes_differ"], adjudicating.case(team, JUDGE, "p0", SLEEP.id)["attributes_differ"]) == (
        True,
        False,
    )
    one, two = (lane["spans"] for lane in sorted(case["lanes"], key=lambda lane: lane["answer"]))
    assert (one, two) == ([[2, 14, {"severity": "mild"}]], [[2, 14, {"severity": "severe", "flags": ["past"]}]])
    assert case["union"] == case["shared"] == [[2, 14]]  # on nothing of it both agree
    wire = {"post_id": "p1", "criterion_id": SLEEP.id, "outcome": "evidence", "expected_revision": 0}
    with pytest.raises(InvalidRecord, match="'odd' is no flag"):
        adjudicating.decide(team, JUDGE, {**wire, "spans": [[2, 14, {"flags": ["odd"]}]]})
    decided = adjudicating.decide(team, JUDGE, {**wire, "spans": two})
    assert decided["decision"]["spans"] == two
    gold = next(g for g in team.gold() if g.post_id == "p1")
    assert gold.annotation.spans[0].attributes == SpanAttributes("", "severe", ("past",))
    again = an_annotation(team.post("p1"), "cannot sleep", reviewer="ana")
    spans = (AnnotatedSpan(2, 14, attributes=SpanAttributes("", "severe", ("past",))),)
    team.add_annotation(dataclasses.replace(again, spans=spans), expected_revision=1)
    assert adjudicating.case(team, JUDGE, "p1", SLEEP.id)["shared"] == two  # what all say stays with what all mark


def decide_risk(store: Store, outcome: str, revision: int, **more: object) -> None:
    wire = {"post_id": "p1", "criterion_id": "@post:Risk", "outcome": outcome, "expected_revision": revision, **more}
    adjudicating.decide(store, JUDGE, wire)


def gold_of_p1(store: Store) -> dict[str, str]:
    items = {item.post.id: item for item in store.iter_export(ExportFilter())}
    return dict(items["p1"].labels[0].labels) if items["p1"].labels else {}


def test_a_label_in_which_readers_differ_is_an_open_question_until_it_is_decided(team: Store) -> None:
    questions = [(c["post_id"], c["criterion_id"], c["readers"]) for c in adjudicating.queue(team, JUDGE)["cases"]]
    assert questions == [("p1", "@post:Risk", 2), ("p2", SLEEP.id, 2)]
    ana, ben = (codes_of(team)[name] for name in ("ana", "ben"))
    assert adjudicating.queue(team, JUDGE, criterion="@post:Risk", people=(ana, ben))["total"] == 1
    assert adjudicating.queue(team, JUDGE, people=(ana, JUDGE.name))["total"] == 0
    with pytest.raises(InvalidRecord, match="nobody called 'ana'"):  # whose name is told nobody here
        adjudicating.queue(team, JUDGE, people=("ana",))
    case = adjudicating.case(team, JUDGE, "p1", "@post:Risk")
    said = dict(zip([lane["name"] for lane in case["lanes"]], case["given"], strict=True))
    assert (said, case["levels"], case["union"]) == ({ana: "high", ben: "none"}, ["none", "high"], [])
    assert gold_of_p1(team) == {}

    for outcome, more, why in (
        ("evidence", {"spans": [[2, 14]]}, "decided by one of its levels"),
        ("label", {"level": "odd"}, "'odd' is no level of Risk"),
        ("label", {}, "'' is no level"),
    ):
        with pytest.raises(InvalidRecord, match=why):
            decide_risk(team, outcome, 0, **more)
    decide_risk(team, "label", 0, level="high", reason="He has a plan.")
    assert adjudicating.queue(team, JUDGE, done=True)["cases"][0]["criterion_id"] == "@post:Risk"
    assert gold_of_p1(team) == {"Risk": "high"}
    (ana,), (ben,) = (adjudicating.mine_against_gold(team, Reviewer(name)) for name in ("ana", "ben"))
    assert [(row["mine"], row["gold"], row["likeness"]) for row in (ana, ben)] == [
        ("high", "high", 1),
        ("none", "high", 0),
    ]
    told = history.decisions_about(team, "p1", Reviewer("ben"))
    assert [(d["criterion"], d["outcome"], d["reason"]) for d in told] == [
        ("Risk, of the whole post", "high", "He has a plan.")
    ]
    row = next(r for r in work_out(team)["agreement"]["attributes"] if r["name"] == "Risk")
    assert (row["open"], row["adjudicated"]) == (0, 1)
    assert "Risk | 1 | 0 | 1 | 0" in methods_report(team).markdown()  # agreed, open, adjudicated, undecidable

    decide_risk(team, "undecidable", 1)
    assert gold_of_p1(team) == {}
    decide_risk(team, "reopened", 2)
    assert adjudicating.queue(team, JUDGE)["total"] == 2
    ben_again = Annotation("p1", OF_POST, "ben", None, labels=(("Risk", "high"),))
    team.add_annotation(ben_again, expected_revision=1)  # now they agree
    assert (adjudicating.queue(team, JUDGE)["total"], gold_of_p1(team)) == (1, {"Risk": "high"})


def test_a_label_that_is_out_of_use_asks_nothing_and_keeps_what_it_was_given(team: Store) -> None:
    assert adjudicating.queue(team, JUDGE)["total"] == 2
    team.replace_attributes(Attributes())
    assert adjudicating.queue(team, JUDGE)["total"] == 1
    assert dict(team.annotations_of("p1", "ana")[OF_POST].labels) == {"Risk": "high"}


RISK_AND_KIND = Attributes(labels=(Scale("Risk", ("none", "high")), Scale("Kind", ("a", "b"))))


def labels_of(store: Store, post_id: str, **asked: str) -> list[tuple[str, dict[str, str]]]:
    found = [label for i in store.iter_export(ExportFilter(**asked)) if i.post.id == post_id for label in i.labels]  # type: ignore[arg-type]
    return [(label.reviewer, dict(label.labels)) for label in found]


def test_labels_of_gold_are_in_the_name_of_who_said_them_and_there_for_each_who_did(team: Store) -> None:
    team.replace_attributes(RISK_AND_KIND)
    said = (("Kind", "a"), ("Risk", "high"))
    ana = Annotation("p1", OF_POST, "ana", None, labels=said, created_at="2026-01-01T00:00:00Z")
    team.add_annotation(ana, expected_revision=1)
    ben = Annotation("p1", OF_POST, "ben", None, labels=(("Risk", "none"),))
    team.add_annotation(ben, expected_revision=1)
    assert labels_of(team, "p1") == [("ana", {"Kind": "a"})]  # and not ben, who says nothing of it
    decide_risk(team, "label", 0, level="none")
    assert labels_of(team, "p1") == [("eve", {"Kind": "a", "Risk": "none"})]
    asked = {name: labels_of(team, "p1", reviewer=name) for name in ("ana", "ben", "eve")}
    assert asked == {"ana": [("ana", {"Kind": "a"})], "ben": [], "eve": [("eve", {"Risk": "none"})]}
    when = team.adjudications("p1")[-1].created_at or ""
    assert labels_of(team, "p1", since=when) == [("eve", {"Risk": "none"})]
    for name in ("ana", "ben"):  # both said it
        assert labels_of(team, "p0", reviewer=name) == [(name, {"Risk": "none"})]


def test_posts_whose_labels_are_out_of_use_are_worked_out_once(team: Store) -> None:
    decide_risk(team, "label", 0, level="high")
    team.replace_attributes(Attributes(labels=(Scale("Kind", ("a", "b")),)))
    assert team.standing_counts().keys() == {SLEEP.id}
    with contextlib.closing(sqlite3.connect(team.path)) as beside:
        beside.execute("BEGIN IMMEDIATE")  # whoever wants to write now waits in vain
        assert team.standing_counts().keys() == {SLEEP.id}


def test_one_label_given_blind_does_not_show_the_others(team: Store) -> None:
    team.replace_attributes(RISK_AND_KIND)
    blind = Round(0, "b", RoundKind.MAIN, True, Suggestions.SHOWN, ("eve",), {1: 1.0}, 0, {})
    team.add_round(blind, [RoundPost("p1", 1)], [Assigned("p1", "eve", None)])
    lead = {"post_id": "p1", "criterion_id": "@post:Risk", "outcome": "label", "level": "none", "expected_revision": 0}
    adjudicating.decide(team, LEAD, lead)
    kind = Annotation("p1", OF_POST, "eve", None, labels=(("Kind", "a"),))
    team.add_annotation(kind, expected_revision=0)
    assert (team.visible_heads("p1", "eve"), team.visible_decisions("p1", "eve")) == ({(OF_POST, "eve")}, set())
    with pytest.raises(NotAllowed):
        adjudicating.case(team, JUDGE, "p1", "@post:Risk")
    both = dataclasses.replace(kind, labels=(("Kind", "a"), ("Risk", "none")))
    team.add_annotation(both, expected_revision=1)
    assert team.visible_heads("p1", "eve") == {(OF_POST, name) for name in ("ana", "ben", "eve")}
    assert len(team.visible_decisions("p1", "eve")) == 1


def test_labels_of_a_blind_round_are_kept_from_its_readers(team: Store) -> None:
    """Also from an adjudicator who reads in it, until they have given theirs."""
    blind = Round(0, "b", RoundKind.MAIN, True, Suggestions.SHOWN, ("eve", "ben"), {1: 1.0}, 0, {})
    team.add_round(blind, [RoundPost("p1", 1)], [Assigned("p1", "eve", None)])
    with pytest.raises(NotAllowed, match="read this post in a blind round yourself"):
        adjudicating.case(team, JUDGE, "p1", "@post:Risk")
    lead = {"post_id": "p1", "criterion_id": "@post:Risk", "outcome": "label", "level": "none", "expected_revision": 0}
    adjudicating.decide(team, LEAD, lead)
    for name in ("ben", "eve"):
        assert history.decisions_about(team, "p1", team.reviewer(name)) == []
    assert adjudicating.mine_against_gold(team, Reviewer("ben")) == []
    team.add_annotation(Annotation("p1", OF_POST, "eve", None, labels=(("Risk", "none"),)), expected_revision=0)
    assert len(adjudicating.case(team, JUDGE, "p1", "@post:Risk")["lanes"]) == 3
    with pytest.raises(NotAllowed, match="answered this yourself"):
        decide_risk(team, "label", 1, level="high")
