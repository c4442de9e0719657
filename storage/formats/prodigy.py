"""Prodigy's JSON Lines, both ways: tokens that fit every span, `token_end` inclusive, no hashes (Prodigy makes its own)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from storage.formats.answers import quoted
from storage.formats.items import rows_of_items, write_lines
from storage.formats.json_text import iter_lines
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Passage, Row, Written
from storage.formats.spans import (
    NO_EVIDENCE,
    SEVERAL,
    UNSURE,
    labelled_spans,
    labels_by_criterion,
    names_of,
    own_meta,
    post_fields,
    tokens,
)

CANNOT_CARRY = (
    "who decided, when, and earlier revisions",
    "rejected predictions and where a span came from",
    "predictions",
    SEVERAL,
)


def write(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    return write_lines(posts, path, _example)


def _example(item: ExportPost, written: Written) -> dict[str, Any]:
    text = item.post.text
    spans = labelled_spans(item, written)
    found = tokens(text, [(s, e) for s, e, _ in spans])
    first = {t.start: n for n, t in enumerate(found)}
    last = {t.end: n for n, t in enumerate(found)}
    return {
        "text": text,
        "tokens": [
            {"text": text[t.start : t.end], "start": t.start, "end": t.end, "id": n, "ws": t.space}
            for n, t in enumerate(found)
        ],
        "spans": [
            {
                "start": start,
                "end": end,
                "text": quoted(item.post, start, end),
                "token_start": first[start],
                "token_end": last[end],
                "label": label,
            }
            for start, end, label in spans
        ],
        "meta": own_meta(item),
        "answer": "accept",
    }


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """A post per line. Spans of an example that was rejected or ignored are not taken as answers."""
    return rows_of_items(iter_lines(path, encoding), _row, "Prodigy example")


def _row(number: int, item: Mapping[str, Any]) -> ImportRow:
    meta = item.get("meta") if isinstance(item.get("meta"), Mapping) else {}
    fields = post_fields(meta or {})
    if "post_id" not in fields:
        given = (meta or {}).get("id", item.get("id"))
        fields["post_id"] = None if given is None else str(given)
    taken = item.get("answer", "accept") == "accept"
    spans = [
        (str(s["label"]), Passage(int(s["start"]), int(s["end"]), s.get("text")))
        for s in (item.get("spans") or [] if taken else [])
    ]
    labels = labels_by_criterion(
        spans,
        no_evidence=names_of((meta or {}).get(NO_EVIDENCE)),
        unsure=names_of((meta or {}).get(UNSURE)),
        annotator=str(item["_annotator_id"]) if item.get("_annotator_id") else None,
    )
    return ImportRow(number=number, text=item["text"], labels=labels, **fields)
