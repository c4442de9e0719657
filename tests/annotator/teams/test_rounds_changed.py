"""A round while it is read: what changes hands, what stays, what is said of it; and posts that only measure their readers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from annotator.people.accounts import NotAllowed
from annotator.review import decisions
from annotator.review.others import GOLD
from annotator.teams import adjudicating, measuring, moves, rules, watching
from annotator.teams.methods import methods_report
from annotator.teams.moves import Move
from annotator.teams.plan_wire import read_plan
from annotator.teams.rounds import RoundPlan, change_people, close, preview, set_up
from annotator.teams.sampling import PostOrder
from annotator.teams.training import gold_of_training
from storage.queue import QueueFilter
from storage.records import (
    AnnotatedSpan,
    Annotation,
    Conflict,
    InvalidRecord,
    Post,
    Prediction,
    Reviewer,
    Role,
    Span,
    Split,
    Verdict,
)
from storage.store import Store
from storage.team_records import Adjudication, Outcome, RoundKind, Suggestions
from tests.annotator.review.test_decisions import WrittenModel
from tests.builders import MOOD, SLEEP

LEAD, ANA = Reviewer("eva", Role.ADMIN), Reviewer("ana")
READERS = ("ana", "ben", "cem")
TEXT = "I have not slept in weeks and lie awake."
WORDS = (2, 20)


@pytest.fixture
def team(store: Store) -> Store:
    for name in (*READERS, "dag"):
        store.ensure_reviewer(name)
    store.add_reviewer("eva", Role.ADMIN)
    store.save_criteria([SLEEP, MOOD])
    store.add_posts([Post(id=f"p{n:02d}", text=f"{TEXT} Night {n}.", split=Split.TRAIN) for n in range(12)])
    return store


def say(store: Store, post_id: str, name: str, *, evidence: bool = False, revision: int = 0) -> Annotation:
    spans = (AnnotatedSpan(*WORDS),) if evidence else ()
    verdict = Verdict.EVIDENCE if evidence else Verdict.NO_EVIDENCE
    return store.add_annotation(Annotation(post_id, SLEEP.id, name, verdict, spans), expected_revision=revision)


def made(store: Store, **plan: Any) -> int:
    wanted = RoundPlan(**{"name": "one", "people": READERS, "overlap": {2: 1.0}, **plan})
    return set_up(store, wanted, model_version=plan.get("model"), by=LEAD).id


def given(store: Store, round_id: int, name: str) -> list[str]:
    return [a.post_id for a in store.assigned(round_id=round_id, reviewer=name)]


def test_a_look_says_what_would_be_made_and_stores_nothing(team: Store) -> None:
    plan = read_plan({"name": "one", "people": list(READERS), "overlap": {"1": 0.5, "2": 0.5}, "posts": 6})
    shown = preview(team, plan, model_version=None, by=LEAD)
    assert team.rounds() == []
    assert (shown["posts"], shown["fitting"], shown["readers"]) == (6, 12, {"1": 3, "2": 3})
    made_of = team.assigned(round_id=set_up(team, plan, model_version=None, by=LEAD).id)
    assert Counter(a.reviewer for a in made_of) == {row["person"]: row["posts"] for row in shown["people"]}
    assert sum(row["posts"] for row in shown["pairs"]) == 3


def test_the_queue_of_a_round_is_read_in_its_order_and_others_read_outside_of_it(team: Store) -> None:
    team.add_predictions(Prediction(f"p{n:02d}", SLEEP.id, "m1", (Span(0, 4, n / 20),), 0.5) for n in (3, 7, 5, 9))
    round_id = set_up(
        team,
        RoundPlan("one", ("ana",), posts=4, query="weeks", order=PostOrder.EVIDENCE, strata=("expectation",), seed=2),
        model_version="m1",
        by=LEAD,
    ).id
    mine = given(team, round_id, "ana")
    seen = []
    for _ in mine:
        seen.append(decisions.next_post(team, WrittenModel(), ANA, QueueFilter(), exclude=seen))
    scores = {f"p{n:02d}": n for n in (3, 7, 5, 9)}
    assert seen == mine == sorted(mine, key=lambda p: -scores.get(str(p), -1))
    assert decisions.next_post(team, WrittenModel(), ANA, QueueFilter(), exclude=seen) is None
    outside = decisions.own_queue(team, Reviewer("dag"), QueueFilter())
    assert set(team.queue_ids(outside, me="dag", model_version=None, limit=99)).isdisjoint(mine)
    close(team, round_id, expected_revision=1, by=LEAD)
    assert decisions.own_queue(team, ANA, QueueFilter()) == QueueFilter()


def test_what_a_closed_round_gave_is_left_out_of_the_queue_of_an_open_one(team: Store) -> None:
    first = made(team, people=("ana",), overlap=None, posts=3)
    second = made(team, name="two", people=("ana",), overlap=None, posts=2)
    model = WrittenModel()
    assert decisions.progress(team, model, ANA, QueueFilter())["left"] == 5
    close(team, first, expected_revision=1, by=LEAD)
    assert decisions.next_post(team, model, ANA, QueueFilter()) == given(team, second, "ana")[0]
    assert decisions.progress(team, model, ANA, QueueFilter())["left"] == 2
    close(team, first, expected_revision=2, by=LEAD, closed=False)
    assert decisions.next_post(team, model, ANA, QueueFilter()) == given(team, first, "ana")[0]


def test_what_a_closed_round_gave_and_nobody_answered_is_given_again(team: Store) -> None:
    first = made(team, people=("ana",), overlap=None, posts=3)
    answered, *unread = given(team, first, "ana")
    say(team, answered, "ana")
    again = {"name": "two", "people": ("ana", "ben"), "overlap": {2: 1.0}, "unread": False, "query": "weeks"}
    while_open = preview(team, read_plan({**again, "overlap": {"2": 1.0}}), model_version=None, by=LEAD)
    assert {row["person"]: row["posts"] for row in while_open["people"]} == {"ana": 9, "ben": 12}
    second = made(team, **{**again, "posts": 12})
    assert team.readers_missing(second) == 0  # ana has three of them from the first round
    close(team, second, expected_revision=1, by=LEAD)
    close(team, first, expected_revision=1, by=LEAD)
    third = made(team, **{**again, "name": "three"})
    assert set(unread) < set(given(team, third, "ana"))
    assert answered not in given(team, third, "ana")
    assert given(team, first, "ana") == [answered]
    assert team.readers_missing(third) == 0


def test_posts_change_hands_but_not_those_that_are_begun_or_open_on_a_screen(team: Store) -> None:
    round_id = made(team, overlap=None)
    begun, opened, *free = given(team, round_id, "ana")
    say(team, begun, "ana")
    team.open_post(opened, "ana")
    done = moves.move(team, round_id, Move("ana", "ben", 1), expected_revision=1, by=LEAD)
    assert done == {"moved": 1, "begun": 1, "open": 1, "known": 0}
    assert free[-1] in given(team, round_id, "ben")
    assert moves.move(team, round_id, Move("ana"), expected_revision=2, by=LEAD)["moved"] == len(free) - 1
    assert given(team, round_id, "ana") == [begun, opened]
    assert team.readers_missing(round_id) == len(free) - 1
    assert moves.fill(team, round_id, expected_revision=3, by=LEAD) == {"given": len(free) - 1}
    assert team.readers_missing(round_id) == 0
    team.set_setting("reserved_minutes", 1e-9)
    assert moves.move(team, round_id, Move("ana", "ben"), expected_revision=4, by=LEAD)["open"] == 0
    with pytest.raises(InvalidRecord, match="not another reader"):
        moves.move(team, round_id, Move("ana", "dag"), expected_revision=5, by=LEAD)
    with pytest.raises(Conflict, match="changed by somebody else"):
        moves.move(team, round_id, Move("ana", "ben"), expected_revision=4, by=LEAD)
    with pytest.raises(NotAllowed):
        moves.move(team, round_id, Move("ana", "ben"), expected_revision=5, by=ANA)


def test_half_a_round_of_somebody_who_left_is_given_to_another_and_the_answers_stay(team: Store) -> None:
    round_id = made(team, overlap=None)
    begun = given(team, round_id, "cem")[0]
    say(team, begun, "cem")
    change_people(team, round_id, ("ana", "ben"), expected_revision=1, by=LEAD)
    assert (
        "cem has left with 1 post begun: move what is left to somebody else."
        in watching.one_round(team, LEAD, round_id)["notes"]
    )
    assert moves.move(team, round_id, Move("cem", "ben"), expected_revision=2, by=LEAD)["moved"] == 1
    assert begun in given(team, round_id, "ben")
    assert team.annotations_of(begun, "cem")[SLEEP.id].verdict is Verdict.NO_EVIDENCE
    assert team.unassign([begun], "ben") == 1


def test_what_somebody_who_left_had_open_comes_back_when_its_time_is_over(team: Store) -> None:
    round_id = made(team, overlap=None)
    opened = given(team, round_id, "cem")[0]
    team.open_post(opened, "cem")
    change_people(team, round_id, ("ana", "ben"), expected_revision=1, by=LEAD)
    found = watching.one_round(team, LEAD, round_id)
    assert found["missing"] == 0
    assert [note[:48] for note in found["notes"]] == ["cem has left with 1 post open on the screen: oth"]
    assert moves.fill(team, round_id, expected_revision=2, by=LEAD) == {"given": 0}
    team.set_setting("reserved_minutes", 1e-9)
    found = watching.one_round(team, LEAD, round_id)
    assert (found["missing"], [note[:20] for note in found["notes"]]) == (1, ["1 reader is missing."])
    assert moves.fill(team, round_id, expected_revision=3, by=LEAD) == {"given": 1}
    assert opened in given(team, round_id, "ana") + given(team, round_id, "ben")
    assert given(team, round_id, "cem") == []


def test_a_newcomer_takes_nothing_that_is_open_on_a_screen_and_a_closed_round_is_left_as_it_is(team: Store) -> None:
    round_id = made(team, overlap=None)
    opened = given(team, round_id, "ana")[0]
    team.open_post(opened, "ana")
    change_people(team, round_id, (*READERS, "dag"), expected_revision=1, by=LEAD)
    assert opened in given(team, round_id, "ana")
    assert [p.assigned for p in team.round_progress(round_id)] == [3, 3, 3, 3]
    close(team, round_id, expected_revision=2, by=LEAD)
    with pytest.raises(InvalidRecord, match="is closed"):
        change_people(team, round_id, READERS, expected_revision=3, by=LEAD)
    close(team, round_id, expected_revision=3, by=LEAD, closed=False)
    assert any("closed and opened again" in note for note in watching.one_round(team, LEAD, round_id)["notes"])


def test_a_criterion_that_is_retired_or_reworded_in_mid_round_and_posts_that_went_are_said(team: Store) -> None:
    round_id = made(team, people=("ana",), overlap=None, deadline="2020-01-31")
    for post_id in given(team, round_id, "ana"):
        say(team, post_id, "ana")
    assert watching.all_rounds(team, LEAD)[0]["progress"][0]["done"] == 0
    team.save_criteria([replace(MOOD, active=False)])
    assert watching.all_rounds(team, LEAD)[0]["progress"][0]["done"] == 12
    notes = watching.one_round(team, LEAD, round_id)["notes"]
    assert f"{MOOD.id} was retired since the round was made: it counts no longer, its answers are kept." in notes
    assert "Its last day was 2020-01-31. Reading goes on until it is closed." in notes
    team.update_reviewer("ana", disabled=True)
    with pytest.raises(InvalidRecord, match="no reviewer 'ana'"):
        made(team, name="two", people=("ana",), unread=False)


def test_what_is_open_about_a_retired_criterion_is_asked_of_nobody_who_does_not_ask_for_it(team: Store) -> None:
    say(team, "p00", "ana")
    say(team, "p00", "ben", evidence=True)
    assert adjudicating.queue(team, LEAD)["total"] == 1
    team.save_criteria([replace(SLEEP, active=False)])
    assert (adjudicating.queue(team, LEAD)["total"], team.count_disagreements()) == (0, 0)
    assert adjudicating.queue(team, LEAD, criterion=SLEEP.id)["total"] == 1


def with_gold(store: Store, *post_ids: str) -> None:
    """Posts in which eva's word was adjudicated."""
    for post_id in post_ids:
        say(store, post_id, "eva", evidence=True)
        spans = (Span(*WORDS),)
        settled = Adjudication(post_id, SLEEP.id, "eva", Outcome.EVIDENCE, spans, reason="The nights count.")
        store.add_adjudication(settled, expected_revision=0)


def test_a_training_round_answers_with_gold_at_once_and_its_answers_are_no_part_of_it(team: Store) -> None:
    with pytest.raises(InvalidRecord, match="needs posts with gold"):
        made(team, kind=RoundKind.TRAINING, people=("ana",), overlap=None)
    with_gold(team, "p00", "p01")
    round_id = made(team, kind=RoundKind.TRAINING, people=("ana", "ben"))
    assert sorted(given(team, round_id, "ana")) == ["p00", "p01"]
    before = team.gold()
    model = WrittenModel()
    assert {c["id"]: c["others"] for c in decisions.load_item(team, model, "p00", ANA)["criteria"]}[SLEEP.id] == []
    wire = {
        "post_id": "p00",
        "criterion_id": SLEEP.id,
        "verdict": "no_evidence",
        "spans": [],
        "rejected": [],
        "undecided": [],
    }
    saved = decisions.save(team, ANA, {**wire, "criterion_version": 1, "op_id": "a", "expected_revision": 0})
    assert saved["others"] == [
        {
            "reviewer": GOLD,
            "verdict": "evidence",
            "spans": [[2, 20]],
            "note": "The nights count.",
            "gold": True,
        }
    ]
    say(team, "p00", "ben")
    assert team.gold() == before
    assert team.count_disagreements() == 0
    assert [lane["answer"] for lane in adjudicating.case(team, LEAD, "p00", SLEEP.id)["lanes"]] == [1]
    assert {row[2] for row in team.answers_in_common(round_id=round_id)} == {"ana", "ben", "eva"}
    assert team.answers_in_common() == []


def test_a_training_round_tells_no_reader_s_note_and_no_blind_answer(team: Store) -> None:
    noted = Annotation("p00", SLEEP.id, "eva", Verdict.NO_EVIDENCE, note="secret")
    team.add_annotation(noted, expected_revision=0)
    round_id = made(team, kind=RoundKind.TRAINING, people=("ana",), overlap=None)
    assert given(team, round_id, "ana") == ["p00"]
    say(team, "p00", "ana")
    assert [(a.reviewer, a.note) for a in gold_of_training(team, "p00", ANA)] == [("eva", "")]
    made(team, name="two", people=("ben",), overlap=None, unread=False)
    assert gold_of_training(team, "p00", ANA) == []
    with pytest.raises(InvalidRecord, match="needs posts with gold"):
        made(team, name="three", kind=RoundKind.TRAINING, people=("cem",), overlap=None)


def test_gold_posts_of_a_check_look_like_all_others_to_their_readers(team: Store) -> None:
    with_gold(team, "p00", "p01", "p02")
    with pytest.raises(InvalidRecord, match=r"none of these people has read: 3\. You asked for 4"):
        made(team, kind=RoundKind.GOLD_CHECK, gold_posts=4)
    with pytest.raises(InvalidRecord, match="A gold check is blind"):
        made(team, kind=RoundKind.GOLD_CHECK, gold_posts=2, blind=False)
    round_id = made(
        team, kind=RoundKind.GOLD_CHECK, gold_posts=2, posts=6, overlap=None, suggestions=Suggestions.HIDDEN
    )
    checks = {p.post_id for p in team.round_posts(round_id) if p.gold}
    assert len(checks) == 2
    assert all(checks < set(given(team, round_id, name)) for name in READERS)
    check = sorted(checks)[0]
    say(team, check, "ana")
    (other,) = [p for p in given(team, round_id, "ana") if p not in checks][:1]
    say(team, other, "ana")
    items = [decisions.load_item(team, WrittenModel(), post_id, ANA) for post_id in (check, other)]
    assert [[c["others"] for c in item["criteria"]] for item in items] == [[[], []], [[], []]]
    assert [set(item) for item in items] == [set(items[0])] * 2
    assert watching.reading(team, ANA)[0].keys() == {"name", "left", "deadline", "late", "trains"}
    assert team.count_disagreements() == 0


def test_the_rules_are_set_whole_by_admins_and_not_past_one_another(team: Store) -> None:
    shown = rules.all_rules(team)
    wanted = {**shown, "gold": {"iou": 0.4, "spans": "union"}}
    assert rules.set_rules(team, LEAD, wanted, shown=shown) == wanted
    with pytest.raises(Conflict):
        rules.set_rules(team, LEAD, shown, shown=shown)
    with pytest.raises(NotAllowed):
        rules.set_rules(team, Reviewer("jo", Role.ADJUDICATOR), shown, shown=wanted)
    for wrong in ({"gold": {"iou": 2}}, {"gold": {"spans": "mine"}}, {"reserved_minutes": 0}):
        with pytest.raises(InvalidRecord):
            rules.set_rules(team, LEAD, {**wanted, **wrong}, shown=wanted)
    assert rules.all_rules(team) == wanted


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ({"kind": "exam"}, "'exam' is no kind of a round"),
        ({"overlap": {"two": 1}}, "is a whole number, not two"),
        ({"overlap": {"1.5": 1}}, "is a whole number, not 1.5"),
        ({"overlap": {"1": "half"}}, "is a number, not half"),
        ({"overlap": [1]}, "shares of the posts by the number of readers"),
        ({"posts": "many"}, "posts is a whole number"),
        ({"people": "ana"}, "lists of names"),
        ({"deadline": 7}, "deadline is a text"),
    ],
)
def test_a_plan_that_cannot_be_read_says_what_is_wrong(wire: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRecord, match=words):
        read_plan({"name": "x", "people": ["ana"], **wire})


def test_the_figures_of_a_round_are_of_its_readers_alone(team: Store) -> None:
    first = made(team, overlap={3: 1.0}, posts=4)
    posts = [p.post_id for p in team.round_posts(first)]
    for post_id in posts:
        for name in READERS:
            say(team, post_id, name, evidence=post_id == posts[0])
    before = {row["name"]: row for row in measuring.report(team)["rounds"]}["one"]
    assert before["figures"]["percent"]["value"] == 1.0
    second = set_up(
        team, RoundPlan("two", ("dag", "eva"), overlap={2: 1.0}, unread=False), model_version=None, by=LEAD
    ).id
    for post_id in posts:
        say(team, post_id, "dag", evidence=post_id != posts[0])  # the other way round
    rows = {row["name"]: row for row in measuring.report(team)["rounds"]}
    assert {**rows["one"], "figures": rows["one"]["figures"]["alpha"]["value"]} == {**before, "figures": 1.0}
    assert rows["two"]["units"] == 0
    assert rows["two"]["figures"]["percent"]["value"] is None
    assert {row[2] for row in team.answers_in_common(round_id=first)} == set(READERS)
    assert team.answers_in_common(round_id=second) == []
    assert {d.reviewer for d in team.latest_decisions(round_id=second)} == {"dag"}
    say(team, posts[0], "eva", evidence=True)
    assert [row["units"] for row in measuring.report(team)["rounds"]] == [4, 1]


def test_who_is_disabled_is_given_nothing_more(team: Store) -> None:
    round_id = made(team, people=("ana", "ben"), overlap=None)
    moves.move(team, round_id, Move("ana"), expected_revision=1, by=LEAD)
    team.update_reviewer("ana", disabled=True)  # who has least to read
    assert moves.fill(team, round_id, expected_revision=2, by=LEAD) == {"given": 6}
    assert (given(team, round_id, "ana"), len(given(team, round_id, "ben"))) == ([], 12)
    with pytest.raises(InvalidRecord, match="'ana' cannot sign in any more"):
        moves.move(team, round_id, Move("ben", "ana"), expected_revision=3, by=LEAD)
    moves.move(team, round_id, Move("ben"), expected_revision=3, by=LEAD)
    team.update_reviewer("ben", disabled=True)
    assert moves.fill(team, round_id, expected_revision=4, by=LEAD) == {"given": 0}
    assert team.readers_missing(round_id) == 12


def test_answers_that_were_changed_when_others_could_be_seen_are_counted(team: Store) -> None:
    round_id = made(team, overlap={3: 1.0}, posts=3)
    first, second, third = (p.post_id for p in team.round_posts(round_id))

    def at(minute: int, post_id: str, name: str, verdict: Verdict, revision: int = 0) -> None:
        spans = (AnnotatedSpan(*WORDS),) if verdict is Verdict.EVIDENCE else ()
        moment = f"2026-11-30T10:{minute:02d}:00Z"
        answer = Annotation(post_id, SLEEP.id, name, verdict, spans, created_at=moment)
        team.add_annotation(answer, expected_revision=revision)

    for post_id in (first, second, third):
        at(1, post_id, "ana", Verdict.EVIDENCE)
        at(2, post_id, "ben", Verdict.NO_EVIDENCE)
    at(3, first, "ben", Verdict.EVIDENCE, 1)  # alone, in time
    decision = Adjudication(
        second, SLEEP.id, "eva", Outcome.EVIDENCE, (Span(*WORDS),), created_at="2026-11-30T10:04:00Z"
    )
    team.add_adjudication(decision, expected_revision=0)
    assert measuring.report(team)["changed_late"] == 0
    at(5, second, "ben", Verdict.EVIDENCE, 1)
    at(6, second, "ana", Verdict.EVIDENCE, 1)  # said again, the same
    assert measuring.report(team, round_id=round_id)["changed_late"] == 1
    close(team, round_id, expected_revision=1, by=LEAD)
    at(1, first, "cem", Verdict.NO_EVIDENCE)
    team.add_annotation(Annotation(third, SLEEP.id, "ben", Verdict.UNSURE), expected_revision=1)
    assert measuring.report(team)["changed_late"] == 2
    assert "2 of all latest answers were changed after" in methods_report(team).markdown()


def test_a_look_says_who_has_no_account(team: Store) -> None:
    plan = RoundPlan("one", READERS, overlap={1: 1.0})
    assert preview(team, plan, model_version=None, by=LEAD)["notes"] == [
        "No post is read by two people: nothing could be said about agreement."
    ]  # nobody signs in here
    for name in ("ana", "eva"):
        team.update_reviewer(name, password_hash="x")
    assert preview(team, plan, model_version=None, by=LEAD)["notes"][1:] == [
        "Without an account nobody can sign in and read: ben, cem. Invite them first."
    ]
