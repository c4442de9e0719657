"""Hugging Face dataset folders: out Parquet per split with a dataset card; in Parquet, Arrow, JSON Lines and CSV files.

No code of a dataset is ever run: a folder with a loading script and no data files is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from storage.attributes import Attributes
from storage.formats import delimited, json_file, jsonl, parquet
from storage.formats.budget import Budget
from storage.formats.columns import Record, checked_mapping
from storage.formats.hf_card import SPLIT_NAMES, Card
from storage.formats.json_text import is_json_lines
from storage.formats.ledger import FILE, Ledger, Outcome
from storage.formats.rows import ExportContext, ExportPost, FormatError, Row, RowError, Source, Written
from storage.formats.said import DIFFERING, differing_labels
from storage.formats.splits import split_in_path
from storage.formats.table import rows_of_records
from storage.records import Split

SAMPLE_RECORDS = 50
CANNOT_CARRY = parquet.CANNOT_CARRY
_DATA = (".parquet", ".arrow", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
_OF_DATASETS = (
    "dataset_info.json",
    "dataset_dict.json",
    "dataset_infos.json",
    "state.json",
    "README.md",
    "manifest.json",
)


def write(posts: Iterable[ExportPost], folder: Path, context: ExportContext) -> Written:
    """Fill the folder: `data/<split>.parquet` for each split that has posts, and README.md, the dataset card."""
    written, card = Written(), Card()
    writers: dict[str, parquet.Writer] = {}
    said = context.attributes != Attributes()
    (folder / "data").mkdir(parents=True)
    try:
        for item in posts:
            written.count(item)
            written.leave_out(DIFFERING, differing_labels(item.labels))
            card.add(item)
            name = SPLIT_NAMES[item.post.split or Split.TRAIN]
            if name not in writers:
                writers[name] = parquet.Writer(folder / "data" / f"{name}.parquet", with_split=False, said=said)
            writers[name].add(item)
    finally:
        for writer in writers.values():
            writer.close()
    (folder / "README.md").write_text(card.text(context, CANNOT_CARRY), "utf-8")
    return written


# --- in


def read(source: Source) -> Iterator[Row]:
    """The rows of all data files, in order of their names; a file's split is in its name or folder. Ids may begin anew in each split."""
    files = _data_files(source.path, source.ledger)
    header, sample = preview(source)
    mapping = checked_mapping(header, source.columns, sample, criteria=source.criteria, reviewers=source.reviewers)
    number = 0
    for file in files:
        place = file.relative_to(source.path)
        split = split_in_path(place)
        inner = dataclasses.replace(source, path=file)
        for row in rows_of_records(_file_records(inner), mapping, inner):
            number += 1
            if isinstance(row, RowError):
                yield dataclasses.replace(row, row=number, reason=f"{place.as_posix()} row {row.row}: {row.reason}")
            else:
                yield dataclasses.replace(
                    row, number=number, split=row.split or split, part=row.split or split or place.as_posix()
                )


def preview(source: Source) -> tuple[list[str], list[Record]]:
    """Column names and first records, some from each file."""
    files = _data_files(source.path, Ledger())
    each = max(4, SAMPLE_RECORDS // len(files))
    records: list[Record] = []
    for file in files[:SAMPLE_RECORDS]:
        inner = dataclasses.replace(source, path=file, ledger=Ledger())
        records += [r for _, r in islice(_file_records(inner), each) if not isinstance(r, RowError)]
    return jsonl.header_of(records, source.path.name)


def _data_files(path: Path, ledger: Ledger) -> list[Path]:
    """The files to read, all of one kind; every other file is counted as left out."""
    hidden = ("cache-", ".")
    there = [p for p in sorted(path.rglob("*")) if p.is_file() and not p.name.startswith(hidden)]
    files = [p for p in there if p.suffix.lower() in _DATA]
    kinds = [p.suffix.lower() for p in files]
    best = next((k for k in _DATA if k in kinds), None)
    if best is None:
        if any(path.rglob("*.py")):
            raise FormatError(
                f"{path.name} needs its own Python code to be loaded, which is never run. Ask for a version with data files."
            )
        raise FormatError(f"{path.name} holds no data files ({', '.join(_DATA)}).")
    for file in there:
        if file.suffix.lower() != best and file.name not in _OF_DATASETS:
            ledger.count(
                FILE,
                file.relative_to(path).as_posix(),
                Outcome.LEFT,
                f"is no {best} file, as the rest of the dataset is",
            )
    return [p for p in files if p.suffix.lower() == best]


def is_split(path: Path, files: list[Path]) -> bool:
    """Whether the files are the parts of one dataset: of one readable kind, each with a split in its name or folder."""
    kinds = {p.suffix.lower() for p in files}
    return len(kinds) == 1 and kinds <= set(_DATA) and all(split_in_path(p.relative_to(path)) for p in files)


def _file_records(source: Source) -> Iterator[tuple[int, Record | RowError]]:
    suffix = source.path.suffix.lower()
    if suffix == ".parquet":
        return parquet.iter_records(source.path)
    if suffix == ".arrow":
        return _arrow_records(source.path)
    if suffix in (".jsonl", ".ndjson"):
        return jsonl.iter_records(source)
    if suffix == ".json":
        return (
            jsonl.iter_records(source)
            if is_json_lines(source.path, source.encoding)
            else json_file.iter_records(source)
        )
    return delimited.iter_records(source)


def _arrow_records(file: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as opened:
            try:
                batches: Any = pa.ipc.open_stream(opened)
            except pa.ArrowInvalid:
                reader = pa.ipc.open_file(opened)
                batches = (reader.get_batch(n) for n in range(reader.num_record_batches))
            names: parquet.Names | None = None
            budget, number = Budget(file), 0
            for batch in batches:
                names = parquet.class_names(batch.schema.metadata) if names is None else names
                for start in range(0, batch.num_rows, parquet.SLICE_ROWS):
                    for record in batch.slice(start, parquet.SLICE_ROWS).to_pylist():
                        number += 1
                        budget.spend(record)
                        yield number, parquet.with_class_names(record, names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(f"{file.name} is no readable Arrow file ({' '.join(str(error).split())[:160]}).") from error
