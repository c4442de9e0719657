"""Saved presets of an import on the Data page: options and columns under a name, chosen again for the next file of that kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from annotator.exchange.options import ImportOptions
from annotator.exchange.use_cases import delete_preset, presets, save_preset
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from annotator.ui.data_options import form_values
from annotator.ui.saved_presets import NO_PRESET, Kept, Labels, SavedPresets

Values = dict[Any, Any]


class PresetPart(SavedPresets):
    """`options` gives the page's options, with its columns, from all values."""

    def __init__(self, context: Context, options: Callable[[Values], ImportOptions]) -> None:
        super().__init__(context, Kept(presets, delete_preset))
        self._options = options

    def build(self) -> None:
        info = "Its options and columns also hold for the next files."
        self.lay_out(Labels("Presets", "Use the preset", info, "Save the options and columns as", "preset"))

    def wire(self, form: list[Any], everything: set[Any], look: Any, shown: list[Any]) -> None:
        """Connect it; `look` shows the file again, read with the preset's columns, in `shown`."""
        self.chosen.input(friendly(self.use), self.chosen, form, **QUIET).success(look, everything, shown, **QUEUED)
        self.wire_list(self.save, everything | {self.name})

    def columns(self, name: str | None) -> Mapping[str, str]:
        """Column by field ('': none) of the preset in use; nothing without one, or if somebody deleted it."""
        saved = presets(self._context.store).get(name or NO_PRESET)
        return {} if saved is None else ImportOptions.from_dict(saved).columns

    def use(self, name: str | None, request: gr.Request) -> list[Any]:
        saved = self.saved(name, request)
        return form_values(ImportOptions() if saved is None else ImportOptions.from_dict(saved))

    def save(self, values: Values, request: gr.Request) -> list[Any]:
        def keep(name: str) -> None:
            save_preset(self._context.store, name, self._options(values))

        return self.save_as(values[self.name], request, keep)
