"""The registry row that comes with a model from elsewhere: what it may hold. Pages draw from it, so a wrong kind is refused here.

What is not named may be there, as far as it is small and every number in it is one.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

MOST_CHARACTERS = 100_000
DEEPEST = 12
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Words = Annotated[str, Field(max_length=5_000)]


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class Interval(_Open):
    low: Share
    high: Share


class Scores(_Open):
    """`encoder.measure.metrics.Scores` as it is written."""

    support: Count | None = None
    predicted: Count | None = None
    precision: Share | None = None
    recall: Share | None = None
    f1: Share | None = None
    average_precision: Share | None = None
    precision_interval: Interval | None = None
    recall_interval: Interval | None = None


class Measured(_Open):
    """One evaluation on one set of posts."""

    posts: Count | None = None
    pairs: Count | None = None
    criteria: dict[Words, Scores] = {}
    micro: Scores | None = None
    macro: Scores | None = None
    span_exact: Scores | None = None
    span_overlap: Scores | None = None
    detection: Scores | None = None
    at: Words | None = None


class Decision(_Open):
    reason: Words = ""


class Metrics(_Open):
    """Evaluations by set; under `beside` those of other models on the same posts."""

    train: Measured | None = None
    dev: Measured | None = None
    test: Measured | None = None
    judged: Measured | None = None
    test_posts: Measured | None = None
    latest: dict[Words, Measured | Words] | None = None
    beside: dict[Words, dict[Words, Measured | None]] | None = None
    decision: Decision | None = None
    compared_with: Words | None = None
    dev_learned: Count | None = None


class VersionRow(_Open):
    """What `version.json` in an archive may say."""

    id: Words | None = None
    parent: Words | None = None
    base: Words | None = None
    metrics: Metrics | None = None
    config: dict[Words, Any] | None = None
    data_sha256: Words | None = None
    examples: Count | None = None
    note: Words | None = None
    created_by: Words | None = None
    created_at: Words | None = None

    @model_validator(mode="before")
    @classmethod
    def _small_and_finite(cls, value: Any) -> Any:
        _check_plain(value)
        return value


def wrong_in(row: Any) -> str | None:
    """Where the row is not as it may be and why, in words; None if it is."""
    try:
        VersionRow.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"][:6]) or "it"
        return f"{where[:200]}: {first['msg'][:200]}"
    return None


def _check_plain(value: Any) -> None:
    """Raise ValueError for a number that is none, a text that is too long, or a nesting that no view expects."""
    left = [(value, 0)]
    characters = 0
    while left:
        item, depth = left.pop()
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        if isinstance(item, dict):
            characters += sum(len(name) for name in item)
            left += [(inner, depth + 1) for inner in item.values()]
        elif isinstance(item, list):
            left += [(inner, depth + 1) for inner in item]
        elif isinstance(item, str):
            characters += len(item)
            if "\x00" in item:
                raise ValueError("it holds a character that no text has (NUL)")
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError("it holds a number that is none")
        if characters > MOST_CHARACTERS * 10:
            raise ValueError("it is far larger than what a training writes")
