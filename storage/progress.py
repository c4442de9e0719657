"""How far the reviewing is, from counts that are kept as answers come in: no question reads the answers themselves."""

from __future__ import annotations

from storage.connection import PENDING, Connections, Handle
from storage.heads import IN_USE
from storage.queue_plan import ReviewState

_SEEN = f"import_id NOT IN ({PENDING})"
_CRITERIA = f"SELECT count(*) FROM criterion WHERE {IN_USE}"
_ORIGINS = ("accepted", "adjusted", "added", "rejected")


class ProgressStore(Connections):
    """Questions about how much is decided, and how."""

    def verdict_counts(self, *, of: str | None = None) -> dict[str, dict[str, int]]:
        """Latest verdicts by criterion id, then by verdict: how many (post, reviewer) answers; of: only this person's."""
        counts: dict[str, dict[str, int]] = {}
        with self.read() as db:
            for criterion, verdict, answers in db.execute(
                f"SELECT criterion_id, verdict, sum(answers) AS n FROM verdict_count WHERE {_SEEN}"
                " AND (:of IS NULL OR reviewer = :of) GROUP BY 1, 2 HAVING n > 0",
                {"of": of},
            ):
                counts.setdefault(criterion, {})[verdict] = answers
        return counts

    def bulk_counts(self, *, of: str | None = None) -> dict[str, int]:
        """By criterion id: how many of the latest answers were confirmed together with others by one gesture; of: by this person."""
        with self.read() as db:
            rows = db.query(
                "SELECT h.criterion_id AS c, count(*) AS n FROM annotation_head h JOIN annotation a ON a.id = h.annotation_id"
                " WHERE h.verdict IS NOT NULL AND a.bulk AND (:of IS NULL OR h.reviewer = :of) GROUP BY 1",
                {"of": of},
            )
            return {row["c"]: row["n"] for row in rows}

    def span_origin_counts(self, *, of: str | None = None) -> dict[str, dict[str, int]]:
        """By criterion id: how many predicted spans were accepted, adjusted, rejected, and spans added; of: by this person."""
        sums = ", ".join(f"sum({name})" for name in _ORIGINS)
        with self.read() as db:
            rows = db.execute(
                f"SELECT criterion_id, {sums} FROM verdict_count WHERE {_SEEN} AND (:of IS NULL OR reviewer = :of) GROUP BY 1",
                {"of": of},
            )
            return {criterion: dict(zip(_ORIGINS, found, strict=True)) for criterion, *found in rows}

    def progress_counts(self, *, me: str) -> dict[str, int]:
        """posts, reviewed_by_me (all criteria decided), started_by_me, decisions (latest verdicts), reviewers."""
        with self.read() as db:
            decisions, reviewers = db.execute(
                f"SELECT total(answers), count(DISTINCT reviewer) FROM verdict_count WHERE answers > 0 AND {_SEEN}"
            ).fetchone()
            return {
                "posts": count_posts(db),
                "reviewed_by_me": self.count_reviewed(me),
                "started_by_me": _count_reviewed(db, me, 1),
                "decisions": int(decisions),
                "reviewers": reviewers,
            }

    def count_reviewed(self, me: str) -> int:
        """On how many posts the reviewer has decided all criteria."""
        with self.read() as db:
            needed = count_criteria(db)
            return _count_reviewed(db, me, needed) if needed else 0

    def count_posts(self) -> int:
        with self.read() as db:
            return count_posts(db)

    def count_predicted_posts(self, model_version: str) -> int:
        """How many posts the model has read."""
        with self.read() as db:
            return _count_predicted(db, model_version)


def count_plainly(db: Handle, state: ReviewState, *, me: str, criteria: int) -> int:
    """How many posts are in that state for the reviewer, while no import is unfinished."""
    if state is ReviewState.ANY:
        return count_posts(db)
    if criteria == 0:
        return count_posts(db) if state is ReviewState.REVIEWED else 0
    if state is ReviewState.REVIEWED:
        return _count_reviewed(db, me, criteria)
    skipped = db.execute(
        "SELECT count(*) FROM post_visit v INDEXED BY post_visit_skipped WHERE v.reviewer = :me AND v.skipped_at IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM post_review r WHERE r.reviewer = :me AND r.post_id = v.post_id AND r.decided >= :needed)",
        {"me": me, "needed": criteria},
    ).fetchone()[0]
    if state is ReviewState.SKIPPED:
        return int(skipped)
    return count_posts(db) - _count_reviewed(db, me, criteria) - int(skipped)


def posts_not_read(db: Handle, model_version: str) -> bool:
    """Whether there are posts that the model has not read."""
    return _count_predicted(db, model_version) < count_posts(db)


def count_posts(db: Handle) -> int:
    """How many posts there are to see."""
    return int(db.once(f"SELECT total(posts) FROM post_count WHERE {_SEEN}")[0])


def count_criteria(db: Handle) -> int:
    """How many criteria are in use."""
    return int(db.once(_CRITERIA)[0])


def _count_predicted(db: Handle, model_version: str) -> int:
    return int(
        db.execute(
            f"SELECT total(posts) FROM predicted_posts WHERE model_version = ? AND {_SEEN}", [model_version]
        ).fetchone()[0]
    )


def _count_reviewed(db: Handle, me: str, decided: int) -> int:
    """On how many posts the reviewer has decided at least so many criteria."""
    counted = (
        "SELECT count(*) FROM post_review r INDEXED BY post_review_decided WHERE r.reviewer = ? AND r.decided >= ?"
    )
    if db.hides_pending:
        counted += f" AND NOT EXISTS (SELECT 1 FROM main.post p WHERE p.id = r.post_id AND p.import_id IN ({PENDING}))"
    return int(db.once(counted, me, decided)[0])
