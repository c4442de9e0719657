"""Argilla 2 records as JSON Lines, both ways; out with the dataset's settings beside them.

One span question per criterion, so that each can be answered with "no evidence": a response without spans is "reviewed, no evidence".
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.formats.answers import quoted
from storage.formats.items import lines_or_list, rows_of_items, write_lines
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Label, LabelKind, Passage, Row, Written
from storage.formats.spans import post_fields
from storage.records import Annotation, Post, Verdict

SETTINGS_SUFFIX = ".settings.json"
REVIEWERS = "reviewers"
_PEOPLE = uuid.UUID("6d8c6a30-5d8e-5a3e-9a53-1c5f3a1c7e10")  # an arbitrary name space: the same person, the same id
CANNOT_CARRY = (
    "answers that are unsure",
    "when it was decided, and earlier revisions",
    "rejected predictions and where a span came from",
    "notes of the reviewers",
)


def question_name(criterion: str) -> str:
    """The criterion's id in the letters that Argilla allows for a question."""
    return re.sub(r"[^a-z0-9_-]", "_", criterion.lower())


def write(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    """Write the records to `path` and the settings to `<path without .jsonl>.settings.json`."""
    written = write_lines(posts, path, _record)
    settings = {
        "fields": [{"name": "text", "type": "text"}],
        "questions": [
            {"name": question_name(c.id), "type": "span", "field": "text", "labels": [c.id], "title": c.name, "required": False,
             "allow_overlapping": True}
            for c in context.criteria
        ],
    }  # fmt: skip
    text = json.dumps(settings, ensure_ascii=False, indent=2) + "\n"
    path.with_suffix(SETTINGS_SUFFIX).write_text(text, "utf-8")
    return written


def _record(item: ExportPost, written: Written) -> dict[str, Any]:
    post = item.post
    responses: dict[str, list[dict[str, Any]]] = {}
    people: dict[str, str] = {}
    for answer in item.answers:
        if answer.verdict is Verdict.UNSURE:
            written.leave_out("answers that are unsure")
            continue
        user = str(uuid.uuid5(_PEOPLE, answer.reviewer))
        people[user] = answer.reviewer
        response = {"value": _value(post, answer), "user_id": user}
        responses.setdefault(question_name(answer.criterion_id), []).append(response)
    suggestions: dict[str, Any] = {}
    for prediction in item.predictions:  # one per question: the last model counts
        spans = [{"start": s.start, "end": s.end, "label": prediction.criterion_id} for s in prediction.spans]
        suggestions[question_name(prediction.criterion_id)] = {
            "value": spans,
            "score": [s.score or 0.0 for s in prediction.spans] or None,  # a list of values needs as many scores
            "agent": prediction.model_version,
        }
    metadata = {
        "split": post.split and str(post.split),
        "author": post.author,
        "source": post.source,
        "posted_at": post.posted_at,
    }
    metadata = {k: v for k, v in metadata.items() if v is not None}
    if post.meta:
        metadata["meta"] = json.dumps(dict(sorted(post.meta.items())), ensure_ascii=False)
    if people:
        metadata[REVIEWERS] = json.dumps(people, ensure_ascii=False, sort_keys=True)
    return {
        "id": post.id,
        "fields": {"text": post.text},
        "metadata": metadata,
        "suggestions": suggestions,
        "responses": responses,
    }


def _value(post: Post, answer: Annotation) -> list[dict[str, Any]]:
    for span in answer.spans:
        quoted(post, span.start, span.end)
    return [{"start": s.start, "end": s.end, "label": answer.criterion_id} for s in answer.spans]


# --- in


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """A post per record; responses become answers, suggestions predictions."""
    return rows_of_items(lines_or_list(path, encoding), _row, "Argilla record")


def _row(number: int, item: Mapping[str, Any]) -> ImportRow:
    fields = item["fields"]
    text = fields.get("text") or max((v for v in fields.values() if isinstance(v, str)), key=len)
    metadata = dict(item.get("metadata") or {})
    people = _decoded(metadata.pop(REVIEWERS, None))
    metadata["meta"] = _decoded(metadata.get("meta"))
    labels: list[Label] = []
    for name, responses in (item.get("responses") or {}).items():
        for response in responses:
            if response.get("status", "submitted") == "submitted":
                user = str(response.get("user_id") or "") or None
                labels.append(_label(name, response["value"], annotator=people.get(user or "", user)))
    for name, suggestion in (item.get("suggestions") or {}).items():
        labels.append(
            _label(
                name,
                suggestion["value"],
                scores=suggestion.get("score"),
                model=suggestion.get("agent"),
                predicted=True,
            )
        )
    known = post_fields(metadata)
    known["post_id"] = None if item.get("id") is None else str(item["id"])
    return ImportRow(number=number, text=text, labels=tuple(labels), **known)


def _label(
    question: str,
    spans: Sequence[Mapping[str, Any]],
    *,
    annotator: str | None = None,
    scores: Any = None,
    model: str | None = None,
    predicted: bool = False,
) -> Label:
    """The criterion is the spans' label, else the question's name."""
    criterion = next((str(s["label"]) for s in spans), question)
    each = scores if isinstance(scores, list) and len(scores) == len(spans) else [_one(scores)] * len(spans)
    return Label(
        criterion=criterion,
        verdict=Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE,
        passages=tuple(
            Passage(int(s["start"]), int(s["end"]), score=s.get("score", score))
            for s, score in zip(spans, each, strict=True)
        ),
        kind=LabelKind.PREDICTION if predicted else LabelKind.ANSWER,
        annotator=annotator,
        model_version=model,
    )


def _decoded(value: Any) -> dict[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    return dict(found) if isinstance(found, Mapping) else {}


def _one(score: Any) -> float | None:
    """Argilla gives one score per suggestion, or one per span."""
    if isinstance(score, list):
        return max(score, default=None)
    return None if score is None else float(score)
