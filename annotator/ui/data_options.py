"""The options of an import on the Data page: the form, and what it says as `ImportOptions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from annotator.exchange.labels import mapping_of
from annotator.exchange.options import ImportOptions, LabelsAs, SameText
from annotator.exchange.use_cases import format_choices
from storage.formats.registry import AUTO, READERS
from storage.records import Split

LABEL_CHOICES = [
    ("Annotations, under each annotator's name", LabelsAs.ANSWERS.value),
    ("Gold: the settled answers", LabelsAs.GOLD.value),
    ("Predictions, to be reviewed", LabelsAs.PREDICTIONS.value),
    ("Leave them out", LabelsAs.IGNORE.value),
]


def options_form() -> list[Any]:
    """The options, in the order that `options_of` takes them."""
    formats = [("Automatic", AUTO), *format_choices(READERS)]
    form: list[Any] = [gr.Dropdown(formats, value=AUTO, label="Format", interactive=True)]
    with gr.Accordion("Options", open=False):
        form.append(
            gr.Textbox(label="Encoding (empty: found out)", placeholder="utf-8, cp1252, mac_roman …", max_lines=1)
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
        form.append(gr.Checkbox(label="Mend wrongly decoded texts (don‚Äôt becomes don’t)", value=False))
        form.append(gr.Checkbox(label="Turn HTML entities into characters (&amp; becomes &)", value=False))
        form.append(gr.Checkbox(label="Import nothing if anything of the file would be lost", value=False))
    return form


def form_values(options: ImportOptions) -> list[Any]:
    """What the form shows for the options, in its order."""
    lines = "\n".join(f"{k} = {v}" for k, v in options.criteria.items())
    values = [options.format, options.encoding or "", options.labels_as, options.annotator, lines, options.new_criteria]
    return [
        *values,
        options.same_text is SameText.KEEP,
        options.split or "",
        options.mask,
        options.mend,
        options.unescape,
        options.strict,
    ]


def options_of(form: list[Any], columns: Mapping[str, str]) -> ImportOptions:
    """Import options from the values of the form. Raises InvalidRecord for a mapping that cannot be read."""
    kind, encoding, labels_as, annotator, criteria, new, keep, split, mask, mend, unescape, strict = form
    return ImportOptions(
        format=kind or AUTO,
        encoding=(encoding or "").strip() or None,
        columns=dict(columns),
        labels_as=LabelsAs(labels_as),
        annotator=(annotator or "").strip() or "imported",
        criteria=dict(mapping_of(criteria or "")),
        new_criteria=bool(new),
        same_text=SameText.KEEP if keep else SameText.SKIP,
        split=Split(split) if split else None,
        mask=bool(mask),
        mend=bool(mend),
        unescape=bool(unescape),
        strict=bool(strict),
    )
