"""What takes a label back: a key or an attribute beside it that says negated, rejected, not accepted, of negative polarity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from storage.formats.answers import is_verdict
from storage.formats.fields import Fields
from storage.formats.values import is_number, plain
from storage.formats.vocabulary import (
    ABOUT,
    AFFIRMERS,
    AFFIRMING,
    DISMISSING,
    NEGATING,
    OF_ROWS,
    QUALIFIERS,
    STANDING,
    VERDICTS,
)

TAKES_BACK = "takes its label back"
_TRUE = frozenset(("true", "yes", "1", "ja", "oui", "y", "t"))
_FALSE = frozenset(("false", "no", "0", "nein", "non", "n", "f"))
_NOT_FALSE = NEGATING - {"false", "no", "absent", "notpresent"}  # `negation: negated` negates, `negated: no` does not

_OF_TRUTH = frozenset((*QUALIFIERS, *AFFIRMERS))
_ANY_STANDING = frozenset((*_OF_TRUTH, *STANDING))
_CONCERNS = _ANY_STANDING | frozenset(ABOUT)


def takes_back(name: str, value: Any) -> bool:
    """Whether a key (or attribute) of this name and value says that the label is not so."""
    key = plain(name)
    if key not in _ANY_STANDING or isinstance(value, list | tuple | dict):
        return False
    said = f"{float(value):g}" if is_number(value) else plain(str(value))
    if key in QUALIFIERS:
        return value is True or said in _TRUE or said in _NOT_FALSE
    if key in AFFIRMERS:
        return value is False or said in _FALSE
    return key in STANDING and (said in NEGATING or (key == "polarity" and str(value).strip() == "-1"))


def qualifier(fields: Fields) -> str:
    """The key and value of a label's object that take it back, in words; '' if none does."""
    found = ""
    for key in fields:
        name = plain(key)
        if name not in _CONCERNS:
            continue
        value = fields.peek(key)
        if name in VERDICTS and is_verdict(value):
            continue
        if takes_back(key, value):
            found = found or f"{key}: {value}"
            fields.leave(key, TAKES_BACK)
        elif name in ABOUT and (said := next((f"{k}: {v}" for k, v in _said(value) if takes_back(k, v)), "")):
            found = found or said
            fields.leave(key, TAKES_BACK)
        elif (name in STANDING and plain(str(value)) in AFFIRMING) or (name in _OF_TRUTH and isinstance(value, bool)):
            fields.take(key, "the label")
    return found


def _said(value: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of what is said of a label: {"negated": true}, ["negated"], [{"name": "polarity", "value": "negative"}]."""
    if isinstance(value, Mapping):
        named = next((value[k] for k in ("name", "type", "key", "label") if isinstance(value.get(k), str)), None)
        if named is not None and "value" in value:
            yield named, value["value"]
        else:
            yield from ((str(k), v) for k, v in value.items())
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _said(inner) if isinstance(inner, Mapping) else [(str(inner), True)]
    elif isinstance(value, str):
        yield value, True


def qualifier_of_row(fields: Fields, columns: Iterable[str], *, one_label: bool) -> str:
    """The same for a row of a table; it stays in meta. one_label: the row is one label, so that all names count.

    Else the row is a post with many labels: its `polarity` is a feeling's, but what was rejected as a whole was rejected.
    """
    for column in columns:
        value = fields.peek(column)
        if value is None:
            continue
        dismissed = plain(column) in OF_ROWS and (plain(str(value)) in DISMISSING or plain(column) not in STANDING)
        if takes_back(column, value) and (one_label or dismissed):
            fields.keep(column, TAKES_BACK if one_label else "takes its labels back")
            return f"{column}: {value}"
    return ""
