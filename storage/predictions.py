"""Predictions in the store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from storage.connection import PENDING, Connections, Handle
from storage.progress import count_posts
from storage.queue_schema import changed
from storage.records import Prediction, utc_now
from storage.rows import prediction_from_row, spans_json, values_in_index

FORGOTTEN_AT_ONCE = 2000
_FORGET_SOME = (
    "DELETE FROM main.prediction WHERE (post_id, criterion_id, model_version) IN (SELECT post_id, criterion_id, model_version"
    " FROM main.prediction WHERE model_version = ? AND criterion_id = ? LIMIT ?)"
)
_TELL_FORGOTTEN = changed("'forgotten'").removesuffix(";")
_MAY_LACK_AGAIN = (  # new posts come after all others, those of an unfinished import after _LAST
    "SELECT total(number) FROM queue_change WHERE subject IN ('forgotten', 'criteria')"
    " OR subject BETWEEN 'reopened ' AND 'reopened!'"
)
_LAST = (
    "SELECT ifnull(min((SELECT min(number) - 1 FROM main.post WHERE import_id = hidden.id)), (SELECT max(number) FROM main.post))"
    f" FROM ({PENDING}) hidden"
)
_CHOSEN = "criterion_id IN (SELECT value FROM json_each(:criteria))"
_LACKS = (  # without the + a look-up for each criterion, which takes twice as long
    "(SELECT count(*) FROM prediction p WHERE p.post_id = post.id AND +p.model_version = :model"
    f" AND +p.{_CHOSEN}) < :needed"
)
_READ_IN_ALL = f"SELECT count(*) FROM prediction WHERE model_version = :model AND {_CHOSEN}"


class PredictionStore(Connections):
    """Questions and events about predictions."""

    def __init__(self, path: Path) -> None:
        self._read_up_to: dict[tuple[str, tuple[str, ...], bool], tuple[float, int]] = {}
        super().__init__(path)

    def add_predictions(self, predictions: Iterable[Prediction]) -> int:
        """Store predictions, replacing those of the same (post, criterion, model). Returns how many."""
        count, touched = 0, set()
        with self.write() as db:
            for p in predictions:
                db.conn.execute(
                    "INSERT OR REPLACE INTO main.prediction (post_id, criterion_id, model_version, spans, no_evidence_score,"
                    " max_score, known, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        p.post_id,
                        p.criterion_id,
                        p.model_version,
                        spans_json(p.spans),
                        p.no_evidence_score,
                        p.max_score,
                        p.known,
                        p.created_at or utc_now(),
                    ],
                )
                count += 1
                touched.add((p.post_id, p.model_version))
            for post_id, model_version in sorted(touched):
                db.conn.execute(
                    "INSERT INTO post_score (post_id, model_version, uncertainty, evidence)"
                    " SELECT post_id, model_version, max(CASE WHEN known THEN 1 - abs(2 * no_evidence_score - 1) ELSE 0 END),"
                    " max(max_score) FROM main.prediction WHERE post_id = :post AND model_version = :model GROUP BY 1, 2"
                    " ON CONFLICT (post_id, model_version)"
                    " DO UPDATE SET uncertainty = excluded.uncertainty, evidence = excluded.evidence",
                    {"post": post_id, "model": model_version},
                )
        return count

    def posts_read_by(self, model_version: str, *, after: str, limit: int) -> list[str]:
        """Ids of posts without any verdict that the model has read, in order of id, from the one after `after` on."""
        with self.read() as db:
            rows = db.execute(
                "SELECT p.post_id FROM post_score p WHERE p.model_version = ? AND p.post_id > ? AND NOT EXISTS (SELECT 1"
                " FROM main.annotation_head h WHERE h.post_id = p.post_id AND h.verdict IS NOT NULL) ORDER BY p.post_id LIMIT ?",
                [model_version, after, limit],
            )
            return [row[0] for row in rows]

    def set_post_scores(self, model_version: str, predictions: Iterable[Prediction]) -> None:
        """Give the posts their place in the queue of that version by these predictions, which are not stored themselves."""
        by_post: dict[str, list[Prediction]] = {}
        for p in predictions:
            by_post.setdefault(p.post_id, []).append(p)
        with self.write() as db:
            for post_id, some in by_post.items():
                db.conn.execute(
                    "UPDATE post_score SET uncertainty = ?, evidence = ? WHERE post_id = ? AND model_version = ?",
                    [max(p.uncertainty for p in some), max(p.max_score for p in some), post_id, model_version],
                )

    def predictions(self, post_id: str, model_version: str) -> dict[str, Prediction]:
        """The model's predictions for the post by criterion id; empty if it has not read the post yet."""
        with self.read() as db:
            rows = db.query(
                "SELECT * FROM prediction WHERE post_id = (SELECT id FROM post WHERE id = ?) AND model_version = ?",
                [post_id, model_version],
            )
            return {row["criterion_id"]: prediction_from_row(row) for row in rows}

    def forget_predictions(self, criterion_ids: Sequence[str]) -> int:
        """Remove every model's predictions for these criteria, as after a change of their wording. Returns how many.

        In short transactions, so that no save waits for a million rows: called again, it removes what is left.
        """
        removed = 0
        for model_version in self._predicting_models():
            for criterion_id in criterion_ids:
                values, gone = [model_version, criterion_id, FORGOTTEN_AT_ONCE], FORGOTTEN_AT_ONCE
                while gone == FORGOTTEN_AT_ONCE:
                    with self.write() as db:
                        gone = db.conn.execute(_FORGET_SOME, values).rowcount
                        db.conn.execute(_TELL_FORGOTTEN)
                    removed += gone
        return removed

    def _predicting_models(self) -> list[str]:
        """Whatever a prediction stands under."""
        with self.read() as db:
            return values_in_index(db, "main.prediction", "model_version")

    def forget_model_predictions(self, model_version: str) -> int:
        """Remove everything that the model version has predicted, as when it is deleted. Returns how many."""
        with self.write() as db:
            db.conn.execute("DELETE FROM post_score WHERE model_version = ?", [model_version])
            return db.conn.execute("DELETE FROM main.prediction WHERE model_version = ?", [model_version]).rowcount

    def posts_without_prediction(
        self, model_version: str, criterion_ids: Sequence[str], *, limit: int, only_unreviewed: bool = False
    ) -> list[str]:
        """Ids of posts that lack this model's prediction for at least one of the criteria, oldest import first.

        The posts before the first of them are passed over the next time, unless some of them may lack one again.
        """
        lacks = _LACKS
        if only_unreviewed:
            lacks += (
                " AND NOT EXISTS (SELECT 1 FROM annotation_head h WHERE h.post_id = post.id AND h.verdict IS NOT NULL)"
            )
        values = {
            "model": model_version,
            "criteria": json.dumps(list(criterion_ids)),
            "needed": len(criterion_ids),
            "limit": limit,
        }
        key = (model_version, tuple(criterion_ids), only_unreviewed)
        with self.read() as db:
            changes = db.execute(_MAY_LACK_AGAIN).fetchone()[0]
            before, after = self._read_up_to.get(key, (changes, -1))
            if before != changes:
                after = -1
            last = db.execute(_LAST).fetchone()[0] or 0
            if after < 0 and not db.hides_pending and _lacks_none(db, values):
                after = last
            rows = db.execute(
                f"SELECT id, number FROM post WHERE number > :after AND {lacks} ORDER BY number LIMIT :limit",
                {**values, "after": after},
            ).fetchall()
        self._read_up_to[key] = (changes, min(rows[0][1] - 1, last) if rows else last)
        return [row[0] for row in rows]


def _lacks_none(db: Handle, values: dict[str, Any]) -> bool:
    """Whether the model has read all posts for all of the criteria: told by an index, without looking at each post."""
    predictions = db.execute(_READ_IN_ALL, values).fetchone()[0]
    return bool(predictions == values["needed"] * count_posts(db))
