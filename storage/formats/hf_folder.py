"""Hugging Face dataset folders: out Parquet per split with a dataset card; in Parquet, Arrow, JSON Lines and CSV files.

No code of a dataset is ever run: a folder with a loading script and no data files is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from storage.formats import delimited, jsonl, parquet
from storage.formats.hf_card import SPLIT_NAMES, Card
from storage.formats.rows import ExportContext, ExportPost, FormatError, Row, RowError, Written
from storage.formats.table import Record, checked_mapping, rows_of_records
from storage.records import Split

SAMPLE_RECORDS = 50
CANNOT_CARRY = parquet.CANNOT_CARRY
_DATA = (".parquet", ".arrow", ".jsonl", ".csv", ".tsv")
_SPLIT = re.compile(r"(?:^|[^a-z])(train|validation|valid|val|dev|test)(?:[^a-z]|$)", re.IGNORECASE)


def write(posts: Iterable[ExportPost], folder: Path, context: ExportContext) -> Written:
    """Fill the folder: `data/<split>.parquet` for each split that has posts, and README.md, the dataset card."""
    written, card = Written(), Card()
    writers: dict[str, parquet.Writer] = {}
    (folder / "data").mkdir(parents=True)
    try:
        for item in posts:
            written.count(item)
            card.add(item)
            name = SPLIT_NAMES[item.post.split or Split.TRAIN]
            if name not in writers:
                writers[name] = parquet.Writer(folder / "data" / f"{name}.parquet", with_split=False)
            writers[name].add(item)
    finally:
        for writer in writers.values():
            writer.close()
    (folder / "README.md").write_text(card.text(context, CANNOT_CARRY), "utf-8")
    return written


# --- in


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """The rows of all data files, in order of their names; a file's split is in its name or folder."""
    header, sample = preview(path, encoding=encoding)
    mapping = checked_mapping(header, columns, sample)
    yield from rows_of_records(_records(path, encoding), mapping)


def preview(path: Path, *, encoding: str) -> tuple[list[str], list[Record]]:
    records = [r for _, r in islice(_records(path, encoding), SAMPLE_RECORDS) if not isinstance(r, RowError)]
    return jsonl.header_of(records, path.name)


def _records(path: Path, encoding: str) -> Iterator[tuple[int, Record | RowError]]:
    number = 0
    for file in _data_files(path):
        split = _split_of(file.relative_to(path))
        for _, record in _file_records(file, encoding):
            number += 1
            if isinstance(record, RowError):
                yield number, RowError(number, f"{file.name} row {record.row}: {record.reason}")
            else:
                yield number, record if split is None or record.get("split") else {**record, "split": split}


def _data_files(path: Path) -> list[Path]:
    hidden = ("cache-", ".")
    files = [p for p in sorted(path.rglob("*")) if p.suffix in _DATA and not p.name.startswith(hidden)]
    kinds = [p.suffix for p in files]
    best = next((k for k in _DATA if k in kinds), None)
    if best is None:
        if any(path.rglob("*.py")):
            raise FormatError(
                f"{path.name} needs its own Python code to be loaded, which is never run. Ask for a version with data files."
            )
        raise FormatError(f"{path.name} holds no data files ({', '.join(_DATA)}).")
    return [p for p in files if p.suffix == best]


def is_split(path: Path, files: list[Path]) -> bool:
    """Whether the files are the parts of one dataset: of one readable kind, each with a split in its name or folder."""
    kinds = {p.suffix for p in files}
    return len(kinds) == 1 and kinds <= set(_DATA) and all(_split_of(p.relative_to(path)) for p in files)


def _split_of(file: Path) -> str | None:
    """The split that the file's name, else its folder, says."""
    for part in (file.stem, *reversed(file.parent.parts)):
        found = _SPLIT.search(part)
        if found:
            return found.group(1).lower()
    return None


def _file_records(file: Path, encoding: str) -> Iterator[tuple[int, Record | RowError]]:
    if file.suffix == ".parquet":
        return parquet.iter_records(file)
    if file.suffix == ".arrow":
        return _arrow_records(file)
    if file.suffix == ".jsonl":
        return jsonl.iter_records(file, encoding)
    return delimited.iter_records(file, encoding)


def _arrow_records(file: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as source:
            try:
                batches: Any = pa.ipc.open_stream(source)
            except pa.ArrowInvalid:
                reader = pa.ipc.open_file(source)
                batches = (reader.get_batch(n) for n in range(reader.num_record_batches))
            number = 0
            for batch in batches:
                for start in range(0, batch.num_rows, parquet.BATCH_ROWS):
                    for record in batch.slice(start, parquet.BATCH_ROWS).to_pylist():
                        number += 1
                        yield number, record
    except pa.ArrowInvalid as error:
        raise FormatError(f"{file.name} is no readable Arrow file ({str(error)[:200]}).") from error
