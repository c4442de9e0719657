"""Failed attempts to sign in, in the store, so that a restart forgives nobody. What they mean is in `annotator.people.throttle`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from storage.connection import Connections

KEPT_SECONDS = 86_400.0

Place = tuple[str, str]
"""(key of a name or '', place or ''): what is counted together."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """failed: how many, may have faded. last_at: Unix seconds."""

    failed: float
    last_at: float


class AttemptStore(Connections):
    """Questions and events about failed attempts. Ask and note inside one `write()`, or attempts at once count as one."""

    def sign_in_attempts(self, places: Iterable[Place]) -> dict[Place, Attempts]:
        with self.read() as db:
            rows = db.query(
                "SELECT name_key, place, failed, last_at FROM sign_in_attempt WHERE (name_key, place) IN"
                " (SELECT value ->> 0, value ->> 1 FROM json_each(?))",
                [json.dumps([list(place) for place in places])],
            )
            return {(r["name_key"], r["place"]): Attempts(r["failed"], r["last_at"]) for r in rows}

    def note_attempts(self, counted: Mapping[Place, Attempts], *, now: float) -> None:
        """Store the counts, and forget those that are a day old."""
        with self.write() as db:
            db.conn.executemany(
                "INSERT OR REPLACE INTO sign_in_attempt (name_key, place, failed, last_at) VALUES (?, ?, ?, ?)",
                [(*place, attempts.failed, attempts.last_at) for place, attempts in counted.items()],
            )
            db.conn.execute(
                "DELETE FROM sign_in_attempt WHERE last_at NOT BETWEEN ? AND ?",
                [now - KEPT_SECONDS, now + KEPT_SECONDS],
            )

    def forget_attempts(self, name_key: str, place: str | None = None) -> int:
        """Forget the failures for a name, at one place or everywhere. Returns how many counts went."""
        with self.write() as db:
            cursor = db.conn.execute(
                "DELETE FROM sign_in_attempt WHERE name_key = ? AND (? IS NULL OR place = ?)", [name_key, place, place]
            )
            return int(cursor.rowcount)
