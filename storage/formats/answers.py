"""Annotations as JSON objects, the shape shared by our JSON Lines, Parquet and dataset folder; both directions.

{"criterion", "verdict": "evidence|no_evidence|unsure", "spans": [{"start", "end", "text"?, ...}], ...}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storage.formats.rows import FormatError, Label, LabelKind, Passage
from storage.records import AnnotatedSpan, Annotation, InvalidRecord, Post, Prediction, Span, SpanOrigin, Verdict

_VERDICTS = {
    **{v.value: v for v in Verdict},
    **dict.fromkeys(("1", "true", "yes", "positive", "present"), Verdict.EVIDENCE),
    **dict.fromkeys(("0", "false", "no", "none", "negative", "absent", "no evidence"), Verdict.NO_EVIDENCE),
    "uncertain": Verdict.UNSURE,
}


def verdict_of(value: Any) -> Verdict | None:
    """The verdict that a cell means; None for an empty one. Raises InvalidRecord for a word that is none."""
    if value is None or value == "":
        return None
    word = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip().lower()
    try:
        return _VERDICTS[word]
    except KeyError:
        raise InvalidRecord(f"{str(value)[:40]!r} is no verdict; use evidence, no_evidence or unsure") from None


def quoted(post: Post, start: int, end: int) -> str:
    """The words of a span that is about to be written. Raises FormatError if it does not lie in the post.

    Every writer takes its quotes from here: what is written next to the offsets is what they mean.
    """
    if not 0 <= start < end <= len(post.text):
        raise FormatError(f"Span {start}:{end} does not lie in post {post.id} ({len(post.text)} characters).")
    return post.text[start:end]


# --- out


def span_object(post: Post, span: Span) -> dict[str, Any]:
    found: dict[str, Any] = {"start": span.start, "end": span.end, "text": quoted(post, span.start, span.end)}
    for name in ("score", "core_start", "core_end"):
        if getattr(span, name) is not None:
            found[name] = getattr(span, name)
    return found


def answer_object(post: Post, answer: Annotation) -> dict[str, Any]:
    """The short form: what trains."""
    spans = [span_object(post, s.span) for s in answer.spans]
    return {"criterion": answer.criterion_id, "verdict": str(answer.verdict), "spans": spans}


def revision_object(post: Post, revision: Annotation, role: str | None) -> dict[str, Any]:
    """The whole form: everything that is known of one revision but its database number and operation id."""
    spans = []
    for span in revision.spans:
        found = span_object(post, span.span) | {"origin": str(span.origin)}
        if span.predicted is not None:
            found["predicted"] = span_object(post, span.predicted)
        spans.append(found)
    return {
        "criterion": revision.criterion_id,
        "criterion_version": revision.criterion_version,
        "reviewer": revision.reviewer,
        "role": role,
        "revision": revision.revision,
        "verdict": revision.verdict and str(revision.verdict),
        "spans": spans,
        "rejected": [span_object(post, s) for s in revision.rejected],
        "undecided": [span_object(post, s) for s in revision.undecided],
        "note": revision.note,
        "seconds": revision.seconds,
        "model_version": revision.model_version,
        "restored_from": revision.restored_from,
        "created_at": revision.created_at,
    }


def prediction_object(post: Post, prediction: Prediction) -> dict[str, Any]:
    return {
        "criterion": prediction.criterion_id,
        "model_version": prediction.model_version,
        "known": prediction.known,
        "no_evidence_score": prediction.no_evidence_score,
        "spans": [span_object(post, s) for s in prediction.spans],
        "created_at": prediction.created_at,
    }


# --- in


def label_from_object(item: Any, *, kind: LabelKind = LabelKind.ANSWER) -> Label:
    """A Label from either form. Raises InvalidRecord with what is missing."""
    if not isinstance(item, Mapping):
        raise InvalidRecord(f"an annotation is {type(item).__name__}, not an object")
    criterion = item.get("criterion") or item.get("label")
    if not isinstance(criterion, str) or not criterion.strip():
        raise InvalidRecord("an annotation has no criterion")
    passages = _passages(item.get("spans", item.get("evidence")), with_origin=True)
    verdict = verdict_of(item.get("verdict"))
    if "verdict" not in item and kind is LabelKind.ANSWER:
        verdict = Verdict.EVIDENCE if passages else Verdict.NO_EVIDENCE
    return Label(
        criterion=criterion.strip(),
        verdict=verdict,
        passages=passages,
        rejected=_passages(item.get("rejected")),
        undecided=_passages(item.get("undecided")),
        kind=kind,
        annotator=_text(item, "reviewer", "annotator"),
        role=_text(item, "role"),
        created_at=_text(item, "created_at"),
        model_version=_text(item, "model_version"),
        note=_text(item, "note") or "",
        seconds=_number(item.get("seconds")),
        restored_from=_whole(item.get("restored_from")),
        criterion_version=_whole(item.get("criterion_version")),
        no_evidence_score=_number(item.get("no_evidence_score")),
        known=item.get("known") is not False,
    )


def labels_from_list(items: Any, *, kind: LabelKind = LabelKind.ANSWER) -> tuple[Label, ...]:
    if items is None:
        return ()
    if not isinstance(items, Sequence) or isinstance(items, str):
        raise InvalidRecord(f"the annotations are {type(items).__name__}, not a list")
    return tuple(label_from_object(item, kind=kind) for item in items)


def passage_from(item: Any, *, with_origin: bool = False) -> Passage:
    """A passage from an object {"start", "end", "text"}, a pair [start, end], or words. Raises InvalidRecord."""
    if isinstance(item, str):
        return Passage(quote=item)
    if isinstance(item, Sequence) and len(item) >= 2:
        return Passage(start=_whole(item[0]), end=_whole(item[1]))
    if not isinstance(item, Mapping):
        raise InvalidRecord(f"a span is {type(item).__name__}; expected start and end, or words")
    start, end = _whole(item.get("start")), _whole(item.get("end"))
    quote = _text(item, "text", "quote", "sentence")
    if (start is None or end is None) and not quote:
        raise InvalidRecord("a span has neither start and end nor words")
    predicted = item.get("predicted") if with_origin else None
    return Passage(
        start=start,
        end=end,
        quote=quote,
        score=_number(item.get("score")),
        core_start=_whole(item.get("core_start")),
        core_end=_whole(item.get("core_end")),
        origin=SpanOrigin(item["origin"]) if predicted and item.get("origin") in list(SpanOrigin) else SpanOrigin.ADDED,
        predicted=span_of(passage_from(predicted)) if predicted else None,
    )


def span_of(passage: Passage) -> Span:
    """The span of a passage that has offsets. Raises InvalidRecord if it has none, or bad ones."""
    if passage.start is None or passage.end is None:
        raise InvalidRecord("a span has no start and end")
    return Span(passage.start, passage.end, passage.score, passage.core_start, passage.core_end)


def annotated_span(passage: Passage, start: int, end: int) -> AnnotatedSpan:
    return AnnotatedSpan(start, end, passage.origin, passage.predicted)


def _passages(items: Any, *, with_origin: bool = False) -> tuple[Passage, ...]:
    if items is None:
        return ()
    if isinstance(items, str):
        return (Passage(quote=items),) if items.strip() else ()
    if not isinstance(items, Sequence):
        raise InvalidRecord(f"the spans are {type(items).__name__}, not a list")
    return tuple(passage_from(item, with_origin=with_origin) for item in items)


def _text(item: Mapping[str, Any], *names: str) -> str | None:
    value = next((item[n] for n in names if item.get(n) not in (None, "")), None)
    return None if value is None else str(value)


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidRecord(f"{str(value)[:40]!r} is no number") from None


def _whole(value: Any) -> int | None:
    number = _number(value)
    if number is None or number != number:  # NaN stands for an empty cell
        return None
    if isinstance(value, bool) or number != int(number):
        raise InvalidRecord(f"{str(value)[:40]!r} is no whole number")
    return int(number)
