"""Saved presets of an export on the Data page: format, filters and licence under a name, as `evidence export --preset` uses them too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from annotator.exchange.use_cases import delete_export_preset, export_presets, save_export_preset
from annotator.teams.naming import called_before
from annotator.ui.context import QUIET, Context, friendly
from annotator.ui.saved_presets import Kept, Labels, SavedPresets

_LISTS = ("criteria", "verdicts", "splits")


class ExportPresets(SavedPresets):
    """fields: names of the form's fields, before the licence; defaults: their values."""

    def __init__(self, context: Context, fields: Sequence[str], defaults: Mapping[str, Any]) -> None:
        super().__init__(context, Kept(export_presets, delete_export_preset))
        self._fields, self._defaults = (*fields, "license"), defaults

    def build(self) -> None:
        info = "`evidence export --preset` knows it too."
        self.lay_out(
            Labels(
                "Saved exports", "Use what was saved as", info, "Save format, filters and licence as", "export-preset"
            )
        )

    def wire(self, kind: gr.Dropdown, form: Sequence[Any]) -> None:
        self.chosen.input(friendly(self.use), self.chosen, [kind, *form], **QUIET)
        self.wire_list(self.save, [self.name, kind, *form])

    def use(self, name: str | None, request: gr.Request) -> list[Any]:
        """The values of the format and of the form."""
        saved = {**(self.saved(name, request) or {})}
        if "reviewer" in saved:
            saved["reviewer"] = called_before(self._context.store, self._context.user(request))(saved["reviewer"])
        values = [saved.get(field, self._defaults.get(field, "")) for field in self._fields]
        listed = [
            [v.strip() for v in value.split(",")] if field in _LISTS and isinstance(value, str) and value else value
            for field, value in zip(self._fields, values, strict=True)
        ]
        return [saved.get("format", self._defaults["format"]), *listed]

    def save(self, request: gr.Request, name: str | None, kind: str, *values: Any) -> list[Any]:
        kept = {f: v.strip() if isinstance(v, str) else v for f, v in zip(self._fields, values, strict=True)}
        kept = {f: v for f, v in kept.items() if v != self._defaults.get(f)}
        if kept.get("reviewer"):
            person = called_before(self._context.store, self._context.user(request)).person
            kept["reviewer"] = person(kept["reviewer"])

        def keep(name: str) -> None:
            save_export_preset(self._context.store, name, {"format": kind, **kept})

        return self.save_as(name, request, keep)
