"""A folder of tables of different kinds: posts in one and their labels in another, a file for each person, criterion or split.

Each file is read as what it is by itself. One without a column called like a text, or like labels of posts, is left out by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePath

from storage.formats.columns import Record, checked_mapping
from storage.formats.content import detect_file
from storage.formats.label_tables import Table, told_apart
from storage.formats.ledger import FILE, Ledger, Outcome
from storage.formats.parts import data_files, is_beside
from storage.formats.people import MAX_PARTS, SAMPLE_ROWS, by, by_model, is_models, names_of_people
from storage.formats.rows import FormatError, ImportRow, Row, RowError, Source
from storage.formats.splits import split_in_path
from storage.formats.synonyms import SYNONYMS
from storage.formats.texts import check_text
from storage.formats.values import plain
from storage.formats.wide import criterion_named
from storage.records import InvalidRecord

CANNOT_CARRY: tuple[str, ...] = ()
_FILE_NAMES = ("file", "filename", "document", "doc", "textfile")  # columns of the names of text files
SAMPLE_LABELS = 1000  # rows of a table of labels alone that are compared with another's
_WORDS = re.compile(r"[\W_]+")
_KINDS = frozenset((
    "post", "posts", "text", "texts", "label", "labels", "annotation", "annotations", "answer", "answers", "data", "document", "documents",
    "docs", "evidence", "span", "spans", "verdict", "verdicts", "code", "codes", "coding", "codings", "rating", "ratings",
))  # fmt: skip


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
    parts = _parts(tables, source.path)
    people = names_of_people(_samples([t for t in tables if not is_models(t.place)], parts))
    yield from _texts(tables, source)
    for table in tables:
        name, split = table.place.as_posix(), split_in_path(table.place)
        person = people.get(table.place) if table.labels else None
        of = [f"the answers of {person}"] if person else []
        of += [f"labels that no column names are of {table.source.criterion}"] if table.source.criterion else []
        of += ["a model's predictions, by its name"] if is_models(table.place) else []
        source.ledger.count(FILE, name, Outcome.TAKEN, "; ".join(of) or "a table of posts, or of their labels")
        try:
            for row in table.rows():
                if isinstance(row, RowError):
                    yield replace(row, reason=f"{name}: {row.reason}")
                else:
                    text = (
                        "" if table.texts and row.text is None and not row.labels else row.text
                    )  # of a post, not of its labels
                    part = _part_of(row, table, parts)
                    placed = replace(row, text=text, split=row.split or split, part=part)
                    yield by_model(table.place.stem, placed) if is_models(table.place) else by(person, placed)
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


def _tables(source: Source, files: Sequence[Path], ledger: Ledger) -> list[Table]:
    tables, found = [], []
    for file in files:
        table = _table(source, file)
        if isinstance(table, str):
            ledger.count(FILE, file.relative_to(source.path).as_posix(), Outcome.LEFT, table)
        else:
            tables.append(table)
    texts = _text_files(source.path)
    for table, why in told_apart(tables, (n for f in texts for n in _called(f, source.path))):
        if why:
            ledger.count(FILE, table.place.as_posix(), Outcome.LEFT, why)
        else:
            found.append(table)
    return found


def _table(source: Source, file: Path) -> Table | str:
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
        mapping = checked_mapping(
            header, columns, sample, criteria=source.criteria, of_one=of_one, reviewers=source.reviewers
        )
        chosen = "text" in columns
        table = Table(place, replace(inner, columns=columns), detected.format, header, sample, mapping, chosen)
        if table.texts and mapping.tokens is None and not _is_called_text(header, columns):
            return "no column is called like the text of a post; to be read it is imported by itself"
    except FormatError as error:
        return " ".join(str(error).split())
    return table


def _is_called_text(header: Sequence[str], columns: Mapping[str, str]) -> bool:
    """Whether a column is chosen for the text, or called like one: a codebook has words too."""
    return "text" in columns or any(plain(c) in SYNONYMS["text"] for c in header)


def _file_column(header: Sequence[str], sample: Sequence[Record]) -> str | None:
    """The column that names text files."""
    fitting = (c for c in header if plain(c) in _FILE_NAMES)
    return next((c for c in fitting if any(str(r.get(c)).lower().endswith(".txt") for r in sample)), None)


def _samples(tables: Sequence[Table], parts: Mapping[PurePath, str]) -> Mapping[PurePath, list[Row]]:
    """The first rows of each; those of labels with the text of their post, where it stands beside them."""
    samples: dict[PurePath, list[Row]] = {}
    texts: dict[tuple[str | None, str | None], str] = {}
    for table in sorted(tables[:MAX_PARTS], key=lambda t: not t.texts):
        own = (
            parts[table.place]
            if table.texts or parts[table.place] in (parts[t.place] for t in tables if t.texts)
            else None
        )
        try:
            rows = list(islice(table.rows(quietly=True), SAMPLE_ROWS if table.texts else SAMPLE_LABELS))
        except FormatError:
            continue
        found = [r if isinstance(r, RowError) else replace(r, part=own) for r in rows]
        texts |= {(r.part, r.post_id): r.text for r in found if isinstance(r, ImportRow) and r.text}
        samples[table.place] = [
            r if isinstance(r, RowError) or r.text else replace(r, part=texts.get((r.part, r.post_id), r.part))
            for r in found
        ]
    return samples


# --- which labels belong to which posts


def _share(place: PurePath) -> str:
    """What the path of a file says beside its being posts or labels: `anxiety` of `anxiety/labels.csv` and of `anxiety_posts.csv`."""
    words = (_WORDS.split(part) for part in (*place.parent.parts, place.stem))
    return "/".join(filter(None, ("_".join(w for w in of if w.lower() not in _KINDS) for of in words)))


def _parts(tables: Sequence[Table], path: Path) -> dict[PurePath, str]:
    """The part in which the ids of a table hold, by its path: that of the posts beside it, where it is labels alone."""
    posts: dict[str, list[PurePath]] = {}
    for table in tables:
        if table.texts:
            posts.setdefault(_share(table.place), []).append(table.place)
    folders = {_folder(f.relative_to(path)) for f in _texts_of(tables, path)}
    found = {}
    for table in tables:
        share, own = _share(table.place), table.place.as_posix()
        there = posts.get(share, [])
        if len(there) == 1:
            found[table.place] = share or there[0].as_posix()
        else:
            found[table.place] = (
                own if there else (share or (_folder(table.place) if _folder(table.place) in folders else own))
            )
    return found


def _folder(file: PurePath) -> str:
    return _share(file.parent / "posts") or file.parent.as_posix()


def _part_of(row: ImportRow, table: Table, parts: Mapping[PurePath, str]) -> str:
    part, inner = parts[table.place], row.part or row.split
    if inner is None or inner == part:
        return part
    return f"{part}/{inner}" if _share(table.place) else inner


# --- texts in files of their own


def _text_files(path: Path) -> list[Path]:
    return [f for f in sorted(path.rglob("*.txt")) if f.is_file() and not is_beside(f.name)]


def _called(file: Path, path: Path) -> tuple[str, str, str]:
    """What labels may call a text file."""
    return file.name, file.stem, file.relative_to(path).as_posix()


def _texts_of(tables: Sequence[Table], path: Path) -> dict[Path, str]:
    """The text files that the labels of the tables speak of, each with the id that they give it."""
    names = {n for t in tables if not t.texts for n in t.names}
    found = {}
    for file in _text_files(path):
        called = next((n for n in _called(file, path) if n in names), None)
        if called is not None:
            found[file] = called
    siblings = {file.parent: "." in PurePath(called).name for file, called in found.items()}
    rest = (f for f in _text_files(path) if f not in found and f.parent in siblings)
    return found | {f: f.name if siblings[f.parent] else f.stem for f in rest}


def _texts(tables: Sequence[Table], source: Source) -> Iterator[Row]:
    from storage.formats.encodings import detect_encoding, open_text

    found = _texts_of(tables, source.path)
    for file in sorted(source.path.rglob("*.txt")):
        if file not in found:
            source.ledger.count(
                FILE, file.relative_to(source.path).as_posix(), Outcome.LEFT, "is no text that the labels speak of"
            )
    for file, post_id in found.items():
        name = file.relative_to(source.path)
        try:
            with open_text(file, detect_encoding(file).name) as opened:
                text, notes = check_text(opened.read())
        except InvalidRecord as error:
            yield RowError(1, f"{name.as_posix()}: {error}", post_id=post_id)
            continue
        yield ImportRow(1, post_id, text, split=split_in_path(name), part=_folder(name), notes=notes)
