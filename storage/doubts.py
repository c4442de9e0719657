"""Answers that the model doubts: what is to be looked at again, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from storage.connection import Connections
from storage.heads import OUT_OF_USE
from storage.queue_schema import changed
from storage.records import NotFound, Span, utc_now
from storage.visibility import VISIBLE_HEAD


class SecondLook(StrEnum):
    """What a person made of a doubted answer. Changed answers need no mark: the new answer is not the doubted one."""

    KEPT = "kept"
    HANDED_OVER = "handed_over"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A passage whose answer is doubted. annotation_id: the answer. doubt: chance of the other answer, in [0, 1]."""

    post_id: str
    criterion_id: str
    annotation_id: int
    passage: Span
    is_evidence: bool
    doubt: float


class DoubtStore(Connections):
    """Questions and events about doubted answers."""

    def replace_doubts(self, criterion_id: str, doubts: Sequence[Doubt]) -> None:
        """Put these in the place of the criterion's; an answer that was looked at again, or is no longer the latest, is not doubted."""
        with self.write() as db:
            db.conn.execute("DELETE FROM doubt WHERE criterion_id = ?", [criterion_id])
            db.conn.executemany(
                "INSERT OR IGNORE INTO doubt (post_id, criterion_id, annotation_id, start, end, is_evidence, doubt)"
                " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM second_look WHERE annotation_id = ?3)"
                " AND EXISTS (SELECT 1 FROM main.annotation_head h WHERE h.post_id = ?1 AND h.criterion_id = ?2"
                " AND h.annotation_id = ?3)",
                [
                    [d.post_id, d.criterion_id, d.annotation_id, d.passage.start, d.passage.end, d.is_evidence, d.doubt]
                    for d in doubts
                ],
            )
            db.conn.execute(changed("'predictions'").removesuffix(";"))

    def doubts_of(self, post_id: str, me: str) -> list[Doubt]:
        """The doubted answers of a post that `me` may see, in text order."""
        with self.read() as db:
            rows = db.query(
                "SELECT x.* FROM doubt x CROSS JOIN main.annotation_head h ON h.post_id = x.post_id AND h.criterion_id = x.criterion_id"
                f" AND h.annotation_id = x.annotation_id WHERE x.post_id = :post AND {VISIBLE_HEAD.format(h='h')}"
                " ORDER BY x.criterion_id, x.start",
                {"post": post_id, "me": me},
            )
            return [
                Doubt(
                    row["post_id"],
                    row["criterion_id"],
                    row["annotation_id"],
                    Span(row["start"], row["end"]),
                    bool(row["is_evidence"]),
                    row["doubt"],
                )
                for row in rows
            ]

    def look_again(self, annotation_id: int, look: SecondLook, *, by: str) -> None:
        """Settle what is doubted of an answer. Raises NotFound if nothing is."""
        with self.write() as db:
            gone = db.conn.execute("DELETE FROM doubt WHERE annotation_id = ?", [annotation_id]).rowcount
            if not gone:
                raise NotFound("That answer is no longer doubted: it was changed or looked at again meanwhile.")
            db.conn.execute(
                "INSERT OR REPLACE INTO second_look (annotation_id, look, reviewer, looked_at) VALUES (?, ?, ?, ?)",
                [annotation_id, str(look), by, utc_now()],
            )

    def handed_over(self, criterion_id: str | None = None, *, decided: bool = False) -> list[tuple[str, str]]:
        """(post id, criterion id) of the answers that somebody asked an adjudicator about and that were not (or were) decided since,
        oldest first.

        Without those about which several people disagree, or did: they are among the disagreements. What is asked about a criterion
        that was taken out of use is told where that criterion is asked for.
        """
        with self.read() as db:
            rows = db.execute(
                "SELECT DISTINCT h.post_id, h.criterion_id FROM second_look l CROSS JOIN main.annotation a ON a.id = l.annotation_id"
                " CROSS JOIN main.annotation_head h ON h.post_id = a.post_id AND h.criterion_id = a.criterion_id"
                " AND h.annotation_id = a.id WHERE l.look = 'handed_over' AND iif(:criterion IS NULL, :decided OR h.criterion_id NOT IN"
                f" ({OUT_OF_USE}), h.criterion_id = :criterion)"
                " AND :decided = (SELECT count(*) > 0 FROM adjudication d WHERE d.post_id = h.post_id AND d.criterion_id = h.criterion_id"
                " AND d.created_at >= l.looked_at) AND NOT EXISTS (SELECT 1 FROM standing s WHERE s.post_id = h.post_id"
                " AND s.criterion_id = h.criterion_id AND s.state <> 'agreed') ORDER BY l.looked_at, l.annotation_id",
                {"criterion": criterion_id, "decided": decided},
            )
            return [(row[0], row[1]) for row in rows]
