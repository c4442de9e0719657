"""doccano's JSON Lines for sequence labelling, both ways.

doccano stores UTF-16 offsets for text that was selected in its own pages, and code points for what was imported; a file does not
say which. Ours do (`offsets`); for others the reader leaves it open (`Units.UNKNOWN`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from storage.formats.answers import quoted
from storage.formats.items import lines_or_list, rows_of_items, write_lines
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Passage, Row, Units, Written
from storage.formats.spans import (
    NO_EVIDENCE,
    SEVERAL,
    UNSURE,
    labelled_spans,
    labels_by_criterion,
    names_of,
    own_meta,
    post_fields,
)

OFFSETS = "offsets"
_LABEL_KEYS = ("label", "labels", "entities")
CANNOT_CARRY = (
    "who decided, when, and earlier revisions",
    "rejected predictions and where a span came from",
    "predictions",
    SEVERAL,
    "overlapping spans, unless the doccano project allows them",
)


def write(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    return write_lines(posts, path, _example)


def _example(item: ExportPost, written: Written) -> dict[str, Any]:
    spans = labelled_spans(item, written)
    for start, end, _ in spans:
        quoted(item.post, start, end)
    return {"text": item.post.text, "label": spans, **own_meta(item), OFFSETS: Units.CODE_POINTS}


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """A post per line (or item of a JSON list), with spans as [start, end, label] or as objects."""
    return rows_of_items(lines_or_list(path, encoding), _row, "doccano example")


def _row(number: int, item: Mapping[str, Any]) -> ImportRow:
    text = item["text"] if "text" in item else item["data"]
    key = next((k for k in _LABEL_KEYS if k in item), "label")
    meta = {k: v for k, v in item.items() if k not in ("text", "data", key, "id", OFFSETS, "Comments", "relations")}
    units = Units.CODE_POINTS if item.get(OFFSETS) == Units.CODE_POINTS else Units.UNKNOWN
    labels = labels_by_criterion(
        (_span(s) for s in item.get(key) or []),
        no_evidence=names_of(item.get(NO_EVIDENCE)),
        unsure=names_of(item.get(UNSURE)),
        units=units,
    )
    fields = post_fields(meta)
    if "post_id" not in fields:
        fields["post_id"] = None if item.get("id") is None else str(item["id"])
    return ImportRow(number=number, text=text, labels=labels, **fields)


def _span(span: Any) -> tuple[str, Passage]:
    if isinstance(span, Mapping):
        return str(span["label"]), Passage(int(span["start_offset"]), int(span["end_offset"]))
    start, end, label = span
    return str(label), Passage(int(start), int(end))
