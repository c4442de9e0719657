"""The queue's filter as a page or a caller of the API gives it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from annotator.teams.naming import meant
from storage.queue import QueueFilter, QueueOrder, ReviewState
from storage.records import InvalidRecord, Reviewer, Role, Split, Verdict
from storage.store import Store

Wire = Mapping[str, Any]
Choice = TypeVar("Choice", bound=StrEnum)


def read_filter(store: Store, wire: Wire | None, reviewer: Reviewer) -> QueueFilter:
    """The queue filter that the page asked for. Raises InvalidRecord if a value is none of its choices."""
    given = {key: value for key, value in (wire or {}).items() if value not in (None, "")}
    unknown = set(given) - {field.name for field in dataclasses.fields(QueueFilter) if field.name != "outside_rounds"}
    if unknown:
        raise InvalidRecord(f"The queue cannot be filtered by {', '.join(sorted(unknown))}.")
    if reviewer.role is Role.REVIEWER and given.get("assigned_to") not in (None, "me", reviewer.name):
        raise InvalidRecord(
            "What was given to others is for adjudicators and admins to see. Choose what was given to you."
        )
    try:
        wanted = QueueFilter(
            order=_one_of(QueueOrder, "order", given.get("order", QueueOrder.RANDOM)),
            state=_one_of(ReviewState, "state", given.get("state", ReviewState.TODO)),
            criterion=given.get("criterion"),
            verdict=_one_of(Verdict, "verdict", given["verdict"]) if "verdict" in given else None,
            min_score=_number("min_score", given["min_score"]) if "min_score" in given else None,
            max_score=_number("max_score", given["max_score"]) if "max_score" in given else None,
            split=_one_of(Split, "split", given["split"]) if "split" in given else None,
            source=given.get("source"),
            reviewer=given.get("reviewer"),
            assigned_to=reviewer.name if given.get("assigned_to") == "me" else given.get("assigned_to"),
            query=str(given.get("query", "")),
        )
    except (ValueError, TypeError) as error:
        raise InvalidRecord(f"That is not a filter of the queue: {error}.") from error
    return meant(store, reviewer, wanted)


def _one_of(kind: type[Choice], name: str, value: Any) -> Choice:
    """The choice that the value names. Raises ValueError with those that there are."""
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"{name} is {value!r}; it may be {', '.join(kind)}") from None


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; it needs a number") from None


def readable_part(store: Store, wire: Wire | None, reviewer: Reviewer) -> tuple[Wire, str]:
    """(what can be read of a filter that a browser has kept, why the rest cannot, '' without a rest).

    It may be another person's or of an earlier release, or name people who are called otherwise by now: it keeps nobody out.
    """
    readable, wrong = {}, []
    for key, value in (wire or {}).items():
        try:
            read_filter(store, {key: value}, reviewer)
            readable[key] = value
        except InvalidRecord as error:
            wrong.append(str(error))
    return readable, " ".join(wrong)
