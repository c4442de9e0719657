"""Texts of posts as files hold them: words as they stand, and what stands where no text is."""

from __future__ import annotations

import re
from typing import Any

from storage.formats.values import is_empty, kind_of
from storage.records import InvalidRecord

FULL_CELL = 32_767  # characters that a spreadsheet's cell holds; longer texts are cut there
ERROR_VALUES = frozenset(("#NAME?", "#VALUE!", "#REF!", "#DIV/0!", "#N/A", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"))
UNSAVED = "(a formula without a saved value)"
NOBODY = frozenset(("[deleted]", "[removed]"))  # as an author
_PLACEHOLDER = re.compile(r"\[\s*(?:removed|deleted)(?: by [\w ]+)?\s*\]", re.IGNORECASE)
_UNSEEN = re.compile("[\\s\u200b-\u200f\u2060\ufeff\u00ad]*")


def check_text(value: Any) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """(the text, notes about it): words as they stand; a number or a date as a spreadsheet shows it. None for an empty one.

    Raises InvalidRecord for what is no text, and for what stands in place of one.
    """
    if is_empty(value):
        return None, ()
    if isinstance(value, bool):
        value = "TRUE" if value else "FALSE"
    elif isinstance(value, int | float):
        value = str(int(value)) if float(value).is_integer() else repr(value)
    if not isinstance(value, str):
        raise InvalidRecord(
            f"the text is {kind_of(value)}, not words; say which column is the text (--column text=NAME)"
        )
    if value.strip() in ERROR_VALUES:
        raise InvalidRecord(f"the text is an error value of a spreadsheet's formula ({value.strip()})")
    if value == UNSAVED:
        raise InvalidRecord("the text is a formula without a saved value; open the file in the spreadsheet and save it")
    if is_placeholder(value):
        shown = " ".join(value.split()) if _PLACEHOLDER.search(value) else "characters that nobody sees"
        raise InvalidRecord(f"the post's text is a placeholder: {shown}")
    notes: tuple[tuple[str, str], ...] = ()
    if len(value) == FULL_CELL:
        reason = f"the text fills a spreadsheet's cell ({FULL_CELL:,} characters) to the last character: it may have been cut there"
        notes = (("doubtful", reason),)
    return value, notes


def is_placeholder(text: str) -> bool:
    """True for what stands where a post was removed, and for characters that nobody can see."""
    return bool(_PLACEHOLDER.fullmatch(text.strip())) or (bool(text.strip()) and bool(_UNSEEN.fullmatch(text)))


def cuts(text: str, start: int | None, end: int | None) -> int:
    """How badly a span sits: 3 outside the text, else one for each edge inside a word or on white space."""
    if start is None or end is None or not 0 <= start < end <= len(text):
        return 3
    return sum(
        (0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()) or inner.isspace()
        for at, inner in ((start, text[start]), (end, text[end - 1]))
    )


def splits_words(text: str, start: int, end: int) -> bool:
    """Whether a span begins or ends inside a word or on white space, in writing that parts words: letters with case, and digits."""
    edges = ((start, text[start]), (end, text[end - 1]))
    return any(inner.isspace() or (0 < at < len(text) and _parts(text[at - 1], text[at])) for at, inner in edges)


def _parts(before: str, behind: str) -> bool:
    return (before.lower() != before.upper() and behind.lower() != behind.upper()) or (
        before.isdigit() and behind.isdigit()
    )
