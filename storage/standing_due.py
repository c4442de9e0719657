"""Which posts are due in what is derived of answers (`standing`, `gold_pair`): those with a new answer or decision since the last time,
all of them where more than that has changed.

Answers and decisions are only added, so that their numbers tell what is new. Not so after an import was undone, and where the rule or
the labels in use are others: then everything is looked at. While an import is stored or removed, its numbers are among those of others,
and may be given anew: nothing is remembered then, so that what is new since it began is looked at each time. Where posts were given to
others, the posts of rounds are due that have gold to measure their readers by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storage.connection import Handle
from storage.rows import json_cell, to_json

_ASSIGNED = "(SELECT total(number) FROM queue_change WHERE subject = 'assignment')"
_NEW = (
    "SELECT post_id FROM annotation_head WHERE annotation_id > :answer UNION SELECT post_id FROM adjudication WHERE id > :decision"
    f" UNION SELECT post_id FROM round_post WHERE gold AND {_ASSIGNED} IS NOT :assigned"
)
_ALL = "SELECT post_id FROM annotation_head UNION SELECT post_id FROM adjudication"
_NOW = (
    "SELECT (SELECT ifnull(max(id), 0) FROM annotation) AS answer, (SELECT ifnull(max(id), 0) FROM adjudication) AS decision,"
    f" (SELECT count(undone_at) FROM import) AS undone, {_ASSIGNED} AS assigned"
)


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be looked at. key: the setting that remembers it. values: for `of`. seen: what the rows rest on once that is done;
    before: what they rested on.
    """

    key: str
    everything: bool
    values: dict[str, Any]
    seen: Mapping[str, Any]
    before: Mapping[str, Any]

    @property
    def is_news(self) -> bool:
        """Whether there is anything to remember."""
        return self.seen != self.before

    def of(self, row: str) -> str:
        """A further SQL condition on a row with post_id. row: its name and a dot, or ''."""
        return "" if self.everything else f" AND {row}post_id IN ({_NEW})"

    def posts(self, db: Handle, *, beside: str) -> list[str]:
        """The ids of the posts. beside: the table of what was worked out before, whose posts may be gone."""
        chosen = f"{_ALL} UNION SELECT post_id FROM {beside}" if self.everything else _NEW
        return [row[0] for row in db.execute(chosen, self.values)]

    def remember(self, db: Handle) -> None:
        """In the transaction that stores what was worked out."""
        db.conn.execute(
            "INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", [self.key, to_json(dict(self.seen))]
        )


def what_is_due(db: Handle, key: str, rules: str) -> Due:
    """key: the setting that remembers what was seen. rules: what it rests on beside answers and decisions, as text."""
    found = db.execute("SELECT value FROM setting WHERE key = ?", [key]).fetchone()
    before = json_cell(found[0]) if found else {}
    seen = {**next(db.query(_NOW)), "rules": rules}
    same = all(before.get(name) == seen[name] for name in ("undone", "rules"))
    values = {name: before.get(name, 0) for name in ("answer", "decision", "assigned")}
    return Due(key, not same, values, before if db.hides_pending else seen, before)
