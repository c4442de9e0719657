"""Rounds in the store: posts that are given to people together, who was given what, and how far they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.connection import SETTING, Connections
from storage.fulltext import fts_query
from storage.label_rows import ANSWERED_UNDER
from storage.records import Conflict, InvalidRecord, NotFound, utc_now
from storage.rows import Row, json_cell, stored, to_json
from storage.team_records import (
    Assigned,
    Candidate,
    PostsWanted,
    Progress,
    Round,
    RoundChange,
    RoundEvent,
    RoundKind,
    RoundPost,
    Suggestions,
)
from storage.visibility import AWAITED_BLIND, IS_MEASURED, OPEN_BLIND, READ_FOR_GOLD, READS_BLIND, SEALED, VISIBLE_HEAD

__all__ = ["Assigned", "Candidate", "RoundPost", "RoundStore", "round_from_row"]

UNSUGGESTED = "posts_without_suggestions"
"""Setting: the share of posts, 0 to 1, that are shown without suggestions outside of rounds."""
_HELD = "NOT EXISTS (SELECT 1 FROM round given_in WHERE given_in.id = {a}.round_id AND given_in.closed_at IS NOT NULL)"
"""SQL: whether an assignment still holds. What a closed round gave and nobody answered can be given again."""
_PLACE = "(?1 << 32) + ifnull((SELECT position FROM round_post WHERE round_id = ?1 AND post_id = ?2), 0)"


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
            _note(db, number, "made", {"posts": len(posts), "people": list(given.people)}, by=given.created_by)
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
        self, round_id: int, change: RoundChange | None = None, *, expected_revision: int, by: str | None = None
    ) -> Round:
        """Change a round in one step, and note it. Raises Conflict if somebody changed it since the revision that the caller saw."""
        change = change or RoundChange()
        with self.write() as db:
            current = self.round(round_id)
            if current.revision != expected_revision:
                raise Conflict(
                    f"Round {current.name} was changed by somebody else in the meantime. Load it again.",
                    current_revision=current.revision,
                )
            closed, now = change.closed, utc_now()
            db.conn.execute(
                "UPDATE round SET people = ?, deadline = ?, closed_at = ?, revision = revision + 1 WHERE id = ?",
                [
                    to_json(list(current.people if change.people is None else change.people)),
                    current.deadline if change.deadline is None else change.deadline or None,
                    current.closed_at if closed is None else (current.closed_at or now) if closed else None,
                    round_id,
                ],
            )
            db.conn.executemany(
                "DELETE FROM assignment WHERE round_id = ? AND post_id = ? AND reviewer = ?",
                [[round_id, post_id, reviewer] for post_id, reviewer in change.taken],
            )
            _assign(db, round_id, change.given, by=by)
            _note(db, round_id, change.what, change.detail, by=by)
        return self.round(round_id)

    def round_events(self, round_id: int) -> list[RoundEvent]:
        """What was done with the round, oldest first."""
        with self.read() as db:
            rows = db.query("SELECT * FROM round_event WHERE round_id = ? ORDER BY id", [round_id])
            return [RoundEvent(row["what"], json_cell(row["detail"]), row["at"], row["by"]) for row in rows]

    def round_progress(self, round_id: int) -> list[Progress]:
        """How far each of its people is, and each who has left it with posts, by name."""
        found = {name: Progress(name, 0, 0, 0) for name in self.round(round_id).people}
        with self.read() as db:
            needed = db.execute(_CRITERIA_IN_USE).fetchone()[0]
            rows = db.execute(
                "SELECT a.reviewer, count(*), total(ifnull(r.decided, 0) >= :needed), total(r.decided > 0 AND r.decided < :needed)"
                " FROM assignment a LEFT JOIN post_review r ON r.reviewer = a.reviewer AND r.post_id = a.post_id"
                " WHERE a.round_id = :round GROUP BY a.reviewer",
                {"round": round_id, "needed": needed},
            )
            found |= {name: Progress(name, given, int(done), int(begun)) for name, given, done, begun in rows}
        return [found[name] for name in sorted(found)]

    def readers_missing(self, round_id: int) -> int:
        """How many readers its posts lack. Who was given a post in the round counts; of its people also who answered it, or has it
        from another round.
        """
        with self.read() as db:
            row = db.execute(
                "SELECT total(max(0, p.readers - (SELECT count(*) FROM (SELECT reviewer FROM assignment a WHERE a.post_id = p.post_id"
                f" AND (a.round_id = p.round_id OR (a.reviewer IN (SELECT value FROM json_each(round.people)) AND {_HELD.format(a='a')}))"
                " UNION SELECT reviewer FROM annotation_head h WHERE h.post_id = p.post_id AND h.criterion_id <> '@post'"
                " AND h.reviewer IN (SELECT value FROM json_each(round.people))))))"
                " FROM round CROSS JOIN round_post p ON p.round_id = round.id WHERE round.id = ?"
                " AND EXISTS (SELECT 1 FROM post WHERE post.id = p.post_id)",
                [round_id],
            ).fetchone()
            return int(row[0])

    def open_on_screens(self, round_id: int, *, since: str) -> set[tuple[str, str]]:
        """(post id, reviewer) of what was given in the round and was opened since then (UTC), and not skipped."""
        with self.read() as db:
            rows = db.execute(
                "SELECT a.post_id, a.reviewer FROM assignment a CROSS JOIN post_visit v ON v.reviewer = a.reviewer"
                " AND v.post_id = a.post_id WHERE a.round_id = ? AND v.opened_at >= ? AND v.skipped_at IS NULL",
                [round_id, since],
            )
            return {(row[0], row[1]) for row in rows}

    def round_posts(self, round_id: int) -> list[RoundPost]:
        """The posts of a round that are (still) there, in its order."""
        with self.read() as db:
            rows = db.query(
                "SELECT post_id, readers, gold FROM round_post WHERE round_id = ?"
                " AND EXISTS (SELECT 1 FROM post WHERE post.id = post_id) ORDER BY position",
                [round_id],
            )
            return [RoundPost(row["post_id"], row["readers"], bool(row["gold"])) for row in rows]

    def count_round_posts(self, round_id: int) -> int:
        """How many of its posts are (still) there."""
        with self.read() as db:
            row = db.execute(
                "SELECT count(*) FROM round_post WHERE round_id = ? AND EXISTS (SELECT 1 FROM post WHERE post.id = post_id)",
                [round_id],
            ).fetchone()
            return int(row[0])

    def assigned(self, *, round_id: int | None = None, reviewer: str | None = None) -> list[Assigned]:
        """Who was given which post, in the order of the rounds, and how far they are with it."""
        with self.read() as db:
            needed = db.execute(_CRITERIA_IN_USE).fetchone()[0]
            rows = db.query(
                "SELECT a.*, ifnull(r.decided, 0) AS decided FROM assignment a LEFT JOIN post_review r ON r.reviewer = a.reviewer"
                " AND r.post_id = a.post_id WHERE (:round IS NULL OR a.round_id = :round)"
                " AND (:reviewer IS NULL OR a.reviewer = :reviewer) ORDER BY a.round_id, a.place, a.reviewer",
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

    def reads_in_a_round(self, reviewer: str) -> bool:
        """Whether the person is one of the readers of a round that is open: their queue is then what they were given."""
        return bool(self.rounds_of(reviewer))

    def has_open_rounds(self) -> bool:
        with self.read() as db:
            return db.once("SELECT 1 FROM round WHERE closed_at IS NULL LIMIT 1") is not None

    def seals(self) -> bool:
        """Whether a blind round is open, so that counts over everybody's answers are not for its readers."""
        return any(r.blind and r.closed_at is None for r in self.rounds())

    def yet_to_read_blind(self, me: str, post_ids: Sequence[str] | None = None) -> set[tuple[str, str, str]]:
        """(post id, criterion id, reviewer) of others' answers that `me` may not see yet because they read the post blind themselves.

        post_ids: only of these posts.
        """
        given = "" if post_ids is None else " AND h.post_id IN (SELECT value FROM json_each(:ids))"
        with self.read() as db:
            rows = db.execute(
                "SELECT h.post_id, h.criterion_id, h.reviewer FROM (SELECT DISTINCT post_id FROM assignment WHERE reviewer = :me) mine"
                f" CROSS JOIN annotation_head h ON h.post_id = mine.post_id WHERE {READS_BLIND.format(h='h')}"
                f" AND NOT {VISIBLE_HEAD.format(h='h')}{given}",
                {"me": me, "ids": json.dumps(list(post_ids or ()))},
            )
            return {(row[0], row[1], row[2]) for row in rows}

    def awaited_blind(self) -> set[tuple[str, str]]:
        """(post id, criterion id) of the answers that a reader of an open blind round is yet to be asked for, and others have given."""
        with self.read() as db:
            rows = db.execute(
                f"SELECT DISTINCT h.post_id, h.criterion_id FROM round CROSS JOIN assignment g ON g.round_id = round.id AND {OPEN_BLIND}"
                f" CROSS JOIN annotation_head h ON h.post_id = g.post_id WHERE {AWAITED_BLIND.format(h='h')}"
            )
            return {(row[0], row[1]) for row in rows}

    def is_sealed(self, post_id: str) -> bool:
        """Whether the post is in a blind round that is open."""
        with self.read() as db:
            row = db.execute(
                f"SELECT {SEALED.format(h='given')} FROM (SELECT ? AS post_id) given", [post_id]
            ).fetchone()
            return bool(row[0])

    def candidates(self, wanted: PostsWanted, *, model_version: str | None) -> list[Candidate]:
        """The posts that a round can be made of, in order of id. Raises InvalidRecord for a search of no words."""
        where = "(:source IS NULL OR post.source = :source) AND (:split IS NULL OR post.split = :split)"
        values = {"model": model_version or "", "source": wanted.source, "split": wanted.split and str(wanted.split)}
        if wanted.among is not None:
            where += " AND post.id IN (SELECT value FROM json_each(:among))"
            values["among"] = json.dumps(list(wanted.among))
        if wanted.query.strip():
            where += " AND post.number IN (SELECT rowid FROM post_fts WHERE post_fts MATCH :match)"
            values["match"] = fts_query(wanted.query)
        if wanted.unread:
            where += (
                " AND NOT EXISTS (SELECT 1 FROM annotation_head h WHERE h.post_id = post.id AND h.criterion_id <> '@post')"
                " AND NOT EXISTS (SELECT 1 FROM round_post p WHERE p.post_id = post.id)"
            )
        with self.read() as db:
            rows = db.query(
                "SELECT post.id, post.source, s.evidence, s.uncertainty, post.number FROM post LEFT JOIN post_score s"
                f" ON s.post_id = post.id AND s.model_version = :model WHERE {where} ORDER BY post.id",
                values,
            )
            return [
                Candidate(row["id"], row["source"], row["evidence"], row["uncertainty"], row["number"]) for row in rows
            ]

    def posts_with_gold(self, *, unknown_to: Sequence[str]) -> set[str]:
        """Posts in which others have settled some criterion, and which none of these people has answered or been given.

        Goes by what `refresh_standing` has worked out.
        """
        with self.read() as db:
            rows = db.execute(
                "SELECT DISTINCT h.post_id FROM annotation_head h LEFT JOIN standing s ON s.post_id = h.post_id"
                " AND s.criterion_id = h.criterion_id WHERE h.verdict IN ('evidence', 'no_evidence')"
                " AND ifnull(s.state, 'agreed') IN ('agreed', 'adjudicated')"
                " AND NOT EXISTS (SELECT 1 FROM annotation_head o WHERE o.post_id = h.post_id AND o.criterion_id <> '@post'"
                " AND o.reviewer IN (SELECT value FROM json_each(:people)))"
                " AND NOT EXISTS (SELECT 1 FROM assignment a WHERE a.post_id = h.post_id"
                f" AND a.reviewer IN (SELECT value FROM json_each(:people))) AND NOT {IS_MEASURED.format(h='h')}"
                f" AND NOT {READ_FOR_GOLD.format(h='h')}",
                {"people": json.dumps(list(unknown_to))},
            )
            return {row[0] for row in rows}

    def measured_readers(self, post_id: str) -> set[str]:
        """Whose answers to the post are measured by gold, see IS_MEASURED."""
        with self.read() as db:
            rows = db.execute(
                "SELECT m.reviewer FROM assignment m JOIN round_post q ON q.round_id = m.round_id AND q.post_id = m.post_id"
                " WHERE m.post_id = ? AND q.gold",
                [post_id],
            )
            return {row[0] for row in rows}

    def trains(self, post_id: str, reviewer: str) -> bool:
        """Whether the person reads the post in a training round, where they are told what gold says, unless it tells blind answers."""
        with self.read() as db:
            return any(
                db.query(
                    "SELECT 1 FROM assignment a JOIN round ON round.id = a.round_id AND round.kind = 'training'"
                    f" WHERE a.post_id = ? AND a.reviewer = ? AND NOT {READ_FOR_GOLD.format(h='a')}",
                    [post_id, reviewer],
                )
            )

    def rounds_of(self, reviewer: str) -> list[Round]:
        """The open rounds in which the person reads, oldest first."""
        if not self.has_open_rounds():
            return []
        return [r for r in self.rounds() if r.closed_at is None and reviewer in r.people]

    def readers_of(self, post_ids: Sequence[str]) -> dict[str, set[str]]:
        """By post id, who has it to read, in a round that is not closed or outside of rounds, or has answered something in it."""
        readers: dict[str, set[str]] = {}
        with self.read() as db:
            for row in db.query(
                "SELECT post_id, reviewer FROM assignment a WHERE post_id IN (SELECT value FROM json_each(:ids))"
                f" AND {_HELD.format(a='a')} UNION"
                " SELECT post_id, reviewer FROM annotation_head WHERE criterion_id <> '@post'"
                " AND post_id IN (SELECT value FROM json_each(:ids))",
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
            share = db.once(SETTING, UNSUGGESTED)
            return share is not None and _drawn(post_id, reviewer) < float(share[0])

    def visible_heads(self, post_id: str, me: str) -> set[tuple[str, str]]:
        """(criterion id, reviewer) of every latest answer to the post that `me` may see, their own among them."""
        with self.read() as db:
            rows = db.query(
                f"SELECT h.criterion_id, h.reviewer FROM annotation_head h WHERE h.post_id = :post AND {VISIBLE_HEAD.format(h='h')}",
                {"post": post_id, "me": me},
            )
            return {(row["criterion_id"], row["reviewer"]) for row in rows}

    def visible_decisions(self, post_id: str, me: str) -> set[int]:
        """The ids of the adjudications about the post that `me` may see: a decision tells as much as another's answer."""
        with self.read() as db:
            rows = db.execute(
                f"SELECT h.id FROM (SELECT id, post_id, '' AS reviewer, {ANSWERED_UNDER.format(row='')} AS criterion_id"
                " FROM adjudication WHERE post_id = :post) h"
                f" WHERE {VISIBLE_HEAD.format(h='h')}",
                {"post": post_id, "me": me},
            )
            return {int(row[0]) for row in rows}


_IN_USE = "FROM criterion c WHERE c.active AND c.version = (SELECT max(version) FROM criterion d WHERE d.id = c.id)"
_CRITERIA_IN_USE = f"SELECT count(*) {_IN_USE}"


def _drawn(post_id: str, reviewer: str) -> float:
    """A number in [0, 1) that is always the same for the two."""
    return int.from_bytes(hashlib.sha256(f"{reviewer}\0{post_id}".encode()).digest()[:4], "big") / 2**32


@stored
def round_from_row(row: Row) -> Round:
    return Round(
        id=row["id"],
        name=row["name"],
        kind=RoundKind(row["kind"]),
        blind=bool(row["blind"]),
        suggestions=Suggestions(row["suggestions"]),
        people=tuple(json_cell(row["people"])),
        overlap=_overlap(json_cell(row["overlap"])),
        seed=row["seed"],
        chosen=json_cell(row["chosen"]),
        deadline=row["deadline"],
        revision=row["revision"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        closed_at=row["closed_at"],
    )


def _overlap(given: Mapping[str, float]) -> dict[int, float]:
    return {int(readers): share for readers, share in given.items()}


def _assign(db: Any, round_id: int, assigned: Iterable[Assigned], *, by: str | None) -> None:
    """Posts that a person has already, from this round or another, are left as they are: nobody reads a post twice.

    What a closed round gave and its reader never answered is theirs no longer: this round gives it anew.
    """
    now, assigned = utc_now(), list(assigned)
    db.conn.executemany(
        "DELETE FROM assignment AS a WHERE a.post_id = ?2 AND a.reviewer = ?3 AND a.round_id <> ?1"
        f" AND NOT {_HELD.format(a='a')}"
        " AND NOT EXISTS (SELECT 1 FROM annotation_head h WHERE h.post_id = a.post_id AND h.reviewer = a.reviewer"
        " AND h.criterion_id <> '@post')",
        [[round_id, a.post_id, a.reviewer] for a in assigned],
    )
    db.conn.executemany(
        "INSERT INTO assignment (round_id, post_id, reviewer, assigned_by, assigned_at, hide_suggestions, place)"
        f" VALUES (?1, ?2, ?3, ?4, ?5, ?6, {_PLACE}) ON CONFLICT DO NOTHING",
        [[round_id, a.post_id, a.reviewer, by, now, a.hide_suggestions] for a in assigned],
    )


def _note(db: Any, round_id: int, what: str, detail: Mapping[str, Any], *, by: str | None) -> None:
    db.conn.execute(
        "INSERT INTO round_event (round_id, what, detail, at, by) VALUES (?, ?, ?, ?, ?)",
        [round_id, what, to_json(dict(detail)), utc_now(), by],
    )
