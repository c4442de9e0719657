"""Files beside the pages: HTML, CSS and JavaScript, read once."""

from __future__ import annotations

import functools
from pathlib import Path

from annotator.span_editor.component import styled
from annotator.span_editor.modules import bundle

FOLDER = Path(__file__).parent


@functools.cache
def asset(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


@functools.cache
def script(name: str) -> str:
    """The JavaScript module `name` with what it imports, as `gr.HTML(js_on_load=...)` takes it."""
    return bundle(FOLDER / name)


@functools.cache
def styled_script(name: str) -> str:
    """As `script`, for a page in the span editor's style."""
    return styled(FOLDER / name)
