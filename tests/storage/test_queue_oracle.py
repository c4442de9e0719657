"""The queue against a plain reading of its rules, over random projects and filters, by way of every plan that it has."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest

from storage import queue
from storage.doubts import Doubt
from storage.queue import QueueCount, QueueFilter, QueueOrder, ReviewState
from storage.records import Post, Prediction, Role, Span, Split, Verdict
from storage.store import Store
from tests.builders import MOOD, SLEEP, an_annotation

WORDS = ("awake", "tired", "dog", "rain", "night")
PEOPLE = ("ana", "ben")
POSTS = 120


class Project:
    """A store with random posts, predictions, answers and assignments, and the same in plain dictionaries."""

    def __init__(self, path: Path, seed: int) -> None:
        self.store = Store(path / "evidence.db")
        self.store.save_criteria([SLEEP, MOOD])
        for name in PEOPLE:
            self.store.add_reviewer(name, Role.ADJUDICATOR)  # sees everybody's answers
        draw = random.Random(seed)
        self.posts = [
            Post(
                f"p{n:03}",
                " ".join(draw.sample(WORDS, 3)) + f" {n}",
                split=draw.choice(list(Split)),
                source=draw.choice(("forum", "clinic", None)),
            )
            for n in range(POSTS)
        ]
        self.store.add_posts(self.posts)
        self.scores: dict[str, dict[str, float]] = {}
        self.unsure: dict[str, float] = {}
        for post in draw.sample(self.posts, POSTS - 20):
            self.predict(post, draw)
        self.answers: dict[tuple[str, str, str], Verdict] = {}
        for _ in range(160):
            post, criterion, person = draw.choice(self.posts), draw.choice((SLEEP, MOOD)), draw.choice(PEOPLE)
            verdict = draw.choice((Verdict.NO_EVIDENCE, Verdict.UNSURE))
            if (post.id, criterion.id, person) not in self.answers:
                self.answers[post.id, criterion.id, person] = verdict
                answer = an_annotation(post, criterion=criterion, reviewer=person, verdict=verdict)
                self.store.add_annotation(answer, expected_revision=0)
        self.doubts: dict[tuple[str, str], float] = {}
        for post_id, criterion_id, person in draw.sample(sorted(self.answers), 40):
            doubted = self.store.annotations_of(post_id, person)[criterion_id]
            self.doubts.setdefault((post_id, criterion_id), round(0.7 + draw.random() * 0.3, 2))
            found = Doubt(post_id, criterion_id, doubted.id or 0, Span(0, 4), False, self.doubts[post_id, criterion_id])
            self.store.replace_doubts(criterion_id, [*self._kept(criterion_id), found])
        self.skipped = {post.id for post in draw.sample(self.posts, 15)}
        for post_id in self.skipped:
            self.store.skip_post(post_id, "ana")
        self.given = {post.id for post in draw.sample(self.posts, 25)}
        self.store.assign(sorted(self.given), "ana", by=None)
        self.store.save_criteria([SLEEP, dataclasses.replace(MOOD, guideline="Mark low mood, not grief.")])
        with self.store.read() as db:
            self.rows = {row["id"]: row for row in db.query("SELECT * FROM post")}

    def _kept(self, criterion_id: str) -> list[Doubt]:
        """The doubts of a criterion so far."""
        found = [self.store.doubts_of(post_id, "ana") for post_id in {p for p, c in self.doubts if c == criterion_id}]
        return [d for some in found for d in some if d.criterion_id == criterion_id]

    def predict(self, post: Post, draw: random.Random) -> None:
        found = {c.id: draw.choice((0.0, round(draw.random(), 1))) for c in (SLEEP, MOOD)}
        doubts = {c: round(draw.random(), 1) for c in found}
        self.scores[post.id] = found
        self.unsure[post.id] = max(1 - abs(2 * d - 1) for d in doubts.values())
        self.store.add_predictions(
            Prediction(post.id, c, "m1", (Span(0, 4, score),) if score else (), doubts[c]) for c, score in found.items()
        )

    def expected(self, wanted: QueueFilter) -> list[str]:
        return sorted((p.id for p in self.posts if self._fits(p, wanted)), key=lambda i: self._place(i, wanted.order))

    def _fits(self, post: Post, wanted: QueueFilter) -> bool:
        done = sum((post.id, c.id, "ana") in self.answers for c in (SLEEP, MOOD)) == 2
        put_off = post.id in self.skipped
        if wanted.order is QueueOrder.DOUBTS and not any(p == post.id for p, _ in self.doubts):
            return False
        state = {
            ReviewState.ANY: True,
            ReviewState.REVIEWED: done,
            ReviewState.SKIPPED: put_off and not done,
            ReviewState.TODO: not put_off and (not done or wanted.order is QueueOrder.DOUBTS),
            ReviewState.OUTDATED: (post.id, MOOD.id, "ana") in self.answers,
        }[wanted.state]
        return (
            state
            and wanted.split in (None, post.split)
            and wanted.source in (None, post.source)
            and all(word in post.text.split() for word in wanted.query.split())
            and (wanted.assigned_to is None or post.id in self.given)
            and self._fits_answers(post.id, wanted)
            and self._fits_scores(post.id, wanted)
        )

    def _fits_answers(self, post_id: str, wanted: QueueFilter) -> bool:
        if wanted.verdict is None and wanted.reviewer is None:
            return True
        return any(
            p == post_id
            and wanted.criterion in (None, c)
            and wanted.reviewer in (None, r)
            and wanted.verdict in (None, v)
            for (p, c, r), v in self.answers.items()
        )

    def _fits_scores(self, post_id: str, wanted: QueueFilter) -> bool:
        low, high = wanted.min_score, wanted.max_score
        if low is None and high is None:
            if wanted.criterion is None or wanted.verdict or wanted.reviewer:
                return True
            return self.scores.get(post_id, {}).get(wanted.criterion, 0.0) > 0
        if post_id not in self.scores:
            return False
        found = self.scores[post_id]
        score = max(found.values()) if wanted.criterion is None else found[wanted.criterion]
        return (low is None or score >= low) and (high is None or score <= high)

    def _place(self, post_id: str, order: QueueOrder) -> tuple[object, ...]:
        row, turned = self.rows[post_id], tuple(-ord(sign) for sign in post_id)
        if order is QueueOrder.RANDOM:
            return (row["shuffle"], row["number"])
        if order is QueueOrder.ROUND:
            return (post_id,)  # given outside of any round
        if order is QueueOrder.NEWEST:
            return (-row["number"],)  # all came in one moment
        if order is QueueOrder.DOUBTS:
            return (-max(d for (p, _), d in self.doubts.items() if p == post_id), turned)
        if post_id not in self.scores:
            return (1, row["shuffle"], row["number"])
        score = self.unsure[post_id] if order is QueueOrder.UNCERTAIN else max(self.scores[post_id].values())
        return (0, -score, turned)


def a_filter(draw: random.Random) -> QueueFilter:
    order = draw.choice(list(QueueOrder))
    return QueueFilter(
        order=order,
        state=draw.choice(list(ReviewState)),
        criterion=draw.choice((None, None, SLEEP.id, MOOD.id)),
        verdict=draw.choice((None, None, None, Verdict.UNSURE, Verdict.NO_EVIDENCE)),
        min_score=draw.choice((None, None, 0.2, 0.7)),
        max_score=draw.choice((None, None, None, 0.8)),
        split=draw.choice((None, None, Split.TRAIN)),
        source=draw.choice((None, None, "forum")),
        reviewer=draw.choice((None, None, None, "ana", "ben")),
        assigned_to="ana" if order is QueueOrder.ROUND else draw.choice((None, None, "ana")),
        query=draw.choice(("", "", "awake", "dog rain")),
    )


@pytest.mark.parametrize("few", [0, 12, 5000])
def test_every_order_and_filter_finds_what_its_rules_say(
    tmp_path: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "FEW_POSTS", few)  # few: walks only; many: everything is looked up and sorted
    project = Project(tmp_path, seed=few)
    draw = random.Random(few)
    met = 0
    for _ in range(150):
        wanted, asked = a_filter(draw), {"me": "ana", "model_version": "m1"}
        expected = project.expected(wanted)
        met += bool(expected)
        found = project.store.queue(wanted, limit=POSTS, **asked)
        assert [item.post_id for item in found] == expected, wanted
        assert project.store.queue_ids(wanted, limit=3, **asked) == expected[:3]
        assert project.store.count_queue(wanted, **asked) == QueueCount(len(expected)), wanted
        for split in (1, 30):
            if len(found) > split:
                rest = project.store.queue(wanted, limit=POSTS, after=found[split - 1].place, **asked)
                assert [item.post_id for item in rest] == expected[split:], wanted
    assert met > 40


@pytest.mark.parametrize("few", [0, 5000])
def test_the_next_post_is_the_first_that_fits_whatever_happened_since_the_one_before(
    tmp_path: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "FEW_POSTS", few)
    project, draw = Project(tmp_path, seed=7), random.Random(few)
    filters = [QueueFilter(order=o, assigned_to="ana" if o is QueueOrder.ROUND else None) for o in QueueOrder] + [
        a_filter(draw) for _ in range(8)
    ]
    opened: list[str] = []
    for _ in range(60):
        for wanted in filters:
            expected = next((i for i in project.expected(wanted) if i not in opened), None)
            found = project.store.next_in_queue(wanted, me="ana", model_version="m1", exclude=opened)
            assert found == expected, wanted
        _happen(project, draw, opened)


def _happen(project: Project, draw: random.Random, opened: list[str]) -> None:
    """Something that moves posts in a queue, into it or out of it."""
    post = draw.choice(project.posts)
    match draw.randrange(6):
        case 0:  # decided by one or the other
            person, criterion = draw.choice(PEOPLE), draw.choice((SLEEP, MOOD))
            _answer(project, post, criterion.id, person, Verdict.NO_EVIDENCE)
        case 1:  # taken back
            if project.answers:
                post_id, criterion_id, person = draw.choice(sorted(project.answers))
                _answer(project, project.store.post(post_id), criterion_id, person, None)
        case 2:
            project.store.skip_post(post.id, "ana")
            project.skipped.add(post.id)
        case 3:
            project.store.open_post(post.id, "ana")
            project.skipped.discard(post.id)
            opened.append(post.id)
        case 4:
            project.predict(post, draw)
        case _:
            project.store.assign([post.id], "ana", by=None)
            project.given.add(post.id)


def _answer(project: Project, post: Post, criterion_id: str, person: str, verdict: Verdict | None) -> None:
    before = project.store.annotations_of(post.id, person).get(criterion_id)
    if before is not None:
        project.doubts.pop((post.id, criterion_id), None)
    criterion = next(c for c in (SLEEP, MOOD) if c.id == criterion_id)
    answer = an_annotation(post, criterion=criterion, reviewer=person, verdict=verdict or Verdict.UNSURE)
    if verdict is None:
        answer = type(answer)(post.id, criterion_id, person, None)
        project.answers.pop((post.id, criterion_id, person), None)
    else:
        project.answers[post.id, criterion_id, person] = verdict
    project.store.add_annotation(answer, expected_revision=before.revision if before else 0)
