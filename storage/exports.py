"""Posts with their answers, in order of storage and constant memory: what every export streams from."""

from __future__ import annotations

import itertools
import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from storage.connection import PENDING
from storage.discussions import DiscussionStore, Message, message_object
from storage.formats.rows import ExportPost
from storage.gold import gold_of
from storage.gold_labels import gold_labels
from storage.gold_pairs import GoldPairStore
from storage.records import OF_POST, Annotation, Gold, Post, Prediction, Split, Verdict
from storage.rounds import RoundStore
from storage.rows import annotation_from_row, post_from_row, prediction_from_row
from storage.team_records import Adjudication, GoldRule, answered_under, label_asked, label_question
from storage.visibility import IS_MEASURED

BATCH_POSTS = 200


class Answers(StrEnum):
    """Which annotations are a post's answers."""

    GOLD = "gold"
    LATEST = "latest"  # each reviewer's latest


@dataclass(frozen=True, slots=True)
class ExportFilter:
    """What is exported. Empty or None means: no such condition.

    since/until: of the annotation's time, UTC, as a date or an ISO 8601 time, both included (a date is its whole day).
    model_version: answers given on that version's predictions, and only its predictions.
    unreviewed: also posts without any answer that fits. discussions: also what people said about the posts, in formats that carry
    every revision. reader: who exports; answers that they have yet to read blind are left out.
    """

    answers: Answers = Answers.GOLD
    reviewer: str | None = None
    criteria: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    splits: tuple[Split, ...] = ()
    since: str | None = None
    until: str | None = None
    model_version: str | None = None
    unreviewed: bool = False
    discussions: bool = False
    reader: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """What was asked for; who exports is no part of it."""
        return {k: v for k, v in asdict(self).items() if v not in (None, (), False) and k != "reader"}

    def takes(self, annotation: Annotation) -> bool:
        """True if the annotation is one of those asked for."""
        at = annotation.created_at or ""
        return (
            (self.reviewer is None or annotation.reviewer == self.reviewer)
            and (not self.criteria or annotation.criterion_id in self.criteria)
            and (not self.verdicts or annotation.verdict in self.verdicts)
            and (self.since is None or at >= self.since)
            and (self.until is None or at[: len(self.until)] <= self.until)
            and (self.model_version is None or annotation.model_version == self.model_version)
        )


class ExportStore(GoldPairStore, RoundStore, DiscussionStore):
    """Streams for exports. Call inside `read()` to see one moment of the store."""

    def iter_export(self, chosen: ExportFilter, *, complete: bool = False) -> Iterator[ExportPost]:
        """Posts with their answers, in order of storage. complete: also every revision and prediction that fits the filter.

        Costs what is exported, not what is stored; of the posts that somebody reviewed, eight bytes each are kept.
        """
        for posts in self._stored_posts(chosen) if chosen.unreviewed else self._reviewed_posts(chosen):
            yield from self._batch(posts, chosen, complete)

    def _stored_posts(self, chosen: ExportFilter) -> Iterator[list[Post]]:
        last = -1
        while True:
            rows = self._posts(chosen, "number > :last", {"last": last})
            if not rows:
                return
            last = rows[-1]["number"]
            yield [post_from_row(row) for row in rows]

    def _reviewed_posts(self, chosen: ExportFilter) -> Iterator[list[Post]]:
        with self.read() as db:
            numbers = array(
                "q",
                (
                    number
                    for (number,) in db.execute(
                        "SELECT post.number FROM (SELECT post_id FROM annotation_head GROUP BY post_id) h"
                        " CROSS JOIN post ON post.id = h.post_id"
                    )
                ),
            )
        numbers = array("q", sorted(numbers))
        for at in range(0, len(numbers), BATCH_POSTS):
            some = numbers[at : at + BATCH_POSTS].tolist()
            wanted = "number IN (SELECT value FROM json_each(:numbers))"
            yield [post_from_row(row) for row in self._posts(chosen, wanted, {"numbers": json.dumps(some)})]

    def _posts(self, chosen: ExportFilter, condition: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The first BATCH_POSTS posts of the chosen splits that fit the condition."""
        if chosen.splits:
            condition += " AND split IN (SELECT value FROM json_each(:splits))"
        with self.read() as db:
            return list(
                db.query(
                    f"SELECT * FROM post WHERE {condition} ORDER BY number LIMIT {BATCH_POSTS}",
                    {**values, "splits": json.dumps([str(s) for s in chosen.splits])},
                )
            )

    def double_reviews(self, chosen: ExportFilter) -> tuple[int, int, int]:
        """(people, pairs of post and criterion that several of them decided, those with equal verdicts).

        Of the latest verdicts, within the chosen splits and criteria.
        """
        where = "verdict IS NOT NULL AND (NOT :some OR criterion_id IN (SELECT value FROM json_each(:criteria)))"
        if chosen.splits:
            where += " AND (SELECT split FROM post WHERE id = post_id) IN (SELECT value FROM json_each(:splits))"
        values = {
            "some": bool(chosen.criteria),
            "criteria": json.dumps(chosen.criteria),
            "splits": json.dumps([str(s) for s in chosen.splits]),
        }
        with self.read() as db:
            people = db.execute(
                f"SELECT count(DISTINCT reviewer) FROM annotation_head WHERE {where}", values
            ).fetchone()
            pairs = db.execute(
                "SELECT count(*), total(equal) FROM (SELECT min(verdict) = max(verdict) AS equal FROM annotation_head"
                f" WHERE {where} GROUP BY post_id, criterion_id HAVING count(*) > 1)",
                values,
            ).fetchone()
        return int(people[0]), int(pairs[0]), int(pairs[1])

    def _batch(self, posts: Sequence[Post], chosen: ExportFilter, complete: bool) -> Iterator[ExportPost]:
        ids = json.dumps([p.id for p in posts])
        revisions = self._revisions(ids, latest=not complete)
        predictions = self._predictions(ids, chosen) if complete else {}
        decisions = self.latest_adjudications([p.id for p in posts])
        rule = self.gold_rule()
        measured = self._measured(ids) if chosen.answers is Answers.GOLD else set()
        blind = self.yet_to_read_blind(chosen.reader, [p.id for p in posts]) if chosen.reader else set()
        said: dict[str | None, list[Message]] = {}
        for message in (
            self.messages_to_export(chosen.reader, [p.id for p in posts]) if complete and chosen.discussions else ()
        ):
            said.setdefault(message.post_id, []).append(message)
        sealed = {(post_id, criterion_id) for post_id, criterion_id, _ in blind}
        decisions = {key: decision for key, decision in decisions.items() if _head_of(key) not in sealed}
        of_labels: dict[str, dict[str, Adjudication]] = {}
        for (post_id, question), decision in decisions.items():
            if (scale := label_asked(question)) is not None:
                of_labels.setdefault(post_id, {})[scale] = decision
        for post in posts:
            history = [a for a in revisions.get(post.id, []) if (post.id, a.criterion_id, a.reviewer) not in blind]
            latest = _latest(history)
            counted = [kept for of in latest if (kept := [a for a in of if (post.id, a.reviewer) not in measured])]
            gold = [g for answers in counted if (g := self._gold_of(post, answers, decisions, rule))]
            given = [g.annotation for g in gold] if chosen.answers is Answers.GOLD else [a for of in latest for a in of]
            answers = tuple(a for a in given if a.decided and chosen.takes(a))
            labels, label_rules = _labels(post.id, counted, of_labels.get(post.id, {}), chosen)
            if not answers and not labels and not chosen.unreviewed:
                continue
            yield ExportPost(
                post,
                answers,
                tuple(a for a in history if chosen.takes(a)) if complete else (),
                tuple(predictions.get(post.id, ())),
                gold_rules={g.criterion_id: g.rule for g in gold} | label_rules
                if chosen.answers is Answers.GOLD
                else {},
                adjudications=tuple(
                    d for d in self.adjudications(post.id) if _head_of((post.id, d.criterion_id)) not in sealed
                )
                if complete and _decided(post, decisions)
                else (),
                labels=labels,
                discussion=tuple(message_object(m) for m in said.get(post.id, ())),
            )

    def _measured(self, ids: str) -> set[tuple[str, str]]:
        """(post id, reviewer) of the answers that gold measures and that are no part of it. ids: of posts, as JSON."""
        with self.read() as db:
            rows = db.execute(
                "SELECT DISTINCT h.post_id, h.reviewer FROM json_each(?) AS given CROSS JOIN annotation_head h ON h.post_id = given.value"
                f" WHERE {IS_MEASURED.format(h='h')}",
                [ids],
            )
            return {(row[0], row[1]) for row in rows}

    @staticmethod
    def _gold_of(
        post: Post, answers: Sequence[Annotation], decisions: Mapping[tuple[str, str], Adjudication], rule: GoldRule
    ) -> Gold | None:
        key = (post.id, answers[0].criterion_id)
        return gold_of(answers, decisions.get(key), rule=rule, text=lambda: post.text)

    def _revisions(self, ids: str, *, latest: bool) -> dict[str, list[Annotation]]:
        """Annotations by post id, oldest first. latest: only each reviewer's last answer to a criterion."""
        source = "main.annotation a ON a.post_id = given.value"
        if latest:
            source = (
                "annotation_head h ON h.post_id = given.value CROSS JOIN main.annotation a ON a.id = h.annotation_id"
            )
        seen = "" if latest else f"WHERE ifnull(a.import_id, 0) NOT IN ({PENDING})"
        found: dict[str, list[Annotation]] = {}
        with self.read() as db:
            for row in db.query(f"SELECT a.* FROM json_each(?) AS given CROSS JOIN {source} {seen}", [ids]):
                found.setdefault(row["post_id"], []).append(annotation_from_row(row))
        return {post_id: sorted(group, key=lambda a: a.id or 0) for post_id, group in found.items()}

    def _predictions(self, ids: str, chosen: ExportFilter) -> dict[str, list[Prediction]]:
        with self.read() as db:
            rows = db.query(
                "SELECT * FROM prediction WHERE post_id IN (SELECT value FROM json_each(:ids))"
                " AND (:model IS NULL OR model_version = :model)"
                " AND (NOT :some OR criterion_id IN (SELECT value FROM json_each(:criteria)))"
                " ORDER BY post_id, criterion_id, model_version",
                {
                    "ids": ids,
                    "model": chosen.model_version,
                    "some": bool(chosen.criteria),
                    "criteria": json.dumps(chosen.criteria),
                },
            )
            found = [prediction_from_row(row) for row in rows]
        return {post_id: list(group) for post_id, group in itertools.groupby(found, key=lambda p: p.post_id)}


def _latest(history: Sequence[Annotation]) -> list[list[Annotation]]:
    """Each person's latest answer, by criterion, then person. history: the post's revisions, oldest first."""
    latest = {(a.criterion_id, a.reviewer): a for a in history}
    ordered = (latest[key] for key in sorted(latest))
    return [list(group) for _, group in itertools.groupby(ordered, key=lambda a: a.criterion_id)]


def _labels(
    post_id: str, latest: Sequence[Sequence[Annotation]], decisions: Mapping[str, Adjudication], chosen: ExportFilter
) -> tuple[tuple[Annotation, ...], dict[str, str]]:
    """The answers about the whole post, of gold the settled labels as one; and by question how a label became gold."""
    given = [a for of in latest for a in of if a.criterion_id == OF_POST and a.labels]
    if chosen.answers is Answers.LATEST:
        return tuple(a for a in given if chosen.takes(a)), {}
    gold, rules = gold_labels(post_id, given, decisions, chosen.takes)
    if gold is None:
        return (), {}
    return (gold,), {label_question(name): rule for name, rule in rules.items()}


def _head_of(key: tuple[str, str]) -> tuple[str, str]:
    """The post, and what stands for a criterion in the answers that a decision is about."""
    return key[0], answered_under(key[1])


def _decided(post: Post, decisions: Mapping[tuple[str, str], Adjudication]) -> bool:
    return any(post_id == post.id for post_id, _ in decisions)
