"""Rounds in the store: posts that are given to people together, who was given what, and how far they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.connection import Connections
from storage.records import Conflict, InvalidRecord, NotFound, utc_now
from storage.rows import Row, to_json
from storage.team_records import Round, RoundKind, Suggestions

_SEALED = (
    "EXISTS (SELECT 1 FROM round_post sealed CROSS JOIN round ON round.id = sealed.round_id AND round.blind AND round.closed_at IS NULL"
    " WHERE sealed.post_id = {h}.post_id)"
)
UNSUGGESTED = "posts_without_suggestions"
"""Setting: the share of posts, 0 to 1, that are shown without suggestions outside of rounds."""
_READS_BLIND = (
    "EXISTS (SELECT 1 FROM assignment own CROSS JOIN round ON round.id = own.round_id AND round.blind AND round.closed_at IS NULL"
    " WHERE own.post_id = {h}.post_id AND own.reviewer = :me)"
)
_DECIDED_MYSELF = (
    "EXISTS (SELECT 1 FROM main.annotation_head mine WHERE mine.post_id = {h}.post_id AND mine.criterion_id = {h}.criterion_id"
    " AND mine.reviewer = :me AND mine.verdict IS NOT NULL)"
)
_SEES_ALL = "EXISTS (SELECT 1 FROM main.reviewer me WHERE me.name = :me AND me.role <> 'reviewer')"
VISIBLE_HEAD = (
    f"({{h}}.reviewer = :me OR CASE WHEN {_SEES_ALL} THEN {_DECIDED_MYSELF} OR NOT {_READS_BLIND}"
    f" ELSE {_DECIDED_MYSELF} AND NOT {_SEALED} END)"
)
"""SQL: the one rule of who sees another's answer. `{h}` stands for a row with post_id, criterion_id and reviewer; bind `me`.

Reviewers see it after their own decision about the same criterion of the post, and in a blind round not before the round is closed.
Adjudicators and admins see everything, but not what they have to read blind themselves and have not decided yet.
"""


@dataclass(frozen=True, slots=True)
class RoundPost:
    """A post of a round. readers: how many people are to read it. gold: whether it is there to check the readers by."""

    post_id: str
    readers: int
    gold: bool = False


@dataclass(frozen=True, slots=True)
class Assigned:
    """A post that a person was given. done: they have decided every criterion in use; started: one of them."""

    post_id: str
    reviewer: str
    round_id: int | None
    hide_suggestions: bool = False
    decided: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A post that may go into a round. evidence: the model's best span score in it; None if it has not read it."""

    post_id: str
    source: str | None
    evidence: float | None


class RoundStore(Connections):
    """Questions and events about rounds and assignments."""

    def add_round(self, given: Round, posts: Sequence[RoundPost], assigned: Iterable[Assigned]) -> Round:
        """Store a round with its posts, in order, and who reads which. Raises InvalidRecord if the name is taken."""
        with self.write() as db:
            if any(db.query("SELECT 1 FROM round WHERE name = ?", [given.name])):
                raise InvalidRecord(f"There is a round {given.name!r} already. Choose another name.")
            cursor = db.conn.execute(
                "INSERT INTO round (name, kind, blind, suggestions, people, overlap, seed, chosen, deadline, revision, created_by,"
                " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
                [
                    given.name,
                    str(given.kind),
                    given.blind,
                    str(given.suggestions),
                    to_json(list(given.people)),
                    to_json({str(n): share for n, share in given.overlap.items()}),
                    given.seed,
                    to_json(dict(given.chosen)),
                    given.deadline,
                    given.created_by,
                    utc_now(),
                ],
            )
            number = int(cursor.lastrowid or 0)
            db.conn.executemany(
                "INSERT INTO round_post (round_id, post_id, readers, position, gold) VALUES (?, ?, ?, ?, ?)",
                [[number, p.post_id, p.readers, position, p.gold] for position, p in enumerate(posts)],
            )
            _assign(db, number, assigned, by=given.created_by)
        return self.round(number)

    def round(self, round_id: int) -> Round:
        with self.read() as db:
            for row in db.query("SELECT * FROM round WHERE id = ?", [round_id]):
                return round_from_row(row)
        raise NotFound(f"There is no round {round_id}.")

    def sealing_rounds(self) -> tuple[int, ...]:
        """The blind rounds that are not closed."""
        with self.read() as db:
            rows = db.execute("SELECT id FROM round WHERE blind AND closed_at IS NULL ORDER BY id")
            return tuple(row[0] for row in rows)

    def rounds(self) -> list[Round]:
        """Every round, oldest first."""
        with self.read() as db:
            return [round_from_row(row) for row in db.query("SELECT * FROM round ORDER BY id")]

    def change_round(
        self,
        round_id: int,
        *,
        expected_revision: int,
        people: Sequence[str] | None = None,
        deadline: str | None = None,
        closed: bool | None = None,
        taken: Iterable[tuple[str, str]] = (),
        given: Iterable[Assigned] = (),
        by: str | None = None,
    ) -> Round:
        """Change a round in one step: who is in it, its deadline, whether it is closed, which (post, person) are taken away and given.

        Raises Conflict if somebody changed it since the revision that the caller saw.
        """
        with self.write() as db:
            current = self.round(round_id)
            if current.revision != expected_revision:
                raise Conflict(
                    f"Round {current.name} was changed by somebody else in the meantime. Load it again.",
                    current_revision=current.revision,
                )
            closed_at = current.closed_at if closed is None else (current.closed_at or utc_now()) if closed else None
            db.conn.execute(
                "UPDATE round SET people = ?, deadline = ?, closed_at = ?, revision = revision + 1 WHERE id = ?",
                [
                    to_json(list(current.people if people is None else people)),
                    current.deadline if deadline is None else deadline or None,
                    closed_at,
                    round_id,
                ],
            )
            db.conn.executemany(
                "DELETE FROM assignment WHERE round_id = ? AND post_id = ? AND reviewer = ?",
                [[round_id, post_id, reviewer] for post_id, reviewer in taken],
            )
            _assign(db, round_id, given, by=by)
        return self.round(round_id)

    def round_posts(self, round_id: int) -> list[RoundPost]:
        """The posts of a round that are (still) there, in its order."""
        with self.read() as db:
            rows = db.query(
                "SELECT post_id, readers, gold FROM round_post WHERE round_id = ?"
                " AND EXISTS (SELECT 1 FROM post WHERE post.id = post_id) ORDER BY position",
                [round_id],
            )
            return [RoundPost(row["post_id"], row["readers"], bool(row["gold"])) for row in rows]

    def assigned(self, *, round_id: int | None = None, reviewer: str | None = None) -> list[Assigned]:
        """Who was given which post, in the order of the rounds, and how far they are with it."""
        with self.read() as db:
            needed = db.execute(_CRITERIA_IN_USE).fetchone()[0]
            rows = db.query(
                f"SELECT a.*, ({_DECIDED}) AS decided FROM assignment a LEFT JOIN round_post p"
                " ON p.round_id = a.round_id AND p.post_id = a.post_id WHERE (:round IS NULL OR a.round_id = :round)"
                " AND (:reviewer IS NULL OR a.reviewer = :reviewer) ORDER BY a.round_id, p.position, a.reviewer",
                {"round": round_id, "reviewer": reviewer},
            )
            return [
                Assigned(
                    row["post_id"],
                    row["reviewer"],
                    row["round_id"],
                    bool(row["hide_suggestions"]),
                    row["decided"],
                    row["decided"] >= needed,
                )
                for row in rows
            ]

    def unassign(self, post_ids: Sequence[str], reviewer: str) -> int:
        """Take posts away from a person; what they have decided stays. Returns how many."""
        with self.write() as db:
            cursor = db.conn.execute(
                "DELETE FROM assignment WHERE reviewer = ? AND post_id IN (SELECT value FROM json_each(?))",
                [reviewer, json.dumps(list(post_ids))],
            )
            return cursor.rowcount

    def reads_in_a_round(self, reviewer: str) -> bool:
        """Whether the person is one of the readers of a round that is open: their queue is then what they were given."""
        return any(reviewer in r.people for r in self.rounds() if r.closed_at is None)

    def seals(self) -> bool:
        """Whether a blind round is open, so that counts over everybody's answers are not for its readers."""
        return any(r.blind and r.closed_at is None for r in self.rounds())

    def is_sealed(self, post_id: str) -> bool:
        """Whether the post is in a blind round that is open."""
        with self.read() as db:
            row = db.execute(
                f"SELECT {_SEALED.format(h='given')} FROM (SELECT ? AS post_id) given", [post_id]
            ).fetchone()
            return bool(row[0])

    def candidates(
        self, *, model_version: str | None, source: str | None = None, unread: bool = True
    ) -> list[Candidate]:
        """The posts that a round can be made of, in order of id. unread: only those that nobody answered and no round holds."""
        where = "(:source IS NULL OR post.source = :source)"
        if unread:
            where += (
                " AND NOT EXISTS (SELECT 1 FROM annotation_head h WHERE h.post_id = post.id)"
                " AND NOT EXISTS (SELECT 1 FROM round_post p WHERE p.post_id = post.id)"
            )
        with self.read() as db:
            rows = db.query(
                "SELECT post.id, post.source, s.evidence FROM post LEFT JOIN post_score s ON s.post_id = post.id"
                f" AND s.model_version = :model WHERE {where} ORDER BY post.id",
                {"model": model_version or "", "source": source},
            )
            return [Candidate(row["id"], row["source"], row["evidence"]) for row in rows]

    def readers_of(self, post_ids: Sequence[str]) -> dict[str, set[str]]:
        """By post id, who has been given it or has answered something in it."""
        readers: dict[str, set[str]] = {}
        with self.read() as db:
            for row in db.query(
                "SELECT post_id, reviewer FROM assignment WHERE post_id IN (SELECT value FROM json_each(:ids)) UNION"
                " SELECT post_id, reviewer FROM annotation_head WHERE post_id IN (SELECT value FROM json_each(:ids))",
                {"ids": json.dumps(list(post_ids))},
            ):
                readers.setdefault(row["post_id"], set()).add(row["reviewer"])
        return readers

    def hides_suggestions(self, post_id: str, reviewer: str) -> bool:
        """Whether the person reads this post without the model's marks: as the open round says in which they were given it, else by
        the project's share of posts without suggestions, drawn for each person and post once and for all.
        """
        with self.read() as db:
            given = db.execute(
                "SELECT a.hide_suggestions FROM assignment a JOIN round ON round.id = a.round_id AND round.closed_at IS NULL"
                " WHERE a.post_id = ? AND a.reviewer = ?",
                [post_id, reviewer],
            ).fetchone()
            if given is not None:
                return bool(given[0])
            share = db.execute("SELECT value FROM setting WHERE key = ?", [UNSUGGESTED]).fetchone()
            return share is not None and _drawn(post_id, reviewer) < float(share[0])

    def visible_heads(self, post_id: str, me: str) -> set[tuple[str, str]]:
        """(criterion id, reviewer) of every latest answer to the post that `me` may see, their own among them."""
        with self.read() as db:
            rows = db.query(
                f"SELECT h.criterion_id, h.reviewer FROM annotation_head h WHERE h.post_id = :post AND {VISIBLE_HEAD.format(h='h')}",
                {"post": post_id, "me": me},
            )
            return {(row["criterion_id"], row["reviewer"]) for row in rows}


_IN_USE = "FROM criterion c WHERE c.active AND c.version = (SELECT max(version) FROM criterion d WHERE d.id = c.id)"
_CRITERIA_IN_USE = f"SELECT count(*) {_IN_USE}"
_DECIDED = (
    "SELECT count(*) FROM annotation_head h WHERE h.post_id = a.post_id AND h.reviewer = a.reviewer AND h.verdict IS NOT NULL"
    f" AND h.criterion_id IN (SELECT c.id {_IN_USE})"
)


def _drawn(post_id: str, reviewer: str) -> float:
    """A number in [0, 1) that is always the same for the two."""
    return int.from_bytes(hashlib.sha256(f"{reviewer}\0{post_id}".encode()).digest()[:4], "big") / 2**32


def round_from_row(row: Row) -> Round:
    return Round(
        id=row["id"],
        name=row["name"],
        kind=RoundKind(row["kind"]),
        blind=bool(row["blind"]),
        suggestions=Suggestions(row["suggestions"]),
        people=tuple(json.loads(row["people"])),
        overlap=_overlap(json.loads(row["overlap"])),
        seed=row["seed"],
        chosen=json.loads(row["chosen"]),
        deadline=row["deadline"],
        revision=row["revision"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        closed_at=row["closed_at"],
    )


def _overlap(given: Mapping[str, float]) -> dict[int, float]:
    return {int(readers): share for readers, share in given.items()}


def _assign(db: Any, round_id: int, assigned: Iterable[Assigned], *, by: str | None) -> None:
    """Posts that a person has already, from this round or another, are left as they are: nobody reads a post twice."""
    now = utc_now()
    db.conn.executemany(
        "INSERT INTO assignment (post_id, reviewer, assigned_by, assigned_at, round_id, hide_suggestions)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [[a.post_id, a.reviewer, by, now, round_id, a.hide_suggestions] for a in assigned],
    )
