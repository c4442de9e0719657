"""The export part of the Data page, and the criteria set."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from annotator.exchange.downloads import prepare_export
from annotator.exchange.use_cases import export_filter, format_choices
from annotator.people.accounts import CURATORS
from annotator.project import replace_criteria
from annotator.teams.naming import called_before
from annotator.ui import data_hub
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from annotator.ui.data_export_presets import ExportPresets
from annotator.words import counted
from storage.criteria_file import read_criteria, read_criteria_set
from storage.exports import Answers, ExportFilter
from storage.formats.registry import WRITERS, format_named
from storage.records import EvidenceError, InvalidRecord, Reviewer, Role, Split, Verdict

EVERYBODY = "(everybody)"
FILTERS = (
    "answers",
    "reviewer",
    "criteria",
    "verdicts",
    "splits",
    "since",
    "until",
    "model_version",
    "unreviewed",
    "discussions",
)  # in the order of the form, whose last field is the licence
DEFAULTS = {
    "format": "jsonl",
    "answers": Answers.GOLD.value,
    "reviewer": EVERYBODY,
    "criteria": [],
    "verdicts": [],
    "splits": [],
    "unreviewed": False,
    "discussions": False,
}
EXPLANATION = """
*JSON Lines, complete* has everything: each answer as it was changed, rejected passages, and where each passage came from. The other
formats have the answers; what was left out is said under *Result* and in the summary that comes with the file.
"""


def build(context: Context, tab: gr.Tab) -> None:
    gr.Markdown(EXPLANATION, elem_id="export-explained")
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            kind = gr.Dropdown(
                format_choices(WRITERS),
                value="jsonl",
                label="Format",
                interactive=True,
                elem_id="export-format",
            )
            form = _filter_form(context)
            presets = ExportPresets(context, FILTERS, DEFAULTS)
            presets.build()
            run = gr.Button("Prepare the download", variant="primary", elem_id="export-run")
        with gr.Column(scale=3, min_width=320):
            result = gr.Textbox(
                label="Result", placeholder=" ", lines=1, max_lines=16, interactive=False, elem_id="export-result"
            )
            link = gr.HTML("", padding=False, elem_id="export-link")

    push = data_hub.PushPart(context)
    ask, repository, shown = push.build()

    def export(request: gr.Request, format_name: str, *values: Any) -> Iterator[Any]:
        person = context.require(request, *CURATORS)
        yield from _exported(context, format_name, *_chosen(context, values, person))

    def show(request: gr.Request, name: str, *values: Any) -> list[Any]:
        return push.ask(name, *_chosen(context, values, context.user(request)), request)

    def refresh(request: gr.Request) -> list[Any]:
        """Who has answered and which criteria there are by now: the page was built when the app started."""
        person = context.require(request, *CURATORS)
        return [gr.Dropdown(choices=choices) for choices in (reviewers_before(context, person), _criteria(context))]

    presets.wire(kind, form)
    tab.select(friendly(refresh), None, form[1:3], **QUIET)
    run.click(friendly(export), [kind, *form], [result, link], concurrency_limit=2, show_progress="hidden", **QUEUED)
    ask.click(friendly(show), [repository, *form], shown, **QUEUED)


def _chosen(context: Context, values: Sequence[Any], person: Reviewer) -> tuple[ExportFilter, str]:
    """(filter, licence) from the values of the form, in its order, as this person may have them."""
    *_, license_name = values
    chosen = dict(zip(FILTERS, values, strict=False))
    one = chosen["reviewer"] not in (EVERYBODY, None)
    chosen["reviewer"] = called_before(context.store, person).person(chosen["reviewer"]) if one else None
    texts = {name: (chosen[name] or "").strip() for name in ("since", "until", "model_version")}
    wanted = export_filter({**chosen, **texts})
    return replace(wanted, reader=person.name), (license_name or "").strip() or "unknown"


def reviewers_before(context: Context, person: Reviewer) -> list[str]:
    """Whose answers can be chosen, as they are called before the person."""
    names = (r.name for r in context.store.reviewers())
    return [EVERYBODY, *called_before(context.store, person).all(names)]


def _criteria(context: Context) -> list[tuple[str, str]]:
    return [(c.name, c.id) for c in context.store.criteria(with_inactive=True)]


def _filter_form(context: Context) -> list[Any]:
    answers = [
        ("Gold: the settled answer", Answers.GOLD.value),
        ("Each reviewer's latest answer", Answers.LATEST.value),
    ]
    with gr.Accordion("Which answers", open=False):
        return [
            gr.Dropdown(answers, value=Answers.GOLD.value, label="Answers", interactive=True),
            gr.Dropdown(
                [EVERYBODY], value=EVERYBODY, label="Reviewer", interactive=True
            ),  # the page is the same for all
            gr.Dropdown(_criteria(context), multiselect=True, label="Criteria (none chosen: all)", interactive=True),
            gr.Dropdown(
                [(v.value.replace("_", " "), v.value) for v in Verdict],
                multiselect=True,
                label="Verdicts (none chosen: all)",
                interactive=True,
            ),
            gr.Dropdown(
                [s.value for s in Split], multiselect=True, label="Splits (none chosen: all)", interactive=True
            ),
            gr.Textbox(label="Decided from (UTC, such as 2026-11-01)", max_lines=1),
            gr.Textbox(label="Decided until", max_lines=1),
            gr.Textbox(label="Decided on the marks of model version", max_lines=1),
            gr.Checkbox(label="Also posts without such an answer", value=False),
            gr.Checkbox(label="Also what people said about the posts (JSON Lines, complete)", value=False),
            gr.Textbox(label="Licence, for the dataset card", placeholder="unknown", max_lines=1),
        ]


def _exported(context: Context, format_name: str, chosen: ExportFilter, license_name: str) -> Iterator[Any]:
    """Progress while the file is written, then what is in it and the link."""
    messages: queue.Queue[Any] = queue.Queue()

    def work() -> None:
        try:
            done = prepare_export(
                context.settings,
                context.store,
                format_name,
                chosen,
                license_name=license_name,
                on_progress=messages.put,
            )
            messages.put(done)
        except Exception as error:
            messages.put(error)  # raised again where the page hears it
        finally:
            context.store.close()

    threading.Thread(target=work, daemon=True, name="export").start()
    while isinstance(message := messages.get(), int):
        yield f"{counted(message, 'post')} written", ""
    if isinstance(message, Exception):
        raise message
    export_id, manifest = message
    yield _in_words(manifest), _links(export_id, manifest)


COUNTED = (("posts", "post"), ("annotations", "answer"), ("spans", "span"))


def _in_words(manifest: dict[str, Any]) -> str:
    lines = [", ".join(counted(manifest[name], word) for name, word in COUNTED) + "."]
    if not manifest["posts"]:
        lines.append("No post has an answer that fits. Review some posts, or change what is asked for.")
    lines += [f"Left out: {count} {what}" for what, count in manifest["left_out"].items()]
    lines += [f"This format cannot carry: {what}" for what in manifest["cannot_carry"]]
    return "\n".join(lines)


def _links(export_id: str, manifest: dict[str, Any]) -> str:
    if not manifest["posts"]:
        return ""
    single = bool(format_named(manifest["format"]).suffix)
    summary = f'<a href="export/{export_id}/manifest" download>Summary of what is in it and what is not</a>'
    more = f" · {summary}" if single else ""
    return f'<a href="export/{export_id}" download id="export-download">Download</a>{more} (kept for an hour)'


def _in_use(count: int) -> str:
    return "1 criterion is in use now." if count == 1 else f"{count} criteria are in use now."


def build_criteria(context: Context) -> None:
    gr.Markdown(
        "A YAML, JSON, JSON Lines or CSV file with `id`, `name`, `text` (what the model reads) and `guideline` (what the reviewer"
        " reads), and `examples` and `counterexamples` if there are some. It becomes the set in use; a changed wording becomes a new"
        " version, and nothing that was decided is lost."
    )
    file = gr.File(
        label="Criteria file", type="filepath", height=120, file_types=[".yaml", ".yml", ".json", ".jsonl", ".csv"]
    )
    table = gr.Dataframe(
        headers=["id", "name", "text"], datatype="str", interactive=False, wrap=True, label="In the file", visible=False
    )
    save = gr.Button("Use this set", variant="primary")

    def look(path: str | None, request: gr.Request) -> Any:
        context.require(request, Role.ADMIN)
        rows = [[c.id, c.name, c.text] for c in read_criteria(Path(path))] if path else []
        return gr.Dataframe(value=rows, visible=bool(rows))

    def use(path: str | None, request: gr.Request) -> None:
        person = context.require(request, Role.ADMIN)
        if not path:
            raise InvalidRecord("Choose a file first.")
        try:
            saved = replace_criteria(context.store, read_criteria_set(Path(path)), by=person.name)
        except EvidenceError as error:
            raise InvalidRecord(str(error)) from error
        context.models.reload()
        gr.Info(_in_use(len(saved)), title="Criteria")

    file.change(friendly(look), file, table, **QUIET)
    save.click(friendly(use), file, None, **QUEUED)
