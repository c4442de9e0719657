"""Passages of adjudicated posts that show what a criterion means. They illustrate its wording and are no part of it: nobody's answer is
older because one was added.
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.connection import Connections
from storage.records import NotFound, utc_now
from storage.visibility import VISIBLE_HEAD

_STANDS = (
    "(SELECT d.outcome FROM adjudication d WHERE d.post_id = e.post_id AND d.criterion_id = e.criterion_id"
    " ORDER BY d.revision DESC LIMIT 1) = CASE WHEN e.evidence THEN 'evidence' ELSE 'no_evidence' END"
)


@dataclass(frozen=True, slots=True)
class PostExample:
    """A passage `[start, end)` of a post. evidence: whether it is evidence for the criterion, or resembles it and is none."""

    criterion_id: str
    post_id: str
    start: int
    end: int
    evidence: bool
    words: str = ""
    added_by: str = ""


class CriterionExampleStore(Connections):
    """Questions and events about examples that were taken from posts."""

    def add_example(self, example: PostExample, *, by: str) -> None:
        """Keep the passage as an example; once more changes only whether it is evidence. Raises NotFound if the post is not there."""
        with self.write() as db:
            if not any(db.query("SELECT 1 FROM post WHERE id = ?", [example.post_id])):
                raise NotFound(f"There is no post {example.post_id!r}.")
            db.conn.execute(
                "INSERT INTO criterion_example (criterion_id, post_id, start, end, evidence, added_by, added_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET evidence = excluded.evidence",
                [example.criterion_id, example.post_id, example.start, example.end, example.evidence, by, utc_now()],
            )

    def remove_example(self, example: PostExample) -> None:
        """Raises NotFound if it is no example (any more)."""
        with self.write() as db:
            gone = db.conn.execute(
                "DELETE FROM criterion_example WHERE criterion_id = ? AND post_id = ? AND start = ? AND end = ?",
                [example.criterion_id, example.post_id, example.start, example.end],
            ).rowcount
        if not gone:
            raise NotFound("That passage is no example any more.")

    def examples(self, me: str | None) -> list[PostExample]:
        """The examples that `me` may see, as what was decided about the same (see VISIBLE_HEAD), in the order in which they were added;
        all of them for None. Those whose decision was changed or re-opened since are none until it is so again.
        """
        seen = f" AND {VISIBLE_HEAD.format(h='e')}" if me is not None else ""
        with self.read() as db:
            rows = db.query(
                "SELECT e.*, substr(post.text, e.start + 1, e.end - e.start) AS words FROM "
                "(SELECT x.*, '' AS reviewer FROM criterion_example x) e"
                f" JOIN post ON post.id = e.post_id WHERE {_STANDS}{seen}"
                " ORDER BY e.added_at, e.post_id, e.start",
                {"me": me},
            )
            return [
                PostExample(
                    row["criterion_id"],
                    row["post_id"],
                    row["start"],
                    row["end"],
                    bool(row["evidence"]),
                    row["words"],
                    row["added_by"],
                )
                for row in rows
            ]
