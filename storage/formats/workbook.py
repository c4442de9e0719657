"""An Excel workbook's sheets: which hold posts, where their header is, merged cells, and formulas whose value was not saved."""

from __future__ import annotations

import datetime as dt
import os
import re
import warnings
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from storage.formats.budget import Budget, check_unpacked
from storage.formats.columns import Record, checked_mapping
from storage.formats.delimited_records import column_names
from storage.formats.headers import header_row, header_rows
from storage.formats.ledger import SHEET, Outcome
from storage.formats.rows import FormatError, Source
from storage.formats.texts import UNSAVED

LOOK_ROWS = 60
MAX_MERGES = 20_000
MAX_INDEX_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 20
_MERGE = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=\"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})\"")
_HIDDEN_ROW = re.compile(rb"<(?:\w+:)?row\s[^>]*?hidden=\"(?:1|true)\"")
_COMMENT = re.compile(rb"<(?:\w+:)?comment\s")
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")


@dataclass(frozen=True, slots=True)
class Merge:
    """A merged range, 1-based, both ends inside."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass
class Sheet:
    """One sheet. header: names of the columns; cells: the header as it stands; header_row: the last of its
    rows, 1-based, 0 for a sheet without one; said: what is left out of these.
    """

    name: str
    hidden: bool
    path: Path
    values: Any
    formulas: Any = None
    merges: list[Merge] = field(default_factory=list)
    comments: int = 0
    hidden_rows: int = 0
    header: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    header_row: int = 0
    said: tuple[str, ...] = ()
    sample: list[Record] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[int, list[Any]]]:
        """(row number of the sheet, values), merged cells filled in where the row has something of its own."""
        formulas = self.formulas.iter_rows(values_only=True) if self.formulas is not None else None
        filler = _Filler(self.merges)
        budget = Budget(self.path)
        for number, row in enumerate(self.values.iter_rows(values_only=True), start=1):
            values = list(row)
            budget.spend(values)
            if formulas is not None:
                written = next(formulas, ())
                values = [_value_or_unsaved(v, written[n] if n < len(written) else None) for n, v in enumerate(values)]
            yield number, filler.filled(number, values)


class _Filler:
    """Puts the value of a merged range into the rows that it covers, row by row."""

    def __init__(self, merges: Sequence[Merge]) -> None:
        self._waiting = deque(sorted(merges, key=lambda m: m.top))
        self._open: list[tuple[Merge, Any]] = []

    def filled(self, number: int, values: list[Any]) -> list[Any]:
        self._open = [(m, v) for m, v in self._open if m.bottom >= number]
        if self._open and any(v not in (None, "") for v in values):
            for merge, value in self._open:
                if merge.left <= len(values) and values[merge.left - 1] in (None, ""):
                    values[merge.left - 1] = value
        while self._waiting and self._waiting[0].top <= number:
            merge = self._waiting.popleft()
            self._open.append((merge, values[merge.left - 1] if merge.left <= len(values) else None))
        return values


@dataclass
class Workbook:
    name: str
    sheets: list[Sheet]


@contextmanager
def open_workbook(path: Path) -> Iterator[Workbook]:
    """The workbook with its sheets looked at. Raises FormatError for what is none, and for one that unpacks to far too much."""
    parts = _check_parts(path)
    with (
        path.open("rb") as file,
        path.open("rb") as again,
    ):  # openpyxl judges a path by its extension, a file by its content
        book = _load(file, path.name, values=True)
        formulas = None
        try:
            if parts.formulas:
                formulas = _load(again, path.name, values=False)
            sheets = []
            for place, values in enumerate(book.worksheets):
                values.reset_dimensions()  # some programs write wrong ones
                sheet = Sheet(
                    values.title,
                    values.sheet_state != "visible",
                    path,
                    values,
                    merges=parts.merges.get(values.title, []),
                    comments=parts.comments.get(values.title, 0),
                    hidden_rows=parts.hidden_rows.get(values.title, 0),
                )
                if formulas is not None and values.title in parts.formulas:
                    sheet.formulas = formulas.worksheets[place]
                    sheet.formulas.reset_dimensions()
                _look_at(sheet, path.name)
                sheets.append(sheet)
            yield Workbook(path.name, sheets)
        except (
            zipfile.BadZipFile,
            KeyError,
            ElementTree.ParseError,
            EOFError,
            AttributeError,
            IndexError,
            TypeError,
        ) as error:
            raise FormatError(f"{path.name} is a damaged Excel workbook ({type(error).__name__}).") from error
        finally:
            book.close()
            if formulas is not None:
                formulas.close()


def _load(file: Any, name: str, *, values: bool) -> Any:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and print settings, which are not read
            return load_workbook(file, read_only=True, data_only=values)
    except (
        InvalidFileException,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        SyntaxError,
        TypeError,
        EOFError,
        AttributeError,
        OSError,
    ) as error:
        if (
            getattr(error, "errno", None) is not None
        ):  # the disk's; the library raises one without a number for a missing part
            raise
        reason = " ".join(str(error).split())[:120]
        raise FormatError(f"{name} is no readable Excel workbook ({reason}).") from error


def _look_at(sheet: Sheet, file_name: str) -> None:
    """Find the sheet's header and its first records."""
    rows = [(n, [_text(v) for v in values], values) for n, values in islice(sheet.rows(), LOOK_ROWS)]
    place = header_row([cells for _, cells, _ in rows])
    if place is None:
        return
    cells = list(rows[place][1])
    while cells and not cells[-1].strip():
        cells.pop()
    filled = [n for _, later, _ in rows[place:] for n, cell in enumerate(later, start=1) if cell.strip()]
    cells += [""] * (max(filled, default=0) - len(cells))  # columns without a name
    header = header_rows([later for _, later, _ in rows], place)
    names = [*header.names, *[""] * (len(cells) - len(header.names))][: max(len(cells), 1)]
    sheet.header_row, sheet.cells, sheet.said = rows[header.last][0], cells, header.said
    sheet.header = column_names(names, file_name)
    width = len(sheet.header)
    for _, _, values in rows[header.last + 1 :]:
        if any(v not in (None, "") for v in values[:width]):
            sheet.sample.append(dict(zip(sheet.header, map(shown, [*values, *[None] * width]), strict=False)))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def shown(value: Any) -> Any:
    """The value as a spreadsheet shows it, as far as it is no number or word: a day without a time, a time, a date."""
    if isinstance(value, dt.datetime) and not (value.hour or value.minute or value.second or value.microsecond):
        return value.date().isoformat()
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return value.isoformat(" ") if isinstance(value, dt.datetime) else str(value)


def _value_or_unsaved(value: Any, written: Any) -> Any:
    return UNSAVED if value is None and isinstance(written, str) and written.startswith("=") else value


# --- which sheets


def chosen_sheets(book: Workbook, source: Source) -> list[Sheet]:
    """The sheets to read: the one that was chosen, else every visible one with a header that names a text, or labels of posts.

    The others are counted as left out. Raises FormatError where none can be read, with the names of all.
    """
    names = ", ".join(f"{s.name!r}" + (" (hidden)" if s.hidden else "") for s in book.sheets)
    if source.sheet:
        found = _named(book, source.sheet, names)
        _count_unseen([found], source)
        return [found]
    visible = [s for s in book.sheets if not s.hidden and s.header_row]
    named = [s for s in visible if _is_readable(s, source, by_name=True)]
    chosen = named or [s for s in visible if _is_readable(s, source, by_name=False)][:1]
    for sheet in book.sheets:
        if sheet not in chosen:
            why = (
                "is hidden"
                if sheet.hidden
                else "no column is called like the text of a post"
                if sheet.header_row
                else "is empty"
            )
            source.ledger.count(SHEET, sheet.name, Outcome.LEFT, f"{why}; it is read where it is chosen (--sheet)")
        elif len(book.sheets) > 1:
            source.ledger.count(SHEET, sheet.name, Outcome.TAKEN, "posts, or labels of posts")
    if chosen:
        _count_unseen(chosen, source)
        return chosen
    if len(visible) == 1 or (not visible and len(book.sheets) == 1):
        sheet = (visible or book.sheets)[0]
        if not sheet.header_row:
            raise FormatError(f"{book.name} has no header in its sheet {sheet.name!r}.")
        return [sheet]
    raise FormatError(
        f"{book.name}: no sheet looks like a table of posts. Its sheets: {names}. Choose one (--sheet NAME)."
    )


def _count_unseen(sheets: Sequence[Sheet], source: Source) -> None:
    """Count what a table of cells does not show: comments, which are not read, and hidden rows, which are."""
    for sheet in sheets:
        if sheet.comments:
            source.ledger.count(SHEET, sheet.name, Outcome.LEFT, "comments on cells are not read", sheet.comments)
        if sheet.hidden_rows:
            source.ledger.count(
                SHEET, sheet.name, Outcome.TAKEN, "hidden rows, read like the others", sheet.hidden_rows
            )


def _named(book: Workbook, wanted: str, names: str) -> Sheet:
    for sheet in book.sheets:
        if sheet.name.casefold().strip() == wanted.casefold().strip():
            if not sheet.header_row:
                raise FormatError(f"{book.name} has no header in its sheet {sheet.name!r}.")
            return sheet
    raise FormatError(f"{book.name} has no sheet {wanted!r}. Its sheets: {names}.")


def _is_readable(sheet: Sheet, source: Source, *, by_name: bool) -> bool:
    columns = {k: v for k, v in source.columns.items() if not v or v in sheet.header}
    try:
        mapping = checked_mapping(
            sheet.header, columns, sheet.sample, criteria=source.criteria, reviewers=source.reviewers
        )
    except FormatError:
        return False
    if not by_name or "text" in columns:
        return True
    try:
        checked_mapping(sheet.header, columns, [dict.fromkeys(sheet.header, "x")], criteria=source.criteria)
    except FormatError:
        return "text" not in mapping.columns
    return bool(sheet.sample)


# --- what openpyxl does not say when it reads row by row


@dataclass
class _Parts:
    """By sheet. comments, hidden_rows: how many."""

    merges: dict[str, list[Merge]]
    formulas: set[str]
    comments: dict[str, int] = field(default_factory=dict)
    hidden_rows: dict[str, int] = field(default_factory=dict)


def _check_parts(path: Path) -> _Parts:
    """Merged cells by sheet, and the sheets that hold formulas. Raises FormatError for a bomb or a damaged file."""
    parts = _Parts({}, set())
    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked(sum(m.file_size for m in archive.infolist()), path.stat().st_size, path.name)
            for name, part in _sheet_parts(archive).items():
                merges, formulas, hidden = _scan(archive, part)
                parts.merges[name], parts.hidden_rows[name] = merges, hidden
                parts.comments[name] = _comments(archive, part)
                if formulas:
                    parts.formulas.add(name)
    except (
        zipfile.BadZipFile,
        KeyError,
        ElementTree.ParseError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise FormatError(f"{path.name} is a damaged Excel workbook ({' '.join(str(error).split())[:120]}).") from error
    return parts


def _sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """The sheets' files in the archive by their names."""
    names = set(archive.namelist())
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names:
        return {}
    if any(archive.getinfo(n).file_size > MAX_INDEX_BYTES for n in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")):
        return {}
    targets = {}
    for relation in ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels")):  # noqa: S314 (no entities: expat's own limits)
        target = relation.get("Target", "")
        place = target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl") / target)
        targets[relation.get("Id")] = place
    found = {}
    for element in ElementTree.fromstring(archive.read("xl/workbook.xml")).iter():  # noqa: S314
        if element.tag.endswith("}sheet"):
            identifier = next((v for k, v in element.attrib.items() if k.endswith("}id")), None)
            if targets.get(identifier) in names:
                found[element.get("name", "")] = targets[identifier]
    return found


def _comments(archive: zipfile.ZipFile, part: str) -> int:
    """How many comments the cells of a sheet have."""
    place = PurePosixPath(part)
    relations = str(place.parent / "_rels" / f"{place.name}.rels")
    names = set(archive.namelist())
    if relations not in names or archive.getinfo(relations).file_size > MAX_INDEX_BYTES:
        return 0
    found = 0
    for relation in ElementTree.fromstring(archive.read(relations)):  # noqa: S314
        target = relation.get("Target", "")
        if relation.get("Type", "").endswith("/comments"):
            file = target.lstrip("/") if target.startswith("/") else os.path.normpath(place.parent / target)
            if file in names and archive.getinfo(file).file_size <= MAX_INDEX_BYTES:
                found += len(_COMMENT.findall(archive.read(file)))
    return found


def _scan(archive: zipfile.ZipFile, part: str) -> tuple[list[Merge], bool, int]:
    """The merged ranges of several rows, whether there are formulas, and how many rows are hidden."""
    merges: list[Merge] = []
    formulas, hidden, rest = False, 0, b""
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK_BYTES):
            data = rest + chunk
            formulas = formulas or _FORMULA.search(data) is not None
            hidden += len(_HIDDEN_ROW.findall(data))
            for left, top, right, bottom in _MERGE.findall(data):
                if int(bottom) > int(top) and len(merges) < MAX_MERGES:
                    merges.append(Merge(int(top), _column(left), int(bottom), _column(right)))
            rest = data[-200:] if b"<" in data[-200:] else b""
            rest = rest[rest.rfind(b"<") :] if rest else b""
            rest = b"" if b">" in rest else rest
    return merges, formulas, hidden


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
