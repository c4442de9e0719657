"""Who sees another's answer: one rule, tried for each role, in open and blind rounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from annotator.review import decisions, history
from annotator.training.data import usable_gold
from annotator.training.plan import LeftOut, plan_training
from storage.exports import Answers, ExportFilter
from storage.queue import QueueFilter, ReviewState
from storage.records import Conflict, InvalidRecord, NotFound, Reviewer, Role, Verdict
from storage.rounds import Assigned, RoundPost
from storage.store import Store
from storage.team_records import Round, RoundChange, RoundKind, Suggestions
from tests.annotator.review.test_decisions import WrittenModel
from tests.builders import MOOD, SLEEP, a_post, an_annotation

POST = a_post()
PEOPLE = {"ana": Role.REVIEWER, "ben": Role.REVIEWER, "jo": Role.ADJUDICATOR, "eva": Role.ADMIN}


@pytest.fixture
def team(store: Store) -> Store:
    for name, role in PEOPLE.items():
        store.ensure_reviewer(name, role)
        store.update_reviewer(name, role=role)
    store.add_posts([POST, a_post("Another day.", id="p2")])
    store.set_setting("adjudication", {"names": True})  # codes would tell nothing of who is seen
    return store


def a_round(store: Store, *, blind: bool = True, people: tuple[str, ...] = ("ana", "ben"), name: str = "main") -> Round:
    given = Round(0, name, RoundKind.MAIN, blind, Suggestions.SHOWN, people, {2: 1.0}, seed=1)
    return store.add_round(given, [RoundPost(POST.id, 2)], [Assigned(POST.id, person, None) for person in people])


def answer(store: Store, name: str, *words: str) -> None:
    store.add_annotation(an_annotation(POST, *words, reviewer=name, note=f"secret of {name}"), expected_revision=0)


def seen_by(store: Store, name: str) -> set[str]:
    """The other people whose answer comes out anywhere: in the item, the history, the filters, a restore."""
    me = Reviewer(name, PEOPLE[name])
    item = decisions.load_item(store, WrittenModel(), POST.id, me)
    found = {other["reviewer"] for c in item["criteria"] for other in c["others"]}
    visible = store.visible_heads(POST.id, name)
    latest = [(a.criterion_id, a.reviewer) for a in store.latest_annotations(POST.id) if a.decided]
    assert [a[:2] for a in store.answers_of_others(POST.id, name)] == [
        k for k in latest if k in visible and k[1] != name
    ]
    found |= {line["reviewer"] for line in history.history(store, POST.id, me)}
    for other in PEOPLE:
        wanted = QueueFilter(state=ReviewState.ANY, reviewer=other)
        if store.queue_ids(wanted, me=name, model_version=None, limit=5):
            found.add(other)
        if store.count_queue(wanted, me=name, model_version=None).posts:
            found.add(other)
    for annotation in store.iter_annotations():
        try:
            history.restore(store, me, annotation.id or 0, expected_revision=-1, op_id="never")
            found.add(annotation.reviewer)
        except NotFound:
            continue
    if me.role is not Role.REVIEWER:
        for answers in Answers:
            for exported in store.iter_export(ExportFilter(answers=answers, reader=name), complete=True):
                found |= {a.reviewer for a in (*exported.answers, *exported.history)}
    return found - {name}


def test_before_their_own_decision_reviewers_see_nobody_and_afterwards_everybody(team: Store) -> None:
    answer(team, "ben", "cannot sleep")
    assert seen_by(team, "ana") == set()
    answer(team, "ana")
    assert seen_by(team, "ana") == {"ben"}


def test_in_a_blind_round_reviewers_see_nobody_until_it_is_closed(team: Store) -> None:
    blind = a_round(team)
    answer(team, "ana")
    answer(team, "ben", "cannot sleep")
    assert seen_by(team, "ana") == set()
    assert seen_by(team, "jo") == {"ana", "ben"}
    assert seen_by(team, "eva") == {"ana", "ben"}
    verdict = QueueFilter(state=ReviewState.ANY, verdict=Verdict.EVIDENCE)
    assert team.queue_ids(verdict, me="ana", model_version=None, limit=5) == []
    assert team.queue_ids(verdict, me="ben", model_version=None, limit=5) == [POST.id]
    closed = team.change_round(blind.id, RoundChange(closed=True), expected_revision=1, by="eva")
    assert closed.closed_at is not None
    assert seen_by(team, "ana") == {"ben"}
    team.change_round(blind.id, RoundChange(closed=False), expected_revision=2, by="eva")
    assert seen_by(team, "ana") == set()


def test_an_adjudicator_who_reads_blind_is_blind_until_they_have_decided(team: Store) -> None:
    a_round(team, people=("ana", "jo"))
    answer(team, "ana", "cannot sleep")
    assert seen_by(team, "jo") == set()
    answer(team, "jo")
    assert seen_by(team, "jo") == {"ana"}


def test_what_a_blind_reader_is_yet_to_answer_teaches_no_model_that_would_suggest_it_to_them(team: Store) -> None:
    def taught() -> list[str]:
        found = [gold.post_id for gold in usable_gold(team, team.criteria())]
        plan = plan_training(team)
        assert sum(plan.posts.values()) == plan.new_posts == team.count_reviewed_since(0) == len(found)
        assert ("somebody is yet to answer it blind" in {row.reason for row in plan.left_out}) is (found == [])
        return found

    answer(team, "ana", "cannot sleep")
    assert taught() == [POST.id]
    blind = a_round(team)
    assert taught() == []
    answer(team, "ben", "cannot sleep")
    assert taught() == [POST.id]  # everybody who was given it has answered
    a_round(team, people=("jo",), name="second")
    assert taught() == []
    team.change_round(blind.id + 1, RoundChange(closed=True), expected_revision=1)
    assert taught() == [POST.id]


def test_gold_of_a_criterion_out_of_use_is_told_as_such_also_while_it_is_read_blind(team: Store) -> None:
    answer(team, "ana", "cannot sleep")
    a_round(team)
    team.save_criteria([replace(c, active=c.id != SLEEP.id) for c in team.criteria()])
    assert plan_training(team).left_out == (LeftOut("the criterion is no longer in use", 1),)


def test_the_counts_of_the_overview_are_ones_own_while_a_blind_round_is_open(team: Store) -> None:
    a_round(team)
    answer(team, "ben", "cannot sleep")
    assert team.seals()
    assert team.verdict_counts(of="ana") == {}
    assert team.verdict_counts() == {SLEEP.id: {"evidence": 1}}


def test_a_persons_queue_is_what_they_were_given(team: Store) -> None:
    team.save_criteria([SLEEP, MOOD])
    blind = a_round(team)
    me, model = Reviewer("ana"), WrittenModel()
    assert decisions.next_post(team, model, me, QueueFilter()) == POST.id
    assert decisions.progress(team, model, me, QueueFilter())["left"] == 1
    assert decisions.next_post(team, model, me, QueueFilter(), exclude=[POST.id]) is None
    team.change_round(blind.id, RoundChange(closed=True), expected_revision=1)
    assert decisions.progress(team, model, me, QueueFilter())["left"] == 2


def test_a_reader_without_suggestions_gets_none(team: Store) -> None:
    given = Round(0, "bare", RoundKind.MAIN, True, Suggestions.HIDDEN, ("ana",), {1: 1.0}, seed=1)
    team.add_round(given, [RoundPost(POST.id, 1)], [Assigned(POST.id, "ana", None, hide_suggestions=True)])
    item = decisions.load_item(team, WrittenModel(), POST.id, Reviewer("ana"))
    assert item["model"]["hidden"] is True
    assert {c["predicted"] for c in item["criteria"]} == {False}
    assert decisions.load_item(team, WrittenModel(), POST.id, Reviewer("ben"))["model"]["hidden"] is False


def test_two_leads_cannot_change_a_round_past_each_other_and_a_name_is_given_once(team: Store) -> None:
    first = a_round(team)
    team.change_round(first.id, RoundChange(deadline="2026-12-01"), expected_revision=1)
    with pytest.raises(Conflict, match="changed by somebody else"):
        team.change_round(first.id, RoundChange(closed=True), expected_revision=1)
    with pytest.raises(InvalidRecord, match="There is a round 'main' already"):
        a_round(team)
