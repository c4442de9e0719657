"""Evidence from imports whose place in its post a person has to confirm."""

from __future__ import annotations

from typing import Any

from storage.connection import Connections
from storage.records import AnnotatedSpan, Span, utc_now
from storage.rows import json_cell, ranges_to_list, to_json

# the post may be of another import, which is just being removed
_WAITING = "FROM alignment WHERE decided_at IS NULL AND EXISTS (SELECT 1 FROM post WHERE post.id = alignment.post_id)"


class AlignmentStore(Connections):
    """Questions and events about uncertain evidence."""

    def waiting_alignments(self, *, limit: int = 50) -> list[dict[str, Any]]:
        """Evidence whose place is to be confirmed, oldest first, each with its `candidates` decoded."""
        with self.read() as db:
            rows = db.query(f"SELECT * {_WAITING} ORDER BY id LIMIT ?", [limit])
            return [{**row, "candidates": json_cell(row["candidates"])} for row in rows]

    def count_waiting_alignments(self) -> int:
        with self.read() as db:
            return int(db.execute(f"SELECT count(*) {_WAITING}").fetchone()[0])

    def decide_alignment(self, alignment_id: int, chosen: Span | AnnotatedSpan | None, *, by: str | None) -> bool:
        """Note the decision; None: none of the places is right. Returns False if it was decided before."""
        with self.write() as db:
            cursor = db.conn.execute(
                "UPDATE main.alignment SET decided_at = ?, decided_by = ?, chosen = ? WHERE id = ? AND decided_at IS NULL",
                [utc_now(), by, None if chosen is None else to_json(ranges_to_list([chosen])[0]), alignment_id],
            )
            return cursor.rowcount == 1
