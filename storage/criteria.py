"""Criteria in the store: every wording that each has had."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from storage.connection import Connections
from storage.heads import RECOUNT_REVIEWS
from storage.records import Criterion, utc_now
from storage.rows import criterion_from_row, to_json

CURRENT_CRITERIA = """
SELECT * FROM criterion c
WHERE version = (SELECT max(version) FROM criterion WHERE id = c.id) AND (active OR :with_inactive)
ORDER BY position, id
"""
_CHANGES = "SELECT number FROM queue_change WHERE subject = 'criteria'"
"""Counted by triggers, so that it tells of whatever any program does to criteria."""


class Wording(NamedTuple):
    """That a criterion got a wording, and when."""

    id: str
    version: int
    created_at: str


class CriterionStore(Connections):
    """Questions and events about criteria."""

    def __init__(self, path: Path) -> None:
        self._criteria: dict[bool, tuple[object, tuple[Criterion, ...]]] = {}
        super().__init__(path)

    def criteria(self, *, with_inactive: bool = False) -> list[Criterion]:
        """The current wording of each criterion, in page order. Kept until one changes: they are asked for with every post."""
        with self.read() as db:
            changes = db.once(_CHANGES)
            kept = self._criteria.get(with_inactive)
            if kept is not None and kept[0] == changes and db.asked is not None:
                return list(kept[1])
            rows = db.query(CURRENT_CRITERIA, {"with_inactive": with_inactive})
            found = [criterion_from_row(row) for row in rows]
            if (
                db.asked is not None
            ):  # what a transaction writes may be taken back, and its number given to something else
                self._criteria[with_inactive] = changes, tuple(found)
            return found

    def criterion_names(self) -> dict[str, str]:
        """The name of each criterion by its id, also of those out of use."""
        return {c.id: c.name for c in self.criteria(with_inactive=True)}

    def criterion_versions(self, criterion_id: str) -> list[Criterion]:
        """Every wording that the criterion has had, oldest first."""
        with self.read() as db:
            rows = db.query("SELECT * FROM criterion WHERE id = ? ORDER BY version", [criterion_id])
            return [criterion_from_row(row) for row in rows]

    def has_criterion_version(self, criterion_id: str, version: int) -> bool:
        with self.read() as db:
            asked = "SELECT 1 FROM criterion WHERE id = ? AND version = ?"
            return db.execute(asked, [criterion_id, version]).fetchone() is not None

    def wordings(self) -> list[Wording]:
        """Every wording of every criterion with its time, in the order in which they came."""
        with self.read() as db:
            rows = db.execute("SELECT id, version, created_at FROM criterion ORDER BY created_at, id, version")
            return [Wording(*row) for row in rows]

    def save_criteria(self, criteria: Iterable[Criterion], *, by: str | None = None) -> list[Criterion]:
        """Store the criteria; a changed wording becomes a new version. Returns them with their versions."""
        saved = []
        with self.write() as db:
            in_use = {c.id for c in self.criteria()}
            current = {c.id: c for c in self.criteria(with_inactive=True)}
            for given in criteria:
                known = current.get(given.id)
                version = 1 if known is None else known.version + (not known.same_wording(given))
                db.conn.execute(
                    "INSERT INTO criterion (id, version, name, text, guideline, examples, counterexamples, position, active,"
                    " created_at, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, version)"
                    " DO UPDATE SET position = excluded.position, active = excluded.active",
                    [
                        given.id,
                        version,
                        given.name,
                        given.text,
                        given.guideline,
                        to_json(given.examples),
                        to_json(given.counterexamples),
                        given.position,
                        given.active,
                        utc_now(),
                        by,
                    ],
                )
                saved.append(replace(given, version=version))
            if in_use != {c.id for c in self.criteria()}:
                for statement in RECOUNT_REVIEWS:
                    db.conn.execute(statement)
        return saved
