"""Imports and exports as use cases: what the page, the command line and the worker call.

Formats read rows, `align` finds the spans, the store keeps them; the parts are `importing` and `staging`,
`exporting`, `labels` (labels to annotations), `confirm` (uncertain evidence), `masking`, `hub_datasets`.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import datetime as dt
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from annotator.exchange import hub_datasets
from annotator.exchange.exporting import ExportRefused
from annotator.exchange.importing import check_import, run_import
from annotator.exchange.options import ImportOptions, ImportReport
from annotator.exchange.watch import Watch
from annotator.job_context import WorkerStopping
from annotator.words import counted
from storage.exports import Answers, ExportFilter
from storage.formats.delimited import guard
from storage.formats.registry import AUTO, format_named, writer_named
from storage.jobs import JobLost
from storage.records import InvalidRecord, Split, Verdict
from storage.store import Store

if TYPE_CHECKING:
    from annotator.job_context import JobContext
    from annotator.project import Project

Choice = TypeVar("Choice", bound=StrEnum)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?")
PRESETS, EXPORT_PRESETS = "import_presets", "export_presets"


def import_file(project: Project | Store, path: Path | str, format: str = AUTO, **options: Any) -> dict[str, Any]:
    """Import a file, a folder, or a dataset of the Hub (`hub:owner/name`); it is seen whole or not at all.

    Returns {"imported", "duplicates", "rejected": [{"row", "reason"}], "aligned", "unaligned", ...} as in `ImportReport`.
    options: fields of `ImportOptions`, and `by`, `on_progress`, `should_cancel`, `dry_run`.
    Raises FormatError, ImportRefused, ImportCancelled or HubRefused; nothing is imported then.
    """
    store = project if isinstance(project, Store) else project.store
    dry_run = bool(options.pop("dry_run", False))
    watch = Watch(options.pop("on_progress", None), options.pop("should_cancel", None))
    by = options.pop("by", None)
    chosen = ImportOptions.from_dict({"format": format, **options})
    with _source(path, store) as (source, name):
        if dry_run:
            return check_import(store, source, chosen, watch=watch).to_dict()
        return run_import(store, source, chosen, by=by, file_name=name, watch=watch).to_dict()


@contextlib.contextmanager
def _source(path: Path | str, store: Store) -> Iterator[tuple[Path, str]]:
    """(file or folder, its name in the list of imports); `hub:owner/name` is fetched first."""
    if not str(path).startswith(hub_datasets.PREFIX):
        yield Path(path), Path(path).absolute().name
        return
    with hub_datasets.fetched(str(path).removeprefix(hub_datasets.PREFIX), store.path.parent) as folder:
        yield folder, str(path)


def what_undoing_removes(store: Store, record: Mapping[str, Any]) -> tuple[str, bool]:
    """A line on what goes if an import is undone, and whether people's work goes with it. record: as the store lists it."""
    answers, decisions, people = store.work_on_import(record["id"])
    work = ""
    if answers or decisions:
        decided = f" and {counted(decisions, 'decision')} of who adjudicated" if decisions else ""
        whose = counted(people, "person", "people")
        work = f", WITH {counted(answers, 'answer')}{decided} that {whose} gave to them since"
    posts = counted(record["report"].get("imported", 0), "post")
    return (
        f"Import {record['id']} of {record['file_name']}: {posts} would go{work}, and the annotations that it brought for other posts.",
        bool(work),
    )


def undo_import(store: Store, import_id: int, *, on_progress: Callable[[int], None] | None = None) -> dict[str, int]:
    """Take an import back as a whole: its posts with everything on them, and its annotations of other posts.

    Returns {"posts", "annotations"} removed. Raises NotFound, InvalidRecord if it was undone before.
    """
    return store.undo_import(import_id, on_step=on_progress)


def report_lines(store: Store, import_id: int) -> Iterator[str]:
    """The report of an import as CSV lines: every row that was not taken as it stood, and why."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["row", "post_id", "kind", "reason", "evidence"])
    for issue in store.import_issues(import_id):
        cells = [issue.row, issue.post_id, issue.kind, issue.reason, issue.evidence]
        writer.writerow([guard(c) if isinstance(c, str) else c for c in cells])
        if buffer.tell() > 65536:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def export_filter(values: Mapping[str, Any]) -> ExportFilter:
    """A filter from plain values (form fields, JSON, arguments); empty ones are left away. Raises ExportRefused."""
    known = {f.name for f in dataclasses.fields(ExportFilter)} - {"reader"}
    given = {k: v for k, v in values.items() if v not in (None, "", [], ())}
    if unknown := sorted(set(given) - known):
        raise ExportRefused(f"There is no export filter {unknown[0]!r}. Filters: {', '.join(sorted(known))}.")
    for name, kind in (("verdicts", Verdict), ("splits", Split)):
        if name in given:
            given[name] = tuple(_one_of(kind, v, name) for v in _listed(given[name]))
    if "criteria" in given:
        given["criteria"] = tuple(map(str, _listed(given["criteria"])))
    if "answers" in given:
        given["answers"] = _one_of(Answers, given["answers"], "answers")
    for name in ("since", "until"):
        if name in given and not _is_moment(str(given[name])):
            raise ExportRefused(
                f"{name} is {given[name]!r}; write a day as 2026-11-01 or a time in UTC as 2026-11-01T12:30:00Z."
                " Nothing was exported."
            )
    if "since" in given and "until" in given and str(given["since"])[:10] > str(given["until"])[:10]:
        raise ExportRefused(f"since ({given['since']}) is after until ({given['until']}). Nothing was exported.")
    return ExportFilter(**given)


def _one_of(kind: type[Choice], value: Any, name: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        raise ExportRefused(f"{name}: {value!r} is none of {', '.join(kind)}. Nothing was exported.") from None


def _is_moment(text: str) -> bool:
    """Whether the text is a day or a UTC time that compares with stored times as it stands."""
    if not _MOMENT.fullmatch(text):
        return False
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _listed(value: str | Iterable[Any]) -> Iterable[Any]:
    return [v.strip() for v in value.split(",") if v.strip()] if isinstance(value, str) else value


# --- presets


def presets(store: Store) -> dict[str, dict[str, Any]]:
    """Saved import options by name."""
    found: dict[str, dict[str, Any]] = store.setting(PRESETS, {})
    return found


def save_preset(store: Store, name: str, options: ImportOptions) -> None:
    """Keep the options under a name. Raises InvalidRecord for an empty one."""
    if not name.strip():
        raise InvalidRecord("Give the preset a name.")
    store.set_setting(PRESETS, presets(store) | {name.strip(): options.to_dict()})


def delete_preset(store: Store, name: str) -> None:
    store.set_setting(PRESETS, {k: v for k, v in presets(store).items() if k != name})


def delete_export_preset(store: Store, name: str) -> None:
    store.set_setting(EXPORT_PRESETS, {k: v for k, v in export_presets(store).items() if k != name})


def export_presets(store: Store) -> dict[str, dict[str, Any]]:
    """Saved choices of an export by name: what `save_export_preset` was given."""
    found: dict[str, dict[str, Any]] = store.setting(EXPORT_PRESETS, {})
    return found


def save_export_preset(store: Store, name: str, values: Mapping[str, Any]) -> None:
    """Keep `format`, `license` and the filters of `export_filter` under a name, empty ones left away.

    Raises InvalidRecord for an empty name, ExportRefused for a filter that is none, FormatError for an unknown format.
    """
    if not name.strip():
        raise InvalidRecord("Give the preset a name.")
    kept = {k: v for k, v in values.items() if v not in (None, "", [], (), False)}
    export_filter({k: v for k, v in kept.items() if k not in ("format", "license")})
    if "format" in kept:
        writer_named(str(kept["format"]))
    store.set_setting(EXPORT_PRESETS, export_presets(store) | {name.strip(): kept})


# --- as a job of the worker


def run_import_job(context: JobContext) -> None:
    """Run an import job: payload {"path", "file_name", "options", "remove"}. Showing the import and ending the job are one transaction.

    The file is removed if so asked, however the job ends, unless it goes on later.
    """
    payload = context.job.payload
    path = Path(payload["path"])

    def end(report: ImportReport) -> None:
        context.still_mine()
        context.jobs.finish(context.job, report.to_dict())

    def tell(fraction: float, message: str) -> None:
        if context.jobs.get(context.job.id).finished_at is None:
            context.monitor.progress(fraction, "import", message)

    goes_on = False
    try:
        run_import(
            context.store,
            path,
            ImportOptions.from_dict(payload.get("options", {})),
            by=context.job.created_by,
            file_name=payload.get("file_name"),
            watch=Watch(tell, also=end),
        )
    except (WorkerStopping, JobLost):
        goes_on = True
        raise
    finally:
        if payload.get("remove") and not goes_on:
            path.unlink(missing_ok=True)


def format_choices(names: Iterable[str]) -> list[tuple[str, str]]:
    """(title, name) of formats, for a list to choose from."""
    return [(format_named(name).title, name) for name in names]
