"""Levels, flags and labels in a team: agreement on them, whether they are a disagreement, and adjudicating with them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from annotator.teams import adjudicating, measuring
from annotator.teams.agreement.figures import Bootstrap
from annotator.teams.agreement.said import NOBODY, ONE_VALUE, Asked, Unit, agreement_on
from annotator.teams.methods import methods_report
from annotator.teams.rules import all_rules, set_rules
from annotator.teams.said import agreement_on_attributes
from storage.attributes import Attributes, Scale
from storage.records import OF_POST, AnnotatedSpan, Annotation, InvalidRecord, Reviewer, Role, SpanAttributes
from storage.store import Store
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
    team.replace_attributes(Attributes())
    assert measuring.report(team)["attributes"] == []


def test_levels_and_flags_are_a_disagreement_only_where_the_project_says_so(team: Store) -> None:
    assert [d.post_id for d in team.disagreements()] == ["p2"]
    shown = all_rules(team)
    assert "attributes" not in shown["gold"]
    set_rules(team, LEAD, {**shown, "gold": {**shown["gold"], "attributes": True}}, shown=shown)
    assert [d.post_id for d in team.disagreements()] == ["p2", "p1"]


def test_who_is_taken_is_taken_with_what_they_say(team: Store) -> None:
    case = adjudicating.case(team, JUDGE, "p1", SLEEP.id)
    assert (case["attributes_differ"], adjudicating.case(team, JUDGE, "p0", SLEEP.id)["attributes_differ"]) == (
        True,
        False,
    )
    one, two = (lane["spans"] for lane in case["lanes"])
    assert (one, two) == ([[2, 14, {"severity": "mild"}]], [[2, 14, {"severity": "severe", "flags": ["past"]}]])
    assert case["union"] == [[2, 14]]  # on nothing of it both agree
    wire = {"post_id": "p1", "criterion_id": SLEEP.id, "outcome": "evidence", "expected_revision": 0}
    with pytest.raises(InvalidRecord, match="'odd' is no flag"):
        adjudicating.decide(team, JUDGE, {**wire, "spans": [[2, 14, {"flags": ["odd"]}]]})
    decided = adjudicating.decide(team, JUDGE, {**wire, "spans": two})
    assert decided["decision"]["spans"] == two
    gold = next(g for g in team.gold() if g.post_id == "p1")
    assert gold.annotation.spans[0].attributes == SpanAttributes("", "severe", ("past",))
