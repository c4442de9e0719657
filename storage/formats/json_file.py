"""JSON files that hold posts: a list, at the top or under a usual key, objects by id, columns of values, spaCy's pairs. Read only."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from storage.formats.columns import Record
from storage.formats.fields import PARTS
from storage.formats.json_text import iter_items
from storage.formats.jsonl import SAMPLE_RECORDS, header_of, is_pair, records_of
from storage.formats.ledger import COLUMN, Ledger, Outcome
from storage.formats.rows import Row, RowError, Source
from storage.formats.splits import SPLITS
from storage.formats.table import read_table
from storage.formats.tagged import OUTSIDE
from storage.formats.values import plain

LIST_KEYS = (
    "data",
    "posts",
    "records",
    "rows",
    "items",
    "examples",
    "documents",
    "texts",
    "tasks",
    "comments",
    "submissions",
    "results",
    "messages",
    "tweets",
)
CANNOT_CARRY: tuple[str, ...] = ()


def read(source: Source) -> Iterator[Row]:
    """The posts of the list. Raises FormatError if the file is not JSON or nothing in it could be the text."""
    header, sample = preview(source)
    yield from read_table(header, sample, iter_records(source), source)


def preview(source: Source) -> tuple[list[str], list[Record]]:
    look = dataclasses.replace(source, ledger=Ledger())
    objects = (record for _, record in iter_records(look) if not isinstance(record, RowError))
    return header_of(list(islice(objects, SAMPLE_RECORDS)), source.path.name)


def iter_records(source: Source) -> Iterator[tuple[int, Record | RowError]]:
    def left(key: str) -> None:
        source.ledger.count(COLUMN, key, Outcome.LEFT, "stands beside the list of posts")

    items = iter_items(source.path, source.encoding, keys=LIST_KEYS, left=left)
    first, rest = next(items, None), items
    second = next(rest, None)
    if first is not None and second is None and isinstance(first[1], Mapping):
        items = enumerate(_expanded(_unwrapped(first[1], left)), start=1)
    else:
        items = chain((i for i in (first, second) if i is not None), rest)
    yield from records_of(_items(items, source.ledger), source.ledger)


def _items(items: Iterable[tuple[int, Any]], ledger: Ledger) -> Iterator[tuple[int, Any]]:
    for number, item in items:
        if is_spacy_training(item):
            ledger.count(COLUMN, "paragraphs", Outcome.TAKEN, PARTS)
            yield from ((number, record) for record in _of_spacy(item))
        else:
            yield number, item


def is_spacy_training(item: Any) -> bool:
    """Whether the item is a document as spaCy 2 trains on: paragraphs with sentences of tokens."""
    paragraphs = item.get("paragraphs") if isinstance(item, Mapping) else None
    return isinstance(paragraphs, list) and any(isinstance(p, Mapping) and "sentences" in p for p in paragraphs)


def _of_spacy(item: Mapping[str, Any]) -> Iterator[Record]:
    """A record for each paragraph: its text, and its words with their tags."""
    paragraphs = [p for p in item["paragraphs"] if isinstance(p, Mapping)]
    for place, paragraph in enumerate(paragraphs):
        sentences = [s for s in paragraph.get("sentences") or () if isinstance(s, Mapping)]
        tokens = [t for s in sentences for t in s.get("tokens") or () if isinstance(t, Mapping)]
        tags = [str(t.get("ner") or OUTSIDE) for t in tokens]
        post_id = item.get("id") if len(paragraphs) == 1 else f"{item.get('id')}-{place}"
        yield {
            "id": None if item.get("id") is None else post_id,
            "text": paragraph.get("raw"),
            "tokens": [str(t.get("orth") or "") for t in tokens],
            "ner": [OUTSIDE if t == "-" else t for t in tags],
            **{k: v for k, v in paragraph.items() if k not in ("raw", "sentences", "id", "text", "tokens", "ner")},
        }


def _unwrapped(item: Mapping[str, Any], left: Callable[[str], None]) -> Mapping[str, Any] | list[Any]:
    """The list of pairs, or the object of posts, that stands under a key of the object; else the object. left: called with other keys."""
    for key, value in item.items():
        pairs = [v for v in value if v is not None] if isinstance(value, list) else []
        if (pairs and all(map(is_pair, pairs))) or (
            isinstance(value, Mapping) and value and plain(key) in LIST_KEYS and len(item) == 1
        ):
            for other in item:
                if other != key:
                    left(other)
            return pairs or value
    return item


def _are_splits(item: Mapping[str, Any]) -> bool:
    """Whether the object holds a list of records for each split (`train`, `validation`, `test`)."""
    lists = all(isinstance(v, list) and all(isinstance(r, Mapping) for r in v) for v in item.values())
    return lists and all(plain(str(k)) in SPLITS for k in item) and any(item.values())


def _expanded(item: Mapping[str, Any] | list[Any]) -> list[Any]:
    """The records of an object that holds many: by split, by id, or column by column; else the object alone."""
    if isinstance(item, list):
        return item
    values = list(item.values())
    if _are_splits(item):
        return [r if r.get("split") else {**r, "split": plain(name)} for name, records in item.items() for r in records]
    if values and all(isinstance(v, list) for v in values) and len({len(v) for v in values}) == 1 and len(values) > 1:
        return [{k: v[n] for k, v in item.items()} for n in range(len(values[0]))]
    if len(values) < 1 or not all(isinstance(v, Mapping) for v in values):
        return [item]
    if any(plain(str(k)) in ("text", "body", "selftext", "content", "id", "postid") for k in item):
        ids = list(dict.fromkeys(i for v in values for i in v))  # pandas' default: each column by row
        return [{k: v[i] for k, v in item.items() if i in v} for i in ids]
    alike = max(Counter(k for v in values for k in v).values(), default=0) * 2 > len(values)
    if alike and any(isinstance(x, str) and len(x.split()) > 2 for v in values[:20] for x in v.values()):
        return [v if {"id", "post_id"} & v.keys() else {"id": k, **v} for k, v in item.items()]
    return [item]
