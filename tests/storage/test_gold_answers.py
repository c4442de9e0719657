"""The standing of answers, kept up to date as people answer, decide, change the rule and undo imports."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from storage import gold_pairs, label_standing
from storage.records import OF_POST, Annotation, Gold, Role, Span
from storage.rounds import Assigned, RoundPost
from storage.store import Store, open_store
from storage.team_records import (
    Adjudication,
    Outcome,
    Round,
    RoundChange,
    RoundKind,
    SpanRule,
    Standing,
    Suggestions,
)
from tests.builders import MOOD, SLEEP, a_post, an_annotation
from tests.statements import taken_down
from tests.storage.imported import begin_import, import_into, show_imports


def open_pairs(store: Store) -> list[tuple[str, str, float]]:
    return [(d.post_id, d.criterion_id, d.score) for d in store.disagreements()]


def a_disagreement(store: Store, *ids: str) -> None:
    for name in ids:
        post = a_post(id=name)
        store.add_posts([post])
        store.add_annotation(an_annotation(post, "cannot sleep"), expected_revision=0)
        store.add_annotation(an_annotation(post, reviewer="ben"), expected_revision=0)


def a_gold_check(store: Store, post_id: str, *people: str) -> Round:
    """What these people say of the post is measured by what others said."""
    given = Round(0, "check", RoundKind.GOLD_CHECK, True, Suggestions.SHOWN, people, {1: 1.0}, seed=1)
    return store.add_round(given, [RoundPost(post_id, 1, gold=True)], [Assigned(post_id, p, None) for p in people])


def test_the_worst_comes_first_and_the_queue_can_be_narrowed(store: Store) -> None:
    a_disagreement(store, "p2", "p1")
    store.ensure_reviewer("cem")
    post = a_post("I cannot sleep. I cannot eat. The dog is well.", id="p0")
    store.add_posts([post])
    store.add_annotation(an_annotation(post, "I cannot sleep.", "I cannot eat.", criterion=MOOD), expected_revision=0)
    store.add_annotation(an_annotation(post, "I cannot eat.", criterion=MOOD, reviewer="cem"), expected_revision=0)
    assert open_pairs(store) == [("p1", SLEEP.id, 0.0), ("p2", SLEEP.id, 0.0), ("p0", MOOD.id, 2 / 3)]
    assert [d.post_id for d in store.disagreements(criterion_id=MOOD.id)] == ["p0"]
    assert [d.post_id for d in store.disagreements(people=("ana", "cem"))] == ["p0"]
    assert store.count_disagreements(people=("ana", "ben")) == 2


def test_a_decision_takes_it_off_the_queue_and_opening_it_again_puts_it_back(store: Store) -> None:
    store.ensure_reviewer("jo", Role.ADJUDICATOR)
    a_disagreement(store, "p1")
    decision = Adjudication("p1", SLEEP.id, "jo", Outcome.EVIDENCE, spans=(Span(2, 14),), reason="said so", op_id="o1")
    stored = store.add_adjudication(decision, expected_revision=0)
    assert store.add_adjudication(decision, expected_revision=0) == stored
    assert open_pairs(store) == []
    assert store.standing_counts() == {SLEEP.id: {"adjudicated": 1}}
    again = Adjudication("p1", SLEEP.id, "jo", Outcome.REOPENED, reason="the wording changed")
    store.add_adjudication(again, expected_revision=1)
    assert open_pairs(store) == [("p1", SLEEP.id, 0.0)]
    assert [d.revision for d in store.adjudications("p1")] == [1, 2]


def test_a_new_answer_and_a_new_rule_are_worked_out_anew(store: Store) -> None:
    a_disagreement(store, "p1")
    assert len(open_pairs(store)) == 1
    store.add_annotation(an_annotation(a_post(), "I cannot sleep. The dog", reviewer="ben"), expected_revision=1)
    assert open_pairs(store) == [("p1", SLEEP.id, 0.0)]
    store.set_setting("gold_rule", {"iou": 0.3, "spans": "union"})
    assert open_pairs(store) == []
    (gold,) = store.gold()
    assert (gold.rule, gold.spans) == ("agreement, union", (Span(0, 23),))
    assert store.gold_rule().spans is SpanRule.UNION
    assert store.refresh_standing() == 0


class Drawn:
    """What may happen to four posts, one thing after the other as it is drawn."""

    def __init__(self, store: Store) -> None:
        self.store, self.draw, self.imports = store, random.Random(5), list[int]()
        store.ensure_reviewer("jo", Role.ADJUDICATOR)
        store.ensure_reviewer("cem")
        store.add_posts(a_post(id=f"p{n}") for n in range(4))
        self.check = a_gold_check(store, "p1", "cem")
        often = {
            self.answer: 9,
            self.decide: 3,
            self.change_rule: 1,
            self.give_to_another: 1,
            self.bring: 2,
            self.undo: 2,
        }
        self.acts, self.weights = [*often, self.begin, self.end], [*often.values(), 1, 1]

    def act(self) -> None:
        self.draw.choices(self.acts, self.weights)[0]()

    def answer(self) -> None:
        post, who = a_post(id=f"p{self.draw.randrange(4)}"), self.draw.choice(["ana", "ben", "cem"])
        criterion = self.draw.choice([SLEEP, MOOD])
        mine = self.store.annotations_of(post.id, who).get(criterion.id)
        given = an_annotation(post, *self.draw.choice([[], ["I cannot sleep."]]), reviewer=who, criterion=criterion)
        given = replace(given, model_version=self.draw.choice([None, "m1"]))
        taken_back = replace(given, verdict=None, spans=())
        wanted = taken_back if mine and self.draw.random() < 0.3 else given
        self.store.add_annotation(wanted, expected_revision=mine.revision if mine else 0)

    def decide(self) -> None:
        key = f"p{self.draw.randrange(4)}", self.draw.choice([SLEEP, MOOD]).id
        before = self.store.latest_adjudications().get(key)
        decision = Adjudication(*key, "jo", self.draw.choice([Outcome.NO_EVIDENCE, Outcome.REOPENED]))
        self.store.add_adjudication(decision, expected_revision=before.revision if before else 0)

    def change_rule(self) -> None:
        self.store.set_setting("gold_rule", {"iou": self.draw.choice([0.3, 0.5])})

    def give_to_another(self) -> None:
        taken = [(a.post_id, a.reviewer) for a in self.store.assigned(round_id=self.check.id)]
        given = [Assigned("p1", self.draw.choice(["ana", "ben", "cem"]), None)]
        change, revision = RoundChange("moved", {}, taken=taken, given=given), self.store.round(self.check.id).revision
        self.store.change_round(self.check.id, change, expected_revision=revision)

    def bring(self) -> None:
        new = a_post(id=f"new{self.draw.randrange(1000)}")
        said = [an_annotation(new, "cannot sleep"), an_annotation(new, reviewer="ben")]
        if "ben" not in {a.reviewer for a in self.store.latest_annotations("p0")}:
            said.append(an_annotation(a_post(id="p0"), reviewer="ben"))
        self.imports.append(import_into(self.store, [new], said))

    def undo(self) -> None:
        if self.imports:
            self.store.undo_import(self.imports.pop())

    def begin(self) -> None:
        begin_import(self.store)

    def end(self) -> None:
        show_imports(self.store)


def test_looking_at_what_is_new_finds_what_looking_at_all_would(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers given and taken back, decisions, rules, posts to measure people by that are given to others, and imports that come and go
    or are unfinished.
    """
    monkeypatch.setattr(gold_pairs, "POSTS_AT_ONCE", 2)
    drawn, seen = Drawn(store), set[Standing]()
    for _ in range(150):
        drawn.act()
        assert store.count_posts() == len(list(store.iter_posts()))
        if drawn.draw.random() < 0.5:
            seen |= states_as_all_tell_them(store)
            assert_gold_is_counted(store)
    assert seen == {Standing.OPEN, Standing.AGREED, Standing.ADJUDICATED}


def states_as_all_tell_them(store: Store) -> set[Standing]:
    listed = store.disagreements(states=tuple(Standing), limit=99)
    found = {(d.post_id, d.criterion_id, d.readers, d.state) for d in listed}
    each = [(settled, [a for a in latest if a.decided]) for settled, latest in store.settled()]
    several = [(settled, latest) for settled, latest in each if len(latest) > 1]
    assert found == {(some[0].post_id, some[0].criterion_id, len(some), s.standing) for s, some in several}
    return {state for *_, state in found}


def assert_gold_is_counted(store: Store) -> None:
    gold, awaited = store.gold(), {("p0", SLEEP.id)}
    used = [g for g in gold if (g.post_id, g.criterion_id) not in awaited]
    store.refresh_gold_pairs()
    counts = {(n.criterion_id, n.verdict, n.agreed): n.answers for n in store.gold_counts(since=0, awaited=())}
    assert counts == Counter((g.criterion_id, g.verdict, left_as_it_was(g)) for g in gold)
    assert sum(n.new for n in store.gold_counts(since=9, awaited=awaited)) == sum(map(is_new, used))
    posts = store.gold_posts(since=9, awaited=awaited).values()
    assert sum(n for n, _ in posts) == len({g.post_id for g in used})
    assert sum(new for _, new in posts) == len({g.post_id for g in used if is_new(g)})
    assert store.count_gold_of(awaited) == len(gold) - len(used)


def left_as_it_was(gold: Gold) -> bool | None:
    """Whether the model's marks were, of which there are none here."""
    return None if gold.annotation.model_version is None else not gold.annotation.spans


def is_new(gold: Gold) -> bool:
    return (gold.annotation.id or 0) > 9


def test_an_answer_that_comes_back_as_an_import_is_undone_is_worked_out_anew(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post, "cannot sleep"), expected_revision=0)
    number = import_into(store, [], [an_annotation(post)])
    store.add_annotation(an_annotation(post, "cannot sleep", reviewer="ben"), expected_revision=0)
    assert len(open_pairs(store)) == 1
    store.undo_import(number)  # ben's is the newest still
    assert store.standing_counts() == {SLEEP.id: {"agreed": 1}}


def test_what_is_worked_out_is_not_written_anew_while_an_import_is_unfinished(store: Store) -> None:
    a_disagreement(store, "p1", "p2")
    a_gold_check(store, "p1", "ben")
    store.refresh_gold_pairs()
    assert len(open_pairs(store)) == 1  # what ben says of p1 is measured
    begin_import(store)
    with taken_down(store) as statements:
        store.refresh_gold_pairs()
        assert len(open_pairs(store)) == 1
    assert not [s for s in statements if s.startswith(("BEGIN IMMEDIATE", "SELECT a.*"))]
    store.add_annotation(an_annotation(a_post(id="p2"), "cannot sleep", reviewer="ben"), expected_revision=1)
    store.refresh_gold_pairs()
    assert sum(n.answers for n in store.gold_counts(since=0, awaited=())) == 2
    assert open_pairs(store) == []


def test_labels_that_change_while_they_are_worked_out_are_looked_at_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def label(where: Store, who: str, level: str, revision: int = 0) -> None:
        given = Annotation("p1", OF_POST, who, None, labels=(("risk", level),))
        where.add_annotation(given, expected_revision=revision)

    def changed_meanwhile(*given: Any) -> Any:
        monkeypatch.undo()
        other = open_store(store.path.parent)
        show_imports(other)
        label(other, "ben", "low", 1)
        assert other.count_disagreements() == 0
        other.close()
        return settled(*given)

    settled = label_standing.settle_label
    store.set_setting("attributes", {"labels": [{"name": "risk", "levels": ["low", "high"]}]})
    store.add_posts([a_post()])
    label(store, "ana", "low")
    assert store.count_disagreements() == 0
    label(store, "ben", "high")
    begin_import(store)
    monkeypatch.setattr(label_standing, "settle_label", changed_meanwhile)
    store.refresh_standing()
    assert store.count_disagreements() == 0


def test_posts_whose_import_is_undone_leave_the_queue(store: Store) -> None:
    post = a_post()
    number = import_into(store, [post], [an_annotation(post, "cannot sleep"), an_annotation(post, reviewer="ben")])
    store.ensure_reviewer("jo", Role.ADJUDICATOR)
    assert len(open_pairs(store)) == 1
    store.add_adjudication(Adjudication(post.id, SLEEP.id, "jo", Outcome.UNDECIDABLE), expected_revision=0)
    store.undo_import(number)
    assert store.disagreements(states=tuple(Standing)) == []
    assert store.adjudications() == []
