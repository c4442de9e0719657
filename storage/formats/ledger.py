"""The ledger of an import: what became of every column, key, label, sheet and file. Nothing is dropped without an entry.

Rows bring an `Account` each, made while they are read; the ledger adds it up when the fate of the row is known. So the counts of a
name always are how often it stands in the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_NAMES = 400  # names kept apart; a file whose keys are ids would have millions
OTHER = "(further names)"
OF_TOOL = "of the tool's own making"
ID_OF_QUESTION = "the id of a question"
# no loss: what a tool writes for itself, and names that nothing refers to
NO_LOSS = frozenset((OF_TOOL, ID_OF_QUESTION))


class Outcome(StrEnum):
    TAKEN = "taken"
    KEPT = "kept in meta"
    LEFT = "left out"


COLUMN, LABEL, SHEET, FILE, LINE, OPTION = "column", "label", "sheet", "file", "line", "option"
Key = tuple[str, str, Outcome, str]  # what, name, outcome, detail
Account = Mapping[Key, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """`count` times `name` (a column, label, …) came to this outcome. detail: where to, or why not."""

    what: str
    name: str
    outcome: Outcome
    detail: str
    count: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "name": self.name,
            "outcome": str(self.outcome),
            "detail": self.detail,
            "count": self.count,
        }

    def in_words(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.what} {self.name!r}: {self.count:,} {self.outcome}{detail}"


class Ledger:
    """Counts by (what, name, outcome, detail), in order of first appearance."""

    def __init__(self) -> None:
        self._counts: dict[Key, int] = {}
        self._names: set[tuple[str, str]] = set()

    def count(self, what: str, name: str, outcome: Outcome, detail: str = "", count: int = 1) -> None:
        if (what, name) not in self._names:
            if len(self._names) >= MAX_NAMES:
                name = OTHER
            self._names.add((what, name))
        key = (what, name, outcome, detail)
        self._counts[key] = self._counts.get(key, 0) + count

    def add(
        self,
        account: Account,
        *,
        lost: str | None = None,
        kept_lost: str | None = None,
        kept_before: Collection[str] = (),
    ) -> None:
        """Add a row's account. lost: why nothing of the row was taken after all; kept_lost: why nothing was kept in meta, but for the names
        of `kept_before`, which are there with the same values.
        """
        for (what, name, outcome, detail), number in account.items():
            why = kept_lost if outcome is Outcome.KEPT and lost is None else lost
            if lost is None and name.rpartition(".")[2] in kept_before:
                why = None
            if why is not None and outcome is not Outcome.LEFT:
                self.count(what, name, Outcome.LEFT, why, number)
            else:
                self.count(what, name, outcome, detail, number)

    def merge(self, other: Ledger) -> None:
        self.add(other._counts)

    def entries(self) -> list[Entry]:
        """What was left out first, then what is kept in meta, then what was taken; columns before labels."""
        order = {Outcome.LEFT: 0, Outcome.KEPT: 1, Outcome.TAKEN: 2}
        found = [Entry(*key, count) for key, count in self._counts.items()]
        return sorted(found, key=lambda e: order[e.outcome])

    def total(self, what: str, name: str) -> int:
        """How often the name was met, whatever became of it."""
        return sum(n for (w, k, _, _), n in self._counts.items() if (w, k) == (what, name))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries())
