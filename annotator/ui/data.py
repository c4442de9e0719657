"""Data: posts and labels in, the list of imports, uncertain evidence, corrected datasets out, the criteria set."""

from __future__ import annotations

import gradio as gr

from annotator.ui import data_confirm, data_export, data_import, data_past
from annotator.ui.context import Context


def build(context: Context) -> None:
    with gr.Tabs(elem_id="data-sections"):
        with gr.Tab("Import", id="import"):
            data_import.build(context)
        with gr.Tab("Past imports", id="imports") as past:
            data_past.build(context, past)
        with gr.Tab("Uncertain evidence", id="confirm") as confirm:
            data_confirm.build(context, confirm)
        with gr.Tab("Export", id="export") as export:
            data_export.build(context, export)
        with gr.Tab("Criteria", id="criteria"):
            data_export.build_criteria(context)
