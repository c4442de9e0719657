"""The options of an import on the Data page, and their saved presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from annotator import exchange
from annotator.accounts import CURATORS
from annotator.exchange.labels import mapping_of
from annotator.exchange.options import ImportOptions, LabelsAs, SameText
from annotator.ui.context import QUIET, Context, friendly
from storage.records import InvalidRecord, Split

LABEL_CHOICES = [
    ("Annotations, under each annotator's name", LabelsAs.ANSWERS.value),
    ("Gold: the settled answers", LabelsAs.GOLD.value),
    ("Predictions, to be reviewed", LabelsAs.PREDICTIONS.value),
    ("Leave them out", LabelsAs.IGNORE.value),
]


def options_form(context: Context) -> list[Any]:
    """The options, in the order that `options_of` takes them."""
    formats = [("Find out", exchange.AUTO), *exchange.format_choices(exchange.READERS)]
    form: list[Any] = [gr.Dropdown(formats, value=exchange.AUTO, label="Format", interactive=True)]
    with gr.Accordion("Options", open=False):
        form.append(
            gr.Textbox(label="Encoding (empty: find out)", placeholder="utf-8, cp1252, mac_roman …", max_lines=1)
        )
        form.append(
            gr.Dropdown(LABEL_CHOICES, value=LABEL_CHOICES[0][1], label="Labels in the file become", interactive=True)
        )
        form.append(gr.Textbox(label="Annotator, where the file names none", value="imported", max_lines=1))
        form.append(gr.Textbox(label="Labels under other names, one `in the file = criterion` a line", lines=2))
        form.append(gr.Checkbox(label="Add criteria that the project does not have", value=False))
        form.append(gr.Checkbox(label="Keep posts with the same text under another id", value=False))
        splits = [("As in the file, else by author or id", ""), *((s.value, s.value) for s in Split)]
        form.append(gr.Dropdown(splits, value="", label="Split", interactive=True))
        form.append(gr.Checkbox(label="Mask e-mail addresses, phone numbers, links and user names", value=False))
    with gr.Accordion("Presets", open=False):
        names = gr.Dropdown(sorted(exchange.presets(context.store)), label="Saved options", interactive=True)
        name = gr.Textbox(label="Save the options above as", max_lines=1)
        with gr.Row():
            load, save = gr.Button("Use", size="sm"), gr.Button("Save", size="sm")
    load.click(friendly(_preset_loader(context)), names, form, **QUIET)
    save.click(friendly(_preset_saver(context, name, form)), {name, *form}, names, **QUIET)
    return form


def _preset_loader(context: Context) -> Any:
    def load(name: str | None, request: gr.Request) -> list[Any]:
        context.require(request, *CURATORS)
        saved = exchange.presets(context.store).get(name or "")
        if saved is None:
            raise InvalidRecord("Choose a preset first.")
        options = ImportOptions.from_dict(saved)
        lines = "\n".join(f"{k} = {v}" for k, v in options.criteria.items())
        keep = options.same_text is SameText.KEEP
        values = [
            options.format,
            options.encoding or "",
            options.labels_as,
            options.annotator,
            lines,
            options.new_criteria,
        ]
        return [*values, keep, options.split or "", options.mask]

    return load


def _preset_saver(context: Context, name: gr.Textbox, form: list[Any]) -> Any:
    def save(values: dict[Any, Any], request: gr.Request) -> Any:
        context.require(request, *CURATORS)
        exchange.save_preset(context.store, values[name], options_of([values[c] for c in form], {}))
        return gr.Dropdown(choices=sorted(exchange.presets(context.store)), value=values[name].strip())

    return save


def options_of(form: list[Any], columns: Mapping[str, str]) -> ImportOptions:
    """Import options from the values of the form. Raises InvalidRecord for a mapping that cannot be read."""
    kind, encoding, labels_as, annotator, criteria, new, keep, split, mask = form
    return ImportOptions(
        format=kind or exchange.AUTO,
        encoding=(encoding or "").strip() or None,
        columns=dict(columns),
        labels_as=LabelsAs(labels_as),
        annotator=(annotator or "").strip() or "imported",
        criteria=dict(mapping_of(criteria or "")),
        new_criteria=bool(new),
        same_text=SameText.KEEP if keep else SameText.SKIP,
        split=Split(split) if split else None,
        mask=bool(mask),
    )
