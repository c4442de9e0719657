"""doccano's JSON Lines for sequence labelling, both ways.

doccano stores UTF-16 offsets for text that was selected in its own pages, and code points for what was imported; a file does not
say which. Ours do (`offsets`); for others the reader leaves it open (`Units.UNKNOWN`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from storage.formats.answers import quoted
from storage.formats.fields import Fields
from storage.formats.items import lines_or_list, rows_of_items, write_lines
from storage.formats.label_shapes import is_of_whole_post
from storage.formats.labels import Given, labels_of
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Label, Row, Source, Units, Written
from storage.formats.spans import SEVERAL, labelled_spans, own_meta, post_fields, settled_answers
from storage.formats.values import string

OFFSETS = "offsets"
_LABEL_KEYS = ("label", "labels", "entities", "spans", "annotations")
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


def read(source: Source) -> Iterator[Row]:
    """A post per line (or item of a JSON list), with spans as [start, end, label] or as objects, under any of the keys for them."""
    yield from rows_of_items(lines_or_list(source), _row, "doccano example", source)


def _row(number: int, fields: Fields) -> ImportRow:
    text = fields.take(fields.first("text", "data"), "text")
    units = Units.CODE_POINTS if fields.take(OFFSETS, "units") == Units.CODE_POINTS else Units.UNKNOWN
    given = Given(units=units)
    labels: list[Label] = []
    for key in _LABEL_KEYS:
        value = fields.peek(key)
        if value is None:
            continue
        if is_of_whole_post(value):
            fields.keep(key, "labels of the whole post, not read as answers")
        else:
            fields.take(key, "labels")
        labels += labels_of(value, fields, key, given)
    labels += settled_answers(fields).labels()
    fields.keep("relations", "relations are not read")
    fields.keep("cats", "labels of the whole post, not read as answers")
    known = post_fields(fields)
    if "post_id" not in known:
        known["post_id"] = string(fields.take("id", "post_id"))
    return ImportRow(number=number, text=text, labels=tuple(labels), **known)
