"""Excel workbooks: out one sheet with the columns of our CSV; in the first sheet with a header. Through openpyxl, row by row."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from storage.formats import delimited
from storage.formats.archive import MAX_BYTES, MAX_RATIO, RATIO_FREE_BYTES, add_file
from storage.formats.delimited import COLUMNS, SAMPLE_RECORDS, as_cell, guard, is_own_table, table_rows, unguard
from storage.formats.rows import ExportContext, ExportPost, FormatError, Row, RowError, Written
from storage.formats.table import Record, checked_mapping, rows_of_records

MAX_CELL_CHARACTERS = 32_767
MAX_ROWS = 1_048_576
SHEET = "annotations"
TOO_LONG = f"posts with more than {MAX_CELL_CHARACTERS:,} characters, which no cell can hold"
TOO_MANY = f"posts beyond the {MAX_ROWS:,} rows of a sheet"
CANNOT_CARRY = (*delimited.CANNOT_CARRY, TOO_LONG, TOO_MANY)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_TIMES = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")
# characters that XML cannot hold, and a carriage return, which it would turn into a line feed: written as Excel does
_UNSAFE = re.compile(r"[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def write(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    from openpyxl import Workbook
    from openpyxl.writer.excel import ExcelWriter

    book = Workbook(write_only=True)
    sheet = book.create_sheet(SHEET)
    try:
        written = _fill(sheet, posts)
    except BaseException:
        sheet.close()  # ends its stream into a temporary file
        raise
    with _WithoutClock(path, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        ExcelWriter(book, archive).save()
    return written


def _fill(sheet: Any, posts: Iterable[ExportPost]) -> Written:
    written = Written()
    sheet.append(COLUMNS)
    rows = 1
    for item in posts:
        cells = [[_escaped(guard(cell)) if cell else None for cell in row] for row in table_rows(item)]
        if any(cell and len(cell) > MAX_CELL_CHARACTERS for row in cells for cell in row):
            written.leave_out(TOO_LONG)
        elif rows + len(cells) > MAX_ROWS:
            written.leave_out(TOO_MANY)
        else:
            written.count(item)
            rows += len(cells)
            for row in cells:
                sheet.append(row)
    return written


class _WithoutClock(zipfile.ZipFile):
    """The workbook's parts without the time at which it was saved, so that equal content gives equal bytes."""

    def writestr(self, zinfo_or_arcname: Any, data: Any, *_: Any, **__: Any) -> None:
        text = data.encode() if isinstance(data, str) else data
        if zinfo_or_arcname == "docProps/core.xml":
            text = _TIMES.sub(rb"\g<1>2000-01-01T00:00:00Z", text)
        entry = zipfile.ZipInfo(zinfo_or_arcname, date_time=_EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        super().writestr(entry, text)

    def write(self, filename: Any, arcname: Any = None, *_: Any, **__: Any) -> None:
        add_file(self, Path(filename), str(arcname))


def _escaped(cell: str) -> str:
    return _UNSAFE.sub(lambda m: f"_x{ord(m.group()):04X}_", cell)


def _unescaped(cell: str) -> str:
    return _ESCAPED.sub(lambda m: chr(int(m.group(1), 16)), cell)


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """The rows of the first sheet. Formulas count as the values that were saved with them."""
    header, sample = preview(path, encoding=encoding)
    mapping = checked_mapping(header, columns, sample)
    yield from rows_of_records(_records(path), mapping)


def preview(path: Path, *, encoding: str) -> tuple[list[str], list[Record]]:
    with _rows(path) as rows:
        header = _header(rows, path.name)
    records = (r for _, r in _records(path) if not isinstance(r, RowError))
    return header, list(islice(records, SAMPLE_RECORDS))


def _records(path: Path) -> Iterator[tuple[int, Record | RowError]]:
    with _rows(path) as rows:
        header = _header(rows, path.name)
        own = is_own_table(header)
        for number, values in enumerate(rows, start=2):
            cells = [_value(v, own) for v in values]
            if any(cell not in (None, "") for cell in cells):
                yield number, _record(number, header, cells)


def _record(number: int, header: list[str], cells: list[Any]) -> Record | RowError:
    if any(cell not in (None, "") for cell in cells[len(header) :]):
        return RowError(number, f"has {len(cells)} cells, but there are {len(header)} columns")
    return dict(zip(header, cells + [None] * (len(header) - len(cells)), strict=False))


def _value(value: Any, own: bool) -> Any:
    if isinstance(value, str):
        return unguard(_unescaped(value)) if own else _unescaped(value)
    return value if isinstance(value, int | float | bool) or value is None else str(value)


def _header(rows: Iterator[tuple[Any, ...]], name: str) -> list[str]:
    for values in rows:
        header = [as_cell(v).strip() for v in values]
        while header and not header[-1]:
            header.pop()
        if header:
            twice = next((c for c in header if header.count(c) > 1), None)
            if twice is not None:
                raise FormatError(f"{name} has two columns with the name {twice!r}. Rename one of them.")
            return header
    raise FormatError(f"{name} has no header in its first sheet.")


@contextmanager
def _rows(path: Path) -> Iterator[Iterator[tuple[Any, ...]]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    _check_size(path)
    with path.open("rb") as file:  # openpyxl judges a path by its extension, a file by its content
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about styles and print settings, which are not read
                book = load_workbook(file, read_only=True, data_only=True)
        except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, SyntaxError) as error:
            raise FormatError(f"{path.name} is no readable Excel workbook ({error}).") from error
        try:
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # some programs write wrong ones
            yield sheet.iter_rows(values_only=True)
        finally:
            book.close()


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        total = sum(m.file_size for m in archive.infolist())
    if total > MAX_BYTES or (total > RATIO_FREE_BYTES and total > MAX_RATIO * path.stat().st_size):
        raise FormatError(f"{path.name} unpacks to {total >> 20} MB: refused as a zip bomb.")
