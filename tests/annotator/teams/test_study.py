"""A study from the first round to gold: every figure against one worked out here from the raw rows."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from annotator.people.accounts import NotAllowed
from annotator.review import decisions, history
from annotator.teams import adjudicating, measuring
from annotator.teams.naming import codes_of
from annotator.teams.reports import Reports
from annotator.teams.rounds import RoundPlan, change_people, close, give_out, progress, sample, set_up
from storage.records import (
    AnnotatedSpan,
    Annotation,
    Conflict,
    InvalidRecord,
    ModelVersion,
    NotFound,
    Post,
    Prediction,
    Reviewer,
    Role,
    Span,
    Verdict,
)
from storage.rounds import Candidate, RoundPost
from storage.store import Store
from storage.team_records import Outcome, Suggestions
from tests.annotator.review.test_decisions import WrittenModel
from tests.annotator.teams.oracles import cohen_kappa, nominal_alpha
from tests.builders import MOOD, SLEEP

LEAD = Reviewer("eva", Role.ADMIN)
JUDGE = Reviewer("jo", Role.ADJUDICATOR)
READERS = ("ana", "ben", "cem", "dag")
TEXT = "I have not slept in weeks and lie awake. Nothing is fun. The dog is well."


@pytest.fixture
def team(store: Store) -> Store:
    for name in READERS:
        store.ensure_reviewer(name)
    store.add_reviewer("eva", Role.ADMIN)
    store.add_reviewer("jo", Role.ADJUDICATOR)
    store.save_criteria([SLEEP, MOOD])
    store.add_posts([Post(id=f"p{n:03d}", text=f"{TEXT} Night {n}.", source=f"s{n % 2}") for n in range(40)])
    return store


def answer_everything(store: Store, seed: int) -> None:
    draw = random.Random(seed)
    for given in store.assigned():
        for criterion in (SLEEP, MOOD):
            if store.annotations_of(given.post_id, given.reviewer).get(criterion.id):
                continue
            verdict = draw.choice([Verdict.EVIDENCE, Verdict.NO_EVIDENCE, Verdict.NO_EVIDENCE])
            start = draw.choice([0, 2, 25])
            spans = (AnnotatedSpan(start, start + 20),) if verdict is Verdict.EVIDENCE else ()
            answer = Annotation(given.post_id, criterion.id, given.reviewer, verdict, spans)
            store.add_annotation(answer, expected_revision=0)


def test_a_round_is_balanced_and_nobody_gets_a_post_twice(team: Store) -> None:
    made = set_up(team, RoundPlan("one", READERS, overlap={1: 0.7, 2: 0.3}), model_version=None, by=LEAD)
    given = team.assigned(round_id=made.id)
    assert len({(a.post_id, a.reviewer) for a in given}) == len(given) == 40 + 12
    loads = Counter(a.reviewer for a in given)
    assert max(loads.values()) - min(loads.values()) <= 1
    assert Counter(Counter(a.post_id for a in given).values()) == {1: 28, 2: 12}
    assert [row["left"] for row in progress(team, made.id)] == [13, 13, 13, 13]


def test_a_sample_has_each_stratum_by_its_share_and_is_the_same_each_time() -> None:
    candidates = [Candidate(f"p{n}", "a" if n < 75 else "b", n / 100) for n in range(100)]
    chosen = sample(candidates, 20, seed=4)
    assert chosen == sample(candidates, 20, seed=4)
    assert sum(int(p[1:]) < 75 for p in chosen) == 15


def test_half_of_each_readers_posts_hides_the_suggestions_in_the_random_arm() -> None:
    given = give_out([RoundPost(f"p{n}", 2) for n in range(40)], READERS, {}, Suggestions.RANDOM, seed=1)
    hidden = Counter(a.reviewer for a in given if a.hide_suggestions)
    assert hidden == dict.fromkeys(READERS, 10)


def test_what_somebody_who_leaves_has_not_begun_goes_to_the_others(team: Store) -> None:
    made = set_up(team, RoundPlan("one", READERS, overlap={2: 1.0}), model_version=None, by=LEAD)
    begun = team.assigned(round_id=made.id, reviewer="dag")[0]
    team.add_annotation(Annotation(begun.post_id, SLEEP.id, "dag", Verdict.NO_EVIDENCE), expected_revision=0)
    changed = change_people(team, made.id, READERS[:3], expected_revision=1, by=LEAD)
    given = team.assigned(round_id=made.id)
    assert [a.post_id for a in given if a.reviewer == "dag"] == [begun.post_id]
    assert set(Counter(a.post_id for a in given).values()) == {2}
    assert changed.people == READERS[:3]
    with pytest.raises(Conflict):
        close(team, made.id, expected_revision=1, by=LEAD)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (RoundPlan("", READERS), "Give the round a name"),
        (RoundPlan("x", ()), "Choose who reads"),
        (RoundPlan("x", ("zoe",)), "no reviewer 'zoe'"),
        (RoundPlan("x", READERS, overlap={5: 1.0}), "A post cannot have 5 readers: 4 people are chosen"),
        (RoundPlan("x", READERS, overlap={1: 0.5}), "add up to 1"),
        (RoundPlan("x", READERS, source="nowhere"), "No post fits"),
    ],
)
def test_a_round_that_cannot_be_says_why(team: Store, plan: RoundPlan, words: str) -> None:
    with pytest.raises(InvalidRecord, match=words):
        set_up(team, plan, model_version=None, by=LEAD)
    with pytest.raises(NotAllowed):
        set_up(team, plan, model_version=None, by=Reviewer("ana"))


def test_a_study_from_the_round_over_agreement_to_gold(team: Store) -> None:
    set_up(team, RoundPlan("main", READERS, overlap={1: 0.5, 2: 0.3, 4: 0.2}), model_version=None, by=LEAD)
    answer_everything(team, 1)
    units: dict[tuple[str, str], dict[str, Annotation]] = {}
    for a in team.iter_annotations():
        units.setdefault((a.post_id, a.criterion_id), {})[a.reviewer] = a
    shared = {key: found for key, found in units.items() if len(found) > 1}
    tables = measuring.report(team)
    overall = tables["criteria"][0]
    assert (overall["units"], overall["posts"]) == (len(shared), 20)
    assert overall["figures"]["alpha"]["value"] == pytest.approx(
        nominal_alpha([[str(a.verdict) for a in found.values()] for found in shared.values()])
    )
    for row in tables["pairs"]:
        both = [found for found in shared.values() if {row["one"], row["other"]} <= set(found)]
        said = [(str(f[row["one"]].verdict), str(f[row["other"]].verdict)) for f in both]
        assert row["figures"]["cohen_kappa"]["value"] == pytest.approx(cohen_kappa(said))
    assert {(p["one"], p["other"]) for p in tables["pairs"]} == set(itertools.combinations(READERS, 2))
    before = team.count_disagreements()
    worst = adjudicating.queue(team, JUDGE)["cases"]
    assert [c["score"] for c in worst] == sorted(c["score"] for c in worst)
    for case in worst:
        shown = adjudicating.case(team, JUDGE, case["post_id"], case["criterion_id"])
        decision = {
            **case,
            "outcome": "no_evidence",
            "expected_revision": 0,
            "reason": "settled",
            "op_id": case["post_id"] + case["criterion_id"],
        }
        assert shown["decision"] is None
        assert adjudicating.decide(team, JUDGE, decision)["revision"] == 1
    assert (before, team.count_disagreements()) == (len(worst), 0)
    assert len(team.gold()) == len(units)
    assert sum(g.rule == "adjudicated" for g in team.gold()) == before


def test_a_model_version_takes_part_as_one_more_person(team: Store) -> None:
    """It marks sleep in every post, and nothing for mood."""
    set_up(team, RoundPlan("main", READERS, overlap={2: 1.0}), model_version=None, by=LEAD)
    answer_everything(team, 3)
    team.add_model(ModelVersion(id="m1", path="m1"))
    for post in team.iter_posts():
        marked = {SLEEP.id: (Span(0, 20, 0.9),), MOOD.id: ()}
        team.add_predictions(
            Prediction(post.id, c, "m1", spans, 0.1 if spans else 0.9, created_at="2031-01-01T00:00:00Z")
            for c, spans in marked.items()
        )
    reports = Reports(team)
    with pytest.raises(NotFound):
        reports.report(models=["m2"])
    found = reports.report(models=["m1"])["agreement"]
    assert not [p for p in found["periods"] if p["period"] > "2031"]  # time goes by people's answers
    pairs = found["pairs"]
    for row in (p for p in pairs if p["other"] == "model m1"):
        theirs = [a for a in team.iter_annotations() if a.reviewer == row["one"]]
        same = sum((a.verdict is Verdict.EVIDENCE) == (a.criterion_id == SLEEP.id) for a in theirs)
        assert row["units"] == len(theirs)
        assert row["figures"]["percent"]["value"] == pytest.approx(same / len(theirs))
        marked = sum(len(a.spans) + (a.criterion_id == SLEEP.id) for a in theirs)
        exact = sum([(s.start, s.end) for s in a.spans] == [(0, 20)] and a.criterion_id == SLEEP.id for a in theirs)
        assert row["figures"]["span_f1_exact"]["value"] == pytest.approx(2 * exact / marked)
    assert {p["one"] for p in pairs if p["other"] == "model m1"} == set(READERS)
    assert {p["other"] for p in reports.report()["agreement"]["pairs"]} <= set(READERS)


def a_disagreement(store: Store, *readers: str) -> dict[str, object]:
    for number, name in enumerate(readers):
        spans = (AnnotatedSpan(0, 20),) if number else ()
        verdict = Verdict.EVIDENCE if number else Verdict.NO_EVIDENCE
        store.add_annotation(Annotation("p000", SLEEP.id, name, verdict, spans), expected_revision=0)
    return {"post_id": "p000", "criterion_id": SLEEP.id, "outcome": "no_evidence", "expected_revision": 0}


def test_names_are_hidden_in_the_lanes_and_reviewers_may_not_look(team: Store) -> None:
    a_disagreement(team, "ana", "ben")
    shown = adjudicating.case(team, JUDGE, "p000", SLEEP.id)
    assert [lane["name"] for lane in shown["lanes"]] == sorted(codes_of(team)[name] for name in ("ana", "ben"))
    assert (shown["shared"], shown["union"]) == ([], [[0, 20]])
    with pytest.raises(NotAllowed):
        adjudicating.case(team, Reviewer("ana"), "p000", SLEEP.id)

    def told() -> list[set[str]]:
        others = decisions.load_item(team, WrittenModel(), "p000", JUDGE)["criteria"][0]["others"]
        lanes = adjudicating.case(team, JUDGE, "p000", SLEEP.id)["lanes"]
        past = history.history(team, "p000", JUDGE)
        return [{lane["name"] for lane in lanes}, {o["reviewer"] for o in others}, {h["reviewer"] for h in past}]

    assert told() == [{codes_of(team)["ana"], codes_of(team)["ben"]}] * 3
    team.set_setting("adjudication", {"names": True})
    assert told() == [{"ana", "ben"}] * 3


def test_nobody_adjudicates_their_own_answer_unless_the_project_says_so(team: Store) -> None:
    decision = a_disagreement(team, "ana", "jo")
    with pytest.raises(NotAllowed, match="answered this yourself"):
        adjudicating.decide(team, JUDGE, decision)
    team.set_setting("adjudication", {"own": True})
    assert adjudicating.decide(team, JUDGE, decision)["decision"]["by"] == "jo"


def test_a_decision_is_opened_again_and_what_cannot_be_is_said(team: Store) -> None:
    decision = a_disagreement(team, "ana", "ben")
    with pytest.raises(InvalidRecord, match="no decision to open again"):
        adjudicating.decide(team, JUDGE, {**decision, "outcome": "reopened"})
    with pytest.raises(InvalidRecord, match="none of the project's kinds"):
        adjudicating.decide(team, JUDGE, {**decision, "error_kind": "mood"})
    with pytest.raises(InvalidRecord, match="is no decision"):
        adjudicating.decide(team, JUDGE, {**decision, "outcome": "maybe"})
    adjudicating.decide(team, JUDGE, {**decision, "outcome": "undecidable"})
    with pytest.raises(Conflict):
        adjudicating.decide(team, JUDGE, decision)
    again = adjudicating.decide(team, JUDGE, {**decision, "outcome": str(Outcome.REOPENED), "expected_revision": 1})
    assert again["revision"] == 2
    assert team.count_disagreements() == 1


def test_people_see_what_became_of_their_answers_and_why_after_a_blind_round(team: Store) -> None:
    made = set_up(team, RoundPlan("main", ("ana", "ben"), overlap={2: 1.0}), model_version=None, by=LEAD)
    decision = a_disagreement(team, "ana", "ben")
    adjudicating.decide(team, JUDGE, {**decision, "reason": "It is the dog.", "error_kind": "overlooked"})
    ben = Reviewer("ben")
    assert adjudicating.mine_against_gold(team, ben) == []
    close(team, made.id, expected_revision=1, by=LEAD)
    (row,) = adjudicating.mine_against_gold(team, ben)
    assert (row["mine"], row["gold"], row["reason"], row["likeness"]) == (
        "evidence",
        "no_evidence",
        "It is the dog.",
        0.0,
    )
