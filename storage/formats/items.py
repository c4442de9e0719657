"""What formats of one JSON object per post share: writing the lines, and reading items of which some are broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from storage.formats.json_text import dump_line, iter_items, iter_lines
from storage.formats.rows import ExportPost, ImportRow, Row, RowError, Written


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


def lines_or_list(path: Path, encoding: str) -> Iterator[tuple[int, Any]]:
    """The numbered items of a JSON Lines file, or of a file with one JSON list."""
    with path.open("rb") as file:
        listed = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    return iter_items(path, encoding) if listed else iter_lines(path, encoding)


def rows_of_items(
    items: Iterable[tuple[int, Any]], row_of: Callable[[int, Any], ImportRow], what: str
) -> Iterator[Row]:
    """The numbered items as rows; one that is not `what` it should be becomes a RowError, and reading goes on."""
    for number, item in items:
        if isinstance(item, RowError):
            yield item
            continue
        try:
            yield row_of(number, item)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            yield RowError(number, f"is no {what} ({error!r})")
