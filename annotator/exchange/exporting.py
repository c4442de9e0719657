"""Exports: one moment of the store, streamed into a file or folder, with a manifest; complete or not there at all."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from annotator.settings import software
from annotator.teams.discussing import message_before
from annotator.teams.measuring import facts
from annotator.teams.naming import Called, called_before
from encoder.text.sentences import sentence_ranges
from storage.attributes import attributes_wire
from storage.criteria_file import wording_wire
from storage.discussions import message_object
from storage.exports import Answers, ExportFilter
from storage.files import sync
from storage.formats.archive import pack
from storage.formats.registry import Format, Says, writer_named
from storage.formats.rows import ExportContext, ExportPost, Written
from storage.records import Annotation, Criterion, EvidenceError, InvalidRecord, Span, Verdict
from storage.store import Store

SCHEMA = "evidence-annotator/1"
MANIFEST = "manifest.json"
PROGRESS_EVERY_POSTS = 500
UNDER_CODES = "names of people, for whom codes stand, as who exported is told no names: this project takes no answers in under them"
MEASURED_UP_TO = 20_000  # pairs of post and criterion that several people decided; more take too long beside an export


class ExportRefused(EvidenceError):
    """Nothing was written; the text says why and what to do."""


def export_file(
    store: Store,
    format_name: str,
    output: Path,
    chosen: ExportFilter | None = None,
    *,
    license_name: str = "unknown",
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Write the export and its manifest; returns the manifest with `output` added.

    A folder format fills the folder `output`, or a zip file if that ends with .zip. Other formats write the file `output` with
    `<output>.manifest.json` beside it. An existing file is replaced, an existing folder must be empty.
    Raises FormatError for an unknown format, ExportRefused if the place cannot be written.
    """
    chosen = chosen or ExportFilter()
    kind = writer_named(format_name)
    if chosen.discussions and not (kind.complete and kind.says_rule):
        raise ExportRefused(
            f"{kind.title} cannot carry discussions; JSON Lines, complete (jsonl) does. Nothing was exported."
        )
    if kind.all_posts and replace(chosen, discussions=False).to_dict() == ExportFilter().to_dict():
        chosen = replace(chosen, unreviewed=True)  # the complete format leaves out no post
    output = output.absolute()
    _check_place(output, kind)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=output.parent) as folder:
            export = _Export(kind, output, chosen, license_name, on_progress)
            manifest = _write(store, export, Path(folder))
            _move(Path(folder), output, kind)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise ExportRefused(f"{output} could not be written: {reason}. Nothing was exported.") from error
    return manifest | {"output": str(output)}


def _check_place(output: Path, kind: Format) -> None:
    if kind.is_folder and output.suffix != ".zip":
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise ExportRefused(f"{output} is there already. Choose a new folder, or a name that ends with .zip.")
    elif output.is_dir():
        raise ExportRefused(f"{output} is a folder. Give the name of a file.")


@dataclass(frozen=True)
class _Export:
    """What is written, and under which name."""

    kind: Format
    output: Path
    chosen: ExportFilter
    license_name: str
    on_progress: Callable[[int], None] | None


def _write(store: Store, export: _Export, folder: Path) -> dict[str, Any]:
    """Write data and manifest into the temporary folder, as they will lie beside each other."""
    kind, chosen, output = export.kind, export.chosen, export.output
    counts: Counter[str] = Counter()
    with store.read():
        criteria = _chosen_criteria(store.criteria(with_inactive=True), chosen)
        called = called_before(store, chosen.reader) if chosen.reader else Called({})
        _check_reviewer(store, chosen, called)
        context = ExportContext(
            criteria=criteria,
            title=output.stem.removesuffix(".zip") or "evidence",
            license=export.license_name,
            software=software(),
            roles={called(r.name): str(r.role) for r in store.reviewers()},
            facts=_facts(store, chosen),
            attributes=store.attributes(),
            sentences=sentence_ranges,
        )
        place = {c.id: n for n, c in enumerate(criteria)}
        found = store.iter_export(chosen, complete=kind.complete)
        if (
            kind.says is not Says.ALL and not chosen.unreviewed
        ):  # a post of which only labels of it are known has nothing here
            found = (item for item in found if item.answers)
        if called.shown:
            found = (_under_codes(item, called) for item in found)
        posts = _watched(found, place, counts, export.on_progress)
        with contextlib.closing(posts):
            target = folder if kind.is_folder else folder / output.name
            written = kind.write(posts, target, context)
        talk = store.messages_to_export(chosen.reader, None) if chosen.discussions else []
        blind = len(store.yet_to_read_blind(chosen.reader)) if chosen.reader else 0
        coded = sum(called(r.name) != r.name for r in store.reviewers())
    left = {f"answers to posts that {chosen.reader} has yet to read blind": blind, UNDER_CODES: coded}
    written = replace(written, left_out={**written.left_out, **{what: count for what, count in left.items() if count}})
    told = replace(chosen, reviewer=chosen.reviewer and called(chosen.reviewer))
    manifest = _manifest(kind, folder, told, context, written, counts)
    if coded:
        manifest["people"] = "codes"
    if chosen.discussions:
        manifest["discussion_of_criteria"] = [message_before(message_object(message), called) for message in talk]
    name = MANIFEST if kind.is_folder else f"{output.name}.{MANIFEST}"
    (folder / name).write_text(json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n", "utf-8")
    return manifest


def _watched(
    posts: Iterable[ExportPost],
    place: Mapping[str, int],
    counts: Counter[str],
    on_progress: Callable[[int], None] | None,
) -> Generator[ExportPost, None, None]:
    """The posts, each checked, its answers in the order of the criteria and counted by criterion and verdict."""
    for number, item in enumerate(posts, start=1):
        check_offsets(item)
        counts.update(f"{a.criterion_id} {a.verdict}" for a in item.answers)
        counts.update([f"split {item.post.split}"])
        if on_progress is not None and number % PROGRESS_EVERY_POSTS == 0:
            on_progress(number)
        answers = sorted(item.answers, key=lambda a: place.get(a.criterion_id, len(place)))
        yield dataclasses.replace(item, answers=tuple(answers))


def _under_codes(item: ExportPost, called: Called) -> ExportPost:
    """The post as it is exported to who is told codes, in the order of these."""

    def coded(answers: Iterable[Annotation]) -> tuple[Annotation, ...]:
        return tuple(replace(a, reviewer=called(a.reviewer)) for a in answers)

    return replace(
        item,
        answers=tuple(sorted(coded(item.answers), key=lambda a: (a.criterion_id, a.reviewer))),
        history=coded(item.history),
        labels=tuple(sorted(coded(item.labels), key=lambda a: a.reviewer)),
        adjudications=tuple(replace(d, adjudicator=called(d.adjudicator)) for d in item.adjudications),
        discussion=tuple(message_before(message, called) for message in item.discussion),
    )


def check_offsets(item: ExportPost) -> None:
    """Raise InvalidRecord unless every span of the post lies inside its text."""
    where = f"post {item.post.id}"
    for annotation in (*item.answers, *item.history):
        for span in (*(s.span for s in annotation.spans), *annotation.rejected, *annotation.undecided):
            span.check(item.post.text, where=where)
    for prediction in item.predictions:
        for span in prediction.spans:
            span.check(item.post.text, where=where)
            _check_core(span)


def _check_core(span: Span) -> None:
    start, end = span.core_start, span.core_end
    if start is not None and end is not None and not span.start <= start < end <= span.end:
        raise InvalidRecord(f"The passage {start}:{end} does not lie inside its span {span.start}:{span.end}.")


def _manifest(
    kind: Format,
    folder: Path,
    chosen: ExportFilter,
    context: ExportContext,
    written: Written,
    counts: Counter[str],
) -> dict[str, Any]:
    """What was exported, from what, and what the format could not carry. Holds no clock: equal data, equal bytes."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        "schema": SCHEMA,
        "software": context.software,
        "format": kind.name,
        "filter": {k: str(v) if isinstance(v, str) else v for k, v in chosen.to_dict().items()},
        "posts": written.posts,
        "annotations": written.answers,
        "spans": written.spans,
        "per_criterion": _per_criterion(context.criteria, counts),
        "splits": {k.removeprefix("split "): n for k, n in sorted(counts.items()) if k.startswith("split ")},
        "cannot_carry": [*kind.cannot_carry(), *kind.cannot_say(context.attributes)],
        "left_out": dict(sorted(written.left_out.items())),
        **({"attributes": said} if (said := attributes_wire(context.attributes)) else {}),
        "criteria": [{**wording_wire(c), "version": c.version} for c in context.criteria],
        "files": [
            {"name": p.relative_to(folder).as_posix(), "bytes": p.stat().st_size, "sha256": _file_sha256(p)}
            for p in files
        ],
    }


def _per_criterion(criteria: Iterable[Criterion], counts: Counter[str]) -> dict[str, dict[str, int]]:
    return {
        c.id: {str(v): counts[f"{c.id} {v}"] for v in Verdict if counts[f"{c.id} {v}"]}
        for c in criteria
        if any(counts[f"{c.id} {v}"] for v in Verdict)
    }


def _chosen_criteria(criteria: list[Criterion], chosen: ExportFilter) -> list[Criterion]:
    unknown = sorted(set(chosen.criteria) - {c.id for c in criteria})
    if unknown:
        raise ExportRefused(f"There is no criterion {unknown[0]!r}. Criteria: {', '.join(c.id for c in criteria)}.")
    return [c for c in criteria if not chosen.criteria or c.id in chosen.criteria]


def _check_reviewer(store: Store, chosen: ExportFilter, called: Called) -> None:
    names = [r.name for r in store.reviewers()]
    if chosen.reviewer is not None and chosen.reviewer not in names:
        raise ExportRefused(
            f"There is no reviewer {chosen.reviewer!r}. Reviewers: {', '.join(called.all(names)[:20])}."
        )


def _facts(store: Store, chosen: ExportFilter) -> list[str]:
    """How far the people agreed, and which of their answers these are; for the dataset card."""
    gold = chosen.answers is Answers.GOLD
    which = "the settled one per post and criterion" if gold else "each reviewer's latest"
    people, pairs, equal = store.double_reviews(chosen)
    if not people:
        agreement = "Nobody has decided anything here: nothing can be said about agreement."
    elif pairs:
        share = f"{equal:,} of the {pairs:,} pairs of post and criterion that more than one person decided have equal verdicts"
        agreement = f"{share} ({equal / pairs:.0%})."
    elif people == 1:
        agreement = "One reviewer: nothing can be said about agreement."
    else:
        agreement = (
            f"{people} reviewers, with no post and criterion decided in common: nothing can be said about agreement."
        )
    measured = facts(store) if 0 < pairs <= MEASURED_UP_TO else []
    return [agreement, *(f"In the whole project: {line}" for line in measured), f"Which answers are given: {which}."]


def _move(folder: Path, output: Path, kind: Format) -> None:
    """Put the finished files in their place, each by one rename."""
    for file in folder.rglob("*"):
        if file.is_file():
            sync(file)
    if kind.is_folder and output.suffix == ".zip":
        packed = folder.with_suffix(".zip")
        try:
            pack(folder, packed)
            packed.replace(output)
        finally:
            packed.unlink(missing_ok=True)
    elif kind.is_folder:
        if output.exists():
            output.rmdir()
        shutil.copytree(folder, output) if os.name == "nt" else _rename_content(folder, output)
    else:
        for file in sorted(folder.iterdir()):
            file.replace(output.parent / file.name)


def _rename_content(folder: Path, output: Path) -> None:
    """Rename the whole folder at once; its temporary name is made anew for the caller to clean up."""
    folder.chmod(0o755)
    folder.rename(output)
    folder.mkdir()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
