"""The project's criterion for a label of a file. Labels are compared exactly but for case, white space and underscores.

So `SLEEP_ISSUES` and `Sleep issues` are one, `mood+` and `mood-` two, and so are two words that differ in a vowel sign alone.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from annotator.exchange.options import ImportOptions, ImportRefused
from storage.records import Criterion

MAX_ID_CHARACTERS = 80


def folded(label: str) -> str:
    """The label as it is compared: without case, with white space and underscores alike. Signs and marks stay."""
    plain = unicodedata.normalize("NFC", label.replace("_", " ").casefold())
    return " ".join(plain.split())


def _joined(label: str) -> str:
    """The label without spaces and hyphens between its words, for a project's criterion that is written in another way."""
    return re.sub(r"(?<=\w)[\s-]+(?=\w)", "", folded(label))


class CriteriaMatcher:
    """Finds the project's criterion for a file's label; adds criteria where that is allowed."""

    def __init__(
        self, criteria: Sequence[Criterion], options: ImportOptions, wording: Sequence[Criterion] = ()
    ) -> None:
        self._by_name = {folded(n): c for c in reversed(criteria) for n in (c.name, c.id)}
        self._by_id = {c.id: c for c in criteria}
        self._joined = _unambiguous(criteria)
        self._mapped = tuple(options.criteria)
        self._chosen = {folded(k): v for k, v in options.criteria.items()}
        self._wording = {folded(c.id): c for c in wording}
        lost = [v for v in self._chosen.values() if self._known(v) is None]
        if lost and not options.new_criteria:
            raise ImportRefused(
                f"There is no criterion {lost[0]!r} for a label to become. Criteria: {', '.join(self._by_id)};"
                " or let the import add new ones."
            )
        self._may_add = options.new_criteria
        self._next_position = len(criteria)
        self._found: dict[str, Criterion] = {}  # a file says the same few labels in every row
        self.added: dict[str, Criterion] = {}
        self.unknown: dict[str, int] = {}

    def find(self, label: str) -> Criterion | None:
        """The criterion; None (and counted) if the project has none of that name and may not get one."""
        found = self._found.get(label)
        if found is not None:
            return found
        wanted = self._chosen.get(folded(label), label)
        found = self._known(wanted)
        if found is None and self._may_add:
            found = self._add(wanted)
        if found is None:
            self.unknown[label] = self.unknown.get(label, 0) + 1
        else:
            self._found[label] = found
        return found

    def criterion(self, criterion_id: str) -> Criterion:
        """The criterion of an id that `find` has given."""
        return self._by_id[criterion_id]

    def names(self) -> list[str]:
        """Every name under which a file may know a criterion: ids, names, and labels that were chosen to become one."""
        return list(dict.fromkeys([*self._by_id, *(c.name for c in self._by_id.values()), *self._mapped]))

    def _known(self, label: str) -> Criterion | None:
        return self._by_name.get(folded(label)) or self._joined.get(_joined(label))

    def _add(self, label: str) -> Criterion:
        label = label.strip()
        known = self._wording.get(folded(label))
        criterion = known or Criterion(self._free_id(label), label, label)
        if criterion.id in self._by_id:
            criterion = replace(criterion, id=self._free_id(label))
        criterion = replace(criterion, position=self._next_position, version=1)
        self._next_position += 1
        self._by_name[folded(label)] = self._by_id[criterion.id] = self.added[criterion.id] = criterion
        return criterion

    def _free_id(self, label: str) -> str:
        """An id in the characters that ids may have; with a hash of the label where another label has the same one, or none is left."""
        allowed = "".join(ch if ch.isalnum() or ch in "_.-" else " " for ch in unicodedata.normalize("NFC", label))
        whole = re.sub(r"\s+", "_", allowed.strip()).strip("_")
        short = whole[:MAX_ID_CHARACTERS].strip("_")
        taken = {c.casefold() for c in self._by_id}
        if short and short == whole and short.casefold() not in taken:
            return short
        mark = hashlib.sha256(folded(label).encode("utf-8", "replace")).hexdigest()[:8]
        return f"{short[: MAX_ID_CHARACTERS - 9]}-{mark}" if short else f"label-{mark}"


def _unambiguous(criteria: Sequence[Criterion]) -> dict[str, Criterion]:
    found: dict[str, Criterion | None] = {}
    for criterion in criteria:
        for name in {_joined(criterion.id), _joined(criterion.name)}:
            found[name] = criterion if name not in found or found[name] is criterion else None
    return {name: c for name, c in found.items() if c is not None}
