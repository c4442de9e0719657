"""The text of a CSV or TSV file as records: which delimiter and quoting it has, where its header is, and records over several lines.

In linear time for any file: a quote that never closes costs its own line, and looking for its end is paid for by what was read before.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TextIO

from storage.formats.encodings import open_text
from storage.formats.headers import KNOWN, header_row, header_rows
from storage.formats.rows import FormatError, RowError, Source
from storage.formats.synonyms import SYNONYMS
from storage.formats.values import is_number, plain

MAX_RECORD_CHARACTERS = 16_000_000
SAMPLE_CHARACTERS, SAMPLE_ROWS = 1 << 18, 60
DELIMITERS = ",;\t|"
_INSIDE = re.compile(r'(?:[^"]|"")*+"')
_SEP = re.compile(r"\ufeff?sep=(.)[,;\t]*\r?\n?\Z", re.IGNORECASE)

csv.field_size_limit(MAX_RECORD_CHARACTERS)  # for the whole process; the default, 131,072, is less than a long post


@dataclass(frozen=True, slots=True)
class Dialect:
    """delimiter: '' for a table of one column. backslash: quotes in a cell are escaped as \\". blanks: they may follow a delimiter."""

    delimiter: str = ","
    backslash: bool = False
    blanks: bool = False

    def line(self, line: str) -> str:
        """The line with its quotes escaped as RFC 4180 says."""
        return line.replace('\\"', '""') if self.backslash else line

    def cells(self, record: str) -> list[str] | None:
        """The cells of a record; None if text follows a closing quote."""
        if not self.delimiter:
            one = record.rstrip("\r\n")
            if not one.startswith('"'):
                return [one]
        try:
            reader = csv.reader([record], delimiter=self.delimiter or "\x1f", skipinitialspace=self.blanks, strict=True)
            return next(reader, [])
        except csv.Error:
            return None

    def ends_inside_quotes(self, line: str, inside: bool) -> bool:
        """Whether a quoted cell is still open at the end of the line; `inside` says so for its start."""
        at = 0
        while True:
            if inside:
                closing = _INSIDE.match(line, at)
                if closing is None:
                    return True
                at = closing.end()
            else:
                if self.blanks:
                    at += len(line[at:]) - len(line[at:].lstrip(" ")) if line.startswith(" ", at) else 0
                if line.startswith('"', at):
                    at += 1
                    inside = True
                    continue
            inside = False
            following = line.find(self.delimiter, at) if self.delimiter else -1
            if following < 0:
                return False
            at = following + 1


@dataclass(frozen=True, slots=True)
class Header:
    """columns: the names, made up where there is none. cells: the header as it stands. row: the number of its last row, 1-based.

    said: what is left out of the rows below the names that are no data.
    """

    columns: tuple[str, ...]
    cells: tuple[str, ...]
    row: int
    dialect: Dialect
    said: tuple[str, ...] = ()


def header_of(source: Source) -> Header:
    """The header of the file, and how its cells are parted. Raises FormatError for a file without one."""
    with open_text(source.path, source.encoding) as file:
        sample = file.read(SAMPLE_CHARACTERS)
        if not sample.strip("\ufeff \t\r\n"):
            raise FormatError(f"{source.path.name} is empty.")
        whole = len(sample) < SAMPLE_CHARACTERS
    first = sample.splitlines(keepends=True)[0]
    declared = _SEP.match(first)
    if declared:
        found = _header_with(Dialect(declared[1]), sample, whole)
    else:
        tried = [_header_with(dialect, sample, whole) for dialect in _candidates(sample)]
        found = max(tried, key=lambda item: item[0])
    _, rows, place, dialect = found
    if place is None:
        raise FormatError(f"{source.path.name} has no header.")
    cells = [c.strip().lstrip("\ufeff").strip() for c in rows[place]]
    if not dialect.delimiter and plain(cells[0]) not in KNOWN and source.columns.get("text") != cells[0]:
        raise FormatError(
            f"{source.path.name} is no table: its lines have one cell each, and the first, {_shortened(cells[0])}, names no column."
            " If each line is a post, put the word text above them."
        )
    if not set(source.columns.values()) & set(cells) and _is_data(cells, rows[place + 1 :]):
        raise FormatError(
            f"{source.path.name} has no names of columns: its first row, {_shortened(', '.join(cells))}, is data. Put a row such as"
            " id, text above it."
        )
    header = header_rows(rows, place)
    names = [n.lstrip("\ufeff").strip() for n in header.names]
    return Header(tuple(column_names(names, source.path.name)), tuple(cells), header.last + 1, dialect, header.said)


def _is_data(cells: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the row that would be the header is one of the others: none of its cells is a usual name, one is a number over numbers."""
    if not body or any(plain(c) in KNOWN for c in cells):
        return False
    for place, cell in enumerate(cells):
        below = [row[place] for row in body if place < len(row) and row[place].strip()]
        if is_number(cell) and below and all(map(is_number, below)):
            return True
    return False


def _candidates(sample: str) -> Iterator[Dialect]:
    backslashes = (False, True) if '\\"' in sample else (False,)
    for delimiter in (*DELIMITERS, ""):
        blanks = (False, True) if delimiter and f'{delimiter} "' in sample else (False,)
        for backslash in backslashes:
            for blank in blanks:
                yield Dialect(delimiter, backslash, blank)


def _header_with(dialect: Dialect, sample: str, whole: bool) -> tuple[float, list[list[str]], int | None, Dialect]:
    """(how well the rows fit the header, the rows, the header's place among them, the dialect)."""
    text = sample if whole else sample[: sample.rfind("\n") + 1] or sample
    records = islice(split_records(io.StringIO(text, newline=""), dialect, None), SAMPLE_ROWS)
    rows: list[list[str]] = []
    broken = 0
    for record in records:
        cells = None if isinstance(record, RowError) else dialect.cells(record)
        broken += cells is None
        rows.append(cells or [])
    rows = [[] if n == 0 and _SEP.match(sample.splitlines()[0]) else r for n, r in enumerate(rows)]
    place = header_row(rows)
    if place is None:
        return -1.0, rows, None, dialect
    header = _shorn(rows[place])
    body = [r for r in rows[place + 1 :] if any(c.strip() for c in r)]
    fitting = sum(1 for r in body if len(_shorn(r)) <= len(header) and (len(r) >= len(header) or not r))
    share = fitting / (len(body) + broken) if body or broken else 1.0
    known = sum(plain(c) in KNOWN for c in header)
    several = len(header) > 1 and bool(dialect.delimiter)
    one = not dialect.delimiter
    score = (share + 0.25 * min(known, 2) if several else (0.45 if one else 0.0)) - 0.01 * (
        dialect.backslash + dialect.blanks
    )
    return score, rows, place, dialect


def _shorn(cells: Sequence[str]) -> list[str]:
    found = list(cells)
    while found and not found[-1].strip():
        found.pop()
    return found


def _shortened(cell: str) -> str:
    return repr(cell[:40] + "…" if len(cell) > 40 else cell)


def column_names(cells: Sequence[str], file_name: str) -> list[str]:
    """A name for each column: as the header says, else by its place. Raises FormatError for two texts or ids of the same name."""
    found: dict[str, None] = {}
    times: Counter[str] = Counter()  # so that a row of a hundred thousand names is not looked through for each
    for place, cell in enumerate(cells, start=1):
        name = cell or f"column {place}"
        if name in found:
            if plain(name) in (*SYNONYMS["text"], *SYNONYMS["post_id"], *SYNONYMS["criterion"]):
                raise FormatError(f"{file_name} has two columns with the name {name!r}. Rename one of them.")
            first = times[cell] or 2
            number = next(n for n in range(first, first + len(cells)) if f"{cell} ({n})" not in found)
            times[cell], name = number + 1, f"{cell} ({number})"
        found[name] = None
    return list(found)


def split_records(file: TextIO, dialect: Dialect, width: int | None) -> Iterator[str | RowError]:
    """Records as text: lines, joined while a quote is open.

    A quote that does not close before the file ends or within MAX_RECORD_CHARACTERS, or closes in the wrong place, costs its own
    line only: the lines that it swallowed are read again. width: number of columns, where it is known.
    """
    waiting: deque[str] = deque()
    credit = MAX_RECORD_CHARACTERS  # characters that may be looked at in vain; grows with what is read, so that the whole stays linear
    while line := _next_line(file, waiting):
        line = dialect.line(line)
        credit += 2 * len(line)
        if '"' not in line or not dialect.ends_inside_quotes(line, False):
            yield line
            continue
        taken, length, inside = [line], len(line), True
        limit = min(MAX_RECORD_CHARACTERS, credit)
        while inside and length < limit and (more := _next_line(file, waiting)):
            taken.append(dialect.line(more))
            length += len(more)
            inside = dialect.ends_inside_quotes(taken[-1], True)
        record = "".join(taken)
        if inside or not _is_sound(record, dialect, width):
            credit -= length
            waiting.extendleft(reversed(taken[1:]))
            yield RowError(0, "opens a quote that never closes, or closes in the wrong place")
        else:
            credit += 2 * (length - len(line))
            yield record


def _next_line(file: TextIO, waiting: deque[str]) -> str:
    return waiting.popleft() if waiting else file.readline(MAX_RECORD_CHARACTERS)


def _is_sound(record: str, dialect: Dialect, width: int | None) -> bool:
    """True if a record of several lines is what its quotes say: nothing follows a closing quote, and the cells are as many."""
    cells = dialect.cells(record)
    return cells is not None and (width is None or len(cells) == width or not any(cells[width:]))
