"""Saved presets of an export on the Data page: format, filters and licence under a name, as `evidence export --preset` uses them too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from annotator.exchange.use_cases import export_presets, save_export_preset
from annotator.people.accounts import CURATORS
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from storage.records import InvalidRecord

NO_PRESET = "(none)"
_LISTS = ("criteria", "verdicts", "splits")


class ExportPresets:
    """The list of presets with what saves one. fields: names of the form's fields, before the licence; defaults: their values."""

    def __init__(self, context: Context, fields: Sequence[str], defaults: Mapping[str, Any]) -> None:
        self._context, self._fields, self._defaults = context, (*fields, "license"), defaults

    def build(self) -> None:
        with gr.Accordion("Saved exports", open=False) as self._box:
            self._chosen = gr.Dropdown(
                self._names(),
                value=NO_PRESET,
                label="Use what was saved as",
                interactive=True,
                elem_id="export-preset-chosen",
            )
            self._name = gr.Textbox(
                label="Save format, filters and licence as",
                placeholder="a name",
                max_lines=1,
                elem_id="export-preset-name",
            )
            self._save = gr.Button("Save", size="sm", min_width=90, elem_id="export-preset-save")

    def wire(self, kind: gr.Dropdown, form: Sequence[Any]) -> None:
        self._chosen.input(friendly(self.use), self._chosen, [kind, *form], **QUIET)
        self._save.click(
            friendly(self.save),
            [self._name, kind, *form],
            [self._chosen, self._name],
            show_progress="hidden",
            **QUEUED,
        )
        self._box.expand(friendly(self.refresh), self._chosen, self._chosen, **QUIET)

    def use(self, name: str | None, request: gr.Request) -> list[Any]:
        """The values of the format and of the form."""
        self._context.require(request, *CURATORS)
        saved: Mapping[str, Any] = {}
        if name and name != NO_PRESET:
            there = export_presets(self._context.store)
            if name not in there:
                raise InvalidRecord(f"The preset {name} was deleted by somebody else.")
            saved = there[name]
        values = [saved.get(field, self._defaults.get(field, "")) for field in self._fields]
        listed = [
            [v.strip() for v in value.split(",")] if field in _LISTS and isinstance(value, str) and value else value
            for field, value in zip(self._fields, values, strict=True)
        ]
        return [saved.get("format", self._defaults["format"]), *listed]

    def save(self, request: gr.Request, name: str | None, kind: str, *values: Any) -> list[Any]:
        self._context.require(request, *CURATORS)
        name = (name or "").strip()
        if name == NO_PRESET:
            raise InvalidRecord("Give the preset another name.")
        kept = {f: v.strip() if isinstance(v, str) else v for f, v in zip(self._fields, values, strict=True)}
        kept = {f: v for f, v in kept.items() if v != self._defaults.get(f)}
        save_export_preset(self._context.store, name, {"format": kind, **kept})
        gr.Info(f"{name} was saved.", title="Preset")
        return [gr.Dropdown(choices=self._names(), value=name), ""]

    def refresh(self, chosen: str | None, request: gr.Request) -> Any:
        """Presets that were saved elsewhere by now."""
        self._context.require(request, *CURATORS)
        names = self._names()
        return gr.Dropdown(choices=names, value=chosen if chosen in names else NO_PRESET)

    def _names(self) -> list[str]:
        return [NO_PRESET, *sorted(export_presets(self._context.store))]
