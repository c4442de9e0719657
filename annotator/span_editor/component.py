"""The span editor as a Gradio component: a constant template, and JavaScript that is put together from its modules at import."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from annotator.span_editor.modules import bundle

FOLDER = Path(__file__).parent
STYLES = ("editor.css", "panels.css")


def styled(entry: Path) -> str:
    """The body of a component's function: the module `entry`, in a page that has the editor's style.

    The style sheet is carried along as a string: Gradio's own `css_template` would run it as a template.
    """
    css = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in STYLES)
    return "\n".join([f"const STYLE = {json.dumps(css)};", _ADD_STYLE, bundle(entry)])


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
        js_on_load=styled(FOLDER / "js" / "main.js"),
        apply_default_css=False,
        server_functions=list(server_functions),
        elem_id=elem_id,
    )
