"""What takes a label back: a key or an attribute beside it that says negated, rejected, not accepted, of negative polarity."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from storage.formats.answers import is_verdict
from storage.formats.fields import Fields
from storage.formats.values import is_number, plain
from storage.formats.vocabulary import AFFIRMERS, DISMISSING, NEGATING, OF_ROWS, QUALIFIERS, STANDING, VERDICTS

TAKES_BACK = "takes its label back"
_TRUE = frozenset(("true", "yes", "1", "ja", "oui", "y", "t"))
_FALSE = frozenset(("false", "no", "0", "nein", "non", "n", "f"))
_NOT_FALSE = NEGATING - {"false", "no", "absent", "notpresent"}  # `negation: negated` negates, `negated: no` does not


def takes_back(name: str, value: Any) -> bool:
    """Whether a key (or attribute) of this name and value says that the label is not so."""
    key = plain(name)
    if isinstance(value, list | tuple | dict):
        return False
    said = f"{float(value):g}" if is_number(value) else plain(str(value))
    if key in QUALIFIERS:
        return value is True or said in _TRUE or said in _NOT_FALSE
    if key in AFFIRMERS:
        return value is False or said in _FALSE
    return key in STANDING and (said in NEGATING or (key == "polarity" and str(value).strip() == "-1"))


def qualifier(fields: Fields) -> str:
    """The key and value of a label's object that take it back, in words; '' if none does."""
    for key in fields:
        value = fields.peek(key)
        if takes_back(key, value) and not (plain(key) in VERDICTS and is_verdict(value)):
            return f"{key}: {fields.leave(key, TAKES_BACK)}"
    return ""


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
