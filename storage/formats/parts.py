"""The data files of a folder; and a folder of files of one format, read one after the other, each with its split, ids apart in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from storage.formats.encodings import UTF_8, detect_encoding
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
    ".settings.json",
    "readme.md",
    "readme.txt",
    "readme",
    "license",
    ".md",
)


def data_files(path: Path) -> list[Path]:
    """The files of the folder that can hold posts, whatever the case of their names."""
    files = [p for p in sorted(path.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    found = [p for p in files if p.suffix.lower() in _DATA and not p.name.lower().endswith(_BESIDE)]
    return [p for p in found if p.suffix.lower() != ".txt"] or found


def read_parts(
    files: Iterable[Path], read: Callable[[Source], Iterable[Row]], source: Source, *, text: bool
) -> Iterator[Row]:
    """The rows of all the files. A file that cannot be read costs itself. text: each has an encoding of its own, unless one was chosen."""
    number = 0
    for file in files:
        place = file.relative_to(source.path)
        split = split_in_path(place)
        try:
            encoding = detect_encoding(file).name if text and source.encoding == UTF_8 else source.encoding
            for row in read(replace(source, path=file, encoding=encoding)):
                number += 1
                if isinstance(row, RowError):
                    yield replace(row, row=number, reason=f"{place.as_posix()} row {row.row}: {row.reason}")
                else:
                    part = row.part or row.split or split or place.as_posix()
                    yield replace(row, number=number, split=row.split or split, part=part)
        except FormatError as error:
            number += 1
            yield RowError(number, f"{place.as_posix()}: {error}")
