"""Annotations as JSON objects, the shape shared by our JSON Lines, Parquet and dataset folder; both directions.

{"criterion", "verdict": "evidence|no_evidence|unsure", "spans": [{"start", "end", "text"?, ...}], ...}
"""

from __future__ import annotations

from typing import Any

from storage.attributes import said_wire
from storage.formats.rows import FormatError, Passage
from storage.formats.said import POST_LABELS
from storage.formats.values import is_empty, shortened
from storage.records import OF_POST, AnnotatedSpan, Annotation, InvalidRecord, Post, Prediction, Span, Verdict
from storage.team_records import Adjudication

VERDICT_WORDS = {
    **{v.value: v for v in Verdict},
    **dict.fromkeys(
        (
            "1",
            "true",
            "yes",
            "y",
            "positive",
            "present",
            "met",
            "detected",
            "ja",
            "j",
            "wahr",
            "vorhanden",
            "oui",
            "vrai",
            "sí",
            "si",
        ),
        Verdict.EVIDENCE,
    ),
    **dict.fromkeys(
        (
            "0",
            "false",
            "no",
            "n",
            "none",
            "negative",
            "absent",
            "not present",
            "not met",
            "unmet",
            "not detected",
            "no evidence",
            "nein",
            "falsch",
            "nicht vorhanden",
            "non",
            "faux",
        ),
        Verdict.NO_EVIDENCE,
    ),
    **dict.fromkeys(
        ("uncertain", "unclear", "not sure", "maybe", "unsicher", "unklar", "vielleicht", "incertain"), Verdict.UNSURE
    ),
}


def verdict_of(value: Any) -> Verdict | None:
    """The verdict that a cell means; None for an empty one. Raises InvalidRecord for a word that is none."""
    if is_empty(value) or (isinstance(value, str) and not value.strip()):
        return None
    found = VERDICT_WORDS.get(_word(value))
    if found is None:
        raise InvalidRecord(f"{shortened(value)} is no verdict; use evidence, no_evidence or unsure")
    return found


def is_verdict(value: Any) -> bool:
    """True for one of the listed words (or 0, 1, true, false) that say evidence, no evidence or unsure."""
    return isinstance(value, str | bool | int | float) and _word(value) in VERDICT_WORDS


def _word(value: Any) -> str:
    word = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip().lower()
    if word.startswith(("not_", "not-")):
        return f"not {word[4:]}"
    return word[:1] if word in ("0.0", "1.0") else word  # a number as pandas writes it beside empty cells


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
    return found | said_wire(span.attributes)


def answer_object(post: Post, answer: Annotation) -> dict[str, Any]:
    """The short form: what trains."""
    spans = [span_object(post, s.span) | said_wire(s.attributes) for s in answer.spans]
    return {"criterion": answer.criterion_id, "verdict": str(answer.verdict), "spans": spans}


def revision_object(post: Post, revision: Annotation, role: str | None) -> dict[str, Any]:
    """The whole form: everything that is known of one revision but its database number and operation id."""
    spans = []
    for span in revision.spans:
        found = span_object(post, span.span) | {"origin": str(span.origin)} | said_wire(span.attributes)
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
        "bulk": revision.bulk,
        "model_version": revision.model_version,
        "restored_from": revision.restored_from,
        "created_at": revision.created_at,
        **({POST_LABELS: dict(revision.labels)} if revision.criterion_id == OF_POST else {}),
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


def adjudication_object(post: Post, decision: Adjudication) -> dict[str, Any]:
    """Everything that is known of a decision but its database number, its operation id and the numbers of the answers."""
    return {
        "criterion": decision.criterion_id,
        "criterion_version": decision.criterion_version,
        "adjudicator": decision.adjudicator,
        "revision": decision.revision,
        "outcome": str(decision.outcome),
        **({"level": decision.level} if decision.level else {}),
        "spans": [span_object(post, s) for s in decision.spans],
        "reason": decision.reason,
        "error_kind": decision.error_kind,
        "seconds": decision.seconds,
        "created_at": decision.created_at,
    }


# --- in


def annotated_span(passage: Passage, start: int, end: int) -> AnnotatedSpan:
    return AnnotatedSpan(start, end, passage.origin, passage.predicted, passage.attributes)
