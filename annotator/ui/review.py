"""The Review page: the span editor, and the functions through which it asks and saves.

The editor keeps what is on the screen; nothing is kept here between calls. Every function takes one JSON object and answers
with one that holds `ok`: a server function that fails is silent in Gradio, so only an explicit yes is a yes.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from annotator.messages import Filter, Id, Whole
from annotator.review import decisions, guidelines, history, post_list
from annotator.review.about import care_of
from annotator.review.neighbours import neighbours
from annotator.review.queue_filter import read_filter, readable_part
from annotator.span_editor.component import span_editor
from annotator.ui import discussions, tour
from annotator.ui.answers import Answer, Wire, server_functions
from annotator.ui.context import Context
from storage.attributes import attributes_wire
from storage.criteria_file import about_wire
from storage.queue import QUEUE_SECONDS, QueueFilter, QueueOrder
from storage.records import NotFound, Reviewer

MAX_FOUND = 100


def build(context: Context) -> None:
    """Put the page into the tab that is being built."""
    tour.build(context)
    span_editor(server_functions(context, {**ANSWERS, **discussions.THREAD}))


class Opening(TypedDict, total=False):
    filter: Filter | None
    post_id: Id | None


class Wanted(Opening, total=False):
    next: bool
    exclude: Annotated[list[Id], Field(max_length=2_000)] | None
    opened: Id | None
    examples_mark: Id | None


class OnePost(TypedDict):
    post_id: Id


class Decided(TypedDict):
    decisions: Annotated[list[Any], Field(max_length=1_000)]  # each is read, and refused, by itself


class Sought(TypedDict, total=False):
    filter: Filter | None
    limit: Annotated[int, Field(ge=1, le=MAX_FOUND)]


class Looked(TypedDict):
    post_id: Id
    answer: Whole
    look: Id


class Restored(TypedDict):
    annotation_id: Whole
    expected_revision: Whole
    op_id: Id


class _Gesture(TypedDict):
    gesture: Id


class Undone(_Gesture, total=False):
    redo: bool


def _start(context: Context, message: Opening, me: Reviewer) -> Wire:
    """Who is here, what can be chosen, and the post to begin with: the one linked to, else where they left.

    unreadable: why part of the filter is left out of `filter`, '' if nothing is.
    """
    store, models, settings = context.store, context.suggestions, context.settings
    readable, unreadable = readable_part(store, message.get("filter"), me)
    wanted = read_filter(store, readable, me)
    _look_for_doubts(context, wanted)
    error = ""
    post_id: str | None = message.get("post_id")
    if post_id and not store.known_post_ids([post_id]):
        error, post_id = f"There is no post {post_id!r}.", None
    post_id = post_id or decisions.first_post(store, models, me, wanted)
    return {
        "me": {"name": me.name, "role": str(me.role)},
        "project": context.project_id,
        "filter": readable,
        "unreadable": unreadable,
        "choices": post_list.choices(store, me),
        "reading": store.setting(decisions.READING, decisions.BY_CRITERION),
        "about": about_wire(care_of(store, settings)),
        "attributes": attributes_wire(store.attributes()),
        **guidelines.fresh_examples(store, me, None),
        "trail": decisions.trail(store, me),
        "progress": decisions.progress(store, models, me, wanted),
        "item": decisions.load_item(store, models, post_id, me) if post_id else None,
        "error": error,
    }


def _item(context: Context, message: Wanted, me: Reviewer) -> Wire:
    """A post by its id, or with `next` the next of the queue that is not among `exclude`. opened: the one that is open now.

    examples_mark: of the examples that the page has; where it is sent, others that the person may see by now come along.
    """
    store, models = context.store, context.suggestions
    if opened := message.get("opened"):
        store.open_post(opened, me.name)
    wanted = read_filter(context.store, message.get("filter"), me)
    _look_for_doubts(context, wanted)
    post_id = message.get("post_id")
    chosen_by = None
    with store.read(seconds=QUEUE_SECONDS):  # of one moment, in one transaction
        if message.get("next"):
            chosen_by = decisions.own_queue(store, me, wanted)
            post_id = decisions.next_post(store, models, me, chosen_by, tuple(message.get("exclude") or ()))
        progress = decisions.progress(store, models, me, chosen_by or wanted)
        seen = decisions.look_at(store, models, post_id, me) if post_id else None
    return {
        "item": decisions.load_item(store, models, seen, me, chosen_by=chosen_by) if seen else None,
        "progress": progress,
        **(guidelines.fresh_examples(store, me, message["examples_mark"]) if "examples_mark" in message else {}),
    }


def _look_for_doubts(context: Context, wanted: QueueFilter) -> None:
    if wanted.order is QueueOrder.DOUBTS and context.doubts is not None:
        context.doubts.look(context.models.version)


def _look_again(context: Context, message: Looked, me: Reviewer) -> Wire:
    decisions.look_again(context.store, me, message["post_id"], message["answer"], message["look"])
    return {}


def _opened(context: Context, message: OnePost, me: Reviewer) -> Wire:
    context.store.open_post(_known(context, message), me.name)
    return {}


def _save(context: Context, message: Decided, me: Reviewer) -> Wire:
    """Several decisions in order, each stored or refused by itself: one result for each.

    Where the storage refuses, those before are stored; sent again under their keys, they are stored once.
    """
    return {"results": [decisions.save(context.store, me, decision) for decision in message["decisions"]]}


def _skip(context: Context, message: OnePost, me: Reviewer) -> Wire:
    context.store.skip_post(_known(context, message), me.name)
    return {}


def _assign(context: Context, message: OnePost, me: Reviewer) -> Wire:
    context.store.assign([_known(context, message)], me.name, by=me.name)
    return {}


def _find(context: Context, message: Sought, me: Reviewer) -> Wire:
    wanted = read_filter(context.store, message.get("filter"), me)
    _look_for_doubts(context, wanted)
    portion = post_list.Portion(limit=message.get("limit", 30))
    return post_list.find_posts(context.store, context.models, me, wanted, portion)


def _choices(context: Context, message: Wire, me: Reviewer) -> Wire:
    return {"choices": post_list.choices(context.store, me)}


def _neighbours(context: Context, message: OnePost, me: Reviewer) -> Wire:
    return neighbours(context.store, message["post_id"])


def _history(context: Context, message: OnePost, me: Reviewer) -> Wire:
    return {
        "history": history.history(context.store, message["post_id"], me),
        "decisions": history.decisions_about(context.store, message["post_id"], me),
    }


def _restore(context: Context, message: Restored, me: Reviewer) -> Wire:
    return history.restore(
        context.store,
        me,
        message["annotation_id"],
        expected_revision=message["expected_revision"],
        op_id=message["op_id"],
    )


def _undo(context: Context, message: Undone, me: Reviewer) -> Wire:
    return history.undo(context.store, me, message["gesture"], redo=message.get("redo", False))


def _known(context: Context, message: OnePost) -> str:
    post_id = message["post_id"]
    if not context.store.known_post_ids([post_id]):
        raise NotFound(f"There is no post {post_id!r} (any more).")
    return post_id


ANSWERS: dict[str, Answer] = {
    "review_start": _start,
    "review_item": _item,
    "review_opened": _opened,
    "review_save": _save,
    "review_skip": _skip,
    "review_assign": _assign,
    "review_find": _find,
    "review_choices": _choices,
    "review_neighbours": _neighbours,
    "review_history": _history,
    "review_restore": _restore,
    "review_undo": _undo,
    "review_look_again": _look_again,
}
"""What the editor can ask, by the name it uses."""
