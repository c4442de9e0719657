"""Adjudications in the store: decisions about the answers of others, each a row of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from storage.connection import Connections
from storage.label_rows import ANSWERED_UNDER
from storage.records import Conflict, NotFound, utc_now
from storage.rows import Row, json_cell, passages_from_json, passages_json, stored, to_json
from storage.team_records import Adjudication, Outcome

LATEST = (
    "SELECT d.* FROM adjudication d WHERE d.revision = (SELECT max(e.revision) FROM adjudication e"
    " WHERE e.post_id = d.post_id AND e.criterion_id = d.criterion_id)"
)


class AdjudicationStore(Connections):
    """Questions and events about adjudications."""

    def add_adjudication(self, adjudication: Adjudication, *, expected_revision: int) -> Adjudication:
        """Append the next decision about (post, criterion) and return it as stored.

        A save that is repeated with the same `op_id` returns the stored row. Raises Conflict if somebody decided in between, NotFound
        if the post is not there, InvalidRecord if a span is outside it.
        """
        with self.write() as db:
            if adjudication.op_id is not None:
                for row in db.query("SELECT * FROM adjudication WHERE op_id = ?", [adjudication.op_id]):
                    return adjudication_from_row(row)
            current = _revision(db, adjudication)
            if current != expected_revision:
                raise Conflict(
                    f"{adjudication.post_id} x {adjudication.criterion_id} was adjudicated elsewhere in the meantime, and stays as it was"
                    " decided there. Go on with the next case, or load this one again to see that decision.",
                    current_revision=current,
                )
            return _append(db, adjudication)

    def adjudications(self, post_id: str | None = None, *, criterion_id: str | None = None) -> list[Adjudication]:
        """Every decision, or those about a post (and criterion), oldest first."""
        with self.read() as db:
            rows = db.query(
                "SELECT * FROM adjudication WHERE (:post IS NULL OR post_id = :post)"
                " AND (:criterion IS NULL OR criterion_id = :criterion) ORDER BY id",
                {"post": post_id, "criterion": criterion_id},
            )
            return [adjudication_from_row(row) for row in rows]

    def latest_adjudications(self, post_ids: Sequence[str] | None = None) -> dict[tuple[str, str], Adjudication]:
        """The latest decision by (post id, criterion id), also those that re-opened."""
        chosen = " AND d.post_id IN (SELECT value FROM json_each(?))"
        with self.read() as db:
            rows = db.query(LATEST) if post_ids is None else db.query(LATEST + chosen, [json.dumps(list(post_ids))])
            return {(row["post_id"], row["criterion_id"]): adjudication_from_row(row) for row in rows}

    def adjudications_of_answers_by(self, reviewer: str) -> list[Adjudication]:
        """The latest decisions about what a person has answered, the newest first, without those that re-opened."""
        with self.read() as db:
            rows = db.query(
                "SELECT d.* FROM main.annotation_head h CROSS JOIN adjudication d ON d.post_id = h.post_id"
                f" AND h.criterion_id = {ANSWERED_UNDER.format(row='d.')} WHERE h.reviewer = ? AND d.outcome <> 'reopened' AND d.revision ="
                " (SELECT max(e.revision) FROM adjudication e WHERE e.post_id = d.post_id AND e.criterion_id = d.criterion_id)"
                " ORDER BY d.id DESC",
                [reviewer],
            )
            return [adjudication_from_row(row) for row in rows]


@stored
def adjudication_from_row(row: Row) -> Adjudication:
    return Adjudication(
        id=row["id"],
        op_id=row["op_id"],
        post_id=row["post_id"],
        criterion_id=row["criterion_id"],
        criterion_version=row["criterion_version"],
        adjudicator=row["adjudicator"],
        revision=row["revision"],
        outcome=Outcome(row["outcome"]),
        spans=passages_from_json(row["spans"]),
        reason=row["reason"],
        error_kind=row["error_kind"],
        answers=tuple(json_cell(row["answers"])),
        seconds=row["seconds"],
        created_at=row["created_at"],
        level=row["level"] or "",
    )


def _revision(db: Any, adjudication: Adjudication) -> int:
    row = db.execute(
        "SELECT max(revision) FROM adjudication WHERE post_id = ? AND criterion_id = ?",
        [adjudication.post_id, adjudication.criterion_id],
    ).fetchone()
    return int(row[0] or 0)


def _append(db: Any, adjudication: Adjudication) -> Adjudication:
    rows = list(db.query("SELECT text FROM post WHERE id = ?", [adjudication.post_id]))
    if not rows:
        raise NotFound(f"There is no post {adjudication.post_id!r}.")
    for span in adjudication.spans:
        span.check(rows[0]["text"], where=f"post {adjudication.post_id}")
    stored = replace(
        adjudication,
        revision=_revision(db, adjudication) + 1,
        created_at=adjudication.created_at or utc_now(),
    )
    cursor = db.conn.execute(
        "INSERT INTO adjudication (op_id, post_id, criterion_id, criterion_version, adjudicator, revision, outcome, spans, reason,"
        " error_kind, answers, seconds, created_at, level) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            stored.op_id,
            stored.post_id,
            stored.criterion_id,
            stored.criterion_version,
            stored.adjudicator,
            stored.revision,
            str(stored.outcome),
            passages_json(stored.spans),
            stored.reason,
            stored.error_kind,
            to_json(list(stored.answers)),
            stored.seconds,
            stored.created_at,
            stored.level or None,
        ],
    )
    return replace(stored, id=cursor.lastrowid)
