"""The Posts page: every post by the queue's filters, bulk actions, and a link to review each."""

from __future__ import annotations

from typing import Annotated, NotRequired

import gradio as gr
from pydantic import Field
from typing_extensions import TypedDict

from annotator.messages import Filter, Id, Whole, Words
from annotator.review import post_list
from annotator.review.queue_filter import read_filter
from annotator.ui.answers import Answer, Wire, server_functions
from annotator.ui.assets import asset, styled_script
from annotator.ui.context import Context
from storage.records import Reviewer

MAX_FOUND = 100
Ids = Annotated[list[Id], Field(max_length=post_list.MOST_AT_ONCE)]


class Filtered(TypedDict, total=False):
    filter: Filter | None


class Sought(Filtered):
    limit: Annotated[int, Field(ge=1, le=MAX_FOUND)]
    after: NotRequired[Words | None]


class Chosen(TypedDict):
    post_ids: Ids


class Given(Chosen):
    to: Id


Taken = TypedDict("Taken", {"post_ids": Ids, "from": Id})


class Moved(Chosen):
    split: Id


class AJob(TypedDict, total=False):
    job: Whole | None


class TheJob(TypedDict):
    job: Whole


def build(context: Context) -> None:
    """Put the page into the tab that is being built."""
    gr.HTML(
        html_template=asset("posts.html"),
        js_on_load=styled_script("posts.js"),
        apply_default_css=False,
        server_functions=server_functions(context, ANSWERS),
        elem_id="posts-list",
    )


def _start(context: Context, message: Wire, me: Reviewer) -> Wire:
    return {"me": {"name": me.name, "role": str(me.role)}, "choices": post_list.choices(context.store, me)}


def _find(context: Context, message: Sought, me: Reviewer) -> Wire:
    wanted = read_filter(context.store, message.get("filter"), me)
    portion = post_list.Portion(limit=message["limit"], after=message.get("after") or "")
    return post_list.find_posts(context.store, context.models, me, wanted, portion)


def _ids(context: Context, message: Filtered, me: Reviewer) -> Wire:
    wanted = read_filter(context.store, message.get("filter"), me)
    return {"ids": post_list.all_ids(context.store, context.models, me, wanted)}


def _assign(context: Context, message: Given, me: Reviewer) -> Wire:
    return {"count": post_list.assign(context.store, message["post_ids"], message["to"], by=me)}


def _unassign(context: Context, message: Taken, me: Reviewer) -> Wire:
    return {"count": post_list.unassign(context.store, message["post_ids"], message["from"], by=me)}


def _split(context: Context, message: Moved, me: Reviewer) -> Wire:
    return {"count": post_list.change_split(context.store, message["post_ids"], message["split"], by=me)}


def _withdraw(context: Context, message: Chosen, me: Reviewer) -> Wire:
    return post_list.withdraw(context.store, message["post_ids"], by=me)


def _predict(context: Context, message: Chosen, me: Reviewer) -> Wire:
    return post_list.predict(context.store, context.jobs, context.models, message["post_ids"], by=me)


def _job(context: Context, message: AJob, me: Reviewer) -> Wire:
    return {"job": post_list.prediction_job(context.jobs, message.get("job"))}


def _stop(context: Context, message: TheJob, me: Reviewer) -> Wire:
    return {"job": post_list.stop_prediction(context.jobs, message["job"], by=me)}


ANSWERS: dict[str, Answer] = {
    "posts_start": _start,
    "posts_find": _find,
    "posts_ids": _ids,
    "posts_assign": _assign,
    "posts_unassign": _unassign,
    "posts_split": _split,
    "posts_withdraw": _withdraw,
    "posts_predict": _predict,
    "posts_job": _job,
    "posts_stop": _stop,
}
