"""The span editor as a Gradio component: a constant template, and JavaScript that is put together from its modules at import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from annotator.span_editor.modules import bundle

FOLDER = Path(__file__).parent
STYLES = ("editor.css", "panels.css")


def styled(entry: Path) -> str:
    """The body of a component's function: the module `entry`, in a page that has the editor's style."""
    return "\n".join([_STYLE_LAST, bundle(entry)])


_STYLE_LAST = """
const sheet = document.getElementById("ev-style");
if (sheet && !sheet.dataset.placed) {
  sheet.dataset.placed = "last"; // behind the styles that Gradio has loaded by now
  document.head.append(sheet);
}
"""


def editor_style() -> str:
    """The style of the editor and of the pages built like it, which stands once in the page's head as `ev-style`: Gradio's own
    `css_template` would run it as a template, and carry it once for each component.
    """
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in STYLES)


def span_editor(server_functions: Sequence[Callable[..., Any]], *, elem_id: str = "span-editor") -> gr.HTML:
    """The editor. It asks `server_functions` for everything it shows and tells them every decision."""
    return gr.HTML(
        html_template=(FOLDER / "editor.html").read_text(encoding="utf-8"),
        js_on_load=styled(FOLDER / "js" / "main.js"),
        apply_default_css=False,
        server_functions=list(server_functions),
        elem_id=elem_id,
    )
