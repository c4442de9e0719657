"""JSON Lines, both ways, complete: every revision, verdict, rejected prediction and provenance.

One post per line: {"post_id", "text", "split", ..., "annotations": [gold], "history": [all revisions], "predictions"}.
The lines are a superset of the gold lines that training reads; `write_gold` writes only those.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from storage.formats.answers import adjudication_object, answer_object, prediction_object, revision_object
from storage.formats.columns import Record
from storage.formats.fields import PARTS
from storage.formats.items import write_lines
from storage.formats.json_text import iter_lines
from storage.formats.label_shapes import holds_labels
from storage.formats.ledger import COLUMN, Ledger, Outcome
from storage.formats.rows import ExportContext, ExportPost, FormatError, Row, RowError, Source, Written
from storage.formats.said import DIFFERING, POST_LABELS, differing_labels, labels_of_post
from storage.formats.synonyms import SYNONYMS
from storage.formats.table import read_table
from storage.formats.values import kind_of, plain
from storage.team_records import ONE_READER, label_question

SAMPLE_RECORDS = 50
_TEXTS = frozenset((*SYNONYMS["text"], "rowdata"))
_ANNOTATORS = frozenset(SYNONYMS["annotator"])
_NO_TEXTS = frozenset(s for name, synonyms in SYNONYMS.items() if name != "text" for s in synonyms)
_HOLDERS = frozenset((  # keys of objects that hold a post
    "post", "document", "doc", "item", "record", "example", "data", "input", "submission", "comment", "tweet", "message", "datarow", "task",
    "sample", "entry", "instance",
))  # fmt: skip
CANNOT_CARRY: tuple[str, ...] = ()
CANNOT_CARRY_GOLD = (
    "who decided, when, and earlier revisions",
    "rejected predictions and where a span came from",
    "source, date and further columns of a post",
    "predictions",
)


def write(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    return write_lines(posts, path, lambda item, _: _complete(item, context.roles))


def write_gold(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    def line(item: ExportPost, written: Written) -> dict[str, Any]:
        written.leave_out(DIFFERING, differing_labels(item.labels))
        return _gold(item)

    return write_lines(posts, path, line)


def _gold(item: ExportPost) -> dict[str, Any]:
    post = item.post
    return {
        "post_id": post.id,
        "text": post.text,
        "split": post.split and str(post.split),
        **({} if post.author is None else {"author": post.author}),  # evidence is measured by user
        "annotations": _answers(item),
        **_labels(item),
    }


def _labels(item: ExportPost) -> dict[str, Any]:
    """Labels of the whole post, where there are some; those that became gold by more than one person's reading say how."""
    labels = labels_of_post(item.labels)
    rules = {name: item.gold_rules.get(label_question(name), ONE_READER) for name in labels}
    told = {name: rule for name, rule in rules.items() if rule != ONE_READER}
    return ({POST_LABELS: labels} if labels else {}) | ({f"{POST_LABELS}_rule": told} if told else {})


def _answers(item: ExportPost) -> list[dict[str, Any]]:
    """The answers; those that became gold by more than one person's reading say how."""
    rules = {criterion: rule for criterion, rule in item.gold_rules.items() if rule != ONE_READER}
    return [
        answer_object(item.post, a) | ({"gold_rule": rules[a.criterion_id]} if a.criterion_id in rules else {})
        for a in item.answers
    ]


def _complete(item: ExportPost, roles: Mapping[str, str]) -> dict[str, Any]:
    post = item.post
    return {
        "post_id": post.id,
        "text": post.text,
        "split": post.split and str(post.split),
        "author": post.author,
        "source": post.source,
        "posted_at": post.posted_at,
        "meta": dict(sorted(post.meta.items())),
        "annotations": _answers(item),
        **_labels(item),
        "history": [revision_object(post, r, roles.get(r.reviewer)) for r in item.history],
        "predictions": [prediction_object(post, p) for p in item.predictions],
        **({"adjudications": [adjudication_object(post, d) for d in item.adjudications]} if item.adjudications else {}),
        **({"discussion": list(item.discussion)} if item.discussion else {}),
    }


def read(source: Source) -> Iterator[Row]:
    """The posts of the lines, ours or anybody's: the fields are found by name. Raises FormatError if there is no text."""
    header, sample = preview(source)
    yield from read_table(header, sample, iter_records(source), source)


def preview(source: Source) -> tuple[list[str], list[Record]]:
    """Names of the fields in the first lines, and those lines."""
    look = dataclasses.replace(source, ledger=Ledger())
    objects = (record for _, record in iter_records(look) if not isinstance(record, RowError))
    return header_of(list(islice(objects, SAMPLE_RECORDS)), source.path.name)


def iter_records(source: Source) -> Iterator[tuple[int, Record | RowError]]:
    yield from records_of(iter_lines(source.path, source.encoding), source.ledger)


def records_of(items: Iterable[tuple[int, Any]], ledger: Ledger) -> Iterator[tuple[int, Record | RowError]]:
    """The numbered items as records: objects, or spaCy's pairs of a text and an object; a RowError for anything else.

    ledger: where the key of objects that hold the posts is counted.
    """
    items = iter(items)
    first = list(islice(items, SAMPLE_RECORDS))
    holder = _holder([item for _, item in first if isinstance(item, Mapping)])
    for number, item in chain(first, items):
        yield number, _record_of(number, item, holder, ledger)


def _record_of(number: int, item: Any, holder: str | None, ledger: Ledger) -> Record | RowError:
    if isinstance(item, RowError):
        return item
    if isinstance(item, Mapping):
        return item if holder is None or isinstance(item.get("text"), str) else _unnested(item, holder, ledger)
    if is_pair(item):
        return {"text": item[0], **item[1]}
    return RowError(number, f"is {kind_of(item)}, not an object with named fields, nor a pair [text, {{entities}}]")


def _holder(sample: Sequence[Mapping[str, Any]]) -> str | None:
    """The key of the objects that hold the text in a file (`{"post": {"id", "text"}, …}`); None where one has words of its own beside."""
    holding = [{str(k) for k, v in item.items() if _holds_text(k, v)} for item in sample]
    keys = set().union(*holding)
    if len(keys) != 1 or sum(map(bool, holding)) * 2 <= len(sample):
        return None
    own = (v for item in sample for k, v in item.items() if _is_text(k, v) or plain(str(k)) not in _NO_TEXTS)
    return None if any(isinstance(v, str) and len(v.split()) > 2 for v in own) else keys.pop()


def _holds_text(key: Any, value: Any) -> bool:
    return plain(str(key)) in _HOLDERS and isinstance(value, Mapping) and any(_is_text(k, v) for k, v in value.items())


def _unnested(item: Mapping[str, Any], holder: str, ledger: Ledger) -> Record:
    """The item with the keys of the object that holds its text as its own; of two that are called alike the inner one is the text's,
    but for whose labels they are that stand outside.
    """
    own = item.get(holder)
    if not isinstance(own, Mapping):
        return item
    ledger.count(COLUMN, holder, Outcome.TAKEN, PARTS)
    outer = {k: v for k, v in item.items() if k != holder}
    if any(plain(str(k)) in _ANNOTATORS for k in outer) and not any(map(holds_labels, own.values())):
        own = {f"{k} (inside of {holder})" if plain(str(k)) in _ANNOTATORS else k: v for k, v in own.items()}
    return {**own, **{f"{k} (outside of {holder})" if k in own else k: v for k, v in outer.items()}}


def _is_text(name: Any, value: Any) -> bool:
    return isinstance(value, str) and plain(str(name)) in _TEXTS and bool(value.strip())


def is_pair(item: Any) -> bool:
    """Whether the item is spaCy's pair of a text and an object."""
    return isinstance(item, list) and len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], Mapping)


def header_of(sample: list[Record], name: str) -> tuple[list[str], list[Record]]:
    if not sample:
        raise FormatError(f"{name} holds no object with named fields. Is it empty, or of another format?")
    return list(dict.fromkeys(str(key) for record in sample for key in record)), sample
