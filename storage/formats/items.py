"""What formats of one JSON object per post share: writing the lines, and reading items of which some are broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from storage.formats.columns import kind_of_column
from storage.formats.fields import Fields
from storage.formats.json_text import dump_line, is_json_lines, iter_items, iter_lines
from storage.formats.label_shapes import holds_labels
from storage.formats.labels import Given, labels_of
from storage.formats.rows import ExportPost, FormatError, ImportRow, LabelKind, Row, RowError, Source, Written
from storage.formats.standing import qualifier_of_row
from storage.formats.synonyms import FIELDS
from storage.formats.texts import check_text
from storage.formats.values import kind_of
from storage.records import InvalidRecord


def write_lines(
    posts: Iterable[ExportPost], path: Path, object_of: Callable[[ExportPost, Written], dict[str, Any]]
) -> Written:
    """Write what `object_of` makes of each post as a line; it counts in `Written` what it leaves out."""
    written = Written()
    with path.open("w", encoding="utf-8", newline="") as file:
        for item in posts:
            written.count(item)
            file.write(dump_line(object_of(item, written)))
    return written


def lines_or_list(source: Source) -> Iterator[tuple[int, Any]]:
    """The numbered items of a JSON Lines file, or of a file with one JSON list."""
    return lines_or_list_under(source, ())


def lines_or_list_under(source: Source, keys: tuple[str, ...]) -> Iterator[tuple[int, Any]]:
    """The same; the list may also stand under one of the keys of the file's one object."""
    lines = is_json_lines(source.path, source.encoding)
    return iter_lines(source.path, source.encoding) if lines else iter_items(source.path, source.encoding, keys=keys)


def rows_of_items(
    items: Iterable[tuple[int, Any]], row_of: Callable[[int, Fields], ImportRow], what: str, source: Source
) -> Iterator[Row]:
    """The numbered items as rows; one that is not `what` it should be becomes a RowError, and reading goes on.

    What `row_of` does not take from an item goes to the post's meta, or is left out where it stands deeper; both are counted.
    """
    check_columns(source)
    for number, item in items:
        if isinstance(item, RowError):
            yield item
            continue
        if not isinstance(item, Mapping):
            yield RowError(number, f"is {kind_of(item)}, no {what}")
            continue
        fields = Fields(item, chosen=source.columns)
        try:
            row = _with_further_labels(row_of(number, fields), fields)
            text, notes = check_text(row.text)
        except InvalidRecord as error:
            fields.settle()
            yield RowError(number, str(error), fields.account)
            continue
        meta = {**row.meta, **fields.settle()}
        yield replace(row, text=text, meta=meta, notes=(*row.notes, *notes), account=fields.account)


def _with_further_labels(row: ImportRow, fields: Fields) -> ImportRow:
    """The row with the labels under keys that its format does not have; its answers are left out where the item was dismissed."""
    found = list(row.labels)
    for key in fields:
        if holds_labels(fields.peek(key)):
            found += labels_of(fields.take(key, "labels"), fields, key, Given(kind_of_column(key)))
    why = qualifier_of_row(fields, list(fields.item_keys()), one_label=False) if found else ""
    if why:
        found = [
            replace(la, left_out=la.left_out or f"marked {why}") if la.kind is LabelKind.ANSWER else la for la in found
        ]
    return replace(row, labels=tuple(found))


def check_columns(source: Source) -> None:
    """Raises FormatError for a field that no format has."""
    for name in source.columns:
        if name not in FIELDS:
            raise FormatError(f"There is no field {name!r} to map. Fields: {', '.join(FIELDS)}.")
