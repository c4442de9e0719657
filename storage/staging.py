"""Staging of an import: everything is read, checked and aligned into a private SQLite file first; `storage.imports` publishes it.

A failure or cancel before that leaves nothing but a folder to delete.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storage.records import Annotation, Post, Prediction, Role, Verdict, split_of
from storage.rows import (
    annotated_from_json,
    answer_cells,
    json_cell,
    labels_from_json,
    passages_json,
    spans_from_json,
    spans_json,
    to_json,
)
from storage.team_records import Adjudication

FOLDER_PREFIX = ".import-"
LOCK = "lock"
NEW_SECONDS = 60.0  # a folder without a lock that is younger is just being made

_STAGING_TABLES = """
CREATE TABLE post (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, text_sha256 TEXT NOT NULL,
    split TEXT NOT NULL, author TEXT, source TEXT, posted_at TEXT, shuffle INTEGER NOT NULL, meta TEXT NOT NULL);
CREATE INDEX post_text ON post(text_sha256);
CREATE TABLE known_post (id TEXT PRIMARY KEY, text_sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE home (id TEXT NOT NULL, part TEXT NOT NULL, post_id TEXT NOT NULL, PRIMARY KEY (id, part, post_id)) WITHOUT ROWID;
CREATE TABLE label (seq INTEGER PRIMARY KEY, row INTEGER NOT NULL, post_id TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX label_of_post ON label(post_id, seq);
CREATE TABLE reviewer (name TEXT PRIMARY KEY, role TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE annotation (seq INTEGER PRIMARY KEY, post_id TEXT NOT NULL, criterion_id TEXT NOT NULL,
    criterion_version INTEGER NOT NULL, reviewer TEXT NOT NULL, verdict TEXT, spans TEXT NOT NULL, rejected TEXT NOT NULL,
    undecided TEXT NOT NULL, note TEXT NOT NULL, seconds REAL, model_version TEXT, labels TEXT, bulk INTEGER NOT NULL, created_at TEXT);
CREATE TABLE prediction (post_id TEXT NOT NULL, criterion_id TEXT NOT NULL, model_version TEXT, spans TEXT NOT NULL,
    no_evidence_score REAL NOT NULL, max_score REAL NOT NULL, known INTEGER NOT NULL, created_at TEXT);
CREATE TABLE alignment (seq INTEGER PRIMARY KEY, post_id TEXT NOT NULL, criterion_id TEXT NOT NULL, reviewer TEXT NOT NULL,
    evidence TEXT NOT NULL, candidates TEXT NOT NULL);
CREATE TABLE adjudication (seq INTEGER PRIMARY KEY, post_id TEXT NOT NULL, criterion_id TEXT NOT NULL, criterion_version INTEGER NOT NULL,
    adjudicator TEXT NOT NULL, outcome TEXT NOT NULL, spans TEXT NOT NULL, reason TEXT NOT NULL, error_kind TEXT, seconds REAL,
    created_at TEXT, level TEXT);
CREATE TABLE issue (seq INTEGER PRIMARY KEY, row INTEGER, post_id TEXT, kind TEXT NOT NULL, reason TEXT NOT NULL,
    evidence TEXT);
"""


@dataclass(frozen=True, slots=True)
class Issue:
    """A line of an import's report. kind: rejected, duplicate, label, unaligned, uncertain, place, repaired."""

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

    def add_home(self, name: str, part: str, post_id: str) -> None:
        """Note which post of a part of the file has this id there; '' for one that was refused."""
        self._db.execute("INSERT OR IGNORE INTO home VALUES (?, ?, ?)", [name, part, post_id])

    def homes(self, name: str) -> list[tuple[str, str]]:
        """(part, post id) of all posts of the file that it calls so."""
        return self._db.execute("SELECT part, post_id FROM home WHERE id = ?", [name]).fetchall()

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

    def meta(self, post_id: str) -> dict[str, Any]:
        """What is kept with a staged post; empty if it is none."""
        row = self._db.execute("SELECT meta FROM post WHERE id = ?", [post_id]).fetchone()
        return {} if row is None else dict(json.loads(row[0]))

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

    def add_annotation(self, annotation: Annotation, *, in_place_of: int | None = None) -> None:
        """in_place_of: the number of a staged one, as `answer_before` gives it, that this one replaces."""
        self._db.execute(
            "INSERT OR REPLACE INTO annotation (seq, post_id, criterion_id, criterion_version, reviewer, verdict, spans, rejected,"
            " undecided, note, seconds, model_version, labels, bulk, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                in_place_of,
                annotation.post_id,
                annotation.criterion_id,
                annotation.criterion_version,
                annotation.reviewer,
                *answer_cells(annotation),
                annotation.bulk,
                annotation.created_at,
            ],
        )

    def answer_before(self, annotation: Annotation) -> tuple[int, Annotation] | None:
        """The last staged answer to the same question by the same person, with its number."""
        self._index("annotation(post_id, criterion_id, reviewer)")
        names = "seq, criterion_version, verdict, spans, rejected, undecided, note, seconds, model_version, labels, bulk, created_at"
        key = (annotation.post_id, annotation.criterion_id, annotation.reviewer)
        row = self._db.execute(
            f"SELECT {names} FROM annotation WHERE post_id = ? AND criterion_id = ? AND reviewer = ? ORDER BY seq DESC LIMIT 1",
            key,
        ).fetchone()
        if row is None:
            return None
        seq, version, verdict, spans, rejected, undecided, note, seconds, model, labels, bulk, created = row
        return seq, Annotation(
            *key,
            verdict and Verdict(verdict),
            annotated_from_json(spans),
            spans_from_json(rejected),
            spans_from_json(undecided),
            criterion_version=version,
            note=note,
            seconds=seconds,
            model_version=model,
            bulk=bool(bulk),
            labels=labels_from_json(labels),
            created_at=created,
        )

    def drop_annotation(self, number: int) -> None:
        self._db.execute("DELETE FROM annotation WHERE seq = ?", [number])

    def take_prediction(self, prediction: Prediction, *, model_version: str | None) -> Prediction | None:
        """Take the staged prediction of the same model for the same question out again; None if there is none."""
        self._index("prediction(post_id, criterion_id)")
        where = "post_id = ? AND criterion_id = ? AND model_version IS ?"
        key = [prediction.post_id, prediction.criterion_id, model_version]
        row = self._db.execute(
            f"SELECT spans, no_evidence_score, known, created_at FROM prediction WHERE {where}", key
        ).fetchone()
        if row is None:
            return None
        self._db.execute(f"DELETE FROM prediction WHERE {where}", key)
        spans, score, known, created = row
        return replace(
            prediction, spans=spans_from_json(spans), no_evidence_score=score, known=bool(known), created_at=created
        )

    def _index(self, columns: str) -> None:
        """Made when it is first needed: most files name no post twice."""
        name = f"{columns.partition('(')[0]}_of_post"
        self._db.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}")

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

    def add_adjudication(self, decision: Adjudication) -> None:
        """Of a post of this import: decisions about a post that is there already stay as they are."""
        self._db.execute(
            "INSERT INTO adjudication (post_id, criterion_id, criterion_version, adjudicator, outcome, spans, reason, error_kind,"
            " seconds, created_at, level) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                decision.post_id,
                decision.criterion_id,
                decision.criterion_version,
                decision.adjudicator,
                str(decision.outcome),
                passages_json(decision.spans),
                decision.reason,
                decision.error_kind,
                decision.seconds,
                decision.created_at,
                decision.level or None,
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

    # --- a look at what was staged

    def first_posts(self, limit: int) -> list[tuple[str, str, str]]:
        """(id, text, split) of the first new posts; those with answers first."""
        answered = "EXISTS (SELECT 1 FROM annotation a WHERE a.post_id = post.id)"
        rows = self._db.execute(f"SELECT id, text, split FROM post ORDER BY NOT {answered}, seq LIMIT ?", [limit])
        return [(post_id, text, split) for post_id, text, split in rows]

    def texts(self, limit: int) -> list[str]:
        """Of the first new posts, in the order of the file."""
        return [text for (text,) in self._db.execute("SELECT text FROM post ORDER BY seq LIMIT ?", [limit])]

    def known_posts(self, limit: int) -> list[str]:
        """Ids of posts that are in the store and get answers."""
        rows = self._db.execute("SELECT DISTINCT post_id FROM annotation LIMIT ?", [limit])
        return [post_id for (post_id,) in rows]

    def answers_of(self, post_ids: Sequence[str]) -> dict[str, list[tuple[str, str, tuple[tuple[int, int], ...]]]]:
        """(criterion, verdict or `prediction`, spans) of the answers and predictions of the posts."""
        found: dict[str, list[tuple[str, str, tuple[tuple[int, int], ...]]]] = {}
        wanted = [json.dumps(list(post_ids))]
        chosen = "FROM {} WHERE post_id IN (SELECT value FROM json_each(?))"
        for verdict, table in (("verdict", "annotation"), ("'prediction'", "prediction")):
            columns = f"SELECT post_id, criterion_id, {verdict}, spans " + chosen.format(table)
            for post_id, criterion, said, spans in self._db.execute(columns, wanted):
                places = tuple((int(s[0]), int(s[1])) for s in json_cell(spans))
                found.setdefault(post_id, []).append((criterion, said or "undecided", places))
        return found

    def answer_counts(self) -> dict[tuple[str, str], int]:
        """How many answers by (criterion, verdict), and how many predictions with a span."""
        rows = self._db.execute(
            "SELECT criterion_id, coalesce(verdict, 'undecided'), count(*) FROM annotation GROUP BY 1, 2 UNION ALL"
            " SELECT criterion_id, 'prediction', count(*) FROM prediction WHERE spans != '[]' GROUP BY 1 ORDER BY 1, 2"
        )
        return {(criterion, verdict): count for criterion, verdict, count in rows}

    def first_issues(self, limit: int) -> list[Issue]:
        """The first lines of the report that are about rows."""
        columns = "SELECT row, post_id, kind, reason, evidence FROM issue WHERE row IS NOT NULL ORDER BY seq LIMIT ?"
        return [Issue(*row) for row in self._db.execute(columns, [limit])]

    def close(self) -> None:
        """Make the file complete on disk; it can only be published afterwards."""
        self._db.execute("COMMIT")
        self._db.close()

    def discard(self) -> None:
        self._db.close()
        self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def import_folder(data_dir: Path) -> Iterator[Path]:
    """A private folder for one import, gone afterwards. Its lock says that the import lives; it ends with the process."""
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, dir=data_dir) as name, (Path(name) / LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield Path(name)


def is_abandoned(folder: Path) -> bool:
    """True unless a living process imports in the folder."""
    try:
        with (folder / LOCK).open("r+") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:  # somebody has it
        return False
    return True


def remove_abandoned(data_dir: Path) -> None:
    """Remove the folders of imports that were killed."""
    for folder in data_dir.glob(f"{FOLDER_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # its import has just ended
            new = time.time() - folder.stat().st_mtime < NEW_SECONDS and not (folder / LOCK).exists()
            if not new and is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
