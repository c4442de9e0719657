"""What became of one's own answers: part of the Overview, for everybody who reads."""

from __future__ import annotations

import gradio as gr
from typing_extensions import TypedDict

from annotator.teams import adjudicating, label_questions, watching
from annotator.ui.answers import Answer, Wire, server_functions
from annotator.ui.assets import asset, styled_script
from annotator.ui.context import Context
from storage.records import Reviewer


class Nothing(TypedDict):
    pass


def build(context: Context) -> None:
    """Put the part where the page is being built."""
    gr.HTML(
        html_template=asset("mine.html"),
        js_on_load=styled_script("mine.js"),
        apply_default_css=False,
        server_functions=server_functions(context, ANSWERS),
        elem_id="mine",
    )


def _mine(context: Context, message: Nothing, me: Reviewer) -> Wire:
    names = context.store.criterion_names()
    rows = adjudicating.mine_against_gold(context.store, me)
    return {
        "rounds": watching.reading(context.store, me),
        "decisions": [{**row, "criterion": label_questions.title(str(row["criterion_id"]), names)} for row in rows],
    }


ANSWERS: dict[str, Answer] = {"mine_read": _mine}
