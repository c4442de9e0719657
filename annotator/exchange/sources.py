"""What an import reads: the file's format, the options that its reader is given, and the criteria that stand beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotator.exchange.options import ImportOptions
from storage.attributes import Attributes, attributes_from
from storage.criteria_file import passages_from
from storage.formats.detection import Detected, detect
from storage.formats.registry import AUTO, format_named
from storage.formats.rows import FormatError, Source
from storage.records import Criterion, InvalidRecord
from storage.store import Store


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


def source_of(
    path: Path,
    detected: Detected,
    options: ImportOptions,
    criteria: Sequence[str] = (),
    attributes: Attributes | None = None,
) -> Source:
    """What the format's reader is given."""
    encoding = options.encoding or detected.encoding.name
    known = attributes or Attributes()
    return Source(path, encoding, dict(options.columns), options.sheet, tuple(criteria), known)


def wording_beside(path: Path) -> list[Criterion]:
    """The criteria of the manifest that an export left beside (or inside) its file; none if there is no manifest."""
    manifest = _manifest_beside(path)
    try:
        return [
            Criterion(
                c["id"],
                c["name"],
                c["text"],
                c.get("guideline", ""),
                examples=passages_from(c.get("examples"), "manifest"),
                counterexamples=passages_from(c.get("counterexamples"), "manifest"),
            )
            for c in manifest.get("criteria", [])
        ]
    except (ValueError, KeyError, TypeError, AttributeError, InvalidRecord):
        return []  # somebody else's manifest


def attributes_for(store: Store, path: Path, options: ImportOptions) -> tuple[Attributes, Attributes | None]:
    """What a file's answers can say of spans and posts, and what of that the project is to define from now on (None: nothing).

    A project that defines none of it takes over what the manifest beside the file defines, where it may take over criteria too.
    """
    known = store.attributes()
    if known != Attributes() or not options.new_criteria:
        return known, None
    try:
        beside = attributes_from(_manifest_beside(path).get("attributes"), "manifest")
    except InvalidRecord:
        return known, None
    return beside, beside if beside != Attributes() else None


def _manifest_beside(path: Path) -> dict[str, Any]:
    for manifest in (
        path / "manifest.json",
        path.parent / "manifest.json",
        path.with_name(path.name + ".manifest.json"),
    ):
        if not manifest.is_file():
            continue
        try:
            found = json.loads(manifest.read_text("utf-8"))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
    return {}
