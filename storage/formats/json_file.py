"""JSON files that hold a list of posts, at the top or under `data`, `posts`, `records`, `rows`, `items` or `examples`. Read only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from storage.formats.json_text import iter_items
from storage.formats.jsonl import SAMPLE_RECORDS, header_of, only_objects
from storage.formats.rows import Row, RowError
from storage.formats.table import Record, checked_mapping, rows_of_records

LIST_KEYS = ("data", "posts", "records", "rows", "items", "examples")
CANNOT_CARRY: tuple[str, ...] = ()


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """The posts of the list. Raises FormatError if the file is not JSON or nothing in it could be the text."""
    header, sample = preview(path, encoding=encoding)
    mapping = checked_mapping(header, columns, sample)
    yield from rows_of_records(_records(path, encoding), mapping)


def preview(path: Path, *, encoding: str) -> tuple[list[str], list[Record]]:
    objects = (record for _, record in _records(path, encoding) if not isinstance(record, RowError))
    return header_of(list(islice(objects, SAMPLE_RECORDS)), path.name)


def _records(path: Path, encoding: str) -> Iterator[tuple[int, Record | RowError]]:
    return only_objects(iter_items(path, encoding, keys=LIST_KEYS))
