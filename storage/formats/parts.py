"""The data files of a folder; and a folder of files of one format, read one after the other, each with its split, ids apart in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePath

from storage.formats.encodings import UTF_8, detect_encoding
from storage.formats.ledger import FILE, Ledger, Outcome
from storage.formats.people import MAX_PARTS, SAMPLE_ROWS, by, by_model, is_models, names_of_parts, names_of_people
from storage.formats.rows import FormatError, Row, RowError, Source
from storage.formats.splits import split_in_path

_DATA = (
    ".json",
    ".jsonl",
    ".ndjson",
    ".csv",
    ".tsv",
    ".tab",
    ".xlsx",
    ".conll",
    ".bio",
    ".iob",
    ".iob2",
    ".txt",
    ".spacy",
    ".xmi",
    ".parquet",
)
_BESIDE = (
    "manifest.json",
    ".manifest.json",
    ".config.xml",
    "settings.json",
    "readme.md",
    "readme.txt",
    "readme",
    "license",
    "license.txt",
    "licence.txt",
    ".md",
)


def _part(file: Path, source: Source, *, text: bool) -> Source:
    return replace(
        source, path=file, encoding=detect_encoding(file).name if text and source.encoding == UTF_8 else source.encoding
    )


def _people(
    files: Sequence[Path], read: Callable[[Source], Iterable[Row]], source: Source, *, text: bool
) -> dict[PurePath, str]:
    """Who annotated each of the files, where they hold the same texts."""
    samples: dict[PurePath, list[Row]] = {}
    for file in [f for f in files if not is_models(f)][:MAX_PARTS]:
        try:
            rows = read(replace(_part(file, source, text=text), ledger=Ledger()))
            samples[file.relative_to(source.path)] = list(islice(rows, SAMPLE_ROWS))
        except FormatError:
            continue
    found = names_of_people(samples)
    return (
        dict(names_of_parts([f.relative_to(source.path) for f in files]))
        if found and len(found) == len(samples)
        else found
    )


def data_files(path: Path) -> list[Path]:
    """The files of the folder that can hold posts, whatever the case of their names: no empty ones, as doccano writes for nobody."""
    there = (p for p in sorted(path.rglob("*")) if p.is_file() and not _is_hidden(p.relative_to(path)))
    files = [p for p in there if p.stat().st_size]
    found = [p for p in files if p.suffix.lower() in _DATA and not is_beside(p.name)]
    return [p for p in found if p.suffix.lower() != ".txt"] or found


def is_beside(name: str) -> bool:
    """Whether a file of this name is about the others."""
    return name.lower().endswith(_BESIDE)


def _is_hidden(place: PurePath) -> bool:
    return any(part.startswith(".") for part in place.parts)


def read_parts(
    files: Iterable[Path], read: Callable[[Source], Iterable[Row]], source: Source, *, text: bool
) -> Iterator[Row]:
    """The rows of all the files. A file that cannot be read costs itself. text: each has an encoding of its own, unless one was chosen."""
    number, files = 0, list(files)
    people = _people(files, read, source, text=text)
    for file in files:
        place = file.relative_to(source.path)
        split = split_in_path(place)
        of_model = is_models(place) and len(files) > 1
        if of_model:
            source.ledger.count(FILE, place.as_posix(), Outcome.TAKEN, "a model's predictions, by its name")
        elif place in people:
            source.ledger.count(FILE, place.as_posix(), Outcome.TAKEN, f"the answers of {people[place]}")
        try:
            for plain in read(_part(file, source, text=text)):
                row = by_model(place.stem, plain) if of_model else by(people.get(place), plain)
                number += 1
                if isinstance(row, RowError):
                    yield replace(row, row=number, reason=f"{place.as_posix()} row {row.row}: {row.reason}")
                else:
                    part = row.part or row.split or split or place.as_posix()
                    yield replace(row, number=number, split=row.split or split, part=part)
        except FormatError as error:
            number += 1
            yield RowError(number, f"{place.as_posix()}: {error}")
