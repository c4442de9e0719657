"""Discussions: the thread of a post (in Review) or of a criterion (on Guidelines), and the list of threads on the Overview."""

from __future__ import annotations

from typing import Annotated, Literal

import gradio as gr
from pydantic import Field
from typing_extensions import TypedDict

from annotator.messages import Id
from annotator.teams import discussing
from annotator.ui.answers import Answer, Wire, server_functions
from annotator.ui.assets import asset, styled_script
from annotator.ui.context import Context
from storage.records import Reviewer


class Subject(TypedDict, total=False):
    post_id: Id | None
    criterion_id: Id | None


class Say(Subject, total=False):
    text: Annotated[str, Field(max_length=20_000)]
    what: Literal["said", "flagged", "resolved", "reopened"]
    op_id: Id


class Listed(TypedDict, total=False):
    wanted: Id | None


def build(context: Context) -> None:
    """Put the list where the page is being built. Threads themselves are asked for by name, as Review has registered them."""
    gr.HTML(
        html_template=asset("discussions.html"),
        js_on_load=styled_script("discussions.js"),
        apply_default_css=False,
        server_functions=server_functions(context, LISTED),
        elem_id="discussions",
    )


def _thread(context: Context, message: Subject, me: Reviewer) -> Wire:
    post_id, criterion_id = message.get("post_id"), message.get("criterion_id")
    return discussing.thread(context.store, me, post_id=post_id or None, criterion_id=criterion_id or None)


def _say(context: Context, message: Say, me: Reviewer) -> Wire:
    return discussing.say(context.store, me, {**message})


def _list(context: Context, message: Listed, me: Reviewer) -> Wire:
    return discussing.threads(context.store, me, message.get("wanted"))


THREAD: dict[str, Answer] = {"thread_read": _thread, "thread_say": _say}
LISTED: dict[str, Answer] = {"thread_list": _list}
