"""Annotations in the store: append-only saves and their history."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

from storage.connection import PENDING, Connections
from storage.heads import replace_heads
from storage.records import Annotation, Conflict, InvalidRecord, NotFound, utc_now
from storage.rows import annotation_from_row, answer_cells, places_from_json
from storage.team_records import OthersAnswer
from storage.visibility import AWAITED_BLIND, VISIBLE_HEAD

INSERT_ANNOTATION = """
INSERT INTO main.annotation (op_id, post_id, criterion_id, criterion_version, reviewer, revision, verdict, spans, rejected,
    undecided, note, seconds, model_version, labels, restored_from, undoes, import_id, bulk, suggested, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NEW_HEAD = replace_heads("main.annotation a WHERE a.id = ?")


class AnnotationStore(Connections):
    """Questions and events about annotations."""

    def add_annotation(self, annotation: Annotation, *, expected_revision: int) -> Annotation:
        """Append the reviewer's next revision for (post, criterion) and return it as stored.

        expected_revision: the latest revision that the caller has seen, 0 for none.
        A save that is repeated with the same `op_id` returns the stored row instead of adding another.
        Raises Conflict if a newer revision is there, NotFound if the post is not, InvalidRecord if a span is outside it or the
        `op_id` is that of somebody else's save.
        """
        with self.write() as db:
            if annotation.op_id is not None:
                for row in db.query("SELECT * FROM annotation WHERE op_id = ?", [annotation.op_id]):
                    if row["reviewer"] != annotation.reviewer:  # whose it is, and of what, is not theirs to know
                        raise InvalidRecord("This decision was saved by somebody else before. Load the post again.")
                    return annotation_from_row(row)
            self._check_spans(db, annotation)
            current = _latest_revision(db, annotation)
            if current != expected_revision:
                raise Conflict(
                    f"{annotation.post_id} x {annotation.criterion_id} was saved elsewhere in the meantime "
                    f"(revision {current}, you saw {expected_revision}).",
                    current_revision=current,
                )
            return _append(db, annotation, import_id=None, latest=None if db.hides_pending else current)

    def _check_spans(self, db: Any, annotation: Annotation) -> None:
        rows = list(db.query("SELECT text FROM post WHERE id = ?", [annotation.post_id]))
        if not rows:
            raise NotFound(f"There is no post {annotation.post_id!r}.")
        text = rows[0]["text"]
        for span in itertools.chain((s.span for s in annotation.spans), annotation.rejected, annotation.undecided):
            span.check(text, where=f"post {annotation.post_id}")

    def annotations_of(self, post_id: str, reviewer: str) -> dict[str, Annotation]:
        """The reviewer's latest annotation of the post, by criterion id."""
        with self.read() as db:
            rows = db.query(
                "SELECT a.* FROM annotation_head h JOIN annotation a ON a.id = h.annotation_id"
                " WHERE h.post_id = ? AND h.reviewer = ?",
                [post_id, reviewer],
            )
            return {row["criterion_id"]: annotation_from_row(row) for row in rows}

    def latest_annotations(self, post_id: str) -> list[Annotation]:
        """Everybody's latest annotations of the post."""
        with self.read() as db:
            rows = db.query(
                "SELECT a.* FROM annotation_head h JOIN annotation a ON a.id = h.annotation_id WHERE h.post_id = ?"
                " ORDER BY a.criterion_id, a.id",
                [post_id],
            )
            return [annotation_from_row(row) for row in rows]

    def answers_of_others(self, post_id: str, me: str, *, criterion_id: str | None = None) -> list[OthersAnswer]:
        """What others decided about the post, as far as `me` may see it, by criterion and in order of time; of one criterion, or of all."""
        with self.read() as db:
            rows = db.execute(
                "SELECT h.criterion_id, h.reviewer, h.verdict, a.spans, a.note FROM annotation_head h CROSS JOIN main.annotation a"
                " ON a.id = h.annotation_id WHERE h.post_id = :post AND (:criterion IS NULL OR h.criterion_id = :criterion)"
                f" AND h.reviewer <> :me AND h.verdict IS NOT NULL AND {VISIBLE_HEAD.format(h='h')}"
                " ORDER BY h.criterion_id, h.annotation_id",
                {"post": post_id, "me": me, "criterion": criterion_id},
            )
            return [
                OthersAnswer(c, who, verdict, places_from_json(spans), note) for c, who, verdict, spans, note in rows
            ]

    def history(self, post_id: str, *, criterion_id: str | None = None) -> list[Annotation]:
        """Every revision of everybody for the post, newest first."""
        with self.read() as db:
            rows = db.query(
                "SELECT * FROM annotation WHERE post_id = :post AND (:criterion IS NULL OR criterion_id = :criterion)"
                " ORDER BY id DESC",
                {"post": post_id, "criterion": criterion_id},
            )
            return [annotation_from_row(row) for row in rows]

    def revision(self, annotation_id: int) -> Annotation:
        """One stored revision. Raises NotFound."""
        with self.read() as db:
            for row in db.query("SELECT * FROM annotation WHERE id = ?", [annotation_id]):
                return annotation_from_row(row)
        raise NotFound(f"There is no revision with number {annotation_id}.")

    def recent_annotations(self, reviewer: str, *, limit: int = 200, before_id: int | None = None) -> list[Annotation]:
        """The reviewer's latest saves over all posts, newest first: what undo across posts walks through."""
        with self.read() as db:
            rows = db.query(
                "SELECT * FROM annotation WHERE reviewer = :r AND (:before IS NULL OR id < :before)"
                " ORDER BY id DESC LIMIT :limit",
                {"r": reviewer, "before": before_id, "limit": limit},
            )
            return [annotation_from_row(row) for row in rows]

    def iter_annotations(self, *, batch_size: int = 1000) -> Iterator[Annotation]:
        """Every revision of everybody, oldest first, in constant memory."""
        last = 0
        while True:
            with self.read() as db:
                rows = list(db.query("SELECT * FROM annotation WHERE id > ? ORDER BY id LIMIT ?", [last, batch_size]))
            if not rows:
                return
            yield from (annotation_from_row(row) for row in rows)
            last = rows[-1]["id"]

    def last_annotation_id(self) -> int:
        """The id of the newest save, 0 before the first; no save that becomes visible later has an id up to it."""
        with self.read() as db:
            return int(
                db.execute(
                    "SELECT coalesce((SELECT min(id) - 1 FROM main.annotation WHERE import_id IN"
                    f" ({PENDING})), (SELECT max(id) FROM annotation), 0)"
                ).fetchone()[0]
            )

    def answers_after(self, annotation_id: int, *, limit: int) -> list[tuple[int, str, str]]:
        """The saves after that one, oldest first: id, post id, criterion id."""
        with self.read() as db:
            rows = db.execute(
                "SELECT id, post_id, criterion_id FROM annotation WHERE id > ? ORDER BY id LIMIT ?",
                [annotation_id, limit],
            )
            return [(int(row[0]), row[1], row[2]) for row in rows]

    def answer_before_last(self, count: int) -> int:
        """The id of the save before the last `count` ones, 0 if there are no more than these."""
        with self.read() as db:
            row = db.execute("SELECT id FROM main.annotation ORDER BY id DESC LIMIT 1 OFFSET ?", [count]).fetchone()
            return 0 if row is None else int(row[0])

    def count_reviewed_since(self, annotation_id: int) -> int:
        """How many posts have got a verdict of evidence or no evidence by a save after that one, and still have it.

        Without what somebody is yet to answer blind: nothing is trained on it.
        """
        with self.read() as db:
            return int(
                db.execute(
                    "SELECT count(DISTINCT h.post_id) FROM annotation_head h WHERE h.annotation_id > ?"
                    f" AND h.verdict IN ('evidence', 'no_evidence') AND NOT {AWAITED_BLIND.format(h='h')}",
                    [annotation_id],
                ).fetchone()[0]
            )


def _latest_revision(db: Any, annotation: Annotation, *, table: str = "annotation") -> int:
    row = db.execute(
        f"SELECT max(revision) FROM {table} WHERE post_id = ? AND criterion_id = ? AND reviewer = ?",
        [annotation.post_id, annotation.criterion_id, annotation.reviewer],
    ).fetchone()
    return int(row[0] or 0)


def _append(db: Any, annotation: Annotation, *, import_id: int | None, latest: int | None = None) -> Annotation:
    """Store the annotation as the next revision, also after those that an import has stored but not shown yet.

    latest: the number of the one before, where it is known.
    """
    if latest is None:
        latest = _latest_revision(db, annotation, table="main.annotation")
    annotation = dataclasses.replace(annotation, revision=latest + 1)
    created_at = annotation.created_at or utc_now()
    cursor = db.conn.execute(
        INSERT_ANNOTATION,
        [
            annotation.op_id,
            annotation.post_id,
            annotation.criterion_id,
            annotation.criterion_version,
            annotation.reviewer,
            annotation.revision,
            *answer_cells(annotation),
            annotation.restored_from,
            annotation.undoes,
            import_id,
            annotation.bulk,
            annotation.suggested,
            created_at,
        ],
    )
    db.conn.execute(_NEW_HEAD, [cursor.lastrowid])
    return dataclasses.replace(annotation, id=cursor.lastrowid, created_at=created_at)
