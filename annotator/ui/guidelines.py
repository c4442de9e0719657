"""The Guidelines page: what each criterion means, for everybody to read; an admin changes it here, versions kept."""

from __future__ import annotations

from typing import Annotated, NotRequired

import gradio as gr
from pydantic import Field
from typing_extensions import TypedDict

from annotator.messages import Id, Whole, Words
from annotator.people.accounts import CURATORS
from annotator.review import guidelines
from annotator.ui.answers import Answer, Wire, server_functions
from annotator.ui.assets import asset, styled_script
from annotator.ui.context import Context
from storage.records import Reviewer, Role

Passages = Words | Annotated[list[Words], Field(max_length=1_000)] | None


class Edited(TypedDict):
    id: Id
    name: NotRequired[Words | None]
    text: NotRequired[Words | None]
    guideline: NotRequired[Words | None]
    examples: NotRequired[Passages]
    counterexamples: NotRequired[Passages]
    active: NotRequired[bool]
    version: NotRequired[Whole | None]


class Said(TypedDict):
    rationale: Words
    severity: Words
    flags: Words
    labels: Words


class SaidEdited(Said):
    before: Said


class ExampleOfPost(TypedDict):
    criterion_id: Id
    post_id: Id
    start: Whole
    end: Whole


class Ordered(TypedDict):
    ids: Annotated[list[Id], Field(max_length=10_000)]


def build(context: Context) -> None:
    """Put the page into the tab that is being built."""
    gr.HTML(
        html_template=asset("guidelines.html"),
        js_on_load=styled_script("guidelines.js"),
        apply_default_css=False,
        server_functions=server_functions(context, ANSWERS),
        elem_id="guidelines",
    )


def _read(context: Context, message: Wire, me: Reviewer) -> Wire:
    may_edit = me.role is Role.ADMIN and not context.settings.demo
    return {
        "criteria": guidelines.criteria_with_versions(context.store, me),
        "attributes": guidelines.attributes_form(context.store.attributes()),
        "may_edit": may_edit,
        "may_remove": me.role in CURATORS,
    }


def _save(context: Context, message: Edited, me: Reviewer) -> Wire:
    saved = guidelines.save_criterion(context.store, {**message}, by=me)
    context.models.reload()
    return {"version": saved.version}


def _save_attributes(context: Context, message: SaidEdited, me: Reviewer) -> Wire:
    return {"attributes": guidelines.save_attributes(context.store, {**message}, by=me)}


def _order(context: Context, message: Ordered, me: Reviewer) -> Wire:
    return {"order": guidelines.reorder(context.store, message["ids"], by=me)}


def _remove_example(context: Context, message: ExampleOfPost, me: Reviewer) -> Wire:
    guidelines.remove_example(context.store, {**message}, by=me)
    return {}


ANSWERS: dict[str, Answer] = {
    "guidelines_read": _read,
    "guidelines_save": _save,
    "guidelines_order": _order,
    "guidelines_remove_example": _remove_example,
    "guidelines_attributes": _save_attributes,
}
