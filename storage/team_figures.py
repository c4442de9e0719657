"""What the lead's page and the agreement are worked out from, in one pass each; and the last report, kept with what it rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from storage.connection import Connections
from storage.heads import IN_USE
from storage.label_rows import IS_LABEL
from storage.records import utc_now
from storage.rows import json_cell, to_json
from storage.visibility import OF_ROUND

_BASIS = (
    "(SELECT ifnull(max(id), 0) FROM annotation)",
    "(SELECT count(*) FROM annotation_head)",
    "(SELECT ifnull(max(id), 0) FROM adjudication)",
    "(SELECT total(revision) FROM round)",
    "(SELECT count(*) FROM assignment)",
    "(SELECT count(*) FROM criterion)",
    "(SELECT count(*) FROM criterion WHERE active)",
    "(SELECT value FROM setting WHERE key = 'gold_rule')",
    "(SELECT value FROM setting WHERE key = 'attributes')",
)


class Decision(NamedTuple):
    """Somebody's latest answer, without its spans. hidden: 1 if it was given without the model's suggestions, 0 with them, None where
    that is not known (an import's, say).
    """

    post_id: str
    criterion_id: str
    reviewer: str
    verdict: str
    criterion_version: int
    seconds: float | None
    bulk: int
    created_at: str
    hidden: int | None


class Given(NamedTuple):
    """How far a person is with the posts of a round that they were given; round_id is None for those outside of any."""

    round_id: int | None
    reviewer: str
    assigned: int
    done: int


class Judged(NamedTuple):
    """A person's answer beside what the answers of several people came to: `gold` is the verdict, `state` a Standing; hidden as above."""

    reviewer: str
    criterion_id: str
    verdict: str
    gold: str
    state: str
    hidden: int | None


@dataclass(frozen=True, slots=True)
class Corpus:
    """The posts in numbers. characters: mean length. shared_authors: authors with posts in more than one split."""

    posts: int
    authors: int
    without_author: int
    characters: int
    sources: tuple[tuple[str | None, int], ...]
    splits: Mapping[str, int]
    shared_authors: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A report as it was worked out. basis: what it rests on, see `report_basis`. seconds: how long it took."""

    basis: str
    value: Any
    made_at: str
    seconds: float


class TeamFigureStore(Connections):
    """Questions about how a team works."""

    def report_basis(self) -> str:
        """A text that is another one as soon as an answer, adjudication, round, assignment, wording or the gold rule is."""
        with self.read() as db:
            return to_json(list(db.execute(f"SELECT {', '.join(_BASIS)}").fetchone()))

    def latest_decisions(self, *, round_id: int | None = None) -> list[Decision]:
        """Every person's latest verdicts; of who reads in a round, on its posts, or of all."""
        with self.read() as db:
            rows = db.execute(
                "SELECT h.post_id, h.criterion_id, h.reviewer, h.verdict, a.criterion_version, a.seconds, a.bulk, a.created_at,"
                f" {_HIDDEN} FROM annotation_head h CROSS JOIN main.annotation a ON a.id = h.annotation_id WHERE h.verdict IS NOT NULL"
                f" AND {_IN_ROUND}",
                {"round": round_id},
            )
            return [Decision(*row) for row in rows]

    def given(self, *, round_id: int | None = None) -> list[Given]:
        """Posts given and done by round and person; done: a verdict for every criterion in use."""
        with self.read() as db:
            needed = db.execute(f"SELECT count(*) FROM criterion WHERE {IN_USE}").fetchone()[0]
            rows = db.execute(
                "SELECT g.round_id, g.reviewer, count(*), total(ifnull(r.decided, 0) >= :needed) FROM assignment g"
                " LEFT JOIN post_review r ON r.reviewer = g.reviewer AND r.post_id = g.post_id"
                " WHERE (:round IS NULL OR g.round_id = :round) GROUP BY 1, 2",
                {"round": round_id, "needed": needed},
            )
            return [Given(row[0], row[1], row[2], int(row[3])) for row in rows]

    def judged(self, *, round_id: int | None = None) -> list[Judged]:
        """Every latest answer to what several people answered and that has gold; `refresh_standing` has to come before."""
        with self.read() as db:
            rows = db.execute(
                "SELECT h.reviewer, h.criterion_id, h.verdict, CASE s.state WHEN 'agreed' THEN h.verdict ELSE d.outcome END, s.state,"
                f" {_HIDDEN} FROM standing s CROSS JOIN annotation_head h ON h.post_id = s.post_id AND h.criterion_id = s.criterion_id"
                " CROSS JOIN main.annotation a ON a.id = h.annotation_id"
                " LEFT JOIN adjudication d ON d.id = s.adjudication_id WHERE h.verdict IS NOT NULL"
                " AND (s.state = 'adjudicated' OR (s.state = 'agreed' AND h.verdict <> 'unsure'))"
                f" AND {_IN_ROUND}",
                {"round": round_id},
            )
            return [Judged(*row) for row in rows]

    def older_wordings(
        self, *, reviewer: str | None = None, criterion_id: str | None = None, limit: int = 100
    ) -> list[tuple[str, str, str, int]]:
        """(post id, criterion id, person, version that was shown) of decisions under a wording that is no longer current."""
        with self.read() as db:
            rows = db.execute(
                "SELECT h.post_id, h.criterion_id, h.reviewer, a.criterion_version FROM annotation_head h CROSS JOIN main.annotation a"
                f" ON a.id = h.annotation_id WHERE h.verdict IS NOT NULL AND a.criterion_version < ({_CURRENT})"
                " AND (:reviewer IS NULL OR h.reviewer = :reviewer) AND (:criterion IS NULL OR h.criterion_id = :criterion)"
                " ORDER BY h.criterion_id, h.reviewer, h.post_id LIMIT :limit",
                {"reviewer": reviewer, "criterion": criterion_id, "limit": limit},
            )
            return [tuple(row) for row in rows]

    def rounds_of_posts(self, post_ids: Sequence[str]) -> dict[int, list[str]]:
        """By round, which of these posts are in it."""
        found: dict[int, list[str]] = {}
        with self.read() as db:
            for round_id, post_id in db.execute(
                "SELECT r.round_id, r.post_id FROM json_each(?) g CROSS JOIN round_post r ON r.post_id = g.value",
                [json.dumps(list(post_ids))],
            ):
                found.setdefault(round_id, []).append(post_id)
        return found

    def answers_beside_rounds(self) -> dict[int, set[tuple[str, str]]]:
        """By round, (post id, reviewer) of who has answered one of its posts without reading in it, see `OF_ROUND`."""
        found: dict[int, set[tuple[str, str]]] = {}
        with self.read() as db:
            for round_id, post_id, reviewer in db.execute(
                "SELECT p.round_id, h.post_id, h.reviewer FROM (SELECT DISTINCT post_id, reviewer FROM annotation_head) h"
                f" CROSS JOIN round_post p ON p.post_id = h.post_id WHERE NOT {OF_ROUND.format(round='p.round_id')}"
            ):
                found.setdefault(round_id, set()).add((post_id, reviewer))
        return found

    def count_changed_late(self, *, round_id: int | None = None) -> int:
        """How many latest answers differ from what the same person had said when a blind round with the post was closed, or when the
        answer was adjudicated: from then on others' answers could be seen. Of a round, or of all.
        """
        with self.read() as db:
            row = db.execute(
                "SELECT count(*) FROM annotation_head h CROSS JOIN main.annotation a ON a.id = h.annotation_id WHERE h.verdict IS NOT NULL"
                f" AND a.revision > 1 AND {_IN_ROUND} AND EXISTS (SELECT 1 FROM main.annotation b WHERE b.post_id = h.post_id"
                " AND b.criterion_id = h.criterion_id AND b.reviewer = h.reviewer AND b.verdict IS NOT NULL AND b.revision < a.revision"
                f" AND (b.verdict <> a.verdict OR b.spans <> a.spans) AND EXISTS ({_SHOWN}))",
                {"round": round_id},
            ).fetchone()
            return int(row[0])

    def corpus(self) -> Corpus:
        with self.read() as db:
            posts, authors, alone, length = db.execute(
                "SELECT count(*), count(DISTINCT author), total(author IS NULL), total(length(text)) FROM post"
            ).fetchone()
            sources = db.execute("SELECT source, count(*) FROM post GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
            splits = dict(db.execute("SELECT split, count(*) FROM post GROUP BY 1").fetchall())
            shared = db.execute(
                "SELECT count(*) FROM (SELECT 1 FROM post WHERE author IS NOT NULL GROUP BY author HAVING count(DISTINCT split) > 1)"
            ).fetchone()[0]
        return Corpus(posts, authors, int(alone), round(length / posts) if posts else 0, tuple(sources), splits, shared)

    def hashes_of_texts(self) -> dict[str, str]:
        """The SHA-256 of each post's text, by its id."""
        with self.read() as db:
            return dict(db.execute("SELECT id, text_sha256 FROM post").fetchall())

    def decisions_by_model(self) -> dict[str | None, int]:
        """How many latest verdicts were given on which model version's suggestions; None: on none."""
        with self.read() as db:
            rows = db.execute(
                "SELECT a.model_version, count(*) FROM annotation_head h CROSS JOIN main.annotation a ON a.id = h.annotation_id"
                " WHERE h.verdict IS NOT NULL GROUP BY 1"
            )
            return dict(rows.fetchall())

    def count_gold_states(self) -> dict[str, int]:
        """Pairs of post and criterion with a verdict, by how they stand; `refresh_standing` has to come before."""
        with self.read() as db:
            single = db.execute(
                "SELECT count(*) FROM (SELECT 1 FROM annotation_head WHERE verdict IS NOT NULL GROUP BY post_id, criterion_id"
                " HAVING count(*) = 1)"
            ).fetchone()[0]
            rows = db.execute(
                f"SELECT state, count(*) FROM standing WHERE NOT {IS_LABEL.format(row='')} GROUP BY 1 ORDER BY 1"
            )
            return {"decided by one person": single, **dict(rows.fetchall())}

    def keep_report(self, name: str, kept: Kept) -> None:
        """Keep a report in place of the one of that name."""
        with self.write(durable=False) as db:
            db.conn.execute(
                "INSERT OR REPLACE INTO team_report VALUES (?, ?, ?, ?, ?)",
                [name, kept.basis, to_json(kept.value), kept.made_at or utc_now(), kept.seconds],
            )

    def kept_report(self, name: str) -> Kept | None:
        with self.read() as db:
            for row in db.query("SELECT basis, value, made_at, seconds FROM team_report WHERE name = ?", [name]):
                return Kept(row["basis"], json_cell(row["value"]), row["made_at"], row["seconds"])
        return None


_IN_ROUND = f"(:round IS NULL OR {OF_ROUND.format(round=':round')})"
_HIDDEN = (
    "CASE WHEN a.suggested IS NULL THEN (SELECT g.hide_suggestions FROM assignment g WHERE g.post_id = h.post_id"
    " AND g.reviewer = h.reviewer) ELSE 1 - a.suggested END"
)
_SHOWN = (  # a moment between the two answers from which on the others' could be seen
    "SELECT 1 FROM adjudication d WHERE d.post_id = h.post_id AND d.criterion_id = h.criterion_id AND d.created_at >= b.created_at"
    " AND d.created_at <= a.created_at UNION ALL SELECT 1 FROM round_post p CROSS JOIN round ON round.id = p.round_id AND round.blind"
    " CROSS JOIN round_event e ON e.round_id = p.round_id AND e.what = 'closed' WHERE p.post_id = h.post_id"
    " AND e.at >= b.created_at AND e.at <= a.created_at"
)
_CURRENT = (
    "SELECT CASE WHEN c.active THEN c.version ELSE 0 END FROM criterion c WHERE c.id = h.criterion_id"
    " ORDER BY c.version DESC LIMIT 1"
)
