"""The import part of the Data page: a file, what it seems to be, its columns and first rows, and the import itself."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from annotator.exchange.import_runs import ImportRuns, Run
from annotator.exchange.looking import FileLook, look_at
from annotator.exchange.options import LIKELIEST, ODD_EDGES, ImportOptions, ImportReport, took_something
from annotator.people.accounts import CURATORS
from annotator.review.about import about_of
from annotator.ui import data_hub, data_look
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from annotator.ui.data_options import options_form, options_of
from annotator.ui.data_presets import PresetPart
from storage.files import is_over
from storage.formats.ledger import NO_LOSS, Outcome
from storage.records import EvidenceError, InvalidRecord

NO_COLUMN = "(none)"
GUESS = "(as guessed)"
ALL_SHEETS = "(every visible one that holds posts)"
POLL_SECONDS = 0.3
MAPPED = {
    "text": "Text",
    "post_id": "Post id",
    "author": "Author",
    "source": "Source",
    "posted_at": "Date",
    "split": "Split",
    "criterion": "Criterion",
    "verdict": "Verdict",
    "evidence": "Evidence (words)",
    "start": "Start",
    "end": "End",
    "annotator": "Annotator",
}
EXPLANATION = """
Posts as a table, one post per row, or in the file of another annotation tool. What the file seems to be is shown first, with its first
posts. Nothing is stored before you press *Import*, and an import can be undone as a whole.
"""
KINDS = """
CSV, TSV, Excel, JSON, JSON Lines, Parquet, SQuAD, Label Studio, doccano, Prodigy, Argilla, brat, CoNLL, WebAnno TSV, UIMA CAS, spaCy, a
Hugging Face dataset folder, the ReDSM5 layout, Reddit dumps; each also packed.
"""
EMPTY = "Choose a file, or paste some rows. Its first posts are then shown here as they would be stored."


def build(context: Context) -> None:
    runs = ImportRuns(context.settings, context.store, context.jobs)
    gr.Markdown(EXPLANATION, elem_id="import-explained")
    with gr.Row(equal_height=False, elem_id="import-parts"):
        with gr.Column(min_width=280):
            file = gr.File(label="File", type="filepath", height=130, elem_id="import-file")
            with gr.Accordion("Or paste", open=False):
                pasted = gr.Textbox(
                    label="Rows with a header, or JSON lines", lines=5, max_lines=12, elem_id="import-paste"
                )
                use_pasted = gr.Button("Look at what I pasted", size="sm")
            fetched = data_hub.build_fetch(context, file)
            with gr.Accordion("Which kinds of files", open=False):
                gr.Markdown(KINDS)
        with gr.Column(min_width=280):
            empty = gr.Markdown(EMPTY, elem_id="import-empty")
            seen = gr.Textbox(
                label="What it seems to be",
                placeholder=" ",
                lines=1,
                max_lines=4,
                interactive=False,
                elem_id="import-seen",
            )
            sheet = gr.Dropdown(
                [(ALL_SHEETS, "")], value="", label="Sheet", visible=False, interactive=True, elem_id="import-sheet"
            )
            with gr.Accordion("Columns", open=True, visible=False) as columns_box, gr.Row():
                columns = [
                    gr.Dropdown([GUESS, NO_COLUMN], value=GUESS, label=label, min_width=150, interactive=True)
                    for label in MAPPED.values()
                ]
            preview = gr.HTML("", padding=False, elem_id="import-preview")
            with gr.Row():
                run = gr.Button("Import", variant="primary", min_width=110, interactive=False, elem_id="import-run")
                check = gr.Button("Check the whole file", min_width=110, interactive=False, elem_id="import-check")
                cancel = gr.Button("Cancel", min_width=90, visible=False, elem_id="import-cancel")
            progress = gr.Textbox(
                label="Result", placeholder=" ", lines=1, max_lines=16, interactive=False, elem_id="import-result"
            )
        with gr.Column(min_width=280):
            form = options_form()
            presets = PresetPart(context, lambda values: page.options(values))
            presets.build()
    page = _ImportPage(context, runs, presets, _Inputs(file, pasted, form, columns, sheet))
    everything = {
        file,
        pasted,
        presets.chosen,
        sheet,
        *form,
        *columns,
    }  # a set: handlers are given one dict, by component
    shown = [empty, run, check, progress, seen, columns_box, preview, sheet, *columns]
    followed = [progress, cancel]
    look, again = friendly(page.look), friendly(page.look_again)
    for chosen in (file.upload, file.clear, fetched):  # not its change: looking at pasted rows changes it too
        chosen(friendly(page.look_at_file), everything, [*shown, pasted], **QUEUED)
    use_pasted.click(friendly(page.look_at_pasted), everything, [*shown, file], **QUEUED)
    presets.wire(form, everything, look, shown)
    for control in (*columns, *form):
        control.input(again, everything, [run, check, progress, seen, preview], **QUIET)
    sheet.input(look, everything, shown, **QUIET)
    check.click(friendly(page.check), everything, followed, concurrency_limit=4, show_progress="hidden", **QUEUED)
    run.click(friendly(page.run), everything, followed, concurrency_limit=4, show_progress="hidden", **QUEUED)
    cancel.click(friendly(page.cancel), None, None, **QUIET)
    blocks = gr.context.Context.root_block
    assert blocks is not None
    blocks.load(friendly(page.resume), None, followed, show_progress="hidden", **QUEUED)


@dataclass(frozen=True)
class _Inputs:
    """The components that say what is imported, and how."""

    file: gr.File
    pasted: gr.Textbox
    form: list[Any]
    columns: list[gr.Dropdown]
    sheet: gr.Dropdown


class _ImportPage:
    """The handlers of the import part; `values` is what the components hold."""

    def __init__(self, context: Context, runs: ImportRuns, presets: PresetPart, inputs: _Inputs) -> None:
        self._context, self._runs, self._presets = context, runs, presets
        self._file, self._pasted, self._sheet = inputs.file, inputs.pasted, inputs.sheet
        self._form, self._columns = inputs.form, inputs.columns

    def look_at_file(self, values: dict[Any, Any], request: gr.Request) -> list[Any]:
        """A file was chosen, fetched or taken away: it takes the place of rows that were pasted."""
        taken = bool(values[self._file])
        if taken and (values[self._pasted] or "").strip():
            gr.Info("The file takes the place of the rows that you pasted.", title="File")
        return [*self.look(values, request), "" if taken else gr.skip()]

    def look_at_pasted(self, values: dict[Any, Any], request: gr.Request) -> list[Any]:
        """The pasted rows take the place of a chosen file."""
        self._context.require(request, *CURATORS)
        if not (values[self._pasted] or "").strip():
            raise InvalidRecord("Paste some rows first.")
        if values[self._file]:
            gr.Info("The rows that you pasted take the place of the file.", title="Pasted rows")
        return [*self.look({**values, self._file: None}, request), None]

    def look(self, values: dict[Any, Any], request: gr.Request) -> list[Any]:
        """A new file or another preset: what it is, its columns as choices, its first rows. What came of another goes away."""
        self._context.require(request, *CURATORS)
        path = self._path(values)
        if path is None:
            none = [gr.Markdown(visible=True), *_buttons(None), ""]
            return [*none, "", gr.Accordion(visible=False), "", _sheets(()), *[gr.Dropdown()] * len(MAPPED)]
        look, missing = self._look_with_preset(path, values)
        there = [gr.Markdown(visible=False), *_buttons(look), ""]
        choices = [GUESS, NO_COLUMN, *look.columns]
        empty = (
            NO_COLUMN if look.mapping else GUESS
        )  # objects of a tool's own format have no mapping but what is chosen
        dropdowns = [gr.Dropdown(choices=choices, value=look.mapping.get(name) or empty) for name in MAPPED]
        words = _in_words(look) + (
            f"\nThe preset's columns {', '.join(missing)} are not in this file." if missing else ""
        )
        boxed = gr.Accordion(visible=bool(look.columns))
        columns = dropdowns if look.columns else [gr.Dropdown(value=GUESS)] * len(MAPPED)
        return [*there, words, boxed, self._drawn(look), _sheets(look.sheets, values[self._sheet]), *columns]

    def look_again(self, values: dict[Any, Any], request: gr.Request) -> list[Any]:
        """Another mapping, format or option for the same file."""
        self._context.require(request, *CURATORS)
        path = self._path(values)
        if path is None:
            return [*_buttons(None), "", "", ""]
        look = self._look(path, self.options(values))
        return [*_buttons(look), "", _in_words(look), self._drawn(look)]

    def _drawn(self, look: FileLook) -> str:
        return data_look.shown(look, about_of(self._context.store).language)

    def check(self, values: dict[Any, Any], request: gr.Request) -> Iterator[list[Any]]:
        yield from self._start(values, request, dry_run=True)

    def run(self, values: dict[Any, Any], request: gr.Request) -> Iterator[list[Any]]:
        yield from self._start(values, request, dry_run=False)

    def cancel(self, request: gr.Request) -> None:
        self._runs.cancel(self._context.require(request, *CURATORS).name)

    def resume(self, request: gr.Request) -> Iterator[list[Any]]:
        """After a reload: the import that is still running."""
        person = self._context.user(request)
        run = self._runs.current(person.name)
        if run is not None and not run.finished.is_set():
            yield from _followed(run)

    def _start(self, values: dict[Any, Any], request: gr.Request, *, dry_run: bool) -> Iterator[list[Any]]:
        person = self._context.require(request, *CURATORS)
        path = self._path(values)
        if path is None:
            raise InvalidRecord("Choose a file, or paste some rows, first.")
        if values[self._file] and (values[self._pasted] or "").strip():
            raise InvalidRecord(
                "There are a file and pasted rows. Take the file away, or look at what you pasted, first."
            )
        name = path.name if values[self._file] else "pasted rows"
        run = self._runs.start(path, self.options(values), by=person.name, file_name=name, dry_run=dry_run)
        yield from _followed(run)

    def _look_with_preset(self, path: Path, values: dict[Any, Any]) -> tuple[FileLook, list[str]]:
        """(the file as guessed, with the columns of the preset in use on top; those of them that it does not have)."""
        options = self.options(values, mapped=False)
        look, wanted = self._look(path, options), self._presets.columns(values[self._presets.chosen])
        if not look.columns or not wanted:
            return look, []
        there = {field: column for field, column in wanted.items() if not column or column in look.columns}
        missing = sorted({column for column in wanted.values() if column and column not in look.columns})
        return self._look(path, dataclasses.replace(options, columns=there)), missing

    def options(self, values: dict[Any, Any], *, mapped: bool = True) -> ImportOptions:
        chosen = {name: values[c] for name, c in zip(MAPPED, self._columns, strict=True) if mapped}
        columns = {n: "" if c == NO_COLUMN else c for n, c in chosen.items() if c and c != GUESS}
        return dataclasses.replace(
            options_of([values[c] for c in self._form], columns), sheet=values[self._sheet] or None
        )

    def _path(self, values: dict[Any, Any]) -> Path | None:
        return Path(values[self._file]) if values[self._file] else self._pasted_file(values[self._pasted])

    def _pasted_file(self, pasted: str | None) -> Path | None:
        if not pasted or not pasted.strip():
            return None
        folder = self._context.settings.uploads_dir / "pasted"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            if is_over(old.stat().st_mtime, 3600.0):
                old.unlink(missing_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix="pasted-", suffix=".txt", delete=False, encoding="utf-8", newline=""
        ) as file:
            file.write(pasted)
        return Path(file.name)

    def _look(self, path: Path, options: ImportOptions) -> FileLook:
        folder = Path(tempfile.mkdtemp(prefix="look-", dir=self._context.settings.uploads_dir))
        try:
            return look_at(self._context.store, path, options, folder=folder)
        except EvidenceError as error:  # said in the place of the preview: another file's must not stay there
            return FileLook("", "", "", "", "", problem=str(error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _followed(run: Run) -> Iterator[list[Any]]:
    """What is to be read of a running import, and whether it can be cancelled; at last its report."""
    last = ""
    while not run.finished.wait(POLL_SECONDS):
        now = f"{'Checking' if run.dry_run else 'Importing'}: {run.fraction:.0%}, {run.message}"
        if now != last:
            yield [now, gr.Button("Cancel", visible=True)]  # without its words it comes back empty
        last = now
    words = run.error if run.error else report_in_words(run.report, dry_run=run.dry_run)
    yield [words, gr.Button(visible=False)]


def _buttons(look: FileLook | None) -> list[gr.Button]:
    """Import and Check: neither without a file that can be read, and no import of one of which nothing would be taken."""
    readable = look is not None and look.problem is None
    useful = look is not None and readable and (not look.whole or took_something(look.report.to_dict()))
    return [gr.Button(interactive=useful), gr.Button(interactive=readable)]


def _in_words(look: FileLook) -> str:
    if not look.title:
        return ""
    words = f"{look.title} ({look.reason}), {look.encoding}"
    return words + (f"; {look.encoding_note}" if look.encoding_note else "")


def _sheets(names: tuple[str, ...], chosen: str | None = None) -> gr.Dropdown:
    """The choice of a workbook's sheet, where there are several."""
    choices = [(ALL_SHEETS, ""), *((n, n) for n in names)]
    return gr.Dropdown(choices=choices, value=chosen if chosen in names else "", visible=len(names) > 1)


def _counted(count: int, words: str) -> str:
    """`2 rows refused`, `1 row refused`: all of the report's lines begin with what is counted."""
    first, _, rest = words.partition(" ")
    return f"{count:,} {first.removesuffix('s') if count == 1 else first}{' ' + rest if rest else ''}"


def report_in_words(report: ImportReport | None, *, dry_run: bool) -> str:
    """The counts of a report, one per line; only those that say something."""
    if report is None:
        return "Done."
    new = "would be imported" if dry_run else "imported"
    counts = [
        (report.imported, f"posts {new}"),
        (report.duplicates, "rows whose post is there already"),
        (report.rejected_count, "rows refused"),
        (report.annotations, "annotations"),
        (report.known_annotations, "annotations that were there already"),
        (report.predictions, "predictions"),
        (report.aligned, "pieces of evidence found in their post by their words"),
        (
            report.several_places,
            "pieces of evidence whose words stand in several places of their post: the first is taken",
        ),
        (report.likeliest, f"pieces of evidence {LIKELIEST}"),
        (report.odd_edges, f"passages {ODD_EDGES}"),
        (report.uncertain, "pieces of evidence for you to confirm (Uncertain evidence)"),
        (report.unaligned, "pieces of evidence not found"),
        (report.repaired, "offsets in UTF-16 units converted"),
        (report.labels_refused, "labels not taken"),
        (report.renamed, "ids or names kept as another one"),
        (report.masked, "passages masked"),
        (report.generated_ids, "ids made from the texts, for want of a column of ids"),
        (
            report.mojibake_rows - report.mended_rows,
            "texts that look wrongly decoded (such as â€™ for ’): they can be mended",
        ),
        (report.mended_rows, "wrongly decoded texts mended"),
    ]
    lines = [report.language] if report.language else []
    lines += [_counted(count, words) for n, (count, words) in enumerate(counts) if count or n == 0]
    lines += [f"Unknown label {name!r} ({count})" for name, count in list(report.unknown_criteria.items())[:10]]
    lines += [f"New criterion {name}" for name in report.new_criteria[:20]]
    lines += [f"Model {old} is kept as {new} here" for old, new in report.renamed_models.items()]
    lines += [f"Row {item['row']}: {item['reason']}" for item in report.rejected[:10]]
    left = [e for e in report.ledger if e["outcome"] == Outcome.LEFT and e["detail"] not in NO_LOSS]
    lines += [f"Left out: {e['what']} {e['name']} ({e['count']:,}): {e['detail']}" for e in left[:12]]
    held = [e for e in report.ledger if e["outcome"] == Outcome.KEPT]
    lines += [
        f"Kept with the posts: {e['what']} {e['name']} ({e['count']:,}): {e['detail']}" for e in held if e["detail"]
    ][:12]
    kept = [e["name"] for e in held if not e["detail"]]
    lines += [f"Kept with the posts: {', '.join(kept[:20])}"] if kept else []
    if dry_run:
        lines.append("Nothing has been stored yet.")
    elif report.imported:
        lines.append("Review shows them from now on. Past imports can take them out again.")
    return "\n".join(lines)
