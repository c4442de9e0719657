"""A row as a reader gives it → values that can be stored: ids, splits, and text without half characters."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, overload

from storage.formats.rows import ImportRow, Label, Passage
from storage.formats.splits import SPLITS
from storage.records import InvalidRecord, Split

MAX_ID_CHARACTERS = 200
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def split_named(value: str | None) -> Split | None:
    """Raises InvalidRecord for a word that names no split."""
    if not value:
        return None
    found = SPLITS.get(value.strip().lower())
    if found is None:
        raise InvalidRecord(f"{value[:40]!r} is no split; use train, dev or test")
    return found


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def generated_id(text: str) -> str:
    """The id of a post whose file has none: the same text, the same id."""
    return f"t-{sha256(text)[:16]}"


def clean_id(post_id: str) -> str:
    """The id as one line that a person can read; a very long one ends with its hash."""
    line = " ".join(_CONTROLS.sub(" ", post_id).split(" ")).strip() if _CONTROLS.search(post_id) else post_id.strip()
    if len(line) <= MAX_ID_CHARACTERS:
        return line or generated_id(post_id)
    return f"{line[: MAX_ID_CHARACTERS - 17].rstrip()}-{sha256(post_id)[:16]}"


def id_in_part(row: ImportRow) -> str:
    """The id of the row within its split, file or sheet, where ids begin anew in each."""
    return f"{row.part}/{row.post_id}" if row.part else str(row.post_id)


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: None) -> None: ...
@overload
def storable(text: str | None) -> str | None: ...
def storable(text: str | None) -> str | None:
    """Text that SQLite takes: without NUL and half characters."""
    if text is None or (text.isascii() and "\x00" not in text):
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def storable_row(row: ImportRow) -> ImportRow:
    """The row with everything but its id and text as SQLite takes it; what is wrong with those is said, not mended."""
    return replace(
        row,
        author=storable(row.author),
        source=storable(row.source),
        posted_at=storable(row.posted_at),
        split=storable(row.split),
        part=storable(row.part),
        meta=_storable_value(row.meta),
        labels=tuple(map(_storable_label, row.labels)),
        gold=tuple(map(_storable_label, row.gold)),
    )


def _storable_label(label: Label) -> Label:
    quotes = [p.quote for p in (*label.passages, *label.rejected, *label.undecided)]
    texts = (
        *quotes,
        label.criterion,
        label.annotator,
        label.note,
        label.model_version,
        label.created_at,
        label.role,
        label.left_out,
    )
    if all(t is None or t.isascii() for t in texts):
        return label
    return replace(
        label,
        criterion=storable(label.criterion),
        annotator=storable(label.annotator),
        note=storable(label.note),
        model_version=storable(label.model_version),
        created_at=storable(label.created_at),
        role=storable(label.role),
        left_out=storable(label.left_out),
        passages=tuple(map(_storable_passage, label.passages)),
        rejected=tuple(map(_storable_passage, label.rejected)),
        undecided=tuple(map(_storable_passage, label.undecided)),
    )


def _storable_passage(passage: Passage) -> Passage:
    return replace(passage, quote=storable(passage.quote))


def _storable_value(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(k)): _storable_value(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_storable_value(v) for v in value]
    return value
