"""brat standoff, both ways: a `.txt` and an `.ann` file per post, code points, line ends kept; `posts.jsonl` says what brat cannot.

`posts.jsonl` (brat does not read it) holds each post's id, metadata, and the criteria reviewed without evidence.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from storage.formats.answers import quoted
from storage.formats.json_text import dump_line
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Passage, Row, RowError, Written
from storage.formats.spans import (
    NO_EVIDENCE,
    SEVERAL,
    UNSURE,
    labelled_spans,
    labels_by_criterion,
    names_of,
    own_meta,
    post_fields,
)

INDEX = "posts.jsonl"
MAX_NAME_BYTES = 120
CANNOT_CARRY = (
    "who decided, when, and earlier revisions",
    "rejected predictions and where a span came from",
    "predictions",
    SEVERAL,
)
_TEXT_BOUND = re.compile(r"T\d+\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t?(.*)")
_LINE_END = re.compile(r"[\r\n]")


def write(posts: Iterable[ExportPost], folder: Path, context: ExportContext) -> Written:
    written = Written()
    folder.mkdir(exist_ok=True)
    labels = "\n".join(c.id for c in context.criteria)
    config = f"[entities]\n{labels}\n\n[relations]\n<OVERLAP> Arg1:<ENTITY>, Arg2:<ENTITY>, <OVL-TYPE>:<ANY>\n\n[events]\n\n[attributes]\n"
    (folder / "annotation.conf").write_text(config, "utf-8")
    with (folder / INDEX).open("w", encoding="utf-8", newline="") as index:
        for item in posts:
            written.count(item)
            name = _file_name(item.post.id)
            index.write(dump_line({"file": name, **own_meta(item)}))
            _write_text(folder / f"{name}.txt", item.post.text)
            lines = [
                f"T{number}\t{label} {start} {end}\t{_LINE_END.sub(' ', quoted(item.post, start, end))}\n"
                for number, (start, end, label) in enumerate(labelled_spans(item, written), start=1)
            ]
            _write_text(folder / f"{name}.ann", "".join(lines))
    return written


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)


def _file_name(post_id: str) -> str:
    """The id in characters that every file system takes; a long one, or one that case alone tells apart, with its hash."""
    name = quote(post_id, safe="").replace(".", "%2E")
    if len(name) <= MAX_NAME_BYTES and name == name.lower():
        return name
    return f"{name[: MAX_NAME_BYTES - 20]}-{hashlib.sha256(post_id.encode()).hexdigest()[:16]}"


# --- in


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """A post per `.txt` file; its id is in `posts.jsonl`, else it is the file's name."""
    index = _index(path)
    for number, file in enumerate(sorted(path.rglob("*.txt")), start=1):
        try:
            yield _row(number, file, index.get(file.stem, {"post_id": file.stem}))
        except UnicodeDecodeError:
            yield RowError(number, f"{file.name} is not UTF-8 text")
        except (TypeError, ValueError) as error:
            yield RowError(number, f"{file.stem}: {error}")


def _index(path: Path) -> dict[str, dict[str, Any]]:
    file = path / INDEX
    if not file.is_file():
        return {}
    with file.open(encoding="utf-8", newline="\n") as lines:
        found = [json.loads(line) for line in lines if line.strip()]
    return {item.pop("file"): item for item in found}


def _row(number: int, file: Path, known: Mapping[str, Any]) -> ImportRow:
    text = _read_text(file)
    notes = file.with_suffix(".ann")
    lines = _read_text(notes).split("\n") if notes.is_file() else []
    spans = [span for line in lines if line.startswith("T") for span in [_span(line, text)]]
    labels = labels_by_criterion(
        spans, no_evidence=names_of(known.get(NO_EVIDENCE)), unsure=names_of(known.get(UNSURE))
    )
    return ImportRow(number=number, text=text, labels=labels, **post_fields(known))


def _read_text(file: Path) -> str:
    with file.open(encoding="utf-8", newline="") as opened:
        return opened.read()


def _span(line: str, text: str) -> tuple[str, Passage]:
    """A span, from its first fragment's start to its last one's end. Its words are compared where brat keeps them whole."""
    found = _TEXT_BOUND.match(line.rstrip("\r"))
    if found is None:
        raise ValueError(f"the line {line[:60]!r} is no text-bound annotation")
    label, fragments, words = found.groups()
    offsets = [int(n) for n in re.split(r"[ ;]", fragments)]
    start, end = offsets[0], offsets[-1]
    whole = len(offsets) == 2 and _LINE_END.sub(" ", text[start:end]).rstrip() != words.rstrip()
    return label, Passage(start, end, words if whole and words.strip() else None)
