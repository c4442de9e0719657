"""What a project remembers of itself, by name: JSON values."""

from __future__ import annotations

from typing import Any

from storage.attributes import Attributes, attributes_from, attributes_wire, replaced
from storage.connection import SETTING, Connections
from storage.rows import json_cell, to_json

ATTRIBUTES = "attributes"
"""Setting: what can be said of spans and posts beside a verdict."""

LEARN_AT_ONCE = "instant_learner"
"""Setting: whether a decision changes the next suggestions at once. On unless it is False."""


class SettingStore(Connections):
    """Questions and events about a project's own settings."""

    def setting(self, key: str, default: Any = None) -> Any:
        with self.read() as db:
            found = db.once(SETTING, key)
            return default if found is None else json_cell(found[0])

    def attributes(self) -> Attributes:
        """What can be said of spans and posts beside a verdict; the empty one where the project says nothing of it."""
        return attributes_from(self.setting(ATTRIBUTES), "the project")

    def replace_attributes(self, given: Attributes) -> Attributes:
        """Put `given` in use. What is no longer in use stays known; returns it with that."""
        with self.write():
            after = replaced(self.attributes(), given)
            self.set_setting(ATTRIBUTES, attributes_wire(after))
        return after

    def set_setting(self, key: str, value: Any) -> None:
        with self.write() as db:
            db.conn.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", [key, to_json(value)])
