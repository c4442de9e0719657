"""Argilla's records flattened into columns, as its own code writes them to the datasets library: one question over several columns.

Argilla 2: `Q.responses` with `Q.responses.users` and `Q.responses.status`, `Q.suggestion` with `.agent` and `.score`.
Argilla 1: `Q` with a list of {user_id, value, status}, `Q-suggestion` with `Q-suggestion-metadata`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from storage.formats.fields import Fields
from storage.formats.passages import transposed
from storage.formats.values import decoded, is_empty

RESPONSES, SUGGESTION = ".responses", ".suggestion"
_OLD_SUGGESTION = "-suggestion"


def questions_of(columns: Sequence[str], sample: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The columns by question; empty if the table is none of Argilla's."""
    found: dict[str, list[str]] = {}
    for column in columns:
        for mark in (RESPONSES, SUGGESTION):
            name, separator, rest = column.rpartition(mark)
            if separator and rest in ("", ".users", ".status", ".agent", ".score"):
                found.setdefault(name, []).append(column)
    for column in columns:
        if any(_is_responses(record.get(column)) for record in sample):
            beside = (f"{column}{_OLD_SUGGESTION}", f"{column}{_OLD_SUGGESTION}-metadata")
            found.setdefault(column, [column, *(c for c in beside if c in columns)])
    return {question: tuple(names) for question, names in found.items()}


def _is_responses(value: Any) -> bool:
    return any({"value", "user_id"} <= set(r) for r in _responses(value)[:5])


def _responses(value: Any) -> list[Mapping[str, Any]]:
    value = decoded(value)
    if isinstance(value, Mapping):
        value = transposed({k: v for k, v in value.items() if not is_empty(v)}) or []
    return [r for r in value if isinstance(r, Mapping)] if isinstance(value, list | tuple) else []


def record_of(fields: Fields, questions: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The answers and suggestions of a row as one of Argilla's records has them; their columns are booked as taken."""
    responses: dict[str, Any] = {}
    suggestions: dict[str, Any] = {}
    for question, columns in questions.items():
        values = {c: decoded(fields.take(c, "answers")) for c in columns}
        responses[question] = list(_answers(question, values))
        given = values.get(f"{question}{SUGGESTION}")
        beside = {n: values.get(f"{question}{SUGGESTION}.{n}") for n in ("agent", "score")}
        if given is None and f"{question}{_OLD_SUGGESTION}" in values:
            given = values[f"{question}{_OLD_SUGGESTION}"]
            about = values.get(f"{question}{_OLD_SUGGESTION}-metadata")
            beside = dict(about) if isinstance(about, Mapping) else {}
        if given is not None:
            suggestions[question] = {"value": _spans(given), "agent": beside.get("agent"), "score": beside.get("score")}
    return {"responses": {k: v for k, v in responses.items() if v}, "suggestions": suggestions}


def _answers(question: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if question in values:
        for response in _responses(values[question]):
            yield {**response, "value": _spans(response.get("value"))}
        return
    given = values.get(f"{question}{RESPONSES}")
    if not isinstance(given, list | tuple):
        return
    users, states = (values.get(f"{question}{RESPONSES}.{n}") or () for n in ("users", "status"))
    for place, value in enumerate(given):
        yield {
            "value": _spans(value),
            "user_id": users[place] if place < len(users) else None,
            "status": states[place] if place < len(states) else "submitted",
        }


def _spans(value: Any) -> Any:
    """Spans that Arrow keeps as lists beside each other, as a list of objects."""
    value = decoded(value)
    if isinstance(value, Mapping):
        return transposed(value) or dict(value)
    return list(value) if isinstance(value, tuple) else value
