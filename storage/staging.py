"""Staging of an import: everything is gathered in a private SQLite file first, then published in one short transaction.

Reading, checking and aligning 100,000 posts takes a minute; the database is locked only for the seconds in which SQLite copies
the finished rows over. A failure or cancel before that leaves nothing but a file to delete.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.connection import Connections
from storage.records import AnnotatedSpan, Annotation, Conflict, Post, Prediction, Role, Span, split_of, utc_now
from storage.rows import annotated_json, spans_json, to_json

INDEX_STEP_POSTS = 100

_STAGING_TABLES = """
CREATE TABLE post (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, text_sha256 TEXT NOT NULL,
    split TEXT NOT NULL, author TEXT, source TEXT, posted_at TEXT, shuffle INTEGER NOT NULL, meta TEXT NOT NULL);
CREATE INDEX post_text ON post(text_sha256);
CREATE TABLE known_post (id TEXT PRIMARY KEY, text_sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE label (seq INTEGER PRIMARY KEY, row INTEGER NOT NULL, post_id TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX label_of_post ON label(post_id, seq);
CREATE TABLE reviewer (name TEXT PRIMARY KEY, role TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE annotation (seq INTEGER PRIMARY KEY, post_id TEXT NOT NULL, criterion_id TEXT NOT NULL,
    criterion_version INTEGER NOT NULL, reviewer TEXT NOT NULL, verdict TEXT, spans TEXT NOT NULL, rejected TEXT NOT NULL,
    undecided TEXT NOT NULL, note TEXT NOT NULL, seconds REAL, model_version TEXT, created_at TEXT);
CREATE TABLE prediction (post_id TEXT NOT NULL, criterion_id TEXT NOT NULL, model_version TEXT, spans TEXT NOT NULL,
    no_evidence_score REAL NOT NULL, max_score REAL NOT NULL, known INTEGER NOT NULL, created_at TEXT);
CREATE TABLE alignment (seq INTEGER PRIMARY KEY, post_id TEXT NOT NULL, criterion_id TEXT NOT NULL, reviewer TEXT NOT NULL,
    evidence TEXT NOT NULL, candidates TEXT NOT NULL);
CREATE TABLE issue (seq INTEGER PRIMARY KEY, row INTEGER, post_id TEXT, kind TEXT NOT NULL, reason TEXT NOT NULL,
    evidence TEXT);
"""

_COPY_POSTS = """
INSERT INTO post (id, text, text_sha256, split, author, source, posted_at, import_id, imported_at, shuffle, meta, indexed)
SELECT id, text, text_sha256, split, author, source, posted_at, :import_id, :now, shuffle, meta, 0
FROM staged.post ORDER BY seq
"""
_COPY_REVIEWERS = """
INSERT INTO reviewer (name, role, created_at) SELECT name, role, :now FROM staged.reviewer WHERE true
ON CONFLICT (name) DO NOTHING
"""
_COPY_ANNOTATIONS = """
INSERT INTO annotation (post_id, criterion_id, criterion_version, reviewer, revision, verdict, spans, rejected, undecided, note,
    seconds, model_version, import_id, created_at)
SELECT post_id, criterion_id, criterion_version, reviewer,
    row_number() OVER (PARTITION BY post_id, criterion_id, reviewer ORDER BY seq) + coalesce((SELECT max(a.revision)
        FROM annotation a WHERE a.post_id = s.post_id AND a.criterion_id = s.criterion_id AND a.reviewer = s.reviewer), 0),
    verdict, spans, rejected, undecided, note, seconds, model_version, :import_id, coalesce(created_at, :now)
FROM staged.annotation s ORDER BY seq
"""
_COPY_HEADS = """
INSERT OR REPLACE INTO annotation_head (post_id, criterion_id, reviewer, annotation_id, verdict)
SELECT post_id, criterion_id, reviewer, id, verdict FROM annotation a WHERE import_id = :import_id AND revision =
    (SELECT max(revision) FROM annotation b WHERE b.post_id = a.post_id AND b.criterion_id = a.criterion_id
        AND b.reviewer = a.reviewer)
"""
# predictions of posts that were here before go under a name of their own, so that undoing the import can find them
_COPY_PREDICTIONS = """
INSERT OR REPLACE INTO prediction (post_id, criterion_id, model_version, spans, no_evidence_score, max_score, known, created_at)
SELECT post_id, criterion_id,
    CASE WHEN post_id IN (SELECT id FROM staged.post) THEN coalesce(model_version, :model) ELSE :model END,
    spans, no_evidence_score, max_score, known, coalesce(created_at, :now) FROM staged.prediction
"""
_COPY_SCORES = """
INSERT OR REPLACE INTO post_score (post_id, model_version, uncertainty, evidence)
SELECT p.post_id, p.model_version, max(CASE WHEN known THEN 1 - abs(2 * no_evidence_score - 1) ELSE 0 END), max(max_score)
FROM prediction p WHERE p.post_id IN (SELECT post_id FROM staged.prediction)
AND NOT EXISTS (SELECT 1 FROM post_score s WHERE s.post_id = p.post_id AND s.model_version = p.model_version)
GROUP BY p.post_id, p.model_version
"""
_COPY_ALIGNMENTS = """
INSERT INTO alignment (import_id, post_id, criterion_id, reviewer, evidence, candidates)
SELECT :import_id, post_id, criterion_id, reviewer, evidence, candidates FROM staged.alignment ORDER BY seq
"""
_COPY_ISSUES = """
INSERT INTO import_issue (import_id, row, post_id, kind, reason, evidence)
SELECT :import_id, row, post_id, kind, reason, evidence FROM staged.issue ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class Issue:
    """A line of an import's report. kind: rejected, duplicate, label, unaligned, uncertain, repaired."""

    row: int | None
    post_id: str | None
    kind: str
    reason: str
    evidence: str | None = None


class Staging:
    """The private file of one import. Used by one thread; `discard()` removes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")  # nothing to recover: a broken staging file is thrown away
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("PRAGMA cache_size=-32000")
        for statement in _STAGING_TABLES.split(";\n"):
            if statement.strip():
                self._db.execute(statement)
        self._db.execute("BEGIN")

    def add_post(self, post: Post, text_sha256: str) -> None:
        shuffle = int.from_bytes(hashlib.sha256(post.id.encode()).digest()[:4], "big") >> 1
        split = post.split or split_of(post.author or post.id)
        self._db.execute(
            "INSERT INTO post (id, text, text_sha256, split, author, source, posted_at, shuffle, meta)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                post.id,
                post.text,
                text_sha256,
                str(split),
                post.author,
                post.source,
                post.posted_at,
                shuffle,
                to_json(dict(post.meta)),
            ],
        )

    def add_known_post(self, post_id: str, text_sha256: str) -> None:
        """Note that the post is in the store already, with this text."""
        self._db.execute("INSERT OR IGNORE INTO known_post VALUES (?, ?)", [post_id, text_sha256])

    def text_sha256(self, post_id: str) -> str | None:
        row = self._db.execute("SELECT text_sha256 FROM post WHERE id = ?", [post_id]).fetchone()
        return None if row is None else row[0]

    def post_with_text(self, text_sha256: str) -> str | None:
        row = self._db.execute(
            "SELECT id FROM post WHERE text_sha256 = ? ORDER BY seq LIMIT 1", [text_sha256]
        ).fetchone()
        return None if row is None else row[0]

    def text(self, post_id: str) -> str | None:
        row = self._db.execute("SELECT text FROM post WHERE id = ?", [post_id]).fetchone()
        return None if row is None else row[0]

    def add_label(self, row: int, post_id: str, payload: bytes) -> None:
        self._db.execute("INSERT INTO label (row, post_id, payload) VALUES (?, ?, ?)", [row, post_id, payload])

    def labels(self) -> Iterator[tuple[str, int, bytes]]:
        """(post id, row, payload) in order of posts, then as they came."""
        yield from self._db.cursor().execute("SELECT post_id, row, payload FROM label ORDER BY post_id, seq")

    def count(self, table: str) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def issue_counts(self) -> dict[str, int]:
        return dict(self._db.execute("SELECT kind, count(*) FROM issue GROUP BY kind"))

    def issues(self, *, kind: str | None = None, limit: int = -1) -> list[Issue]:
        rows = self._db.execute(
            "SELECT row, post_id, kind, reason, evidence FROM issue WHERE (:kind IS NULL OR kind = :kind)"
            " ORDER BY seq LIMIT :limit",
            {"kind": kind, "limit": limit},
        )
        return [Issue(*row) for row in rows]

    def add_issue(self, issue: Issue) -> None:
        self._db.execute(
            "INSERT INTO issue (row, post_id, kind, reason, evidence) VALUES (?, ?, ?, ?, ?)",
            [issue.row, issue.post_id, issue.kind, issue.reason, issue.evidence],
        )

    def add_reviewer(self, name: str, role: Role) -> None:
        self._db.execute("INSERT OR IGNORE INTO reviewer VALUES (?, ?)", [name, str(role)])

    def add_annotation(self, annotation: Annotation) -> None:
        self._db.execute(
            "INSERT INTO annotation (post_id, criterion_id, criterion_version, reviewer, verdict, spans, rejected, undecided,"
            " note, seconds, model_version, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                annotation.post_id,
                annotation.criterion_id,
                annotation.criterion_version,
                annotation.reviewer,
                annotation.verdict and str(annotation.verdict),
                annotated_json(annotation.spans),
                spans_json(annotation.rejected),
                spans_json(annotation.undecided),
                annotation.note,
                annotation.seconds,
                annotation.model_version,
                annotation.created_at,
            ],
        )

    def add_prediction(self, prediction: Prediction, *, model_version: str | None) -> None:
        """model_version: None lets the store name it after the import."""
        self._db.execute(
            "INSERT INTO prediction VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                prediction.post_id,
                prediction.criterion_id,
                model_version,
                spans_json(prediction.spans),
                prediction.no_evidence_score,
                prediction.max_score,
                prediction.known,
                prediction.created_at,
            ],
        )

    def add_alignment(
        self,
        post_id: str,
        criterion_id: str,
        reviewer: str,
        evidence: str,
        candidates: Sequence[tuple[int, int, float]],
    ) -> None:
        self._db.execute(
            "INSERT INTO alignment (post_id, criterion_id, reviewer, evidence, candidates) VALUES (?, ?, ?, ?, ?)",
            [post_id, criterion_id, reviewer, evidence, json.dumps(candidates)],
        )

    def close(self) -> None:
        """Make the file complete on disk; it can only be published afterwards."""
        self._db.execute("COMMIT")
        self._db.close()

    def discard(self) -> None:
        self._db.close()
        self.path.unlink(missing_ok=True)


class StagingStore(Connections):
    """Publishing a staged import, its report, and the evidence that waits for a person."""

    def publish(
        self,
        staging: Path,
        *,
        file_name: str,
        format_name: str,
        report: Mapping[str, Any],
        by: str | None = None,
        also: Callable[[int], None] | None = None,
    ) -> int:
        """Store all that was staged, in one transaction. Returns the number of the import.

        also: called with that number inside the transaction, e.g. to end the job.
        Raises Conflict if a post of the same id was stored in the meantime; nothing is stored then.
        """
        db = self._database()
        db.conn.execute("ATTACH DATABASE ? AS staged", [str(staging)])
        try:
            with self.write():
                self._refuse_clash(db)
                cursor = db.conn.execute(
                    "INSERT INTO import (file_name, format, created_at, created_by, report) VALUES (?, ?, ?, ?, ?)",
                    [file_name, format_name, utc_now(), by, to_json(dict(report))],
                )
                import_id = int(cursor.lastrowid or 0)
                values = {"import_id": import_id, "now": utc_now(), "model": f"import-{import_id}"}
                for statement in (
                    _COPY_POSTS,
                    _COPY_REVIEWERS,
                    _COPY_ANNOTATIONS,
                    _COPY_HEADS,
                    _COPY_PREDICTIONS,
                    _COPY_SCORES,
                    _COPY_ALIGNMENTS,
                    _COPY_ISSUES,
                ):
                    db.conn.execute(statement, values)
                if also is not None:
                    also(import_id)
        finally:
            db.conn.execute("DETACH DATABASE staged")
        return import_id

    def _refuse_clash(self, db: Any) -> None:
        taken = db.execute(
            "SELECT s.id FROM staged.post s JOIN post USING (id) UNION ALL SELECT k.id FROM staged.known_post k"
            " LEFT JOIN post p ON p.id = k.id AND p.text_sha256 = k.text_sha256 WHERE p.id IS NULL LIMIT 1"
        ).fetchone()
        if taken:
            raise Conflict(
                f"Post {taken[0]} was added or removed by somebody else during the import. Nothing was imported; try again.",
                current_revision=0,
            )

    def index_posts(self, *, limit: int = INDEX_STEP_POSTS) -> int:
        """Put the next posts of an import into the full-text index. Returns how many; 0 when none is left."""
        return self._set_indexed(1, "indexed = 0", [limit])

    def unindex_import(self, import_id: int, *, limit: int = INDEX_STEP_POSTS) -> int:
        """Take the next posts of the import out of the full-text index. Returns how many; 0 when none is left."""
        return self._set_indexed(0, "indexed = 1 AND import_id = ?", [import_id, limit])

    def _set_indexed(self, value: int, which: str, values: list[Any]) -> int:
        with self.write() as db:
            cursor = db.conn.execute(
                f"UPDATE post SET indexed = {value} WHERE number IN (SELECT number FROM post WHERE {which} LIMIT ?)",
                values,
            )
            return cursor.rowcount

    def text_hashes(self, ids: Iterable[str]) -> dict[str, str]:
        """Text hash by post id, for those of the ids that are stored already."""
        with self.read() as db:
            rows = db.query(
                "SELECT id, text_sha256 FROM post WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(list(ids))]
            )
            return {row["id"]: row["text_sha256"] for row in rows}

    def import_issues(self, import_id: int, *, batch_size: int = 1000) -> Iterator[Issue]:
        """The report of an import, line by line, in constant memory."""
        last = 0
        while True:
            with self.read() as db:
                rows = list(
                    db.query(
                        "SELECT * FROM import_issue WHERE import_id = ? AND id > ? ORDER BY id LIMIT ?",
                        [import_id, last, batch_size],
                    )
                )
            if not rows:
                return
            for row in rows:
                yield Issue(row["row"], row["post_id"], row["kind"], row["reason"], row["evidence"])
            last = rows[-1]["id"]

    # --- evidence that waits for a person

    def waiting_alignments(self, *, limit: int = 50) -> list[dict[str, Any]]:
        """Evidence whose place is to be confirmed, oldest first, each with its `candidates` decoded."""
        with self.read() as db:
            rows = db.query("SELECT * FROM alignment WHERE decided_at IS NULL ORDER BY id LIMIT ?", [limit])
            return [{**row, "candidates": json.loads(row["candidates"])} for row in rows]

    def count_waiting_alignments(self) -> int:
        with self.read() as db:
            return int(db.execute("SELECT count(*) FROM alignment WHERE decided_at IS NULL").fetchone()[0])

    def decide_alignment(self, alignment_id: int, chosen: Span | AnnotatedSpan | None, *, by: str | None) -> bool:
        """Note the decision; None: none of the places is right. Returns False if it was decided before."""
        with self.write() as db:
            cursor = db.conn.execute(
                "UPDATE alignment SET decided_at = ?, decided_by = ?, chosen = ? WHERE id = ? AND decided_at IS NULL",
                [utc_now(), by, None if chosen is None else json.dumps([chosen.start, chosen.end]), alignment_id],
            )
            return cursor.rowcount == 1
