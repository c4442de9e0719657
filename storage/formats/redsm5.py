"""The ReDSM5 layout, both ways: `redsm5_posts.csv` and `redsm5_annotations.csv` in one folder.

A row per sentence and symptom; status 1 is evidence, 0 "looked at and judged not to be". A sentence is often not a verbatim part of its
post: it is given on as words, to be aligned. SPECIAL_CASE is no criterion.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from storage.attributes import Attributes
from storage.formats import delimited
from storage.formats.answers import quoted
from storage.formats.column_hints import listed
from storage.formats.columns import Record
from storage.formats.delimited import guard, unguard
from storage.formats.encodings import UTF_8, detect_encoding
from storage.formats.fields import Fields
from storage.formats.labels import Given
from storage.formats.ledger import FILE, Outcome
from storage.formats.rows import (
    ExportContext,
    ExportPost,
    FormatError,
    ImportRow,
    Passage,
    Row,
    RowError,
    Source,
    Written,
)
from storage.formats.said import rationale_text
from storage.formats.texts import check_text
from storage.formats.values import shortened, string
from storage.records import InvalidRecord, SpanAttributes, Verdict

POSTS, ANNOTATIONS = "redsm5_posts.csv", "redsm5_annotations.csv"
POST_COLUMNS = ("post_id", "text")
COLUMNS = ("post_id", "sentence_id", "sentence_text", "DSM5_symptom", "status", "explanation")
SPECIAL_CASE = "SPECIAL_CASE"
NO_NOTE = "notes on an answer, where its sentence has a rationale"
NONE_WITHOUT_SPAN = "reviewed without evidence, where no rejected span says so"
CANNOT_CARRY = (
    NONE_WITHOUT_SPAN,
    "answers that are unsure",
    "offsets: a passage is given by its words alone",
    NO_NOTE,
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
        evidence = [(s.span, 1, s.attributes.rationale) for s in answer.spans]
        evidence += [(s, 0, s.attributes.rationale) for s in answer.rejected]
        for number, (span, status, rationale) in enumerate(evidence):
            if rationale and answer.note:
                written.leave_out(NO_NOTE)
            words = quoted(item.post, span.start, span.end)
            sentence_id = f"{item.post.id}_{answer.criterion_id}_{number}"
            yield [item.post.id, sentence_id, words, answer.criterion_id, status, rationale or answer.note]


def read(source: Source) -> Iterator[Row]:
    """First the posts, then a row per annotation that belongs to one of them. Row numbers are those of each file."""
    own = _is_ours(source.path)
    for file in sorted(p for p in source.path.rglob("*") if p.is_file()):
        if file.name not in (POSTS, ANNOTATIONS, "manifest.json"):
            source.ledger.count(
                FILE, file.relative_to(source.path).as_posix(), Outcome.LEFT, "is no part of the layout"
            )
    for name, needed, row_of in ((POSTS, POST_COLUMNS, _post), (ANNOTATIONS, COLUMNS[:1] + COLUMNS[2:5], _annotation)):
        for number, record in _records(source, name, needed, own):
            if isinstance(record, RowError):
                yield RowError(number, f"{name}: {record.reason}")
                continue
            fields = Fields(record)
            try:
                row = row_of(number, fields, source.attributes)
            except InvalidRecord as error:
                fields.settle()
                yield RowError(number, f"{name}: {error}", fields.account)
                continue
            yield replace(row, meta=fields.settle(), account=fields.account)


def _post(number: int, fields: Fields, _: Attributes) -> ImportRow:
    text, notes = check_text(fields.take("text"))
    return ImportRow(number=number, post_id=string(fields.take("post_id")), text=text, notes=notes)


def _annotation(number: int, fields: Fields, attributes: Attributes) -> ImportRow:
    post_id = string(fields.take("post_id"))
    symptom, status = (
        str(fields.take("DSM5_symptom", "criterion") or "").strip(),
        string(fields.take("status", "verdict")),
    )
    passage = Passage(
        quote=fields.take("sentence_text", "quote"), hint=_number(str(fields.take("sentence_id", "place") or ""))
    )
    given = Given(label=symptom, whole=False)
    if symptom == SPECIAL_CASE or not symptom:
        label = given.a_label(None, None, left_out="is no criterion")
    elif status not in ("0", "1", "0.0", "1.0"):
        raise InvalidRecord(f"the status {shortened(status)} is neither 0 nor 1")
    else:
        found = status.startswith("1")
        if why := rationale_text(fields.peek("explanation"), attributes):  # of this sentence
            fields.take("explanation", "rationale of the span")
            passage = replace(passage, attributes=SpanAttributes(why))
        label = given.a_label(None, Verdict.EVIDENCE if found else Verdict.NO_EVIDENCE, *((passage,) if found else ()))
        note = "" if why else str(fields.take("explanation", "note") or "").strip()
        label = replace(label, rejected=() if found else (passage,), note=note)
    fields.rest()
    return ImportRow(number=number, post_id=post_id, text=None, labels=(label,))


def _records(source: Source, name: str, needed: Iterable[str], own: bool) -> Iterator[tuple[int, Record | RowError]]:
    file = next(iter(sorted(source.path.rglob(name))), None)
    if file is None:
        raise FormatError(f"{source.path.name} has no {name}. The ReDSM5 layout needs {POSTS} and {ANNOTATIONS}.")
    encoding = source.encoding if source.encoding != UTF_8 else detect_encoding(file).name
    inner = replace(source, path=file, encoding=encoding)
    header, _ = delimited.preview(inner)
    missing = [c for c in needed if c not in header]
    if missing:
        raise FormatError(f"{name} has no column {missing[0]!r}. It has: {listed(header)}.")
    for number, record in delimited.iter_records(inner):
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
