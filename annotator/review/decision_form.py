"""The form of one decision, as pages and the API send it to `annotator.review.decisions.save`."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from annotator.messages import Id, Number, Whole, Words

PredictedCell = Annotated[list[Whole | Number | None], Field(min_length=2, max_length=5)]


class Decision(TypedDict):
    """One decision as the page sends it; see `read_decision`."""

    post_id: Id
    criterion_id: Id
    criterion_version: Whole
    verdict: NotRequired[Id | None]
    spans: Annotated[list[Annotated[list[Any], Field(min_length=4, max_length=4)]], Field(max_length=2_000)]
    rejected: Annotated[list[PredictedCell], Field(max_length=2_000)]
    undecided: Annotated[list[PredictedCell], Field(max_length=2_000)]
    model_version: NotRequired[Id | None]
    note: NotRequired[Words | None]
    seconds: NotRequired[Number | None]
    bulk: NotRequired[bool | None]
    undoes: NotRequired[Id | None]
    op_id: Id
    expected_revision: Whole
