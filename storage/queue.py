"""The review queue and the counts of progress: which post comes next, and how many remain."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from storage.connection import Connections
from storage.records import InvalidRecord, Split, Verdict, utc_now


class QueueOrder(StrEnum):
    UNCERTAIN = "uncertain"
    EVIDENCE = "evidence"
    DISAGREEMENT = "disagreement"
    NEWEST = "newest"
    RANDOM = "random"


class ReviewState(StrEnum):
    """Of a post, for one reviewer. `todo` is open and not skipped."""

    TODO = "todo"
    SKIPPED = "skipped"
    REVIEWED = "reviewed"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What is asked of the queue. None or empty means: no such condition.

    criterion with min_score/max_score: the post's best span score for it. criterion with verdict: somebody's latest
    verdict for it. reviewer: posts on which that person has a verdict. query: words to find in the text (FTS5).
    """

    order: QueueOrder = QueueOrder.UNCERTAIN
    state: ReviewState = ReviewState.TODO
    criterion: str | None = None
    verdict: Verdict | None = None
    min_score: float | None = None
    max_score: float | None = None
    split: Split | None = None
    source: str | None = None
    reviewer: str | None = None
    assigned_to: str | None = None
    query: str = ""


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One line of the list of posts; `excerpt` is the start of its text."""

    post_id: str
    excerpt: str
    split: Split
    source: str | None
    uncertainty: float | None
    evidence: float | None
    decided: int
    criteria: int
    skipped: bool
    assigned: tuple[str, ...]


_ORDER = {
    QueueOrder.UNCERTAIN: "s.uncertainty DESC, post.shuffle",
    QueueOrder.EVIDENCE: "s.evidence DESC, post.shuffle",
    QueueOrder.DISAGREEMENT: "s.disagreement DESC, s.uncertainty DESC, post.shuffle",
    QueueOrder.NEWEST: "post.imported_at DESC, post.number DESC",
    QueueOrder.RANDOM: "post.shuffle",
}
_DECIDED = (
    "(SELECT count(*) FROM annotation_head h WHERE h.reviewer = :me AND h.post_id = post.id AND h.verdict IS NOT NULL"
    " AND h.criterion_id IN (SELECT value FROM json_each(:criteria)))"
)
_SCORES = "LEFT JOIN post_score s ON s.post_id = post.id AND s.model_version = :model"
_VISIT = "LEFT JOIN post_visit v ON v.post_id = post.id AND v.reviewer = :me"


class QueueStore(Connections):
    """Questions about what to review next, and events of opening and skipping."""

    def queue(
        self, wanted: QueueFilter, *, me: str, model_version: str | None, limit: int = 50, offset: int = 0
    ) -> list[QueueItem]:
        """A page of the posts that fit `wanted`, in its order, as seen by reviewer `me`."""
        where, values = self._conditions(wanted, me, model_version)
        with self.read() as db:
            rows = db.query(
                f"SELECT post.id, substr(post.text, 1, 160) AS excerpt, post.split, post.source, s.uncertainty, s.evidence,"
                f" {_DECIDED} AS decided, v.skipped_at, (SELECT group_concat(reviewer, char(10)) FROM assignment"
                f" WHERE post_id = post.id) AS assigned FROM post {_SCORES} {_VISIT} {where}"
                f" ORDER BY {_ORDER[wanted.order]} LIMIT :limit OFFSET :offset",
                {**values, "limit": limit, "offset": offset},
            )
            return [_item(row, values["needed"]) for row in rows]

    def queue_ids(
        self, wanted: QueueFilter, *, me: str, model_version: str | None, limit: int, exclude: tuple[str, ...] = ()
    ) -> list[str]:
        """Ids of the next posts to review, best first, without those excluded."""
        where, values = self._conditions(wanted, me, model_version)
        with self.read() as db:
            rows = db.query(
                f"SELECT post.id FROM post {_SCORES} {_VISIT} {where}"
                f" AND post.id NOT IN (SELECT value FROM json_each(:exclude)) ORDER BY {_ORDER[wanted.order]} LIMIT :limit",
                {**values, "limit": limit, "exclude": json.dumps(exclude)},
            )
            return [row["id"] for row in rows]

    def count_queue(self, wanted: QueueFilter, *, me: str, model_version: str | None) -> int:
        """How many posts fit `wanted`."""
        where, values = self._conditions(wanted, me, model_version)
        with self.read() as db:
            return int(db.execute(f"SELECT count(*) FROM post {_SCORES} {_VISIT} {where}", values).fetchone()[0])

    def _conditions(self, wanted: QueueFilter, me: str, model_version: str | None) -> tuple[str, dict[str, Any]]:
        criteria = [c.id for c in self.criteria()]  # type: ignore[attr-defined]
        given = asdict(wanted)
        values: dict[str, Any] = {
            "me": me,
            "model": model_version or "",
            "criteria": json.dumps(criteria),
            "needed": len(criteria),
            **{k: v for k, v in given.items() if k not in ("order", "state", "query")},
        }
        parts = ["1"]
        if wanted.state is ReviewState.REVIEWED:
            parts.append(f"{_DECIDED} >= :needed")
        elif wanted.state is not ReviewState.ANY:
            parts.append(f"{_DECIDED} < :needed")
            parts.append(f"v.skipped_at IS {'NOT ' if wanted.state is ReviewState.SKIPPED else ''}NULL")
        parts += _score_conditions(wanted) + _people_conditions(wanted)
        if wanted.split:
            parts.append("post.split = :split")
        if wanted.source:
            parts.append("post.source = :source")
        if wanted.query.strip():
            parts.append("post.number IN (SELECT rowid FROM post_fts WHERE post_fts MATCH :match)")
            values["match"] = fts_query(wanted.query)
        return "WHERE " + " AND ".join(parts), values

    # --- visits

    def open_post(self, post_id: str, reviewer: str) -> None:
        """Remember where the reviewer is; opening a post again takes it off the skipped ones."""
        with self.write() as db:
            db.conn.execute(
                "INSERT INTO post_visit (reviewer, post_id, opened_at) VALUES (?, ?, ?) ON CONFLICT (reviewer, post_id)"
                " DO UPDATE SET opened_at = excluded.opened_at, skipped_at = NULL",
                [reviewer, post_id, _precise_now()],
            )

    def skip_post(self, post_id: str, reviewer: str) -> None:
        with self.write() as db:
            db.conn.execute(
                "INSERT INTO post_visit (reviewer, post_id, opened_at, skipped_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (reviewer, post_id) DO UPDATE SET skipped_at = excluded.skipped_at",
                [reviewer, post_id, _precise_now(), utc_now()],
            )

    def visited_posts(self, reviewer: str, *, limit: int = 50) -> list[str]:
        """The posts that the reviewer opened, latest first: where to resume, and what 'previous' walks through."""
        with self.read() as db:
            rows = db.query(
                "SELECT post_id FROM post_visit WHERE reviewer = ? AND EXISTS (SELECT 1 FROM post WHERE post.id = post_id)"
                " ORDER BY opened_at DESC LIMIT ?",
                [reviewer, limit],
            )
            return [row["post_id"] for row in rows]

    def assign(self, post_ids: list[str], reviewer: str, *, by: str | None) -> int:
        """Give posts to a reviewer; those they have already are left. Returns how many are new."""
        with self.write() as db:
            cursor = db.conn.execute(
                "INSERT INTO assignment (post_id, reviewer, assigned_by, assigned_at)"
                " SELECT value, ?, ?, ? FROM json_each(?) WHERE true ON CONFLICT DO NOTHING",
                [reviewer, by, utc_now(), json.dumps(post_ids)],
            )
            return cursor.rowcount

    # --- progress

    def verdict_counts(self) -> dict[str, dict[str, int]]:
        """Latest verdicts by criterion id, then by verdict: how many (post, reviewer) answers."""
        with self.read() as db:
            counts: dict[str, dict[str, int]] = {}
            for row in db.query(
                "SELECT criterion_id, verdict, count(*) AS n FROM annotation_head WHERE verdict IS NOT NULL GROUP BY 1, 2"
            ):
                counts.setdefault(row["criterion_id"], {})[row["verdict"]] = row["n"]
            return counts

    def span_origin_counts(self) -> dict[str, dict[str, int]]:
        """By criterion id: how many predicted spans were accepted, adjusted, rejected, and spans added."""
        counts: dict[str, dict[str, int]] = {}
        with self.read() as db:
            latest = "FROM annotation_head h JOIN annotation a ON a.id = h.annotation_id WHERE h.verdict IS NOT NULL"
            for row in db.query(
                f"SELECT h.criterion_id AS c, json_extract(j.value, '$[2]') AS origin, count(*) AS n"
                f" FROM (SELECT h.criterion_id, a.spans {latest}) h, json_each(h.spans) j GROUP BY 1, 2"
            ):
                counts.setdefault(row["c"], {})[row["origin"]] = row["n"]
            for row in db.query(
                f"SELECT h.criterion_id AS c, sum(json_array_length(a.rejected)) AS n {latest} GROUP BY 1"
            ):
                counts.setdefault(row["c"], {})["rejected"] = row["n"]
        return counts

    def progress_counts(self, *, me: str) -> dict[str, int]:
        """posts, reviewed_by_me (all criteria decided), started_by_me, decisions (latest verdicts), reviewers."""
        criteria = [c.id for c in self.criteria()]  # type: ignore[attr-defined]
        values = {"me": me, "criteria": json.dumps(criteria), "needed": len(criteria)}
        mine = (
            "SELECT post_id, count(*) AS n FROM annotation_head WHERE reviewer = :me AND verdict IS NOT NULL"
            " AND criterion_id IN (SELECT value FROM json_each(:criteria)) GROUP BY post_id"
        )
        with self.read() as db:
            row = db.execute(
                f"SELECT (SELECT count(*) FROM post), (SELECT count(*) FROM ({mine}) WHERE n >= :needed),"
                f" (SELECT count(*) FROM ({mine})), (SELECT count(*) FROM annotation_head WHERE verdict IS NOT NULL),"
                " (SELECT count(DISTINCT reviewer) FROM annotation_head)",
                values,
            ).fetchone()
        return dict(zip(("posts", "reviewed_by_me", "started_by_me", "decisions", "reviewers"), row, strict=True))


def fts_query(words: str) -> str:
    """An FTS5 query that finds all the words, whatever signs they hold; a trailing * finds by prefix.

    Raises InvalidRecord when there is nothing to look for.
    """
    terms = []
    for word in words.split():
        star = "*" if word.endswith("*") else ""
        if bare := word.rstrip("*").replace('"', '""'):
            terms.append(f'"{bare}"{star}')
    if not terms:
        raise InvalidRecord("Type at least one word to search for.")
    return " ".join(terms)


def _score_conditions(wanted: QueueFilter) -> list[str]:
    if wanted.min_score is None and wanted.max_score is None:
        return []
    of_criterion = "AND p.criterion_id = :criterion" if wanted.criterion else ""
    low = "AND p.max_score >= :min_score" if wanted.min_score is not None else ""
    high = "AND p.max_score <= :max_score" if wanted.max_score is not None else ""
    return [
        "EXISTS (SELECT 1 FROM prediction p WHERE p.post_id = post.id AND p.model_version = :model"
        f" {of_criterion} {low} {high})"
    ]


def _people_conditions(wanted: QueueFilter) -> list[str]:
    parts = []
    if wanted.verdict or wanted.reviewer:
        verdict = "AND h.verdict = :verdict" if wanted.verdict else "AND h.verdict IS NOT NULL"
        criterion = "AND h.criterion_id = :criterion" if wanted.criterion else ""
        reviewer = "AND h.reviewer = :reviewer" if wanted.reviewer else ""
        parts.append(
            f"EXISTS (SELECT 1 FROM annotation_head h WHERE h.post_id = post.id {verdict} {criterion} {reviewer})"
        )
    elif wanted.criterion and wanted.min_score is None and wanted.max_score is None:
        parts.append(
            "EXISTS (SELECT 1 FROM prediction p WHERE p.post_id = post.id AND p.model_version = :model"
            " AND p.criterion_id = :criterion AND p.max_score > 0)"
        )
    if wanted.assigned_to:
        parts.append("post.id IN (SELECT post_id FROM assignment WHERE reviewer = :assigned_to)")
    return parts


def _item(row: dict[str, Any], criteria: int) -> QueueItem:
    return QueueItem(
        post_id=row["id"],
        excerpt=row["excerpt"],
        split=Split(row["split"]),
        source=row["source"],
        uncertainty=row["uncertainty"],
        evidence=row["evidence"],
        decided=row["decided"],
        criteria=criteria,
        skipped=row["skipped_at"] is not None,
        assigned=tuple((row["assigned"] or "").split("\n")) if row["assigned"] else (),
    )


def _precise_now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
