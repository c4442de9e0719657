"""The bar above the Review page of the public demo: whose decisions these are, what to do first, and beginning anew."""

from __future__ import annotations

import gradio as gr

from annotator.ui.answers import Answer, Wire, server_functions
from annotator.ui.assets import asset, script
from annotator.ui.context import Context
from storage.records import Reviewer


def build(context: Context) -> None:
    """Put the bar into the tab that is being built; nothing outside the public demo."""
    if not context.settings.demo:
        return
    gr.HTML(
        value={"hours": context.settings.demo_hours},
        html_template=asset("tour.html"),
        js_on_load=script("tour.js"),
        apply_default_css=False,
        server_functions=server_functions(context, ANSWERS),
        elem_id="tour",
        padding=False,
    )


def _anew(context: Context, message: Wire, me: Reviewer) -> Wire:
    if context.visitors is not None:
        context.visitors.forget(me.name)
    return {}


ANSWERS: dict[str, Answer] = {"tour_anew": _anew}
