"""What an import reads: the file's format, the options that its reader is given, and the criteria that stand beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from annotator.exchange.options import ImportOptions
from storage.criteria_file import passages_from
from storage.formats.detection import Detected, detect
from storage.formats.registry import AUTO, format_named
from storage.formats.rows import FormatError, Source
from storage.records import Criterion, InvalidRecord


def fingerprint(path: Path) -> tuple[tuple[str, int, int], ...]:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return tuple((str(p), s.st_size, s.st_mtime_ns) for p in files for s in [p.stat()])


def detected_of(path: Path, options: ImportOptions) -> Detected:
    """The format to read with: the one that was chosen, else the guess. Raises FormatError."""
    if options.format == AUTO:
        return detect(path, encoding=options.encoding)
    chosen = format_named(options.format)
    if not chosen.reads:
        raise FormatError(f"{chosen.title} cannot be read.")
    if path.exists() and not chosen.takes(path):
        here, wanted = ("folder", "a file") if path.is_dir() else ("file", "a folder, or a zip file of one")
        raise FormatError(f"{path.name} is a {here}; {chosen.title} is {wanted}.")
    if path.is_dir():
        return Detected(chosen, "as chosen")
    guess = detect(path, encoding=options.encoding)
    if guess.format.name != chosen.name and {guess.format.name, chosen.name} & {"xlsx", "parquet", "spacy"}:
        raise FormatError(f"{path.name} is not {chosen.title}; it looks like {guess.format.title}.")
    return Detected(chosen, "as chosen", guess.encoding)


def source_of(path: Path, detected: Detected, options: ImportOptions, *, criteria: Sequence[str] = ()) -> Source:
    """What the format's reader is given."""
    encoding = options.encoding or detected.encoding.name
    return Source(path, encoding, dict(options.columns), options.sheet, tuple(criteria))


def wording_beside(path: Path) -> list[Criterion]:
    """The criteria of the manifest that an export left beside (or inside) its file; none if there is no manifest."""
    for manifest in (
        path / "manifest.json",
        path.parent / "manifest.json",
        path.with_name(path.name + ".manifest.json"),
    ):
        if not manifest.is_file():
            continue
        try:
            items = json.loads(manifest.read_text("utf-8")).get("criteria", [])
            return [
                Criterion(
                    c["id"],
                    c["name"],
                    c["text"],
                    c.get("guideline", ""),
                    examples=passages_from(c.get("examples"), manifest.name),
                    counterexamples=passages_from(c.get("counterexamples"), manifest.name),
                )
                for c in items
            ]
        except (ValueError, KeyError, TypeError, AttributeError, InvalidRecord):
            return []  # somebody else's manifest
    return []
