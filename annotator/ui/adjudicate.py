"""The Adjudicate page: what people disagree about, the worst first, everybody's answer side by side, one key for each decision."""

from __future__ import annotations

import gradio as gr

from annotator.teams import adjudicating
from annotator.ui.answers import Answer, Wire, server_functions
from annotator.ui.assets import asset, styled_script
from annotator.ui.context import Context
from storage.records import Reviewer


def build(context: Context) -> None:
    """Put the page into the tab that is being built."""
    gr.HTML(
        html_template=asset("adjudicate.html"),
        js_on_load=styled_script("adjudicate.js"),
        apply_default_css=False,
        server_functions=server_functions(context, ANSWERS),
        elem_id="adjudicate",
    )


def _queue(context: Context, message: Wire, me: Reviewer) -> Wire:
    found = adjudicating.queue(
        context.store, me, criterion=message.get("criterion") or None, done=bool(message.get("done"))
    )
    return {**found, "criteria": [{"id": c.id, "name": c.name} for c in context.store.criteria(with_inactive=True)]}


def _case(context: Context, message: Wire, me: Reviewer) -> Wire:
    return adjudicating.case(context.store, me, str(message["post_id"]), str(message["criterion_id"]))


def _decide(context: Context, message: Wire, me: Reviewer) -> Wire:
    return adjudicating.decide(context.store, me, message)


ANSWERS: dict[str, Answer] = {"adjudicate_queue": _queue, "adjudicate_case": _case, "adjudicate_decide": _decide}
