"""Columns of several people beside each other: `label_ana` and `label_ben`, `evidence (A1)` and `evidence (A2)`, `annotator_1`.

Two words behind `label_` may be anything, `strict` and `lenient` for one: they are people only where something else says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.formats.answers import is_verdict
from storage.formats.synonyms import SYNONYMS
from storage.formats.values import decoded, is_empty, people_named, plain
from storage.formats.wide import criterion_before

MAX_PEOPLE = 20
_OF_FIELD = {
    **dict.fromkeys(
        (
            "label", "labels", "verdict", "present", "presence", "code", "coding", "annotation", "annotations", "entities", "judgment",
            "judgement", "decision", "vote",
        ),
        "verdict",
    ),
    **dict.fromkeys(("evidence", "quote", "span", "spans", "passage", "excerpt", "highlight", "beleg", "zitat"), "evidence"),
    **dict.fromkeys(("note", "comment", "remark", "explanation"), "note"),
}  # fmt: skip
_ROLE = r"(?:annotator|rater|coder|reviewer|expert|judge|labell?er|worker|annot|ann|kodierer|anotador|annotateur)s?"
_NUMBERED = re.compile(rf"{_ROLE}(?:\d{{1,2}}|[a-z])|[ar]\d{{1,2}}", re.IGNORECASE)
_NAME = re.compile(r"[^\W\d_]{2,20}")
_NO_PEOPLE = frozenset((
    "gold", "final", "pred", "predicted", "prediction", "predictions", "model", "true", "truth", "name", "names", "type", "types", "main",
    "sub", "primary", "secondary", "source", "start", "end", "score", "count", "train", "test", "dev", "binary", "coarse", "fine", "level",
    "majority", "consensus", "agreed", "adjudicated", "old", "new", "original", "raw", "clean", "list", "ids", "id", "text", "first",
    "second", "third", "before", "after", "en", "de", "fr", "es", "auto", "silver", "human", "machine", "llm", "gpt", "yes", "no",
    "positive", "negative", "any", "all", "other", "imported",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rater:
    """The columns of one person: by field, and of verdicts by criterion."""

    columns: dict[str, str] = field(default_factory=dict)
    wide: dict[str, str] = field(default_factory=dict)

    def all(self) -> list[str]:
        return [*self.columns.values(), *self.wide.values()]


def raters_of(
    columns: Sequence[str],
    sample: Sequence[Mapping[str, Any]],
    criteria: Sequence[str] = (),
    known: Collection[str] = (),
) -> dict[str, Rater]:
    """The people who have columns of their own, by name; none unless two have a column of the same kind, whose values are of that kind.

    known: names of people, in lower case; other names that are not numbered are nobody's.
    """
    groups = {key: group for key, group in _groups(columns, criteria).items() if not _are_topics(group, criteria)}
    fitting = {
        (kind, what): {p: c for p, c in group.items() if _fits(what if kind == "field" else "verdict", c, sample)}
        for (kind, what), group in groups.items()
    }
    people = {p for group in fitting.values() for p in _people(group, known)}
    found: dict[str, Rater] = {}
    for (kind, what), group in groups.items():
        for person, column in group.items():
            empty = all(is_empty(record.get(column)) for record in sample)
            if person in people and (empty or person in fitting[kind, what]):
                rater = found.setdefault(person, Rater())
                (rater.columns if kind == "field" else rater.wide)[what] = column
    said = {p: r for p, r in found.items() if r.wide or {"verdict", "evidence"} & r.columns.keys()}
    return said if len(said) > 1 else {}


def people_of_lists(columns: Sequence[str], criteria: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """Whose each of the columns is, of lists of labels, where two people or more have one each. known: as in `raters_of`."""
    found: dict[str, str] = {}
    for group in _groups(columns, criteria).values():
        people = _people(group, known)
        found |= {column: person for person, column in group.items() if person in people}
    return found


def known_people(
    columns: Sequence[str], sample: Sequence[Mapping[str, Any]], reviewers: Collection[str] = ()
) -> frozenset[str]:
    """The names, in lower case, of the reviewers and of whom a column of annotators (`annotator`, `raters`) names."""
    of_people = [c for c in columns if plain(c) in _ANNOTATORS]
    named = (n for r in sample for c in of_people if not is_empty(v := r.get(c)) for n in people_named(decoded(v)))
    return frozenset(plain(n) for name in (*reviewers, *named) for n in (name, *re.split(r"[,;|/]", name)) if plain(n))


def may_be_people(columns: Sequence[str], criteria: Sequence[str]) -> dict[str, str]:
    """The word by column, of columns that are called alike but for a word that may be a name: nothing says that it is one."""
    found: dict[str, str] = {}
    for (_, what), group in _groups(columns, criteria).items():
        names = {p: c for p, c in group.items() if not is_person(p) and plain(p) not in _NO_PEOPLE}
        if len(names) > 1 and what != "note" and not _are_topics(group, criteria):
            found |= {column: name for name, column in names.items()}
    return found


def is_person(name: str) -> bool:
    """Whether a name is one that is given to people by number: `annotator_1`, `A2`."""
    return _NUMBERED.fullmatch(plain(name)) is not None


def _groups(columns: Sequence[str], criteria: Sequence[str]) -> dict[tuple[str, str], dict[str, str]]:
    """Columns by person, of each kind."""
    groups: dict[tuple[str, str], dict[str, str]] = {}
    for column in columns:
        for kind, what, person in _readings(column, criteria):
            groups.setdefault((kind, what), {}).setdefault(person, column)
    return groups


def _are_topics(group: Mapping[str, str], criteria: Sequence[str]) -> bool:
    """Whether one of the names is a word of a criterion: `label_sleep` and `label_food` are no people's."""
    words = {plain(w) for c in criteria for w in re.split(r"[\W_]+", c)} | set(map(plain, criteria))
    return any(plain(p) in words or any(len(w) > 3 and w in plain(p) for w in words) for p in group if not is_person(p))


def _people(group: Mapping[str, str], known: Collection[str]) -> set[str]:
    """Who of a group are people: those with numbers, else those with names that are known, if there are several."""
    numbered = {p for p in group if is_person(p)}
    people = numbered if len(numbered) > 1 else {p for p in group if plain(p) in known and plain(p) not in _NO_PEOPLE}
    return people if 2 <= len(people) <= MAX_PEOPLE else set()


def _readings(column: str, criteria: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """What the column may be: (field or criterion, which of them, whose). A criterion's own columns are nobody's."""
    names = set(map(plain, criteria))
    if plain(column) in names:
        return
    if is_person(column):
        yield "field", "verdict", column
        return
    if (own := criterion_before(column, criteria)) is not None:
        criterion, rest = own
        if is_person(rest):
            yield "criterion", criterion, rest
        return
    parts = [p for p in re.split(r"[\s_.:/()\[\]-]+", column) if p]
    sides = ((parts[0], parts[1:]), (parts[-1], parts[:-1])) if len(parts) > 1 else ()
    for stem, others in sides:
        person = "_".join(others)
        of = _OF_FIELD.get(plain(stem))
        is_name = len(others) == 1 and _NAME.fullmatch(person) and plain(person) not in _WORDS
        if of is not None and plain(person) not in names and (is_name or is_person(person)):
            yield "field", of, person


_ANNOTATORS = frozenset({*SYNONYMS["annotator"], *(f"{s}s" for s in SYNONYMS["annotator"])})
_WORDS = frozenset({s for synonyms in SYNONYMS.values() for s in synonyms} | _OF_FIELD.keys())


def _fits(what: str, column: str, sample: Sequence[Mapping[str, Any]]) -> bool:
    values = [v for record in sample if not is_empty(v := record.get(column))]
    if what == "verdict":
        return bool(values) and all(map(is_verdict, values))
    return any(isinstance(v, str) and not isinstance(decoded(v), list | dict) for v in values)
