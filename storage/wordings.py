"""What a person marked and rejected lately, as words, to find the same words elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from storage.connection import Connections
from storage.rows import json_cell

LATELY, LOOKED_AT = 200, 2000
"""Answers of the person with passages that count, and answers of any kind among which they are looked for."""


@dataclass(frozen=True, slots=True)
class Wordings:
    """By criterion id: passages that were marked as evidence, and predicted ones that were rejected, the newest first."""

    marked: dict[str, list[str]]
    rejected: dict[str, list[str]]


class WordingStore(Connections):
    """Questions about the words of a person's answers."""

    def wordings_of(self, reviewer: str) -> Wordings:
        """Of the person's newest answers, LATELY of them."""
        found = Wordings({}, {})
        with self.read() as db:
            rows = db.execute(
                "SELECT a.criterion_id, a.spans, a.rejected, post.text FROM main.annotation a CROSS JOIN main.annotation_head h"
                " ON h.post_id = a.post_id AND h.criterion_id = a.criterion_id AND h.reviewer = a.reviewer AND h.annotation_id = a.id"
                " CROSS JOIN post ON post.id = a.post_id WHERE a.reviewer = ? AND a.verdict IN ('evidence', 'no_evidence')"
                " AND (a.spans <> '[]' OR a.rejected <> '[]') AND a.id > ifnull("
                "(SELECT id FROM main.annotation WHERE reviewer = ? ORDER BY id DESC LIMIT 1 OFFSET ?), -1)"
                " ORDER BY a.id DESC LIMIT ?",
                [reviewer, reviewer, LOOKED_AT, LATELY],
            )
            for criterion_id, spans, rejected, text in rows.fetchall():
                for kept, cell in ((found.marked, spans), (found.rejected, rejected)):
                    if cell != "[]":
                        passages = [text[item[0] : item[1]] for item in json_cell(cell)]
                        kept.setdefault(criterion_id, []).extend(passages)
        return found
