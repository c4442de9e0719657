"""Prodigy's JSON Lines, both ways: tokens that fit every span, `token_end` inclusive, no hashes (Prodigy makes its own)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from storage.formats.answers import quoted
from storage.formats.fields import Fields
from storage.formats.items import lines_or_list, rows_of_items, write_lines
from storage.formats.labels import Given, labels_of
from storage.formats.ledger import OF_TOOL
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Label, Row, Source, Written
from storage.formats.spans import (
    SEVERAL,
    labelled_spans,
    own_meta,
    post_fields,
    settled_answers,
    tokens,
)
from storage.formats.values import string

_TOOLS_KEYS = ("_input_hash", "_task_hash", "_session_id", "_view_id", "_timestamp", "_is_binary")
_TIME = re.compile(r"\d{4}-\d\d-\d\d")
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


def read(source: Source) -> Iterator[Row]:
    """A post per line. What an example says that was rejected or ignored is reported, not taken."""
    yield from rows_of_items(lines_or_list(source), _row, "Prodigy example", source)


def _row(number: int, fields: Fields) -> ImportRow:
    meta = fields.inner("meta")
    known = post_fields(meta) if meta is not None else {"meta": {}}
    given_id = string(fields.take("post_id")) or known.get("post_id")
    if given_id is None:
        given_id = string(
            meta.take("id", "post_id") if meta is not None and "id" in meta else fields.take("id", "post_id")
        )
    known["post_id"] = given_id
    answer = str(fields.peek("answer") or "accept")
    fields.keep("answer", "") if answer != "accept" else fields.take("answer", "answers")
    given = Given(annotator=_annotator(fields))
    labels = [*_spans(fields, given), *_of_post(fields, given)]
    if answer != "accept":
        labels = [
            la if la.left_out else replace(la, left_out=f"the example was not accepted (answer: {answer})")
            for la in labels
        ]
    if meta is not None:
        labels += settled_answers(meta).labels(annotator=given.annotator)
        known["meta"] |= meta.rest()
    for key in _TOOLS_KEYS:
        fields.leave(key, OF_TOOL)
    return ImportRow(number=number, text=fields.take("text"), labels=tuple(labels), **known)


def _annotator(fields: Fields) -> str | None:
    """Who annotated: the annotator, else the session, unless it bears the time at which it began."""
    session = string(fields.peek("_session_id"))
    if "_annotator_id" in fields or session is None or _TIME.search(session):
        return string(fields.take("_annotator_id", "annotator"))
    return string(fields.take("_session_id", "annotator"))


def _spans(fields: Fields, given: Given) -> tuple[Label, ...]:
    """The labels of the spans; a span by tokens alone stands where its tokens do."""
    tokens_ = fields.take("tokens", "spans")
    spans = fields.take("spans", "labels")
    if not isinstance(spans, list):
        return labels_of(spans, fields, "spans", given)
    return labels_of([_by_tokens(s, tokens_) for s in spans], fields, "spans", given)


def _by_tokens(span: Any, tokens_: Any) -> Any:
    if not isinstance(span, Mapping) or "start" in span or not isinstance(tokens_, list):
        return span
    try:
        first, last = tokens_[int(span["token_start"])], tokens_[int(span["token_end"])]
        return {**span, "start": first["start"], "end": last["end"]}
    except (KeyError, IndexError, TypeError, ValueError):
        return span


def _of_post(fields: Fields, given: Given) -> tuple[Label, ...]:
    """Labels of the whole post: a classification, or chosen options. They have no passage, and are kept in meta."""
    found: list[Label] = []
    for key in ("label", "accept"):
        value = fields.keep(key, "labels of the whole post, not read as answers")
        found += labels_of(
            value if isinstance(value, list) else [value] if value is not None else None, fields, key, given
        )
    return tuple(found)
