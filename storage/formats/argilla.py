"""Argilla 2 records as JSON Lines, both ways; out with the dataset's settings beside them.

One span question per criterion, so that each can be answered with "no evidence": a response without spans is "reviewed, no evidence".
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from storage.formats.answers import quoted
from storage.formats.fields import Fields
from storage.formats.items import lines_or_list, rows_of_items, write_lines
from storage.formats.labels import Given, labels_of
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Label, LabelKind, Row, Source, Written
from storage.formats.spans import post_fields
from storage.formats.texts import cuts
from storage.formats.values import decoded, kind_of, plain_value, shortened, string
from storage.records import Annotation, InvalidRecord, Post, Verdict

SETTINGS_SUFFIX = ".settings.json"
SETTINGS = "settings.json"
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


def read(source: Source) -> Iterator[Row]:
    """A post per record, of Argilla 2 or 1; responses become answers, suggestions predictions."""
    field = _field_of_spans(source.path)
    yield from rows_of_items(lines_or_list(source), lambda n, record: _row(n, record, field), "Argilla record", source)


def _field_of_spans(path: Path) -> str | None:
    """The field that the questions of spans are about, by the settings that Argilla writes beside its records; None without them."""
    for file in (path.parent / ".argilla" / SETTINGS, path.parent / SETTINGS):
        try:
            questions = json.loads(file.read_text("utf-8"))["questions"]
            named = [(q.get("settings") or q) for q in questions]
            return next(str(q["field"]) for q in named if q.get("type") == "span" and q.get("field"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError):
            continue
    return None


def _row(number: int, record: Fields, spans_field: str | None = None) -> ImportRow:
    fields = record.inner("fields")
    text = _text(record, fields, spans_field)
    further = fields.rest("a further field of the record") if fields is not None else {}
    metadata = record.inner("metadata")
    people = _decoded(metadata.take(REVIEWERS, "annotator")) if metadata is not None else {}
    known = post_fields(metadata) if metadata is not None else {"meta": {}}
    if metadata is not None:
        known["meta"] |= _decoded(metadata.take("meta")) | metadata.rest()
    known["post_id"] = string(record.take(record.first("post_id", "id", "external_id"), "post_id"))
    reader = Answers(record, people)
    reader.responses()
    reader.suggestions()
    known["meta"] |= further | reader.kept
    record.keep("vectors")
    return ImportRow(number=number, text=text, labels=tuple(reader.labels), **known)


def _text(record: Fields, fields: Fields | None, spans_field: str | None) -> Any:
    """The field that is the text: the one that was chosen, else that of the spans by the settings or by their offsets, else `text`, else
    the one with the most words.
    """
    if fields is None:
        return record.take("text")
    texts = {k: v for k in fields if isinstance(v := fields.peek(k), str)}
    if not texts and (other := next(iter(fields), None)) is not None:
        raise InvalidRecord(f"its field {other} is {kind_of(fields.peek(other))}, not words; export it as one text")
    for name in (record.chosen("text"), spans_field):
        if name in texts:
            return fields.take(name, "text")
    places = list(_places(record.peek("responses"))) + list(_places(record.peek("suggestions")))

    def rank(key: str) -> tuple[int, bool, int]:
        return (-sum(cuts(texts[key], s, e) for s, e in places), key == "text", len(texts[key].split()))

    return fields.take(max(texts, key=rank, default=None), "text")


def _places(value: Any) -> Iterator[tuple[int, int]]:
    """The offsets of all spans in answers of any shape."""
    if isinstance(value, Mapping):
        if isinstance(value.get("start"), int) and isinstance(value.get("end"), int):
            yield value["start"], value["end"]
        for inner in value.values():
            yield from _places(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _places(inner)


class Answers:
    """The answers of one record: spans become labels; ratings, choices and texts are kept in meta."""

    def __init__(self, record: Fields, people: Mapping[str, str]) -> None:
        self._record, self._people = record, people
        self._ours = bool(people)
        self.labels: list[Label] = []
        self.kept: dict[str, Any] = {}

    def responses(self) -> None:
        value = self._record.peek("responses")
        if isinstance(value, Mapping):
            by_question = self._record.inner("responses")
            for question in list(by_question or ()):
                for response in by_question.each(question, "answers") if by_question is not None else ():
                    self._response(question, response)
        else:
            for response in self._record.each("responses", "answers"):  # Argilla 1: a list of people's answers
                values = response.inner("values")
                status, user = response.take("status", "status"), response.take("user_id", "annotator")
                for question in list(values or ()):
                    inner = values.inner(question) if values is not None else None
                    if inner is not None:
                        self._answer(
                            question, inner.take("value", "answers"), inner, str(status or "submitted"), string(user)
                        )

    def _response(self, question: str, response: Fields) -> None:
        status = str(response.take("status", "status") or "submitted")
        user = string(response.take(response.first("user_id", "user"), "annotator"))
        empty = "value" in set(response.item_keys()) and response.peek("value") is None
        self._answer(question, [] if empty else response.take("value", "answers"), response, status, user)

    def _answer(self, question: str, value: Any, owner: Fields, status: str, user: str | None) -> None:
        given = Given(annotator=self._people.get(user or "", user))
        left_out = "" if status == "submitted" else f"its response was not submitted (status: {status})"
        if value == [] and not left_out:
            verdict = Verdict.NO_EVIDENCE if self._ours else None
            why = "" if self._ours else "an empty response says nothing of a label"
            self.labels.append(given.a_label(question, verdict, left_out=why))
            return
        found = self._spans(question, value, owner, given)
        self.labels += [replace(la, left_out=la.left_out or left_out) for la in found]

    def suggestions(self) -> None:
        value = self._record.peek("suggestions")
        if isinstance(value, Mapping):
            by_question = self._record.inner("suggestions")
            for question in list(by_question or ()):
                inner = by_question.inner(question) if by_question is not None else None
                if inner is not None:
                    self._suggestion(question, inner)
        else:
            for suggestion in self._record.each("suggestions", "predictions"):
                self._suggestion(str(suggestion.take("question_name", "label") or ""), suggestion)

    def _suggestion(self, question: str, suggestion: Fields) -> None:
        value, scores = suggestion.take("value", "predictions"), suggestion.take("score", "score")
        model = string(suggestion.take("agent", "model"))
        given = Given(LabelKind.PREDICTION, model_version=model)
        if value is None or value == []:
            if question:
                score = _one(scores)
                empty = given.a_label(question, None)
                self.labels.append(replace(empty, no_evidence_score=None if score is None else 1.0 - score))
            return
        if isinstance(value, list) and all(isinstance(s, Mapping) for s in value):
            each = scores if isinstance(scores, list) and len(scores) == len(value) else [_one(scores)] * len(value)
            value = [
                s if s.get("score") is not None or x is None else {**s, "score": x}
                for s, x in zip(value, each, strict=True)
            ]
        self.labels += self._spans(question, value, suggestion, given)

    def _spans(self, question: str, value: Any, owner: Fields, given: Given) -> tuple[Label, ...]:
        """Labels of spans. An answer to another kind of question goes to the post's meta, under the question's name."""
        if isinstance(value, list) and value and all(isinstance(s, Mapping) and "start" in s for s in value):
            return labels_of(value, owner, "value", given)
        kept = {"value": plain_value(value), **({"by": given.annotator} if given.annotator else {})}
        self.kept.setdefault(question, []).append(kept)
        reason = f"{question}: the answer {shortened(value)} is no passage; kept in meta"
        return (given.a_label(question, None, left_out=reason),)


def _decoded(value: Any) -> dict[str, Any]:
    found = decoded(value)
    return dict(found) if isinstance(found, Mapping) else {}


def _one(score: Any) -> float | None:
    """Argilla gives one score per suggestion, or one per span."""
    if isinstance(score, list):
        return max((s for s in score if isinstance(s, int | float)), default=None)
    return float(score) if isinstance(score, int | float) else None
