"""CSV and TSV, both ways.

Out: one row per span, one for a verdict without spans, one without a criterion for a post without answers; RFC 4180, UTF-8.
In: any table; a record that is broken (a quote that never closes, a wrong number of cells) is refused alone.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from storage.formats.answers import quoted
from storage.formats.encodings import has_broken_bytes, open_text
from storage.formats.rows import ExportContext, ExportPost, FormatError, Row, RowError, Written
from storage.formats.table import Record, checked_mapping, rows_of_records
from storage.rows import to_json

MAX_RECORD_CHARACTERS = 16_000_000
SAMPLE_RECORDS = 50
COLUMNS = (
    "post_id",
    "text",
    "split",
    "author",
    "source",
    "posted_at",
    "criterion",
    "verdict",
    "start",
    "end",
    "quote",
    "reviewer",
    "created_at",
    "note",
    "meta",
)
CANNOT_CARRY = (
    "earlier revisions, rejected predictions and where a span came from",
    "predictions",
)
# a cell that begins like this is a formula to a spreadsheet; own quotes before it are kept apart by one more
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?\Z")
_INSIDE = re.compile(r'(?:[^"]|"")*+"')

csv.field_size_limit(MAX_RECORD_CHARACTERS)  # for the whole process; the default, 131,072, is less than a long post


def guard(cell: str) -> str:
    """The cell as a spreadsheet will show it, never run it; `unguard` gives the cell back."""
    return "'" + cell if _FORMULA.match(cell) else cell


def unguard(cell: str) -> str:
    return cell[1:] if _GUARDED.match(cell) else cell


def is_own_table(columns: Sequence[str]) -> bool:
    """True for a table that our CSV or XLSX writer made: its cells are guarded."""
    return tuple(columns[: len(COLUMNS)]) == COLUMNS


# --- out


def write(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    written = Written()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(COLUMNS)
        for item in posts:
            written.count(item)
            writer.writerows([guard(cell) for cell in cells] for cells in table_rows(item))
    return written


def table_rows(item: ExportPost) -> Iterator[list[str]]:
    """The cells of one post, as text, in order of COLUMNS."""
    post = item.post
    head = [post.id, post.text, str(post.split or ""), post.author or "", post.source or "", post.posted_at or ""]
    meta = to_json(dict(post.meta)) if post.meta else ""
    if not item.answers:
        yield [*head, *[""] * 8, meta]
    for answer in item.answers:
        tail = [answer.reviewer, answer.created_at or "", answer.note, meta]
        middle = [answer.criterion_id, str(answer.verdict or "")]
        if not answer.spans:
            yield [*head, *middle, "", "", "", *tail]
        for span in answer.spans:
            quote = quoted(post, span.start, span.end)
            yield [*head, *middle, str(span.start), str(span.end), quote, *tail]


# --- in


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """The rows of the table. Raises FormatError if it has no header or no usable column."""
    header, sample = preview(path, encoding=encoding)
    mapping = checked_mapping(header, columns, sample)
    yield from rows_of_records(iter_records(path, encoding), mapping)


def preview(path: Path, *, encoding: str) -> tuple[list[str], list[Record]]:
    """Column names and the first records."""
    sample: list[Record] = []
    with open_text(path, encoding) as file:
        header, delimiter = _header(file, path.name)
        for _, record in _records(file, header, delimiter):
            if not isinstance(record, RowError):
                sample.append(record)
            if len(sample) >= SAMPLE_RECORDS:
                break
    return header, sample


def iter_records(path: Path, encoding: str) -> Iterator[tuple[int, Record | RowError]]:
    """(row number, cells by column); the header is row 1."""
    with open_text(path, encoding) as file:
        header, delimiter = _header(file, path.name)
        yield from _records(file, header, delimiter)


def _header(file: TextIO, name: str) -> tuple[list[str], str]:
    """Column names and the delimiter. Raises FormatError for a file without a header."""
    line = file.readline(MAX_RECORD_CHARACTERS)
    while line and not line.strip():
        line = file.readline(MAX_RECORD_CHARACTERS)
    if not line:
        raise FormatError(f"{name} is empty.")
    delimiter = max(",;\t|", key=lambda d: len(_cells(line, d)))
    while _ends_inside_quotes(line, False, delimiter) and (more := file.readline(MAX_RECORD_CHARACTERS)):
        line += more
    header = [cell.strip().lstrip("\ufeff") for cell in _cells(line, delimiter)]
    if len(set(header)) < len(header):
        twice = next(c for c in header if header.count(c) > 1)
        raise FormatError(f"{name} has two columns with the name {twice!r}. Rename one of them.")
    return header, delimiter


def _records(file: TextIO, header: list[str], delimiter: str) -> Iterator[tuple[int, Record | RowError]]:
    own = is_own_table(header)
    for number, record in enumerate(_split_records(file, delimiter, len(header)), start=2):
        if isinstance(record, RowError):
            yield number, RowError(number, record.reason)
            continue
        if not record.strip():
            continue
        yield number, _record(number, record, header, delimiter, own)


def _record(number: int, line: str, header: list[str], delimiter: str, own: bool) -> Record | RowError:
    if has_broken_bytes(line):
        return RowError(number, "holds bytes that do not fit the file's encoding")
    cells = _cells(line, delimiter)
    if len(cells) != len(header):
        return RowError(number, f"has {len(cells)} cells, but there are {len(header)} columns")
    return dict(zip(header, map(unguard, cells) if own else cells, strict=True))


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _split_records(file: TextIO, delimiter: str, width: int) -> Iterator[str | RowError]:
    """Records as text: lines, joined while a quote is open.

    A quote that does not close before the file ends or within MAX_RECORD_CHARACTERS, or closes in the wrong place, costs its own
    line only: the lines that it swallowed are read again. width: number of columns.
    """
    waiting: deque[str] = deque()
    while line := _next_line(file, waiting):
        if '"' not in line or not _ends_inside_quotes(line, False, delimiter):
            yield line
            continue
        taken, length, inside = [line], len(line), True
        while inside and length < MAX_RECORD_CHARACTERS and (more := _next_line(file, waiting)):
            taken.append(more)
            length += len(more)
            inside = _ends_inside_quotes(more, True, delimiter)
        record = "".join(taken)
        if inside or not _is_sound(record, delimiter, width):
            waiting.extendleft(reversed(taken[1:]))
            yield RowError(0, "opens a quote that never closes, or closes in the wrong place")
        else:
            yield record


def _next_line(file: TextIO, waiting: deque[str]) -> str:
    return waiting.popleft() if waiting else file.readline(MAX_RECORD_CHARACTERS)


def _is_sound(record: str, delimiter: str, width: int) -> bool:
    """True if a record of several lines is what its quotes say: nothing follows a closing quote, and the cells are as many."""
    try:
        return len(next(csv.reader([record], delimiter=delimiter, strict=True))) == width
    except csv.Error:
        return False


def _ends_inside_quotes(line: str, inside: bool, delimiter: str) -> bool:
    """Whether a quoted cell is still open at the end of the line; `inside` says so for its start."""
    at = 0
    while True:
        if inside:
            closing = _INSIDE.match(line, at)
            if closing is None:
                return True
            at = closing.end()
        elif line.startswith('"', at):
            at += 1
            inside = True
            continue
        inside = False
        following = line.find(delimiter, at)
        if following < 0:
            return False
        at = following + 1


def as_cell(value: Any) -> str:
    """A spreadsheet's value as the text that it shows."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
