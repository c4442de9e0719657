"""A folder whose data files are all of one format that is a file: read one after the other, each with its split, ids apart in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from storage.formats.encodings import UTF_8, detect_encoding
from storage.formats.rows import FormatError, Row, RowError, Source
from storage.formats.splits import split_in_path


def read_parts(files: Iterable[Path], read: Callable[[Source], Iterable[Row]], source: Source) -> Iterator[Row]:
    """The rows of all the files. A file that cannot be read costs itself."""
    number = 0
    for file in files:
        place = file.relative_to(source.path)
        split = split_in_path(place)
        encoding = source.encoding if source.encoding != UTF_8 else detect_encoding(file).name
        try:
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
