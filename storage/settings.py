"""What a project remembers of itself, by name: JSON values."""

from __future__ import annotations

import json
from typing import Any

from storage.connection import Connections
from storage.rows import to_json

LEARN_AT_ONCE = "instant_learner"
"""Setting: whether a decision changes the next suggestions at once. On unless it is False."""


class SettingStore(Connections):
    """Questions and events about a project's own settings."""

    def setting(self, key: str, default: Any = None) -> Any:
        with self.read() as db:
            rows = db.query("SELECT value FROM setting WHERE key = ?", [key])
            return next((json.loads(row["value"]) for row in rows), default)

    def set_setting(self, key: str, value: Any) -> None:
        with self.write() as db:
            db.conn.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", [key, to_json(value)])
