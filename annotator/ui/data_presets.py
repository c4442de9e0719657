"""Saved presets of an import on the Data page: options and columns under a name, chosen again for the next file of that kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from annotator.exchange.options import ImportOptions
from annotator.exchange.use_cases import delete_preset, presets, save_preset
from annotator.people.accounts import CURATORS
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from annotator.ui.data_options import form_values
from storage.records import InvalidRecord

NO_PRESET = "(none)"
Values = dict[Any, Any]


class PresetPart:
    """The list of presets with its buttons. `options` gives the page's options, with its columns, from all values."""

    def __init__(self, context: Context, options: Callable[[Values], ImportOptions]) -> None:
        self._context, self._options = context, options

    def build(self) -> None:
        """Lay it out; `chosen` is the preset in use."""
        with gr.Accordion("Presets", open=False) as self._box:
            self.chosen = gr.Dropdown(
                self._names(),
                value=NO_PRESET,
                label="Use the preset",
                info="Its options and columns also hold for the next files.",
                interactive=True,
                elem_id="preset-chosen",
            )
            self.name = gr.Textbox(
                label="Save the options and columns as", placeholder="a name", max_lines=1, elem_id="preset-name"
            )
            with gr.Row():
                self._save = gr.Button("Save", size="sm", min_width=90, elem_id="preset-save")
                self._delete = gr.Button("Delete the preset in use", size="sm", min_width=90, elem_id="preset-delete")

    def wire(self, form: list[Any], everything: set[Any], look: Any, shown: list[Any]) -> None:
        """Connect it; `look` shows the file again, read with the preset's columns, in `shown`."""
        self.chosen.input(friendly(self.use), self.chosen, form, **QUIET).success(look, everything, shown, **QUEUED)
        # a refusal must not lie over the field that it asks for
        self._save.click(
            friendly(self.save), everything | {self.name}, [self.chosen, self.name], show_progress="hidden", **QUEUED
        )
        self._delete.click(friendly(self.delete), self.chosen, self.chosen, show_progress="hidden", **QUEUED)
        self._box.expand(friendly(self.refresh), self.chosen, self.chosen, **QUIET)

    def columns(self, name: str | None) -> Mapping[str, str]:
        """Column by field ('': none) of the preset in use; nothing without one, or if somebody deleted it."""
        saved = presets(self._context.store).get(name or NO_PRESET)
        return {} if saved is None else ImportOptions.from_dict(saved).columns

    def use(self, name: str | None, request: gr.Request) -> list[Any]:
        self._context.require(request, *CURATORS)
        if not name or name == NO_PRESET:
            return form_values(ImportOptions())
        saved = presets(self._context.store).get(name)
        if saved is None:
            raise InvalidRecord(f"The preset {name} was deleted by somebody else.")
        return form_values(ImportOptions.from_dict(saved))

    def save(self, values: Values, request: gr.Request) -> list[Any]:
        self._context.require(request, *CURATORS)
        name = (values[self.name] or "").strip()
        if name == NO_PRESET:
            raise InvalidRecord("Give the preset another name.")
        replaced = name in presets(self._context.store)
        save_preset(self._context.store, name, self._options(values))
        gr.Info(f"{name} was {'saved anew' if replaced else 'saved'}.", title="Preset")
        return [gr.Dropdown(choices=self._names(), value=name), ""]

    def delete(self, name: str | None, request: gr.Request) -> Any:
        self._context.require(request, *CURATORS)
        if not name or name == NO_PRESET:
            raise InvalidRecord("Choose the preset to delete first.")
        delete_preset(self._context.store, name)
        gr.Info(f"{name} was deleted. The options stay as they are.", title="Preset")
        return gr.Dropdown(choices=self._names(), value=NO_PRESET)

    def refresh(self, name: str | None, request: gr.Request) -> Any:
        """The presets as they are by now: the page was built when the app started."""
        self._context.require(request, *CURATORS)
        names = self._names()
        return gr.Dropdown(choices=names, value=name if name in names else NO_PRESET)

    def _names(self) -> list[str]:
        return [NO_PRESET, *sorted(presets(self._context.store))]
