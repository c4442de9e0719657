"""Parquet, both ways, through pyarrow in batches: one row per post, the answers as a list of structs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from storage.attributes import Attributes, said_wire
from storage.formats.answers import span_object
from storage.formats.budget import VALUE_BYTES, Budget, check_unpacked
from storage.formats.columns import Record
from storage.formats.rows import ExportContext, ExportPost, FormatError, Row, RowError, Source, Written
from storage.formats.said import DIFFERING, POST_LABELS, differing_labels, labels_cell, labels_of_post
from storage.formats.table import read_table
from storage.records import Annotation, Post
from storage.rows import to_json

BATCH_ROWS = 1000
SLICE_ROWS = 32  # turned into Python values at a time
BATCH_BYTES = 16 << 20
TIGHT = 20  # times that a column chunk unpacks to, beyond which its values are looked at in small batches
SAMPLE_RECORDS = 50
CANNOT_CARRY = (
    "earlier revisions, rejected predictions and where a span came from",
    "predictions",
)


def schema(*, with_split: bool = True, said: bool = False) -> Any:
    """The Arrow schema of an export. Given, not guessed: a column of empty lists would be typed as null.

    said: the project defines what can be said of spans and posts beside a verdict.
    """
    import pyarrow as pa

    more = [("severity", pa.string()), ("flags", pa.list_(pa.string())), ("rationale", pa.string())] if said else []
    span = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("text", pa.string()), *more])
    names = ("criterion", "verdict", "reviewer", "created_at", "note")
    answer = pa.struct([*((n, pa.string()) for n in names), ("spans", pa.list_(span))])
    columns = [("post_id", pa.string()), ("text", pa.string())]
    columns += [("split", pa.string())] if with_split else []
    columns += [(n, pa.string()) for n in ("author", "source", "posted_at", "meta")]
    labels = [(POST_LABELS, pa.string())] if said else []
    return pa.schema([*columns, ("annotations", pa.list_(answer)), *labels])


def record_of(item: ExportPost) -> dict[str, Any]:
    post = item.post
    return {
        "post_id": post.id,
        "text": post.text,
        "split": post.split and str(post.split),
        "author": post.author,
        "source": post.source,
        "posted_at": post.posted_at,
        "meta": to_json(dict(post.meta)) if post.meta else None,
        "annotations": [_answer(post, a) for a in item.answers],
        POST_LABELS: labels_cell(list(labels_of_post(item.labels).items())) or None,
    }


def _answer(post: Post, answer: Annotation) -> dict[str, Any]:
    return {
        "criterion": answer.criterion_id,
        "verdict": str(answer.verdict),
        "reviewer": answer.reviewer,
        "created_at": answer.created_at,
        "note": answer.note,
        "spans": [span_object(post, s.span) | said_wire(s.attributes) for s in answer.spans],
    }


class Writer:
    """A Parquet file that grows batch by batch."""

    def __init__(self, path: Path, *, with_split: bool = True, said: bool = False) -> None:
        import pyarrow.parquet as pq

        self._schema = schema(with_split=with_split, said=said)
        self._file = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[dict[str, Any]] = []

    def add(self, item: ExportPost) -> None:
        self._waiting.append(record_of(item))
        if len(self._waiting) >= BATCH_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._file.write_table(pa.Table.from_pylist(self._waiting, schema=self._schema))
            self._waiting = []


def write(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    written = Written()
    writer = Writer(path, said=context.attributes != Attributes())
    try:
        for item in posts:
            written.count(item)
            written.leave_out(DIFFERING, differing_labels(item.labels))
            writer.add(item)
    finally:
        writer.close()
    return written


# --- in


def read(source: Source) -> Iterator[Row]:
    """The rows of the file. Raises FormatError if it is no Parquet or has no usable column."""
    header, sample = preview(source)
    yield from read_table(header, sample, iter_records(source.path), source)


def preview(source: Source) -> tuple[list[str], list[Record]]:
    records = [r for _, r in islice(iter_records(source.path), SAMPLE_RECORDS) if not isinstance(r, RowError)]
    if not records:
        raise FormatError(f"{source.path.name} holds no rows.")
    return list(records[0]), records


def iter_records(path: Path) -> Iterator[tuple[int, Record | RowError]]:
    """(row number, values by column), 1-based. Raises FormatError for a file that unpacks to far more than its size."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as opened:
            rows_at_once = _rows_at_once(opened, path.name)
        schema_there = pq.read_schema(path)
        texts = [f.name for f in schema_there if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        # strings as dictionaries: one long text that stands in a million rows is decoded once, not a million times
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            names = class_names(schema_there.metadata)
            budget = Budget(path)
            number = 0
            for batch in file.iter_batches(batch_size=rows_at_once):
                step = min(SLICE_ROWS, rows_at_once)
                for start in range(0, batch.num_rows, step):
                    for record in batch.slice(start, step).to_pylist():
                        number += 1
                        budget.spend(record)
                        yield number, with_class_names(record, names)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:160]
        raise FormatError(f"{path.name} is no readable Parquet file ({reason}).") from error


def _rows_at_once(file: BinaryIO, name: str) -> int:
    """Rows to decode together: fewer where a column packs long values tightly. Refuses a file that says it becomes far too large."""
    import pyarrow.parquet as pq

    size = file.seek(0, 2)
    file.seek(0)
    data = pq.read_metadata(file)
    groups = [data.row_group(n) for n in range(data.num_row_groups)]
    chunks = [g.column(c) for g in groups for c in range(g.num_columns)]
    check_unpacked(sum(c.total_uncompressed_size for c in chunks), size, name)
    check_unpacked(
        sum(c.num_values for c in chunks) * VALUE_BYTES, size, name
    )  # a million zeros take a few bytes there
    tight = [
        c.total_uncompressed_size for c in chunks if c.total_uncompressed_size > TIGHT * max(1, c.total_compressed_size)
    ]
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(tight))) if tight else BATCH_ROWS


Names = Mapping[tuple[str, ...], Sequence[str]]  # of classes, by the path to their numbers


def class_names(metadata: Mapping[bytes, bytes] | None) -> dict[tuple[str, ...], list[str]]:
    """The names of the classes, where the datasets library wrote them, by the path of keys to the numbers that stand for them."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return dict(_names_in(features, ()))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _names_in(feature: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    if isinstance(feature, list):
        for inner in feature:
            yield from _names_in(inner, path)
    elif isinstance(feature, dict) and isinstance(feature.get("names"), list):
        yield path, [str(n) for n in feature["names"]]
    elif isinstance(feature, dict) and "_type" in feature and "feature" in feature:
        yield from _names_in(feature["feature"], path)
    elif isinstance(feature, dict) and "_type" not in feature:
        for key, inner in feature.items():
            yield from _names_in(inner, (*path, str(key)))


def with_class_names(record: dict[str, Any], names: Names) -> dict[str, Any]:
    """The record with the names of its classes in place of their numbers, however deep in lists and objects they stand."""
    for path, classes in names.items():
        if path:
            _put_names(record, path, classes)
    return record


def _put_names(holder: dict[str, Any], path: tuple[str, ...], classes: Sequence[str]) -> None:
    value = holder.get(path[0])
    if len(path) == 1:
        holder[path[0]] = [_named(v, classes) for v in value] if isinstance(value, list) else _named(value, classes)
        return
    for inner in value if isinstance(value, list) else [value]:
        if isinstance(inner, dict):
            _put_names(inner, path[1:], classes)


def _named(value: Any, classes: Sequence[str]) -> Any:
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(classes)
    return classes[value] if known else value
