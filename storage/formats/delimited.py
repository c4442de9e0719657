"""CSV and TSV, both ways.

Out: one row per span, one for a verdict without spans, one without a criterion for a post without answers; RFC 4180, UTF-8.
In: any table; a record that is broken (a quote that never closes, a wrong number of cells) is refused alone.
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from storage.attributes import Attributes
from storage.formats.answers import quoted
from storage.formats.columns import Record
from storage.formats.delimited_records import Header, header_of, split_records
from storage.formats.encodings import has_broken_bytes, open_text
from storage.formats.ledger import LINE, Ledger, Outcome
from storage.formats.rows import ExportContext, ExportPost, Row, RowError, Source, Written
from storage.formats.said import columns_of, labels_cell, span_cells
from storage.formats.table import read_table
from storage.records import OF_POST
from storage.rows import to_json

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
# a cell that begins like this is a formula to a spreadsheet, some of which pass over white space and read full-width signs; own
# quotes before it are kept apart by one more
_BEGINS_FORMULA = r"(?:\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r])"
_FORMULA = re.compile(f"'*{_BEGINS_FORMULA}")
_GUARDED = re.compile(f"'+{_BEGINS_FORMULA}")


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
    return _write(posts, path, ",", context)


def write_tsv(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    return _write(posts, path, "\t", context)


def _write(posts: Iterable[ExportPost], path: Path, delimiter: str, context: ExportContext) -> Written:
    """The table, whatever the file is called."""
    written = Written()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow((*COLUMNS, *columns_of(context.attributes)))
        for item in posts:
            written.count(item)
            writer.writerows([guard(cell) for cell in cells] for cells in table_rows(item, context.attributes))
    return written


def table_rows(item: ExportPost, attributes: Attributes) -> Iterator[list[str]]:
    """The cells of one post, as text, in order of COLUMNS, and of `said.columns_of` where the project defines attributes."""
    more = len(columns_of(attributes))
    for cells, said in _rows(item):
        yield [*cells, *said, *[""] * (more - len(said))] if more else cells


def _rows(item: ExportPost) -> Iterator[tuple[list[str], list[str]]]:
    """The cells of COLUMNS, and the first of those that follow them."""
    post = item.post
    head = [post.id, post.text, str(post.split or ""), post.author or "", post.source or "", post.posted_at or ""]
    meta = to_json(dict(post.meta)) if post.meta else ""
    if not item.answers and not item.labels:
        yield [*head, *[""] * 8, meta], []
    for answer in item.labels:
        tail = [answer.reviewer, answer.created_at or "", answer.note, meta]
        yield [*head, OF_POST, *[""] * 4, *tail], ["", "", "", labels_cell(answer.labels)]
    for answer in item.answers:
        tail = [answer.reviewer, answer.created_at or "", answer.note, meta]
        middle = [answer.criterion_id, str(answer.verdict or "")]
        if not answer.spans:
            yield [*head, *middle, "", "", "", *tail], []
        for span in answer.spans:
            quote = quoted(post, span.start, span.end)
            yield [*head, *middle, str(span.start), str(span.end), quote, *tail], span_cells(span.attributes)


# --- in


def read(source: Source) -> Iterator[Row]:
    """The rows of the table. Raises FormatError if it has no header or no usable column."""
    header, sample = preview(source)
    yield from read_table(header, sample, iter_records(source), source)


def preview(source: Source) -> tuple[list[str], list[Record]]:
    """Column names and the first records."""
    look = dataclasses.replace(source, ledger=Ledger())
    records = (r for _, r in iter_records(look) if not isinstance(r, RowError))
    return list(header_of(source).columns), list(islice(records, SAMPLE_RECORDS))


def iter_records(source: Source) -> Iterator[tuple[int, Record | RowError]]:
    """(row number, cells by column), with the rows counted as a spreadsheet counts them: the first of the file is 1."""
    header = header_of(source)
    own = is_own_table(header.columns)
    dialect, names = header.dialect, list(header.cells)
    for said in header.said:
        source.ledger.count(LINE, "names of columns", Outcome.LEFT, said)
    with open_text(source.path, source.encoding) as file:
        for number, record in enumerate(split_records(file, dialect, len(header.columns)), start=1):
            if number <= header.row:
                continue
            if isinstance(record, RowError):
                yield number, RowError(number, record.reason)
                continue
            if not record.strip():
                continue
            if has_broken_bytes(record):
                yield number, RowError(number, f"holds bytes that do not fit the file's encoding ({source.encoding})")
                continue
            cells = dialect.cells(record)
            if cells is None:
                yield (
                    number,
                    RowError(
                        number, "has text after a closing quote: its quotes are not escaped as in the rest of the file"
                    ),
                )
            elif [c.strip() for c in cells] == names:
                source.ledger.count(
                    LINE, "repeated header", Outcome.LEFT, f"row {number} repeats the names of the columns"
                )
            elif any(cells):
                yield number, _record(number, cells, header, own)


def _record(number: int, cells: list[str], header: Header, own: bool) -> Record | RowError:
    width = len(header.columns)
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    if len(cells) != width:
        return RowError(number, f"has {len(cells)} cells, but there are {width} columns")
    return dict(zip(header.columns, map(unguard, cells) if own else cells, strict=True))


def as_cell(value: Any) -> str:
    """A spreadsheet's value as the text that it shows."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
