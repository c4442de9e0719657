"""The form of one decision, as pages and the API send it to `annotator.review.decisions.save`."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from annotator.messages import Id, Number, Whole, Words

Said = Annotated[dict[Id, Words | Annotated[list[Id], Field(max_length=100)]], Field(max_length=3)]
"""What is said of a span: `storage.attributes.said_from` reads it."""
PredictedCell = Annotated[list[Whole | Number | Said | None], Field(min_length=2, max_length=6)]


class Decision(TypedDict):
    """One decision as the page sends it; see `read_decision`."""

    post_id: Id
    criterion_id: Id
    criterion_version: Whole
    verdict: NotRequired[Id | None]
    spans: Annotated[list[Annotated[list[Any], Field(min_length=4, max_length=5)]], Field(max_length=2_000)]
    rejected: Annotated[list[PredictedCell], Field(max_length=2_000)]
    undecided: Annotated[list[PredictedCell], Field(max_length=2_000)]
    model_version: NotRequired[Id | None]
    labels: NotRequired[Annotated[dict[Id, Id], Field(max_length=100)] | None]
    note: NotRequired[Words | None]
    seconds: NotRequired[Number | None]
    bulk: NotRequired[bool | None]
    undoes: NotRequired[Id | None]
    op_id: Id
    expected_revision: Whole
