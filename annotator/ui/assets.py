"""Files beside the pages: HTML, CSS and JavaScript, read once."""

from __future__ import annotations

import functools
from importlib import resources


@functools.cache
def asset(name: str) -> str:
    return (resources.files("annotator") / "ui" / name).read_text("utf-8")
