"""Values as files hold them: empty ones, numbers, JSON in a cell, and names compared."""

from __future__ import annotations

import ast
import functools
import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from storage.records import InvalidRecord

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.|s3:|data:\w+/|/?data/|/upload)\S*|/\S+\.\w{2,5}|\S+\.(?:wav|mp3|ogg|flac|png|jpe?g|gif|pdf|mp4)",
    re.IGNORECASE)  # fmt: skip
_SIZED = (str, list, tuple, dict)  # a union would be made anew for each value
LONGEST_REMEMBERED = 64  # characters: names of columns, no texts of posts
_OF_PEOPLE = (
    "annotator",
    "name",
    "username",
    "user",
    "email",
    "id",
    "annotatorid",
    "userid",
)  # keys of a person, best first
MAX_LITERAL_CHARACTERS = 200_000  # of a Python literal in a cell, as pandas writes lists


def is_empty(value: Any) -> bool:
    """True for what says nothing: nothing, not a number, no characters, no items."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, _SIZED) and not value


def values_of(column: str, sample: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What the records hold in a column, without empty cells."""
    return [v for r in sample if not is_empty(v := r.get(column))]


def is_listed(value: Any) -> bool:
    """Whether a value, or what a cell says as JSON, is a list or an object."""
    return isinstance(decoded(value), list | tuple | Mapping)


def is_address(value: str) -> bool:
    """True for the address or path of a file or page: no words."""
    return _ADDRESS.fullmatch(value.strip()) is not None


def plain(name: str) -> str:
    """A column's name without case, accents, spaces and signs."""
    return _plain_of_short(name) if len(name) <= LONGEST_REMEMBERED else _plain(name)


def _plain(name: str) -> str:
    bare = name if name.isascii() else unicodedata.normalize("NFKD", name)
    return "".join(ch for ch in bare.casefold() if ch.isalnum())


_plain_of_short = functools.lru_cache(maxsize=4096)(_plain)  # the same few keys stand in every object of a file


def plain_value(value: Any) -> Any:
    """The value as JSON can hold it."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(k): plain_value(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain_value(v) for v in value]
    return f"{len(value)} bytes" if isinstance(value, bytes | bytearray) else str(value)


def decoded(value: Any) -> Any:
    """The value that a cell holds as JSON, or as the Python literal that pandas writes; anything else as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{", "("):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    if len(value) > MAX_LITERAL_CHARACTERS:
        return value
    try:
        return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value


def number(value: Any) -> float | None:
    """The number; None for an empty value. Raises InvalidRecord for what is none."""
    if is_empty(value) or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool):
        raise InvalidRecord(f"{value} is no number")
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidRecord(f"{shortened(value)} is no number") from None
    if not math.isfinite(found):
        raise InvalidRecord(f"{shortened(value)} is no number")
    return found


def whole(value: Any) -> int | None:
    """The whole number; None for an empty value. Raises InvalidRecord for what is none."""
    found = number(value)
    if found is None:
        return None
    if not found.is_integer():
        raise InvalidRecord(f"{shortened(value)} is no whole number")
    return int(found)


def is_number(value: Any) -> bool:
    try:
        return number(value) is not None
    except InvalidRecord:
        return False


def is_whole(value: Any) -> bool:
    found = number(value) if is_number(value) else None
    return found is not None and found.is_integer()


def string(value: Any) -> str | None:
    """The value as one word or line; None for an empty one. A spreadsheet's 17 arrives as 17.0."""
    if is_empty(value):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def people_named(value: Any) -> list[str]:
    """The names of the people whom a value names: a word, an object with a name, an address or an id, or a list of these."""
    if isinstance(value, Mapping):
        names = {plain(str(k)): v for k, v in value.items() if not is_empty(v)}
        key = next((k for k in _OF_PEOPLE if k in names), None)
        return people_named(names[key]) if key else []
    if isinstance(value, list | tuple):
        return list(dict.fromkeys(name for item in value for name in people_named(item)))
    name = string(value)
    return [name] if name else []


def shortened(value: Any) -> str:
    """The value in quotes, for a message."""
    text = " ".join(str(value).split())
    return repr(text[:40] + "…" if len(text) > 40 else text)


def kind_of(value: Any) -> str:
    """What a value is, in the words of people who make files."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "words"
    if isinstance(value, Mapping):
        return "an object"
    if value is None:
        return "empty"
    return "a list" if isinstance(value, Sequence) and not isinstance(value, bytes) else "something else"
