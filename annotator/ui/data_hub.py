"""The parts of the Data page that meet the Hugging Face Hub: a dataset fetched by name, and an export pushed once it was agreed to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from annotator.exchange import hub_datasets
from annotator.exchange.downloads import prepare_export, prepared_file
from annotator.hub.client import Hub
from annotator.people.accounts import CURATORS
from annotator.ui.consent import ConsentBox, repository_of
from annotator.ui.context import QUEUED, Context, friendly
from storage.exports import ExportFilter
from storage.records import Role


def build_fetch(context: Context, file: gr.File) -> Any:
    """A dataset of the Hub takes the place of an uploaded file. Returns the event that tells that it is there."""
    with gr.Accordion("Or a dataset of the Hugging Face Hub", open=False):
        name = gr.Textbox(label="Dataset", placeholder="owner/name", max_lines=1, elem_id="import-hub-name")
        fetch = gr.Button("Fetch and look at it", size="sm", elem_id="import-hub-fetch")

    def run(name: str, request: gr.Request) -> str:
        person = context.require(request, *CURATORS)
        fetched = hub_datasets.fetched_archive(repository_of(name), context.settings.uploads_dir)
        context.uploads.give(person.name, [fetched])
        return str(fetched)

    return fetch.click(friendly(run), name, file, **QUEUED).success


class PushPart:
    """Push an export: the dataset is prepared and described first, and exactly those bytes are sent when agreed to."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.consent: ConsentBox[tuple[Path, str]] = ConsentBox(context, "export-hub")

    def build(self) -> tuple[gr.Button, gr.Textbox, list[Any]]:
        """(button that asks, the repository's name, what `ask` returns into)."""
        with gr.Accordion("Push to the Hugging Face Hub", open=False):
            name = gr.Textbox(
                label="Dataset (private)", placeholder="owner/name", max_lines=1, elem_id="export-hub-name"
            )
            ask = gr.Button("Show what would leave", size="sm", elem_id="export-hub-ask")
            yes = self.consent.build()
        yes.click(friendly(self.push), None, self.consent.outputs, **QUEUED)
        return ask, name, self.consent.outputs

    def ask(self, name: str, chosen: ExportFilter, license_name: str, request: gr.Request) -> list[Any]:
        """Prepare the dataset and say what would leave."""
        person = self._context.require(request, Role.ADMIN)
        settings, repository, account = self._context.settings, repository_of(name), Hub().require_login()
        export_id, manifest = prepare_export(settings, self._context.store, "hf", chosen, license_name=license_name)
        packed = prepared_file(settings, export_id, manifest=False)
        words = hub_datasets.leaving(manifest, repository, private=True)
        return self.consent.show(person.name, (packed, repository), f"{words} Sent as {account}.")

    def push(self, request: gr.Request) -> list[Any]:
        """Send what was shown. The prepared file is kept for an hour; after that it has to be shown again."""
        packed, repository = self.consent.take(self._context.require(request, Role.ADMIN).name)
        done = hub_datasets.push_zip(packed, repository)
        gr.Info(f"The dataset is at {done['url']}", duration=10)
        return self.consent.hidden()
