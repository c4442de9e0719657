"""The ReDSM5 layout, both ways: `redsm5_posts.csv` and `redsm5_annotations.csv` in one folder.

A row per sentence and symptom; status 1 is evidence, 0 "looked at and judged not to be". A sentence is often not a verbatim part of its
post: it is given on as words, to be aligned. SPECIAL_CASE is no criterion.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from storage.formats import delimited
from storage.formats.answers import quoted
from storage.formats.delimited import guard, unguard
from storage.formats.encodings import detect_encoding
from storage.formats.rows import (
    ExportContext,
    ExportPost,
    FormatError,
    ImportRow,
    Label,
    Passage,
    Row,
    RowError,
    Written,
)
from storage.formats.table import Record
from storage.records import Span, Verdict

POSTS, ANNOTATIONS = "redsm5_posts.csv", "redsm5_annotations.csv"
POST_COLUMNS = ("post_id", "text")
COLUMNS = ("post_id", "sentence_id", "sentence_text", "DSM5_symptom", "status", "explanation")
SPECIAL_CASE = "SPECIAL_CASE"
NONE_WITHOUT_SPAN = "reviewed without evidence, where no rejected span says so"
CANNOT_CARRY = (
    NONE_WITHOUT_SPAN,
    "answers that are unsure",
    "offsets: a passage is given by its words alone",
    "who decided, when, and earlier revisions",
    "where a span came from, and the score of a rejected prediction",
    "split, author, source, date and further columns of a post",
    "predictions",
)


def write(posts: Iterable[ExportPost], folder: Path, context: ExportContext) -> Written:
    written = Written()
    folder.mkdir(exist_ok=True)
    with (
        (folder / POSTS).open("w", encoding="utf-8", newline="") as post_file,
        (folder / ANNOTATIONS).open("w", encoding="utf-8", newline="") as annotation_file,
    ):
        post_writer, writer = csv.writer(post_file), csv.writer(annotation_file)
        post_writer.writerow(POST_COLUMNS)
        writer.writerow(COLUMNS)
        for item in posts:
            written.count(item)
            post_writer.writerow([guard(item.post.id), guard(item.post.text)])
            writer.writerows([guard(str(cell)) for cell in row] for row in _rows(item, written))
    return written


def _rows(item: ExportPost, written: Written) -> Iterator[list[object]]:
    for answer in item.answers:
        if answer.verdict is Verdict.UNSURE:
            written.leave_out("answers that are unsure")
            continue
        if answer.verdict is Verdict.NO_EVIDENCE and not answer.rejected:
            written.leave_out(NONE_WITHOUT_SPAN)
        evidence: list[tuple[Span, int]] = [(s.span, 1) for s in answer.spans] + [(s, 0) for s in answer.rejected]
        for number, (span, status) in enumerate(evidence):
            words = quoted(item.post, span.start, span.end)
            sentence_id = f"{item.post.id}_{answer.criterion_id}_{number}"
            yield [item.post.id, sentence_id, words, answer.criterion_id, status, answer.note]


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """First the posts, then a row per annotation that belongs to one of them. Row numbers are those of each file."""
    own = _is_ours(path)
    for number, record in _records(path, POSTS, POST_COLUMNS, own):
        if isinstance(record, RowError):
            yield RowError(number, f"{POSTS}: {record.reason}")
        else:
            yield ImportRow(number=number, post_id=record["post_id"].strip() or None, text=record["text"])
    for number, record in _records(path, ANNOTATIONS, COLUMNS[:1] + COLUMNS[2:5], own):
        if isinstance(record, RowError):
            yield RowError(number, f"{ANNOTATIONS}: {record.reason}")
        elif (row := _annotation(number, record)) is not None:
            yield row


def _annotation(number: int, record: Record) -> Row | None:
    symptom, status = record["DSM5_symptom"].strip(), record["status"].strip()
    if symptom == SPECIAL_CASE or not symptom:
        return None
    if status not in ("0", "1", "0.0", "1.0"):
        return RowError(number, f"{ANNOTATIONS}: the status {status[:20]!r} is neither 0 nor 1")
    passage = Passage(quote=record["sentence_text"], hint=_number(record.get("sentence_id", "")))
    found = status.startswith("1")
    label = Label(
        criterion=symptom,
        verdict=Verdict.EVIDENCE if found else Verdict.NO_EVIDENCE,
        passages=(passage,) if found else (),
        rejected=() if found else (passage,),
        whole=False,
        note=record.get("explanation", "").strip(),
    )
    return ImportRow(number=number, post_id=record["post_id"].strip(), text=None, labels=(label,))


def _records(path: Path, name: str, needed: Iterable[str], own: bool) -> Iterator[tuple[int, Record | RowError]]:
    file = next(iter(sorted(path.rglob(name))), None)
    if file is None:
        raise FormatError(f"{path.name} has no {name}. The ReDSM5 layout needs {POSTS} and {ANNOTATIONS}.")
    encoding = detect_encoding(file).name
    header, _ = delimited.preview(file, encoding=encoding)
    missing = [c for c in needed if c not in header]
    if missing:
        raise FormatError(f"{name} has no column {missing[0]!r}. It has: {', '.join(header)}.")
    for number, record in delimited.iter_records(file, encoding):
        if own and not isinstance(record, RowError):
            yield number, {k: unguard(v) for k, v in record.items()}
        else:
            yield number, record


def _is_ours(path: Path) -> bool:
    """True if our manifest lies beside the files: then cells that look like formulas were guarded."""
    manifest = path / "manifest.json"
    try:
        return str(json.loads(manifest.read_text("utf-8")).get("schema", "")).startswith("evidence-annotator/")
    except (OSError, ValueError, AttributeError):
        return False


def _number(sentence_id: str) -> int | None:
    """The sentence's number, where the id is one (or ends with one after an underscore)."""
    tail = sentence_id.strip().rsplit("_", 1)[-1]
    return int(tail) if tail.isdigit() and "_" not in sentence_id.strip() else None
