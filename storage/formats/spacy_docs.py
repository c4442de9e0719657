"""spaCy's DocBin files (`.spacy`): a post per document, its entities and span groups as labels. Read only, through spaCy."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from storage.formats.budget import MAX_RATIO, RATIO_FREE_BYTES
from storage.formats.labels import Given
from storage.formats.ledger import COLUMN, Key, Outcome
from storage.formats.rows import FormatError, ImportRow, Label, Passage, Row, Source
from storage.records import Verdict

MAX_BYTES = 256 << 20
CANNOT_CARRY: tuple[str, ...] = ()


def read(source: Source) -> Iterator[Row]:
    """The documents of the file. Raises FormatError if it is no DocBin, or unpacks to far more than its size."""
    data = source.path.read_bytes() if source.path.stat().st_size <= MAX_BYTES else b""
    name = source.path.name
    if not data:
        raise FormatError(f"{name} is larger than {MAX_BYTES >> 20} MB; write it in parts.")
    _check_unpacked(data, name)
    try:
        import spacy
        from spacy.tokens import DocBin
    except ImportError:
        raise FormatError("DocBin files are read through spaCy: pip install spacy") from None
    try:
        docs = list(DocBin().from_bytes(data).get_docs(spacy.blank("xx").vocab))
    except Exception as error:  # the library raises whatever its parsers do; the file is at fault
        raise FormatError(f"{name} is no readable DocBin file ({type(error).__name__}).") from error
    for number, doc in enumerate(docs, start=1):
        yield _row(number, doc)


def _row(number: int, doc: Any) -> ImportRow:
    account: dict[Key, int] = {}
    labels = [*_labels(doc.ents, "ents", account)]
    for key in doc.spans:
        labels += _labels(doc.spans[key], f"spans[{key!r}]", account)
    for category in doc.cats:
        account[COLUMN, f"cats: {category}", Outcome.KEPT, "labels of the whole post, not read as answers"] = 1
    unread = tuple(Given().a_label(c, None, left_out="a label of the whole post, without a passage") for c in doc.cats)
    meta = {"cats": dict(doc.cats)} if doc.cats else {}
    return ImportRow(number=number, post_id=None, text=doc.text, labels=(*labels, *unread), meta=meta, account=account)


def _labels(spans: Any, name: str, account: dict[Key, int]) -> list[Label]:
    found = []
    for span in spans:
        label = span.label_ or name
        found.append(Given().a_label(label, Verdict.EVIDENCE, Passage(span.start_char, span.end_char)))
    if found:
        account[COLUMN, name, Outcome.TAKEN, "labels"] = len(found)
    return found


def _check_unpacked(data: bytes, name: str) -> None:
    unpacker = zlib.decompressobj()
    limit = max(RATIO_FREE_BYTES, MAX_RATIO * len(data))
    try:
        unpacked = len(unpacker.decompress(data, limit + 1))
    except zlib.error:
        raise FormatError(f"{name} is no DocBin file.") from None
    if unpacked > limit:
        raise FormatError(f"{name} unpacks to far more than its size: refused as a bomb.")
