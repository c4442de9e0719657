"""Sending something to the Hugging Face Hub in two steps: what would leave is shown, and only that is sent, once agreed to."""

from __future__ import annotations

import threading
from typing import Any, Generic, TypeVar

import gradio as gr

from annotator.ui.context import QUIET, Context, friendly
from storage.records import InvalidRecord, Role

Shown = TypeVar("Shown")


class ConsentBox(Generic[Shown]):
    """A box, hidden at first, that says what would leave. It keeps for each person what they were shown; sending uses it up."""

    def __init__(self, context: Context, name: str) -> None:
        self._context, self._name = context, name
        self._shown: dict[str, Shown] = {}
        self._lock = threading.Lock()

    def build(self) -> gr.Button:
        """Lay it out; returns the button that agrees. `outputs` are what its handlers return into."""
        with gr.Group(visible=False, elem_classes="sure") as group:
            words = gr.Textbox(label="What would leave", lines=4, interactive=False, elem_id=f"{self._name}-words")
            with gr.Row():
                yes = gr.Button("Send it", variant="primary", elem_id=f"{self._name}-yes")
                no = gr.Button("Keep it here", elem_id=f"{self._name}-no")
        self.outputs: list[Any] = [group, words]
        no.click(friendly(self.keep), None, self.outputs, **QUIET)
        return yes

    def show(self, person: str, shown: Shown, words: str) -> list[Any]:
        """Show the words; `shown` is what may then be sent."""
        with self._lock:
            self._shown[person] = shown
        return [gr.Group(visible=True), words]

    def take(self, person: str) -> Shown:
        """What the person was shown and agrees to, once. Raises InvalidRecord if there is nothing."""
        with self._lock:
            shown = self._shown.pop(person, None)
        if shown is None:
            raise InvalidRecord("Look at what would leave first.")
        return shown

    def keep(self, request: gr.Request) -> list[Any]:
        person = self._context.require(request, Role.ADMIN)
        with self._lock:
            self._shown.pop(person.name, None)
        return self.hidden()

    def hidden(self) -> list[Any]:
        return [gr.Group(visible=False), ""]


def repository_of(typed: str | None) -> str:
    """The repository's name as typed. Raises InvalidRecord if there is none."""
    name = (typed or "").strip()
    if not name:
        raise InvalidRecord("Give the repository as owner/name first.")
    return name
