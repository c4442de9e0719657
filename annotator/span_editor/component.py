"""The span editor as a Gradio component: a constant template, and JavaScript that is put together from its files at import."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

FOLDER = Path(__file__).parent
STYLES = ("editor.css", "panels.css")
SCRIPTS = (
    "dom.js",
    "offsets.js",
    "state.js",
    "outbox.js",
    "patterns.js",
    "render.js",
    "gestures.js",
    "queue.js",
    "select.js",
    "caret.js",
    "keys.js",
    "panels.js",
    "dialogs.js",
    "care.js",
    "main.js",
)
SHARED = "dom.js"
"""Building the page from text nodes: also what the other pages' own components begin with."""
LINES = "patterns.js"
"""Color and line pattern of each criterion, for every page that draws one."""


def script(names: Sequence[str] = SCRIPTS, more: str = "") -> str:
    """The body of a component's function, from files of this folder, then `more`; `element` and `server` are its arguments.

    The style sheet is carried along as a string: Gradio's own `css_template` would run it as a template.
    """
    css = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in STYLES)
    parts = ["'use strict';", f"const STYLE = {json.dumps(css)};", _ADD_STYLE]
    parts += [(FOLDER / "js" / name).read_text(encoding="utf-8") for name in names]
    return "\n".join([*parts, more])


_ADD_STYLE = """
if (!document.getElementById("ev-style")) {
  const sheet = document.createElement("style");
  sheet.id = "ev-style";
  sheet.textContent = STYLE;
  document.head.append(sheet);
}
"""


def span_editor(server_functions: Sequence[Callable[..., Any]], *, elem_id: str = "span-editor") -> gr.HTML:
    """The editor. It asks `server_functions` for everything it shows and tells them every decision."""
    return gr.HTML(
        html_template=(FOLDER / "editor.html").read_text(encoding="utf-8"),
        js_on_load=script(),
        apply_default_css=False,
        server_functions=list(server_functions),
        elem_id=elem_id,
    )
