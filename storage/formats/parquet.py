"""Parquet, both ways, through pyarrow in batches: one row per post, the answers as a list of structs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from storage.formats.answers import quoted
from storage.formats.rows import ExportContext, ExportPost, FormatError, Row, RowError, Written
from storage.formats.table import Record, checked_mapping, rows_of_records
from storage.records import Annotation, Post
from storage.rows import to_json

BATCH_ROWS = 1000
SAMPLE_RECORDS = 50
CANNOT_CARRY = (
    "earlier revisions, rejected predictions and where a span came from",
    "predictions",
)


def schema(*, with_split: bool = True) -> Any:
    """The Arrow schema of an export. Given, not guessed: a column of empty lists would be typed as null."""
    import pyarrow as pa

    span = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("text", pa.string())])
    names = ("criterion", "verdict", "reviewer", "created_at", "note")
    answer = pa.struct([*((n, pa.string()) for n in names), ("spans", pa.list_(span))])
    columns = [("post_id", pa.string()), ("text", pa.string())]
    columns += [("split", pa.string())] if with_split else []
    columns += [(n, pa.string()) for n in ("author", "source", "posted_at", "meta")]
    return pa.schema([*columns, ("annotations", pa.list_(answer))])


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
    }


def _answer(post: Post, answer: Annotation) -> dict[str, Any]:
    return {
        "criterion": answer.criterion_id,
        "verdict": str(answer.verdict),
        "reviewer": answer.reviewer,
        "created_at": answer.created_at,
        "note": answer.note,
        "spans": [{"start": s.start, "end": s.end, "text": quoted(post, s.start, s.end)} for s in answer.spans],
    }


class Writer:
    """A Parquet file that grows batch by batch."""

    def __init__(self, path: Path, *, with_split: bool = True) -> None:
        import pyarrow.parquet as pq

        self._schema = schema(with_split=with_split)
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
    writer = Writer(path)
    try:
        for item in posts:
            written.count(item)
            writer.add(item)
    finally:
        writer.close()
    return written


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """The rows of the file. Raises FormatError if it is no Parquet or has no usable column."""
    header, sample = preview(path, encoding=encoding)
    mapping = checked_mapping(header, columns, sample)
    yield from rows_of_records(iter_records(path), mapping)


def preview(path: Path, *, encoding: str) -> tuple[list[str], list[Record]]:
    records = [r for _, r in islice(iter_records(path), SAMPLE_RECORDS) if not isinstance(r, RowError)]
    if not records:
        raise FormatError(f"{path.name} holds no rows.")
    return list(records[0]), records


def iter_records(path: Path) -> Iterator[tuple[int, Record | RowError]]:
    """(row number, values by column), 1-based."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                for record in batch.to_pylist():
                    number += 1
                    yield number, record
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise FormatError(f"{path.name} is no readable Parquet file ({str(error)[:200]}).") from error
