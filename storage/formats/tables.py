"""A folder of tables of different kinds: posts in one and their labels in another, a file for each person, criterion or split.

Each file is read as what it is by itself. One without a column called like a text, or like labels of posts, is left out by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

from storage.formats.columns import Record, checked_mapping
from storage.formats.content import detect_file
from storage.formats.ledger import FILE, Ledger, Outcome
from storage.formats.parts import data_files
from storage.formats.people import MAX_PARTS, SAMPLE_ROWS, by, by_model, is_models, names_of_people
from storage.formats.rows import FormatError, ImportRow, Row, RowError, Source
from storage.formats.splits import split_in_path
from storage.formats.synonyms import SYNONYMS
from storage.formats.texts import check_text
from storage.formats.values import plain, string
from storage.formats.wide import criterion_named
from storage.records import InvalidRecord

CANNOT_CARRY: tuple[str, ...] = ()
_FILE_NAMES = ("file", "filename", "document", "doc", "textfile")  # columns of the names of text files


@dataclass(frozen=True, slots=True)
class _Table:
    """One file. texts: whether it holds texts; names: what its labels call their posts, as far as its first records say."""

    place: PurePath
    source: Source
    format: Any
    texts: bool
    names: frozenset[str]

    def rows(self) -> Iterator[Row]:
        found: Iterator[Row] = self.format.read(self.source)
        return found


def hold_tables(path: Path) -> bool:
    """Whether the files of the folder are tables, or texts with tables, that belong together: some hold texts, by the names of columns."""
    files = _files(path)
    if not all(map(_is_table, files)):
        return False
    tables = _tables(Source(path), files, Ledger())
    return any(t.texts for t in tables) or bool(tables and _texts_of(tables, path))


def _is_table(file: Path) -> bool:
    """Whether a file is a table, or of no format that is known: not one of a tool's own."""
    try:
        return detect_file(file).format.table
    except FormatError:
        return True


def read(source: Source) -> Iterator[Row]:
    """The texts that tables are about, and the rows of all tables, each under its number there. Raises FormatError where there is none."""
    tables = _tables(source, _files(source.path), source.ledger)
    if not tables:
        raise FormatError(f"{source.path.name} holds no table with a column called like the text of a post.")
    people = names_of_people(_samples([t for t in tables if not is_models(t.place)]))
    yield from _texts(tables, source)
    for table in tables:
        name, split = table.place.as_posix(), split_in_path(table.place)
        of = [f"the answers of {people[table.place]}"] if table.place in people else []
        of += [f"labels that no column names are of {table.source.criterion}"] if table.source.criterion else []
        of += ["a model's predictions, by its name"] if is_models(table.place) else []
        source.ledger.count(FILE, name, Outcome.TAKEN, "; ".join(of) or "a table of posts, or of their labels")
        try:
            for row in table.rows():
                if isinstance(row, RowError):
                    yield replace(row, reason=f"{name}: {row.reason}")
                else:
                    part = row.part or row.split or split or name
                    placed = replace(row, split=row.split or split, part=part)
                    yield (
                        by_model(table.place.stem, placed)
                        if is_models(table.place)
                        else by(people.get(table.place), placed)
                    )
        except FormatError as error:
            yield RowError(1, f"{name}: {error}")


def preview(source: Source) -> tuple[list[str], list[Record]]:
    """Column names and first records, of the first table with texts."""
    tables = _tables(source, _files(source.path), Ledger())
    first = next((t for t in tables if t.texts), tables[0] if tables else None)
    if first is None:
        raise FormatError(f"{source.path.name} holds no table.")
    header, records = first.format.preview(first.source)
    return header, records


def _files(path: Path) -> list[Path]:
    return [f for f in data_files(path) if f.suffix.lower() != ".txt"]


def _tables(source: Source, files: Sequence[Path], ledger: Ledger) -> list[_Table]:
    found = []
    for file in files:
        table = _table(source, file)
        if isinstance(table, str):
            ledger.count(FILE, file.relative_to(source.path).as_posix(), Outcome.LEFT, table)
        else:
            found.append(table)
    return found


def _table(source: Source, file: Path) -> _Table | str:
    """The file as a table; else why it is none."""
    place = file.relative_to(source.path)
    try:
        detected = detect_file(file)
        if not detected.format.table or detected.format.is_folder:
            return f"is {detected.format.title}, no table as the rest of the folder"
        inner = replace(
            source,
            path=file,
            encoding=detected.encoding.name,
            columns={},
            criterion=criterion_named(file.stem, source.criteria),
        )
        header, sample = detected.format.preview(replace(inner, ledger=Ledger()))
        columns = {k: v for k, v in source.columns.items() if not v or v in header}
        if "post_id" not in columns and (names := _file_column(header, sample)) is not None:
            columns["post_id"] = names
        of_one = inner.criterion is not None
        mapping = checked_mapping(header, columns, sample, criteria=source.criteria, of_one=of_one)
        texts = "text" in mapping.columns or mapping.tokens is not None
        if texts and mapping.tokens is None and not _is_called_text(header, columns):
            return "no column is called like the text of a post; to be read it is imported by itself"
    except FormatError as error:
        return " ".join(str(error).split())
    ids = mapping.columns.get("post_id", "")
    called = frozenset(n for r in sample if (n := string(r.get(ids))))
    return _Table(place, replace(inner, columns=columns), detected.format, texts, called)


def _is_called_text(header: Sequence[str], columns: Mapping[str, str]) -> bool:
    """Whether a column is chosen for the text, or called like one: a codebook has words too."""
    return "text" in columns or any(plain(c) in SYNONYMS["text"] for c in header)


def _file_column(header: Sequence[str], sample: Sequence[Record]) -> str | None:
    """The column that names text files."""
    fitting = (c for c in header if plain(c) in _FILE_NAMES)
    return next((c for c in fitting if any(str(r.get(c)).lower().endswith(".txt") for r in sample)), None)


def _samples(tables: Sequence[_Table]) -> Mapping[PurePath, list[Row]]:
    samples = {}
    for table in tables[:MAX_PARTS]:
        look = replace(table, source=replace(table.source, ledger=Ledger()))
        try:
            samples[table.place] = list(islice(look.rows(), SAMPLE_ROWS))
        except FormatError:
            continue
    return samples


# --- texts in files of their own


def _texts_of(tables: Sequence[_Table], path: Path) -> dict[Path, str]:
    """The text files that the labels of the tables speak of, each with the id that they give it."""
    names = {n for t in tables if not t.texts for n in t.names}
    found = {}
    for file in sorted(path.rglob("*.txt")):
        called = next((n for n in (file.name, file.stem, file.relative_to(path).as_posix()) if n in names), None)
        if called is not None:
            found[file] = called
    siblings = {file.parent: "." in PurePath(called).name for file, called in found.items()}
    rest = (f for f in sorted(path.rglob("*.txt")) if f not in found and f.parent in siblings)
    return found | {f: f.name if siblings[f.parent] else f.stem for f in rest}


def _texts(tables: Sequence[_Table], source: Source) -> Iterator[Row]:
    from storage.formats.encodings import detect_encoding, open_text

    for file, post_id in _texts_of(tables, source.path).items():
        name = file.relative_to(source.path)
        try:
            with open_text(file, detect_encoding(file).name) as opened:
                text, notes = check_text(opened.read())
        except InvalidRecord as error:
            yield RowError(1, f"{name.as_posix()}: {error}", post_id=post_id)
            continue
        yield ImportRow(1, post_id, text, split=split_in_path(name), part=name.parent.as_posix(), notes=notes)
