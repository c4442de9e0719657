"""The step from the demo posts to a project of one's own."""

from __future__ import annotations

from annotator.ui.context import Context


def build(context: Context) -> None:
    return None
