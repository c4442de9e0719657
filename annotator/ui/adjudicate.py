"""The Adjudicate page: what people disagree about, the worst first, everybody's answer side by side, one key for each decision."""

from __future__ import annotations

from typing import Annotated, NotRequired

import gradio as gr
from pydantic import Field
from typing_extensions import TypedDict

from annotator.messages import Id, Number, Whole, Words
from annotator.review import guidelines
from annotator.review.decision_form import Said
from annotator.teams import adjudicating, label_questions
from annotator.ui.answers import Answer, Wire, server_functions
from annotator.ui.assets import asset, styled_script
from annotator.ui.context import Context
from storage.records import Reviewer


class Asked(TypedDict, total=False):
    criterion: Id | None
    people: Annotated[list[Id], Field(max_length=2)]  # as they are called here
    done: bool | Id | None  # as a form says it


class Case(TypedDict):
    post_id: Id
    criterion_id: Id


class Decided(Case):
    outcome: Id
    expected_revision: Whole
    spans: NotRequired[
        Annotated[list[Annotated[list[Whole | Said], Field(min_length=2, max_length=3)]], Field(max_length=2_000)]
        | None
    ]
    level: NotRequired[Id | None]
    reason: NotRequired[Words | None]
    error_kind: NotRequired[Id | None]
    seconds: NotRequired[Number | None]
    op_id: NotRequired[Id | None]


def build(context: Context) -> None:
    """Put the page into the tab that is being built."""
    gr.HTML(
        html_template=asset("adjudicate.html"),
        js_on_load=styled_script("adjudicate.js"),
        apply_default_css=False,
        server_functions=server_functions(context, ANSWERS),
        elem_id="adjudicate",
    )


def _queue(context: Context, message: Asked, me: Reviewer) -> Wire:
    found = adjudicating.queue(
        context.store,
        me,
        criterion=message.get("criterion") or None,
        people=message.get("people") or (),
        done=bool(message.get("done")),
    )
    answered = context.store.verdict_counts()
    criteria = [
        {"id": c.id, "name": c.name if c.active else f"{c.name} (out of use)"}
        for c in context.store.criteria(with_inactive=True)
        if c.active or c.id in answered
    ]
    return {**found, "criteria": [*criteria, *label_questions.questions(context.store)]}


def _case(context: Context, message: Case, me: Reviewer) -> Wire:
    return adjudicating.case(context.store, me, message["post_id"], message["criterion_id"])


def _decide(context: Context, message: Decided, me: Reviewer) -> Wire:
    return adjudicating.decide(context.store, me, {**message})


def _example(context: Context, message: Case, me: Reviewer) -> Wire:
    return {"kept": guidelines.add_examples(context.store, me, message["post_id"], message["criterion_id"])}


ANSWERS: dict[str, Answer] = {
    "adjudicate_queue": _queue,
    "adjudicate_case": _case,
    "adjudicate_decide": _decide,
    "adjudicate_example": _example,
}
