"""Wide tables: a criterion has columns of its own, one with verdicts, one with evidence, or one whose cells are either."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from storage.formats.answers import is_verdict
from storage.formats.values import is_empty, is_number, plain

_EVIDENCE = re.compile(
    r"(?:evidence|evidences|evidencetext|text|texts|quote|quotes|span|spans|sentence|sentences|passage|passages|words|excerpt|excerpts"
    r"|highlight|highlights|snippet|snippets|belege?|belegstellen?|textstellen?|zitate?)\Z"
)
_VERDICT = re.compile(r"(?:label|labels|verdict|present|presence|status|gold|coded|code|answer|yn|yes/no|vorhanden)\Z")
_MARKS = frozenset(("x", "✓", "✔", "☑", "√", "✅"))
_NO_WORDS = frozenset((
    "", "na", "nil", "null", "nan", "missing", "unknown", "unbekannt", "notmentioned", "notreported", "nichterwahnt", "keine", "kein",
    "keiner", "keines", "nichts", "nicht", "aucun", "aucune", "ninguno", "ninguna", "nessuno", "nessuna", "mild", "moderate", "severe",
    "low", "medium", "high", "leicht", "mittel", "schwer",
))  # fmt: skip
_BETWEEN = " _-:./()[]"
_AGAIN = re.compile(r"(?:\.\d+|[ _]?\(\d+\)|[ _]\d+)\Z")  # what a reader puts behind a name that stands several times


def wide_columns(
    columns: Sequence[str], criteria: Sequence[str], sample: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[str | None, str | None]]:
    """The columns (of verdicts, of evidence) by criterion, of those that have any. Signs of names count: `mood+`, `mood-`."""
    owners: dict[str, str] = {}
    for criterion in criteria:
        if plain(criterion):
            owners.setdefault(_loose(criterion), criterion)
    found: dict[str, tuple[str | None, str | None]] = {}
    for column in columns:
        name = _loose(column)
        if name in owners:
            found[owners[name]] = (column, found.get(owners[name], (None, None))[1])
    for column in columns:
        own = max((o for o in owners if _belongs(o, _loose(column), _VERDICT)), key=len, default=None)
        verdicts = found.get(owners[own], (None, None))[0] if own is not None else None
        if own is not None and (verdicts is None or _is_evidence(verdicts, sample)):
            found[owners[own]] = (column, verdicts)
    for column in columns:
        own = max((o for o in owners if _belongs(o, _loose(column), _EVIDENCE)), key=len, default=None)
        if own is not None and found.get(owners[own], (None, None))[1] is None:
            found[owners[own]] = (found.get(owners[own], (None, None))[0], column)
    for own, column in _repeated_evidence(columns, found).items():
        found[own] = (found[own][0], column)
    known = {
        c: (None if _is_scale(verdicts, sample) else verdicts, evidence) for c, (verdicts, evidence) in found.items()
    }
    return _each_once({c: pair for c, pair in known.items() if any(pair)})


def _repeated_evidence(columns: Sequence[str], found: Mapping[str, tuple[str | None, str | None]]) -> dict[str, str]:
    """Columns of one name for evidence (`evidence`, `evidence.1`), each behind the verdicts of a criterion, by that criterion."""
    owners = {verdicts: criterion for criterion, (verdicts, evidence) in found.items() if verdicts and not evidence}
    groups: dict[str, dict[str, str | None]] = {}
    for before, column in itertools.pairwise(columns):
        name = _loose(_AGAIN.sub("", column))
        if _EVIDENCE.match(name):
            groups.setdefault(name, {})[column] = owners.get(before)
    fitting = [g for g in groups.values() if len(g) > 1 and all(g.values()) and len(set(g.values())) == len(g)]
    return {str(own): column for group in fitting for column, own in group.items()}


def _loose(name: str) -> str:
    """The name without case, white space, underscores and hyphens between words; signs and marks stay."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return re.sub(r"(?<=\w)-(?=\w)|[\s_]", "", folded)


def _belongs(own: str, column: str, kind: re.Pattern[str]) -> bool:
    """Whether the column is called like the criterion and, before or behind it, like what it holds."""
    if column.startswith(own) and column != own:
        return kind.match(column[len(own) :].strip(_BETWEEN)) is not None
    column = column.removesuffix("]").removesuffix(")")
    return column.endswith(own) and kind.match(column[: -len(own)].strip(_BETWEEN)) is not None


def criterion_named(name: str, criteria: Sequence[str]) -> str | None:
    """The criterion that a sheet or file is called after."""
    return next((c for c in criteria if plain(c) and _loose(c) == _loose(name)), None)


def criterion_before(column: str, criteria: Sequence[str]) -> tuple[str, str] | None:
    """The criterion that a column's name begins or ends with, and the rest of the name; None if it does with none, or is one alone."""
    said = plain(column)
    near = [c for c in criteria if (own := plain(c)) and own in said and own != said]  # so that few patterns are made
    for criterion in sorted(near, key=len, reverse=True):
        name = re.escape(criterion).replace("_", r"[\s_-]?").replace(r"\ ", r"[\s_-]?")
        for pattern in (rf"{name}[\W_]+(.+)", rf"(.+?)[\W_]+{name}"):
            if match := re.fullmatch(pattern, column.strip(), re.IGNORECASE):
                return criterion, match[1].rstrip(")]")
    return None


def is_mark(value: Any) -> bool:
    """True for the cross or tick of a form."""
    return isinstance(value, str) and value.strip().casefold() in _MARKS


def says_verdict(value: Any) -> bool:
    """True for a verdict's word and for any number: neither is ever a passage."""
    return is_verdict(value) or (is_number(value) and not isinstance(value, list | tuple))


def says_no_words(value: Any) -> bool:
    """True for what stands in a cell instead of evidence: that there is none, that nobody knows, or a degree."""
    return isinstance(value, str) and plain(value) in _NO_WORDS


def _is_evidence(column: str, sample: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a column holds words alone: the evidence beside a column of verdicts."""
    values = [v for record in sample if not is_empty(v := record.get(column))]
    return bool(values) and not any(says_verdict(v) or is_mark(v) or says_no_words(v) for v in values)


def _is_scale(column: str | None, sample: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a column holds numbers alone and some are no verdicts, as severities from 0 to 3: then its 0 and 1 are none either."""
    values = [] if column is None else [v for record in sample if not is_empty(v := record.get(column))]
    return all(map(is_number, values)) and not all(map(is_verdict, values))


def _each_once(found: dict[str, tuple[str | None, str | None]]) -> dict[str, tuple[str | None, str | None]]:
    """A criterion's id and its name may mean the same columns."""
    seen: set[tuple[str | None, str | None]] = set()
    return {k: v for k, v in found.items() if not (v in seen or seen.add(v))}  # type: ignore[func-returns-value]
