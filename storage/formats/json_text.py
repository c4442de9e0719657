"""JSON files of any size, item by item: the list in a file, or the list under a key of its one object.

The standard library parses a file whole; 2 GB of tasks would not fit the memory. Here a buffer grows only to one item.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from storage.formats.encodings import has_broken_bytes, open_text
from storage.formats.rows import FormatError, RowError

CHUNK_CHARACTERS = 1 << 20
MAX_ITEM_CHARACTERS = 1 << 25
LOOK_CHARACTERS = 1 << 16
_LIST_AHEAD = re.compile(r'\{\s*"(?:version|data|records|posts|rows|items|examples)"\s*:')
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")


def iter_lines(path: Path, encoding: str) -> Iterator[tuple[int, Any]]:
    """(line number, value) of each JSON line; a line that is not JSON gives a RowError in place of the value.

    Lines end at a line feed only: U+2028 and the like are characters of a text.
    """
    with open_text(path, encoding) as file:
        for number, line in enumerate(_lines(file), start=1):
            if not line.strip():
                continue
            try:
                yield number, _refuse_broken(number, json.loads(line), line)
            except (ValueError, RecursionError) as error:
                yield number, RowError(number, f"not JSON: {_why(error)}")


def iter_items(
    path: Path, encoding: str, *, keys: tuple[str, ...] = (), left: Callable[[str], None] | None = None
) -> Iterator[tuple[int, Any]]:
    """(number, value) of each item of the file's list, or of its objects one behind the other, 1-based.

    left: called with each key that stands beside the list.
    The list is the file's top level, or the value of the first of `keys` in a top-level object; an object without any of
    these keys is one item by itself. Raises FormatError where the file is not JSON: what follows cannot be told apart.
    """
    with open_text(path, encoding) as file:
        stream = _JsonStream(file, path.name)
        if stream.peek() == "{":
            number = 0
            for number, item in _items_of_object(stream, keys, left):
                yield number, item
            while number and stream.peek() == "{":  # one object behind the other, over several lines
                number += 1
                yield number, stream.value()
        else:
            yield from enumerate(stream.items(), start=1)
        stream.expect_end()


def is_json_lines(path: Path, encoding: str) -> bool:
    """Whether the file holds one JSON value per line, rather than one list or one object that spans lines.

    One line alone is JSON Lines if it is an object without a list of objects in it.
    """
    with open_text(path, encoding) as file:
        start = file.read(LOOK_CHARACTERS).lstrip("\ufeff \t\r\n")
    first, newline, rest = start.partition("\n")
    try:
        value = json.loads(first)
    except RecursionError:
        return False
    except ValueError:
        # the first line is no JSON: the beginning of an object over several lines, or a very long or broken line
        if len(first.strip()) <= 2:
            return False
        return first.startswith("{") and (not newline or rest.lstrip()[:1] == "{") and not _LIST_AHEAD.match(first)
    if not isinstance(value, dict):
        pair = isinstance(value, list) and [type(v) for v in value] == [str, dict]  # spaCy's, one alone
        return bool(rest.strip()) or pair
    if not rest.strip() and (_all_are(value, dict) or (len(value) > 1 and _all_are(value, list))):
        return False  # objects by id, or columns of values
    lists = [v for v in value.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    return bool(rest.strip()) or "text" in value or not lists


def _all_are(value: dict[str, Any], kind: type) -> bool:
    return bool(value) and all(isinstance(v, kind) for v in value.values())


def dump_line(value: Any) -> str:
    """One JSON line, characters as they are, keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _why(error: Exception) -> str:
    return "lists or objects are nested too deeply" if isinstance(error, RecursionError) else str(error)


def _refuse_broken(number: int, value: Any, line: str) -> Any:
    return RowError(number, "holds bytes that do not fit the file's encoding") if has_broken_bytes(line) else value


def _lines(file: TextIO) -> Iterator[str]:
    """Lines at '\\n' only; a TextIOWrapper with newline='' would also end them at a lone carriage return."""
    rest = ""
    while chunk := file.read(CHUNK_CHARACTERS):
        lines = (rest + chunk).split("\n")
        rest = lines.pop()
        yield from lines
        if len(rest) > MAX_ITEM_CHARACTERS:
            raise FormatError(f"A line is longer than {MAX_ITEM_CHARACTERS} characters: this is no JSON Lines file.")
    if rest:
        yield rest


def _items_of_object(
    stream: _JsonStream, keys: tuple[str, ...], left: Callable[[str], None] | None
) -> Iterator[tuple[int, Any]]:
    whole: dict[str, Any] = {}
    found = False
    for key in stream.keys():  # noqa: SIM118 (a stream, not a dict)
        if key in keys and not found and stream.peek() == "[" and "text" not in whole:
            found = True
            yield from enumerate(stream.items(), start=1)
        else:
            whole[key] = stream.value()
    if not found:
        yield 1, whole
    elif left is not None:
        for key in whole:
            left(key)


class _JsonStream:
    """A cursor over JSON text that is read in chunks."""

    def __init__(self, file: TextIO, name: str) -> None:
        self._file, self._name = file, name
        self._buffer, self._at, self._ended = "", 0, False
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is not white space; '' at the end."""
        while True:
            self._at = _SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more(CHUNK_CHARACTERS):
                return ""

    def value(self) -> Any:
        """The value at the cursor, which moves behind it."""
        self.peek()
        size = CHUNK_CHARACTERS
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                if not isinstance(error, json.JSONDecodeError) or not self._more(size):
                    raise self._wrong(_why(error)) from None
                size *= 2
                continue
            if end == len(self._buffer) and self._more(CHUNK_CHARACTERS):
                continue  # a number may go on in the next chunk
            self._at = end
            return value

    def items(self) -> Iterator[Any]:
        """The items of the list at the cursor."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self._take(",", "]") == "]":
                return

    def keys(self) -> Iterator[str]:
        """The keys of the object at the cursor; take the value of each before asking for the next."""
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise self._wrong(f"{key!r} is no key")
            self._take(":")
            yield key
            if self._take(",", "}") == "}":
                return

    def expect_end(self) -> None:
        if self.peek():
            raise self._wrong("there is more after the end (a JSON Lines file has one value on each line)")

    def _take(self, *expected: str) -> str:
        found = self.peek()
        if found not in expected or not found:
            raise self._wrong(f"expected {' or '.join(expected)}, found {found or 'the end of the file'}")
        self._at += 1
        return found

    def _more(self, size: int) -> bool:
        if self._ended:
            return False
        if len(self._buffer) - self._at > MAX_ITEM_CHARACTERS:
            raise self._wrong(f"an item is longer than {MAX_ITEM_CHARACTERS} characters")
        chunk = self._file.read(size)
        self._ended = not chunk
        self._buffer, self._at = self._buffer[self._at :] + chunk, 0
        return bool(chunk)

    def _wrong(self, reason: str) -> FormatError:
        return FormatError(f"{self._name} is not readable JSON: {reason}.")
