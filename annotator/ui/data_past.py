"""Past imports on the Data page: the list, each one's report, and undoing one as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from annotator.exchange.use_cases import undo_import, what_undoing_removes
from annotator.people.accounts import CURATORS
from annotator.teams.naming import Called, called_before
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from annotator.words import counted
from storage.records import InvalidRecord


def build(context: Context, tab: gr.Tab) -> None:
    table = gr.Dataframe(
        headers=["Number", "File", "Format", "When", "By", "Posts", "Annotations", "Refused", "State"],
        datatype="str",
        interactive=False,
        max_height=360,
        label="Imports, newest first",
    )
    empty = gr.Markdown("Nothing has been imported yet.", visible=False)
    with gr.Row(equal_height=False):
        chosen = gr.Dropdown([], label="Import", interactive=True, visible=False, scale=2, elem_id="past-import")
        with gr.Column(scale=3, min_width=240):
            report = gr.HTML("", padding=False)
            undo = gr.Button("Undo this import", variant="stop", size="sm", visible=False, elem_id="past-undo")
    with gr.Group(visible=False, elem_classes="sure") as sure:
        warning = gr.Textbox(label="Undo as a whole?", interactive=False)
        with gr.Row():
            yes = gr.Button("Yes, remove it", variant="stop", elem_id="past-undo-yes")
            no = gr.Button("Keep it")
    shown = [table, empty, chosen, report, undo, sure]

    def refresh(request: gr.Request) -> list[Any]:
        called = called_before(context.store, context.require(request, *CURATORS))
        imports = context.store.imports()
        choices = [(f"{i['id']}: {i['file_name']}", i["id"]) for i in imports if i["undone_at"] is None]
        rows = [_import_row(i, called) for i in imports]
        newest = choices[0][1] if choices else None
        hidden = gr.Group(visible=False)
        return [
            gr.Dataframe(value=rows, visible=bool(rows)),
            gr.Markdown(visible=not rows),
            gr.Dropdown(choices=choices, value=newest, visible=bool(choices)),
            _report_link(newest),
            gr.Button(visible=bool(choices)),
            hidden,
        ]

    def choose(number: int | None, request: gr.Request) -> list[Any]:
        context.require(request, *CURATORS)
        return [_report_link(number), gr.Group(visible=False)]

    def ask(number: int | None, request: gr.Request) -> list[Any]:
        context.require(request, *CURATORS)
        words, _ = what_undoing_removes(context.store, _import_numbered(context, number))
        return [gr.Group(visible=True), words]

    def remove(number: int | None, request: gr.Request) -> list[Any]:
        context.require(request, *CURATORS)
        removed = undo_import(context.store, _import_numbered(context, number)["id"])
        gr.Info(
            f"Removed {counted(removed['posts'], 'post')} and {counted(removed['annotations'], 'annotation')}.",
            title="Import undone",
        )
        return refresh(request)

    tab.select(friendly(refresh), None, shown, **QUIET)
    chosen.input(friendly(choose), chosen, [report, sure], **QUIET)
    undo.click(friendly(ask), chosen, [sure, warning], **QUIET)
    no.click(lambda: gr.Group(visible=False), None, sure, **QUIET)
    yes.click(friendly(remove), chosen, shown, **QUEUED)


def _import_row(record: Mapping[str, Any], called: Called) -> list[str]:
    report = record["report"]
    refused = report.get("rejected_count", len(report.get("rejected", [])))
    state = "undone" if record["undone_at"] else "in use"
    head = [record["id"], record["file_name"], record["format"], record["created_at"][:16].replace("T", " ")]
    counts = [report.get("imported", 0), report.get("annotations", 0), refused]
    return [str(cell) for cell in (*head, called(record["created_by"] or ""), *counts, state)]


def _import_numbered(context: Context, number: int | None) -> dict[str, Any]:
    found = next((i for i in context.store.imports() if i["id"] == number), None)
    if found is None:
        raise InvalidRecord("Choose an import from the list first.")
    return found


def _report_link(number: int | None) -> str:
    if number is None:
        return ""
    return f'<a href="imports/{int(number)}/report" download>Download the report: every row not taken, and why</a>'
