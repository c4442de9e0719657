"""Between database rows and records: the only place that knows how spans are written as JSON."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from storage.account_records import AccessToken
from storage.attributes import said_from, said_wire
from storage.records import (
    AnnotatedSpan,
    Annotation,
    Criterion,
    EvidenceError,
    Job,
    JobKind,
    JobStatus,
    ModelStatus,
    ModelVersion,
    Post,
    Prediction,
    Reviewer,
    Role,
    Span,
    SpanOrigin,
    Split,
    Verdict,
)
from storage.trouble import StorageTrouble, Trouble

Row = Mapping[str, Any]
Read = TypeVar("Read", bound=Callable[..., Any])


to_json: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
"""The value as a cell holds it. One encoder for all: `json.dumps` would make one for each."""


def stored(read: Read) -> Read:
    """Wraps what reads a row or a cell: what cannot be read as it was written is damage, and is named so. Raises StorageTrouble."""

    @functools.wraps(read)
    def or_damage(*given: Any) -> Any:
        try:
            return read(*given)
        except EvidenceError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            raise StorageTrouble(Trouble.DAMAGED) from None  # the error may quote what is stored

    return or_damage  # type: ignore[return-value]


@stored
def json_cell(cell: str) -> Any:
    """The value of a cell that was written by `to_json`."""
    return json.loads(cell)


def values_in_index(db: Any, table: str, column: str) -> list[str]:
    """The texts of an indexed column, each once and in order: looked up one after the other, without reading the rows."""
    found: list[str] = []
    following = (
        f"SELECT {column} FROM {table} WHERE {column} > ? ORDER BY {column} LIMIT 1"  # NULL is not above anything
    )
    while (row := db.execute(following, [found[-1] if found else ""]).fetchone()) is not None:
        found.append(row[0])
    return found


def span_to_list(span: Span) -> list[Any]:
    """How a span is written, in the database and for the pages: a list that begins with its start and end."""
    cell = [span.start, span.end, span.score, span.core_start, span.core_end]
    return [*cell, said_wire(span.attributes)] if span.attributes else cell


def ranges_to_list(spans: Iterable[Span | AnnotatedSpan]) -> list[list[int]]:
    """The same where nothing but start and end is of interest."""
    return [[span.start, span.end] for span in spans]


@stored
def places_from_json(cell: str) -> list[list[int]]:
    """[start, end] of each span of a cell of spans, whoever marked them."""
    return [[item[0], item[1]] for item in _items(cell)]


def span_from_list(cell: Sequence[Any]) -> Span:
    """Raises ValueError, TypeError for a cell of another form."""
    return Span(*((*cell[:5], said_from(cell[5])) if len(cell) == 6 else cell))


def passages_json(spans: Iterable[Span]) -> str:
    """Spans without scores: [start, end], and what is said of them where something is."""
    return to_json(passages_to_list(spans))


def passages_to_list(spans: Iterable[Span | AnnotatedSpan]) -> list[list[Any]]:
    """[start, end] of each, and what is said of it where something is."""
    return [[s.start, s.end, said_wire(s.attributes)] if s.attributes else [s.start, s.end] for s in spans]


def _items(cell: str) -> Sequence[Any]:
    """The items of a list; most have none, and there are three to an answer."""
    return () if cell == "[]" else json.loads(cell)  # type: ignore[no-any-return]


def passages_from_json(cell: str) -> tuple[Span, ...]:
    return tuple(passage_from_list(item) for item in _items(cell))


def passage_from_list(cell: Sequence[Any]) -> Span:
    """Raises ValueError, TypeError for a cell of another form."""
    start, end, *said = cell
    return Span(int(start), int(end), attributes=said_from(said[0] if said else None))


def spans_json(spans: Iterable[Span]) -> str:
    return to_json([span_to_list(s) for s in spans])


def spans_from_json(cell: str) -> tuple[Span, ...]:
    return tuple(span_from_list(item) for item in _items(cell))


def annotated_to_list(span: AnnotatedSpan) -> list[Any]:
    cell = [span.start, span.end, str(span.origin), span_to_list(span.predicted) if span.predicted else None]
    return [*cell, said_wire(span.attributes)] if span.attributes else cell


def annotated_from_list(cell: Sequence[Any]) -> AnnotatedSpan:
    """Raises ValueError, TypeError for a cell of another form."""
    start, end, origin, predicted, *said = cell
    before = span_from_list(predicted) if predicted else None
    return AnnotatedSpan(int(start), int(end), SpanOrigin(origin), before, said_from(*(said or [None])))


def annotated_json(spans: Iterable[AnnotatedSpan]) -> str:
    return to_json([annotated_to_list(s) for s in spans])


def annotated_from_json(cell: str) -> tuple[AnnotatedSpan, ...]:
    return tuple(annotated_from_list(item) for item in _items(cell))


def labels_from_json(cell: str | None) -> tuple[tuple[str, str], ...]:
    return () if cell is None else tuple(json.loads(cell).items())


def answer_cells(annotation: Annotation) -> list[Any]:
    """verdict, spans, rejected, undecided, note, seconds, model_version, labels, as the tables of annotations have them in this order."""
    return [
        annotation.verdict and str(annotation.verdict),
        annotated_json(annotation.spans),
        spans_json(annotation.rejected),
        spans_json(annotation.undecided),
        annotation.note,
        annotation.seconds,
        annotation.model_version,
        to_json(dict(annotation.labels)) if annotation.labels else None,
    ]


@stored
def post_from_row(row: Row) -> Post:
    return Post(
        id=row["id"],
        text=row["text"],
        split=Split(row["split"]),
        author=row["author"],
        source=row["source"],
        posted_at=row["posted_at"],
        imported_at=row["imported_at"],
        import_id=row["import_id"],
        meta=json.loads(row["meta"]),
    )


@stored
def criterion_from_row(row: Row) -> Criterion:
    return _criterion(*(row[name] for name in _OF_CRITERION))


_OF_CRITERION = ("id", "name", "text", "guideline", "version", "position", "active", "examples", "counterexamples")


@functools.lru_cache(maxsize=512)  # every question reads all criteria, and their cells change seldom
def _criterion(*cells: Any) -> Criterion:
    given = dict(zip(_OF_CRITERION, cells, strict=True))
    lists = {name: tuple(json.loads(given[name])) for name in ("examples", "counterexamples")}
    return Criterion(**{**given, **lists, "active": bool(given["active"])})


@stored
def prediction_from_row(row: Row) -> Prediction:
    return Prediction(
        post_id=row["post_id"],
        criterion_id=row["criterion_id"],
        model_version=row["model_version"],
        spans=spans_from_json(row["spans"]),
        no_evidence_score=row["no_evidence_score"],
        known=bool(row["known"]),
        created_at=row["created_at"],
    )


@stored
def annotation_from_row(row: Row) -> Annotation:
    return Annotation(
        id=row["id"],
        op_id=row["op_id"],
        post_id=row["post_id"],
        criterion_id=row["criterion_id"],
        criterion_version=row["criterion_version"],
        reviewer=row["reviewer"],
        revision=row["revision"],
        verdict=None if row["verdict"] is None else Verdict(row["verdict"]),
        spans=annotated_from_json(row["spans"]),
        rejected=spans_from_json(row["rejected"]),
        undecided=spans_from_json(row["undecided"]),
        note=row["note"],
        seconds=row["seconds"],
        model_version=row["model_version"],
        restored_from=row["restored_from"],
        undoes=row["undoes"],
        bulk=bool(row["bulk"]),
        suggested=None if row["suggested"] is None else bool(row["suggested"]),
        labels=labels_from_json(row["labels"]),
        created_at=row["created_at"],
    )


@stored
def reviewer_from_row(row: Row) -> Reviewer:
    return Reviewer(row["name"], Role(row["role"]), row["created_at"], row["disabled_at"])


@stored
def token_from_row(row: Row) -> AccessToken:
    names = ("id", "reviewer", "name", "created_at", "expires_at", "used_at", "revoked_at")
    return AccessToken(*(row[name] for name in names))


@stored
def model_from_row(row: Row) -> ModelVersion:
    return ModelVersion(
        id=row["id"],
        path=row["path"],
        status=ModelStatus(row["status"]),
        parent=row["parent"],
        base=row["base"],
        metrics=json.loads(row["metrics"]),
        config=json.loads(row["config"]),
        data_sha256=row["data_sha256"],
        examples=row["examples"],
        size_bytes=row["size_bytes"],
        job_id=row["job_id"],
        note=row["note"],
        created_by=row["created_by"],
        created_at=row["created_at"],
    )


@stored
def job_from_row(row: Row) -> Job:
    return Job(
        id=row["id"],
        kind=JobKind(row["kind"]),
        status=JobStatus(row["status"]),
        payload=json.loads(row["payload"]),
        progress=row["progress"],
        stage=row["stage"],
        message=row["message"],
        result=None if row["result"] is None else json.loads(row["result"]),
        error=row["error"],
        cancel_requested=bool(row["cancel_requested"]),
        attempt=row["attempt"],
        worker=row["worker"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        claimed_at=row["claimed_at"],
        heartbeat_at=row["heartbeat_at"],
        finished_at=row["finished_at"],
    )
