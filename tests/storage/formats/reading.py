"""Files for the tests of readers, and rows as what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from storage.formats.detection import detect
from storage.formats.ledger import Ledger
from storage.formats.registry import format_named
from storage.formats.rows import ImportRow, Label, Row, RowError, Source

SLEEP, FOOD = "I lie awake until four.", "Food has no taste."
TEXT = f"{SLEEP} {FOOD}"


def rows(path: Path, format: str | None = None, **source: Any) -> list[Row]:
    """The rows of a file, in the format that it seems to be in or the one that is given."""
    found = detect(path, encoding=source.get("encoding"))
    reader = format_named(format) if format else found.format
    return list(reader.read(Source(path, source.pop("encoding", found.encoding.name), **source)))


def one(path: Path, format: str | None = None, **source: Any) -> ImportRow:
    """The only row, which can be read."""
    (row,) = rows(path, format, **source)
    assert isinstance(row, ImportRow), row
    return row


def said(row: Row, text: str | None = None) -> dict[str, tuple[str | None, list[str]]]:
    """Verdict and words of the passages by label, of the labels that are taken."""
    assert isinstance(row, ImportRow), row
    words = text or row.text or ""
    found: dict[str, tuple[str | None, list[str]]] = {}
    for label in row.labels:
        if not label.left_out:
            before = found.get(label.criterion, (None, []))[1]
            found[label.criterion] = (
                label.verdict and str(label.verdict),
                [*before, *(_words(words, label, n) for n in range(len(label.passages)))],
            )
    return found


def _words(text: str, label: Label, number: int) -> str:
    passage = label.passages[number]
    if passage.start is None or passage.end is None:
        return passage.quote or ""
    return text[passage.start : passage.end]


def left_out(row: Row) -> dict[str, str]:
    """The reason by label, of the labels that are not taken."""
    assert isinstance(row, ImportRow), row
    return {label.criterion: label.left_out for label in row.labels if label.left_out}


def reasons(found: list[Row]) -> list[tuple[int, str]]:
    return [(row.row, row.reason) for row in found if isinstance(row, RowError)]


def outcomes(row: Row) -> dict[str, str]:
    """What became of each key of the row."""
    return {name: str(outcome) for (_, name, outcome, _) in row.account}


def entries(ledger: Ledger) -> list[tuple[str, str, str]]:
    return [(e.what, e.name, str(e.outcome)) for e in ledger]


def write_json(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    return path


def write_lines(path: Path, *items: Any) -> Path:
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), "utf-8")
    return path
