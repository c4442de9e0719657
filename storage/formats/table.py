"""Tables of any origin (CSV, XLSX, Parquet, JSON objects): which column is what, and records to `ImportRow`s."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.formats.answers import label_from_object, labels_from_list, passage_from, verdict_of
from storage.formats.rows import FormatError, ImportRow, Label, LabelKind, Passage, Row, RowError
from storage.records import InvalidRecord, Verdict

Record = Mapping[str, Any]

# names met in corpora, best first; compared without case, spaces, '_' and '-'
SYNONYMS: dict[str, tuple[str, ...]] = {
    "post_id": (
        "postid",
        "id",
        "docid",
        "documentid",
        "submissionid",
        "submission",
        "textid",
        "commentid",
        "uid",
        "name",
        "docname",
    ),
    "text": (
        "text",
        "posttext",
        "post",
        "body",
        "selftext",
        "content",
        "comment",
        "message",
        "document",
        "tweet",
        "sentence",
    ),
    "author": ("author", "user", "username", "userid", "authorid", "subjectid", "subject", "patientid"),
    "source": ("source", "subreddit", "forum", "platform", "dataset"),
    "posted_at": ("postedat", "createdutc", "date", "timestamp", "datetime", "postdate", "time"),
    "split": ("split", "fold", "subset", "partition"),
    "criterion": ("criterion", "criterionid", "label", "symptom", "dsm5symptom", "category", "class", "tag"),
    "verdict": ("verdict", "status", "answer"),
    "start": ("start", "startoffset", "begin", "spanstart"),
    "end": ("end", "endoffset", "stop", "spanend"),
    "evidence": ("quote", "evidence", "evidencetext", "sentencetext", "spantext", "excerpt", "passage"),
    "annotator": ("reviewer", "annotator", "annotatorid", "rater", "labeler"),
    "created_at": ("createdat", "annotatedat"),
    "note": ("note", "explanation", "remark"),
    "annotations": ("annotations",),
    "history": ("history",),
    "predictions": ("predictions",),
    "meta": ("meta", "metadata"),
}
FIELDS = tuple(SYNONYMS)
IGNORED = ("manifest",)


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Column name by field. A field that is missing has no column. `rest`: keep the other columns in `meta`."""

    columns: Mapping[str, str] = field(default_factory=dict)
    rest: bool = True

    def get(self, record: Record, name: str) -> Any:
        column = self.columns.get(name)
        value = None if column is None else record.get(column)
        return None if _is_empty(value) else value


def guess_mapping(columns: Sequence[str], sample: Sequence[Record] = ()) -> dict[str, str]:
    """Column by field, from the names; a text column that has no usual name is the one with the longest texts."""
    plain = {_plain(c): c for c in reversed(columns)}
    found: dict[str, str] = {}
    for name, synonyms in SYNONYMS.items():
        column = next((plain[s] for s in synonyms if s in plain and plain[s] not in found.values()), None)
        if column is not None:
            found[name] = column
    if "text" not in found:
        lengths = {c: sum(len(str(r.get(c) or "")) for r in sample) for c in columns if c not in found.values()}
        longest = max(lengths, key=lambda c: lengths[c], default=None)
        if longest is not None and lengths[longest] >= 20 * max(1, len(sample)):
            found["text"] = longest
    return found


def checked_mapping(
    columns: Sequence[str], chosen: Mapping[str, str] | None, sample: Sequence[Record]
) -> ColumnMapping:
    """The mapping to read with: the guess, with what was chosen on top ('' takes a field away).

    Raises FormatError if a chosen column is not there, or if nothing could be the text or labels of known posts.
    """
    mapping = guess_mapping(columns, sample)
    for name, column in (chosen or {}).items():
        if name not in SYNONYMS:
            raise FormatError(f"There is no field {name!r} to map. Fields: {', '.join(FIELDS)}.")
        if column and column not in columns:
            raise FormatError(f"There is no column {column!r}. The file has: {_listed(columns)}.")
        mapping = {k: v for k, v in mapping.items() if v != column and k != name}
        if column:
            mapping[name] = column
    if "text" not in mapping and not ("post_id" in mapping and {"criterion", "annotations"} & mapping.keys()):
        raise FormatError(
            f"No column looks like the text of a post. The file has: {_listed(columns)}. Say which one is the text."
        )
    return ColumnMapping(mapping)


def rows_of_records(records: Iterable[tuple[int, Record | RowError]], mapping: ColumnMapping) -> Iterator[Row]:
    """Numbered records as ImportRows; a record that contradicts itself becomes a RowError."""
    for number, record in records:
        if isinstance(record, RowError):
            yield record
            continue
        try:
            yield _row(number, record, mapping)
        except (InvalidRecord, json.JSONDecodeError, RecursionError, ValueError) as error:
            yield RowError(number, str(error))


def _row(number: int, record: Record, mapping: ColumnMapping) -> ImportRow:
    history = _decoded(mapping.get(record, "history"))
    settled = labels_from_list(_decoded(mapping.get(record, "annotations")))
    predictions = labels_from_list(_decoded(mapping.get(record, "predictions")), kind=LabelKind.PREDICTION)
    answers = labels_from_list(history) if history else settled
    return ImportRow(
        number=number,
        post_id=_string(mapping.get(record, "post_id")),
        text=_text(mapping.get(record, "text")),
        author=_string(mapping.get(record, "author")),
        source=_string(mapping.get(record, "source")),
        posted_at=_string(mapping.get(record, "posted_at")),
        split=_string(mapping.get(record, "split")),
        meta=_meta(record, mapping),
        labels=(*answers, *predictions, *_flat_label(record, mapping)),
        gold=settled if history else (),
    )


def _flat_label(record: Record, mapping: ColumnMapping) -> tuple[Label, ...]:
    """The label that a row of a table holds: one criterion, and one span or words, or a verdict alone."""
    criterion = mapping.get(record, "criterion")
    if criterion is None:
        return ()
    if isinstance(criterion, Sequence) and not isinstance(criterion, str):
        raise InvalidRecord("the criterion is a list; map it as annotations, or give one row per criterion")
    passages = _flat_passages(record, mapping)
    said = mapping.get(record, "verdict")
    verdict = verdict_of(said) or (Verdict.EVIDENCE if passages else None)
    if verdict is None:
        raise InvalidRecord(f"{criterion}: neither a verdict nor evidence")
    refused = verdict is Verdict.NO_EVIDENCE
    return (
        Label(
            criterion=str(criterion).strip(),
            verdict=verdict,
            passages=() if refused else passages,
            rejected=passages if refused else (),
            whole=False,
            annotator=_string(mapping.get(record, "annotator")),
            created_at=_string(mapping.get(record, "created_at")),
            note=_string(mapping.get(record, "note")) or "",
        ),
    )


def _flat_passages(record: Record, mapping: ColumnMapping) -> tuple[Passage, ...]:
    start, end = mapping.get(record, "start"), mapping.get(record, "end")
    evidence = mapping.get(record, "evidence")
    if start is not None and end is not None:
        quote = evidence if isinstance(evidence, str) else None
        return (passage_from({"start": start, "end": end, "text": quote}),)
    evidence = (
        _decoded(evidence) if isinstance(evidence, str) and evidence.lstrip().startswith(("[", "{")) else evidence
    )
    if evidence is None:
        return ()
    return label_from_object(
        {"criterion": "-", "spans": [evidence] if isinstance(evidence, Mapping) else evidence}
    ).passages


def _meta(record: Record, mapping: ColumnMapping) -> dict[str, Any]:
    meta = _decoded(mapping.get(record, "meta"))
    found: dict[str, Any] = dict(meta) if isinstance(meta, Mapping) else {}
    if meta is not None and not isinstance(meta, Mapping):
        found["meta"] = meta
    if mapping.rest:
        used = {*mapping.columns.values(), *IGNORED}
        found.update({k: _plain_value(v) for k, v in record.items() if k not in used and not _is_empty(v)})
    return found


def _decoded(value: Any) -> Any:
    """A JSON string as its value; a string that is none as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _string(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a spreadsheet's 17 arrives as 17.0
    return str(value).strip() or None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise InvalidRecord(f"the text is {type(value).__name__}, not words")


def _plain_value(value: Any) -> Any:
    """A value that JSON can hold."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain_value(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain_value(v) for v in value]
    return str(value)


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value) or (isinstance(value, str) and not value)


def _plain(name: str) -> str:
    return "".join(ch for ch in name.casefold() if ch.isalnum())


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:20])
    return shown + (f" and {len(columns) - 20} more" if len(columns) > 20 else "")
