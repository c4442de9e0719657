"""Answers given with and without the model's marks on the page, to see what these do to people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from storage.connection import Connections
from storage.records import Span, Verdict
from storage.rows import json_cell

MOST_ANSWERS = 5000


@dataclass(frozen=True, slots=True)
class ArmAnswer:
    """A person's latest answer to (post, criterion). suggested: the model's marks were shown. others: what others marked for it."""

    post_id: str
    criterion_id: str
    suggested: bool
    verdict: Verdict
    spans: tuple[Span, ...]
    seconds: float | None
    others: tuple[Span, ...]


class ArmStore(Connections):
    """Questions about suggestions as an experiment."""

    def arm_answers(self, *, of: str | None = None) -> list[ArmAnswer]:
        """The newest answers of both arms, MOST_ANSWERS of each; none while nothing was answered without suggestions.

        of: that person's alone, without what others marked.
        """
        with self.read() as db:
            first = db.execute("SELECT min(id) FROM main.annotation WHERE suggested = 0").fetchone()[0]
        if first is None:
            return []
        return [*self._answers(True, first, of), *self._answers(False, first, of)]

    def _answers(self, suggested: bool, first: int, of: str | None) -> Iterator[ArmAnswer]:
        with self.read() as db:
            rows = db.query(
                "SELECT a.post_id, a.criterion_id, a.reviewer, a.verdict, a.spans, a.seconds FROM main.annotation a"
                " CROSS JOIN main.annotation_head h ON h.post_id = a.post_id AND h.criterion_id = a.criterion_id"
                f" AND h.reviewer = a.reviewer AND h.annotation_id = a.id WHERE a.id >= :first AND a.suggested = {suggested:d}"
                " AND a.verdict IN ('evidence', 'no_evidence') AND (:of IS NULL OR a.reviewer = :of) ORDER BY a.id DESC LIMIT :most",
                {"first": first, "of": of, "most": MOST_ANSWERS},
            )
            for row in list(rows):
                others = () if of else self._others(row["post_id"], row["criterion_id"], row["reviewer"])
                yield ArmAnswer(
                    row["post_id"],
                    row["criterion_id"],
                    suggested,
                    Verdict(row["verdict"]),
                    _ranges(row["spans"]),
                    row["seconds"],
                    tuple(others),
                )

    def _others(self, post_id: str, criterion_id: str, reviewer: str) -> list[Span]:
        with self.read() as db:
            rows = db.execute(
                "SELECT a.spans FROM main.annotation_head h CROSS JOIN main.annotation a ON a.id = h.annotation_id"
                " WHERE h.post_id = ? AND h.criterion_id = ? AND h.reviewer <> ? AND h.verdict = 'evidence'",
                [post_id, criterion_id, reviewer],
            )
            return [span for (cell,) in rows.fetchall() for span in _ranges(cell)]


def _ranges(cell: str) -> tuple[Span, ...]:
    return tuple(Span(item[0], item[1]) for item in json_cell(cell))
