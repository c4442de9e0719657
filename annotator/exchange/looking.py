"""A look at the beginning of a file: the very import, over its first rows, into a staging file that is thrown away.

So what is shown is what will be stored: the first posts with the quoted words in their place, counts, and the ledger.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotator.exchange.options import ImportOptions, ImportReport
from annotator.exchange.sources import detected_of, source_of
from annotator.exchange.staging import Importer
from storage.formats.archive import unpacked
from storage.formats.columns import guess_mapping
from storage.formats.detection import Detected, file_in
from storage.formats.ledger import COLUMN, Ledger
from storage.records import EvidenceError
from storage.staging import Issue, Staging
from storage.store import Store

LOOK_ROWS, LOOK_POSTS, LOOK_ISSUES = 300, 10, 20
LOOK_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class LookedPost:
    """A post as it will be stored. answers: (criterion, verdict, spans as (start, end)), each person's and each model's."""

    id: str
    text: str
    split: str
    answers: tuple[tuple[str, str, tuple[tuple[int, int], ...]], ...]


@dataclass(frozen=True, slots=True)
class FileLook:
    """What is known of a file after a look at its beginning.

    columns: of a table or of its objects. mapping: column by field, as it will be read, of a table. sheets: of a workbook.
    posts: the first ones, as they will be stored. counts: answers by (criterion, verdict). issues: what cannot be taken as it stands.
    report: of the rows that were read; whole: whether these are all. problem: why it cannot be read as it is, or None.
    """

    format: str
    title: str
    reason: str
    encoding: str
    encoding_note: str
    columns: tuple[str, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    sheets: tuple[str, ...] = ()
    posts: tuple[LookedPost, ...] = ()
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()
    report: ImportReport = field(default_factory=ImportReport)
    whole: bool = True
    problem: str | None = None


def look_at(store: Store, path: Path, options: ImportOptions, *, folder: Path) -> FileLook:
    """Look at the beginning of a file. Stores nothing.

    folder: where an archive may be unpacked and the rows are staged for the look; it is the caller's to remove.
    Raises FormatError or ImportRefused if the file as a whole cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with unpacked(path, folder) as content:
        data, left = file_in(content)
        found = detected_of(data, options)
        look = FileLook(found.format.name, found.format.title, found.reason, found.encoding.name, found.encoding.note)
        look = dataclasses.replace(look, **_columns(data, found, options))
        with _importer(store, data, options, folder, left) as importer:
            try:
                importer.stage(rows=LOOK_ROWS, seconds=LOOK_SECONDS)
            except EvidenceError as error:
                return dataclasses.replace(look, problem=str(error))
            return _seen(look, importer)


def _columns(data: Path, found: Detected, options: ImportOptions) -> dict[str, Any]:
    """The sheets of a workbook, and the columns of a table with what each seems to be."""
    sheets: tuple[str, ...] = ()
    if found.format.name == "xlsx":
        from storage.formats.xlsx import sheet_names

        sheets = tuple(sheet_names(data))
    if not found.format.table:
        return {"sheets": sheets}
    try:
        columns, sample = found.format.preview(dataclasses.replace(source_of(data, found, options), ledger=Ledger()))
    except EvidenceError:
        return {"sheets": sheets}
    return {
        "sheets": sheets,
        "columns": tuple(columns),
        "mapping": {**guess_mapping(columns, sample), **options.columns},
    }


@contextmanager
def _importer(
    store: Store, data: Path, options: ImportOptions, folder: Path, left: tuple[str, ...]
) -> Iterator[Importer]:
    staging = Staging(folder / "look.db")
    try:
        yield Importer(store, data, options, staging, left=left)
    finally:
        staging.discard()


def _seen(look: FileLook, importer: Importer) -> FileLook:
    staging = importer.staging
    posts = staging.first_posts(LOOK_POSTS)
    if not posts:  # labels of posts that are in the project already
        known = importer.store.posts(staging.known_posts(LOOK_POSTS))
        posts = [(p.id, p.text, str(p.split)) for p in known]
    answers = staging.answers_of([post_id for post_id, _, _ in posts])
    columns = look.columns or tuple(
        e.name.removeprefix("data.")
        for e in importer.ledger
        if e.what == COLUMN and "." not in e.name.removeprefix("data.") and "[" not in e.name
    )
    return dataclasses.replace(
        look,
        columns=tuple(dict.fromkeys(columns)),
        posts=tuple(LookedPost(i, text, split, tuple(answers.get(i, ()))) for i, text, split in posts),
        counts=staging.answer_counts(),
        issues=tuple(staging.first_issues(LOOK_ISSUES)),
        report=importer.report,
        whole=not importer.stopped,
    )
