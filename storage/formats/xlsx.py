"""Excel workbooks: out one sheet with the columns of our CSV; in every sheet that holds posts or labels. Through openpyxl, row by row."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from storage.formats import delimited
from storage.formats.archive import add_file
from storage.formats.columns import ColumnMapping, Record, checked_mapping
from storage.formats.delimited import COLUMNS, as_cell, guard, is_own_table, table_rows, unguard
from storage.formats.ledger import LINE, Ledger, Outcome
from storage.formats.ledger import SHEET as LEDGER_SHEET
from storage.formats.people import MAX_PARTS, SAMPLE_ROWS, by, names_of_people
from storage.formats.rows import ExportContext, ExportPost, Row, RowError, Source, Written
from storage.formats.said import columns_of
from storage.formats.splits import split_in_path
from storage.formats.table import rows_of_records
from storage.formats.wide import criterion_named
from storage.formats.workbook import Sheet, chosen_sheets, open_workbook, shown

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
        written = _fill(sheet, posts, context)
    except BaseException:
        sheet.close()  # ends its stream into a temporary file
        raise
    with _WithoutClock(path, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        ExcelWriter(book, archive).save()
    return written


def _fill(sheet: Any, posts: Iterable[ExportPost], context: ExportContext) -> Written:
    written = Written()
    sheet.append((*COLUMNS, *columns_of(context.attributes)))
    rows = 1
    for item in posts:
        cells = [
            [_escaped(guard(cell)) if cell else None for cell in row] for row in table_rows(item, context.attributes)
        ]
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


# --- in


def read(source: Source) -> Iterator[Row]:
    """The rows of the sheets that hold posts or labels. Formulas count as the values that were saved with them."""
    with open_workbook(source.path) as book:
        sheets = chosen_sheets(book, source)
        called = {s.name: criterion_named(s.name, source.criteria) for s in sheets if len(book.sheets) > 1}
        mappings = [
            checked_mapping(
                s.header,
                _columns_there(source.columns, s, sheets),
                s.sample,
                criteria=source.criteria,
                of_one=called.get(s.name) is not None,
                reviewers=source.reviewers,
            )
            for s in sheets
        ]
        people = _people(sheets, mappings, source)
        for sheet, mapping in zip(sheets, mappings, strict=True):
            split = split_in_path(PurePath(sheet.name)) if len(sheets) > 1 else None
            person = people.get(PurePath(sheet.name))
            if person is not None:
                source.ledger.count(LEDGER_SHEET, sheet.name, Outcome.TAKEN, f"the answers of {person}")
            inner = replace(source, criterion=called.get(sheet.name))
            if inner.criterion and "criterion" not in mapping.columns:
                why = f"labels that no column names are of {inner.criterion}"
                source.ledger.count(LEDGER_SHEET, sheet.name, Outcome.TAKEN, why)
            for row in rows_of_records(_records(sheet, source), mapping, inner):
                if len(sheets) == 1:
                    yield row
                elif isinstance(row, RowError):
                    yield replace(row, reason=f"sheet {sheet.name}: {row.reason}")
                else:
                    yield by(person, replace(row, part=sheet.name, split=row.split or split))


def _people(sheets: Sequence[Sheet], mappings: Sequence[ColumnMapping], source: Source) -> dict[PurePath, str]:
    """Who annotated each of the sheets, where they hold the same texts."""
    look = replace(source, ledger=Ledger())
    pairs = list(zip(sheets, mappings, strict=True))[:MAX_PARTS]
    return names_of_people(
        {PurePath(s.name): list(rows_of_records(enumerate(s.sample[:SAMPLE_ROWS]), m, look)) for s, m in pairs}
    )


def _columns_there(columns: Mapping[str, str], sheet: Sheet, sheets: Sequence[Sheet]) -> dict[str, str]:
    """The chosen columns that the sheet has; all of them where no sheet has them, so that they are refused by name."""
    elsewhere = {c for other in sheets for c in other.header}
    return {k: v for k, v in columns.items() if not v or v in sheet.header or v not in elsewhere}


def preview(source: Source) -> tuple[list[str], list[Record]]:
    with open_workbook(source.path) as book:
        sheets = chosen_sheets(book, replace(source, ledger=Ledger()))
        return sheets[0].header, sheets[0].sample


def sheet_names(path: Path) -> list[str]:
    """The names of the workbook's sheets, in their order. Raises FormatError."""
    with open_workbook(path) as book:
        return [s.name for s in book.sheets]


def _records(sheet: Sheet, source: Source) -> Iterator[tuple[int, Record | RowError]]:
    own = is_own_table(sheet.header)
    names = [c.strip() for c in sheet.cells]
    for said in sheet.said:
        source.ledger.count(LINE, "names of columns", Outcome.LEFT, said)
    for number, values in sheet.rows():
        if number <= sheet.header_row:
            continue
        cells = [_value(v, own) for v in values]
        if [as_cell(c).strip() for c in cells[: len(names)]] == names:
            source.ledger.count(LINE, "repeated header", Outcome.LEFT, f"row {number} repeats the names of the columns")
        elif any(cell not in (None, "") for cell in cells):
            yield number, _record(number, sheet.header, cells)


def _record(number: int, header: list[str], cells: list[Any]) -> Record | RowError:
    if any(cell not in (None, "") for cell in cells[len(header) :]):
        return RowError(number, f"has {len(cells)} cells, but there are {len(header)} columns")
    return dict(zip(header, cells + [None] * (len(header) - len(cells)), strict=False))


def _value(value: Any, own: bool) -> Any:
    if isinstance(value, str):
        return unguard(_unescaped(value)) if own else _unescaped(value)
    return shown(value)
