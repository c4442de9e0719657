"""Try it."""

from __future__ import annotations

import gradio as gr

from annotator.ui.context import Context


def build(context: Context) -> None:
    gr.Markdown("Paste text here.")
