"""The part of the Retrain page that sends versions to the Hugging Face Hub and takes some from there."""

from __future__ import annotations

from typing import Any

import gradio as gr

from annotator.hub.client import Hub
from annotator.models import hub_versions as model_hub
from annotator.models.registry import NotPossible
from annotator.ui.consent import ConsentBox, repository_of
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from storage.records import Role

EXPLANATION = (
    "Versions go to **private** model repositories of the account that is logged in on the server (`hf auth login` or"
    " `HF_TOKEN`). A pulled version is loaded and probed first, and is not put in service by itself."
)


class HubPart:
    """Push and pull of model versions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.consent: ConsentBox[tuple[str, str]] = ConsentBox(context, "retrain-hub")

    def build(self, version: gr.Dropdown) -> tuple[gr.Button, gr.Textbox]:
        """Lay it out; `version` is the page's list of versions. Returns (button that pulls, the repository's name)."""
        with gr.Accordion("Hugging Face Hub", open=False, elem_id="retrain-hub"):
            gr.Markdown(EXPLANATION)
            name = gr.Textbox(label="Repository", placeholder="owner/name", max_lines=1, elem_id="retrain-hub-name")
            with gr.Row():
                ask = gr.Button("Push the chosen version …", min_width=160, elem_id="retrain-hub-push")
                pull = gr.Button("Pull from there", min_width=120, elem_id="retrain-hub-pull")
            yes = self.consent.build()
        ask.click(friendly(self.ask), [version, name], self.consent.outputs, **QUIET)
        yes.click(friendly(self.push), None, self.consent.outputs, **QUEUED)
        return pull, name

    def ask(self, version: str | None, repository: str, request: gr.Request) -> list[Any]:
        """Show what would leave."""
        person = self._context.require(request, Role.ADMIN)
        if not version:
            raise NotPossible("Choose a version first.")
        name = repository_of(repository)
        words = model_hub.leaving(self._context.store, self._context.settings, version, name)
        return self.consent.show(person.name, (version, name), f"{words} Sent as {Hub().require_login()}.")

    def push(self, request: gr.Request) -> list[Any]:
        """Send what was shown."""
        version, repository = self.consent.take(self._context.require(request, Role.ADMIN).name)
        done = model_hub.push_version(self._context.store, self._context.settings, version, repository)
        gr.Info(f"{version} is at {done.url}", duration=10)
        return self.consent.hidden()

    def pull(self, repository: str, request: gr.Request) -> None:
        person = self._context.require(request, Role.ADMIN)
        store, settings = self._context.store, self._context.settings
        model = model_hub.pull_version(store, settings, repository_of(repository), by=person)
        gr.Info(f"Taken in as {model.id}; it is not in service yet.", duration=6)
