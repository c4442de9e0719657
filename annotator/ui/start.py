"""The one step from the demo posts to a project of one's own: shown above the pages while the demo posts are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from annotator.project import demo_import, remove_demo_posts, replace_criteria
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from storage.criteria_file import read_criteria_set
from storage.records import InvalidRecord, Role

EXPLANATION = """
The posts you see are synthetic and came with the program. Starting your own project removes them, with whatever was marked
on them; the model stays. Then import your posts on the *Data* page. Your own criteria are optional: a YAML, JSON or CSV file
with `id`, `name`, `text` (what the model reads) and `guideline` (what the reviewer reads). Without a file the nine default criteria stay.
"""


def build(context: Context) -> None:
    if context.settings.demo:
        return
    with gr.Accordion("Demo project: start with your own posts", open=False, visible=False, elem_id="start") as step:
        gr.Markdown(EXPLANATION)
        criteria_file = gr.File(
            label="Your criteria (optional)", file_types=[".yaml", ".yml", ".json", ".jsonl", ".csv"], height=140
        )
        agreed = gr.Checkbox(label="Remove the demo posts and everything marked on them", value=False)
        start = gr.Button("Start an empty project", variant="primary")

    def show(request: gr.Request) -> Any:
        return gr.Accordion(visible=_may_start(context, request))

    def begin(path: str | None, agreed: bool, request: gr.Request) -> None:
        person = context.require(request, Role.ADMIN)
        start_own_project(context, Path(path) if path else None, agreed=agreed, by=person.name)

    blocks = gr.context.Context.root_block
    assert blocks is not None
    blocks.load(show, None, step, **QUIET)
    started = start.click(friendly(begin), [criteria_file, agreed], None, **QUEUED)
    started.success(None, js="() => { location.search = '?tab=data'; }", **QUIET)


def start_own_project(context: Context, criteria_file: Path | None, *, agreed: bool, by: str) -> None:
    """Take the demo posts out and, if a file is given, put its criteria in. All of it or nothing."""
    if not agreed:
        raise InvalidRecord("Tick the box first: the demo posts and everything marked on them will be removed.")
    criteria = read_criteria_set(criteria_file) if criteria_file is not None else None
    with context.store.write():
        remove_demo_posts(context.store)
        if criteria is not None:
            replace_criteria(context.store, criteria, by=by)
    context.models.reload()


def _may_start(context: Context, request: gr.Request) -> bool:
    return demo_import(context.store) is not None and context.user(request).role is Role.ADMIN
