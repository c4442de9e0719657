"""A list of presets with what saves and deletes one, as the imports and the exports of the Data page have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gradio as gr

from annotator.people.accounts import CURATORS
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from storage.records import InvalidRecord
from storage.store import Store

NO_PRESET = "(none)"


class Kept(NamedTuple):
    """Where presets are kept: all of them by name, and what deletes one."""

    all: Callable[[Store], Mapping[str, Mapping[str, Any]]]
    delete: Callable[[Store, str], None]


class Labels(NamedTuple):
    """The words around the list. prefix: of its elements' ids."""

    title: str
    use: str
    info: str
    save: str
    prefix: str


class SavedPresets:
    """The list; `chosen` is the preset in use, `name` the one to save."""

    def __init__(self, context: Context, kept: Kept) -> None:
        self._context, self._kept = context, kept

    def lay_out(self, labels: Labels) -> None:
        prefix = labels.prefix
        with gr.Accordion(labels.title, open=False) as self._box:
            self.chosen = gr.Dropdown(
                self._names(),
                value=NO_PRESET,
                label=labels.use,
                info=labels.info,
                interactive=True,
                elem_id=f"{prefix}-chosen",
            )
            self.name = gr.Textbox(label=labels.save, placeholder="a name", max_lines=1, elem_id=f"{prefix}-name")
            with gr.Row():
                self._save = gr.Button("Save", size="sm", min_width=90, elem_id=f"{prefix}-save")
                self._delete = gr.Button(
                    "Delete the preset in use", size="sm", min_width=90, elem_id=f"{prefix}-delete"
                )

    def wire_list(self, save: Callable[..., Any], given: Any) -> None:
        """Connect the buttons; `save` gets `given`. A refusal must not lie over the field that it asks for."""
        self._save.click(friendly(save), given, [self.chosen, self.name], show_progress="hidden", **QUEUED)
        self._delete.click(friendly(self.delete), self.chosen, self.chosen, show_progress="hidden", **QUEUED)
        self._box.expand(friendly(self.refresh), self.chosen, self.chosen, **QUIET)

    def saved(self, name: str | None, request: gr.Request) -> Mapping[str, Any] | None:
        """The preset of that name, None for the choice of none. Raises InvalidRecord if it is gone, NotAllowed."""
        self._context.require(request, *CURATORS)
        if not name or name == NO_PRESET:
            return None
        found = self._kept.all(self._context.store).get(name)
        if found is None:
            raise InvalidRecord(f"The preset {name} was deleted by somebody else.")
        return found

    def save_as(self, name: str | None, request: gr.Request, save: Callable[[str], None]) -> list[Any]:
        """Let `save` keep something under the name. Raises InvalidRecord for a name that cannot be, NotAllowed."""
        self._context.require(request, *CURATORS)
        name = (name or "").strip()
        if name == NO_PRESET:
            raise InvalidRecord("Give the preset another name.")
        replaced = name in self._kept.all(self._context.store)
        save(name)
        gr.Info(f"{name} was {'saved anew' if replaced else 'saved'}.", title="Preset")
        return [gr.Dropdown(choices=self._names(), value=name), ""]

    def delete(self, name: str | None, request: gr.Request) -> Any:
        self._context.require(request, *CURATORS)
        if not name or name == NO_PRESET:
            raise InvalidRecord("Choose the preset to delete first.")
        self._kept.delete(self._context.store, name)
        gr.Info(f"{name} was deleted. What is chosen on the page stays as it is.", title="Preset")
        return gr.Dropdown(choices=self._names(), value=NO_PRESET)

    def refresh(self, name: str | None, request: gr.Request) -> Any:
        """The presets as they are by now: the page was built when the app started."""
        self._context.require(request, *CURATORS)
        names = self._names()
        return gr.Dropdown(choices=names, value=name if name in names else NO_PRESET)

    def _names(self) -> list[str]:
        return [NO_PRESET, *sorted(self._kept.all(self._context.store))]
