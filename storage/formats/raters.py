"""Columns of several people beside each other: `label_ana` and `label_ben`, `evidence (A1)` and `evidence (A2)`, `annotator_1`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.formats.answers import is_verdict
from storage.formats.synonyms import SYNONYMS
from storage.formats.values import decoded, is_empty, plain
from storage.formats.wide import criterion_before

MAX_PEOPLE = 20
_OF_FIELD = {
    **dict.fromkeys(
        ("label", "labels", "verdict", "present", "presence", "code", "coding", "annotation", "judgment", "judgement", "decision", "vote"),
        "verdict",
    ),
    **dict.fromkeys(("evidence", "quote", "span", "spans", "passage", "excerpt", "highlight", "beleg", "zitat"), "evidence"),
    **dict.fromkeys(("note", "comment", "remark", "explanation"), "note"),
}  # fmt: skip
_ROLE = r"(?:annotator|rater|coder|reviewer|expert|judge|labell?er|worker|annot|ann|kodierer|anotador|annotateur)s?"
_NUMBERED = re.compile(rf"{_ROLE}(?:\d{{1,2}}|[a-z])|[arc]\d{{1,2}}", re.IGNORECASE)
_NAME = re.compile(r"[^\W\d_]{2,20}")
_NO_PEOPLE = frozenset((
    "gold", "final", "pred", "predicted", "prediction", "predictions", "model", "true", "truth", "name", "names", "type", "types", "main",
    "sub", "primary", "secondary", "source", "start", "end", "score", "count", "train", "test", "dev", "binary", "coarse", "fine", "level",
    "majority", "consensus", "agreed", "adjudicated", "old", "new", "original", "raw", "clean", "list", "ids", "id", "text", "first",
    "second", "third", "before", "after", "en", "de", "fr", "es", "auto", "silver", "human", "machine", "llm", "gpt", "yes", "no",
    "positive", "negative", "any", "all", "other",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rater:
    """The columns of one person: by field, and of verdicts by criterion."""

    columns: dict[str, str] = field(default_factory=dict)
    wide: dict[str, str] = field(default_factory=dict)

    def all(self) -> list[str]:
        return [*self.columns.values(), *self.wide.values()]


def raters_of(
    columns: Sequence[str], sample: Sequence[Mapping[str, Any]], criteria: Sequence[str] = ()
) -> dict[str, Rater]:
    """The people who have columns of their own, by name; none unless two have a column of the same kind, whose values are of that kind."""
    groups: dict[tuple[str, str], dict[str, str]] = {}
    for column in columns:
        for kind, what, person in _readings(column, criteria):
            if _fits(what if kind == "field" else "verdict", column, sample):
                groups.setdefault((kind, what), {}).setdefault(person, column)
    found: dict[str, Rater] = {}
    for (kind, what), group in groups.items():
        numbered = {p for p in group if _NUMBERED.fullmatch(plain(p))}
        people = numbered if len(numbered) > 1 else set(group) - _NO_PEOPLE
        if not 2 <= len(people) <= MAX_PEOPLE:
            continue
        for person in (p for p in group if p in people):
            rater = found.setdefault(person, Rater())
            (rater.columns if kind == "field" else rater.wide)[what] = group[person]
    said = {p: r for p, r in found.items() if r.wide or {"verdict", "evidence"} & r.columns.keys()}
    return said if len(said) > 1 else {}


def _readings(column: str, criteria: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """What the column may be: (field or criterion, which of them, whose)."""
    if _NUMBERED.fullmatch(plain(column)) and len(plain(column)) > 2:
        yield "field", "verdict", column
        return
    if (own := criterion_before(column, criteria)) is not None:
        criterion, rest = own
        if _NUMBERED.fullmatch(plain(rest)):
            yield "criterion", criterion, rest
        return
    parts = [p for p in re.split(r"[\s_.:/()\[\]-]+", column) if p]
    sides = ((parts[0], parts[1:]), (parts[-1], parts[:-1])) if len(parts) > 1 else ()
    for stem, others in sides:
        person = "_".join(others)
        of = _OF_FIELD.get(plain(stem))
        is_name = len(others) == 1 and _NAME.fullmatch(person) and plain(person) not in _WORDS
        if of is not None and (is_name or _NUMBERED.fullmatch(plain(person))):
            yield "field", of, person


_WORDS = frozenset({s for synonyms in SYNONYMS.values() for s in synonyms} | _OF_FIELD.keys())


def _fits(what: str, column: str, sample: Sequence[Mapping[str, Any]]) -> bool:
    values = [v for record in sample if not is_empty(v := record.get(column))]
    if what == "verdict":
        return bool(values) and all(map(is_verdict, values))
    return any(isinstance(v, str) and not isinstance(decoded(v), list | dict) for v in values)
