"""An import on its way from the file into its staging file: rows are checked, labels placed, and what cannot be taken is reported."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import pickle
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotator.exchange.labels import CriteriaMatcher, LabelTaker, Taken, already_there
from annotator.exchange.masking import mask, pseudonym
from annotator.exchange.options import (
    REPORTED_ROWS,
    ImportCancelled,
    ImportOptions,
    ImportReport,
    LabelsAs,
    SameText,
)
from storage.formats.encodings import looks_like_mojibake
from storage.formats.registry import AUTO, Detected, detect, format_named
from storage.formats.rows import FormatError, ImportRow, Label, Passage, Row, RowError
from storage.imports import is_import_name
from storage.records import Criterion, InvalidRecord, Post, Split
from storage.staging import Issue, Staging
from storage.store import Store

log = logging.getLogger(__name__)
BATCH_ROWS = 500
READING, PLACING, STORING, INDEXING = 0.60, 0.70, 0.71, 0.85  # progress where each ends (the last two: begins)

Progress = Callable[[float, str], None]
ShouldCancel = Callable[[], bool]
_SPLITS = {"validation": Split.DEV, "valid": Split.DEV, "val": Split.DEV, "dev": Split.DEV, "train": Split.TRAIN}
_SPLITS |= {"training": Split.TRAIN, "test": Split.TEST, "testing": Split.TEST, "eval": Split.TEST}


def fingerprint(path: Path) -> tuple[tuple[str, int, int], ...]:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return tuple((str(p), s.st_size, s.st_mtime_ns) for p in files for s in [p.stat()])


def detected_of(path: Path, options: ImportOptions) -> Detected:
    """The format to read with: the one that was chosen, else the guess. Raises FormatError."""
    if options.format == AUTO:
        return detect(path, encoding=options.encoding)
    chosen = format_named(options.format)
    if not chosen.reads:
        raise FormatError(f"{chosen.title} cannot be read.")
    if path.exists() and path.is_dir() != chosen.is_folder:
        here, wanted = ("folder", "a file") if path.is_dir() else ("file", "a folder, or a zip file of one")
        raise FormatError(f"{path.name} is a {here}; {chosen.title} is {wanted}.")
    if path.is_dir():
        return Detected(chosen, "as chosen")
    guess = detect(path, encoding=options.encoding)
    if guess.format.name != chosen.name and {guess.format.name, chosen.name} & {"xlsx", "parquet"}:
        raise FormatError(f"{path.name} is not {chosen.title}; it looks like {guess.format.title}.")
    return Detected(chosen, "as chosen", guess.encoding)


@dataclass
class _Batch:
    """Rows that were looked up together: what the store knows of their ids and texts."""

    rows: list[ImportRow]
    hashes: dict[int, str] = field(default_factory=dict)
    known_ids: dict[str, str] = field(default_factory=dict)
    known_texts: dict[str, str] = field(default_factory=dict)


class Importer:
    """One import on its way from the file into the staging file."""

    def __init__(
        self,
        store: Store,
        path: Path,
        options: ImportOptions,
        staging: Staging,
        on_progress: Progress | None,
        should_cancel: ShouldCancel | None,
    ) -> None:
        self.store, self.path, self.options, self.staging = store, path, options, staging
        self._on_progress, self._should_cancel = on_progress, should_cancel
        self.detected = detected_of(path, options)
        encoding = self.detected.encoding
        self.report = ImportReport(
            format=self.detected.format.name,
            detected=self.detected.reason,
            encoding=encoding.name,
            encoding_note=encoding.note,
        )
        criteria = store.criteria(with_inactive=True)
        self._matcher = CriteriaMatcher(criteria, options, _wording_beside(path))
        self._taker = LabelTaker(self._matcher, options)
        self._size = max(1, sum(size for _, size, _ in fingerprint(path)))
        self._read = 0

    # --- reading

    def stage(self) -> None:
        rows = self.detected.format.read(self.path, encoding=self.detected.encoding.name, columns=self.options.columns)
        while batch := list(itertools.islice(rows, BATCH_ROWS)):
            self._check_cancel()
            self._stage_batch(batch)
            fraction = min(1.0, self._read / self._size)
            self._progress(READING * fraction, f"{self.report.rows} rows read")
        if self.report.rows == 0:
            raise FormatError(f"{self.path.name} holds no rows.")
        self._stage_split_labels()
        self._progress(PLACING, f"{self.report.aligned} passages placed")
        self._count()

    def _stage_batch(self, batch: Sequence[Row]) -> None:
        good = []
        for row in batch:
            self.report.rows += 1
            if isinstance(row, RowError):
                self._reject(row.row, None, row.reason)
            else:
                self._read += len(row.text or "") + 40 * len(row.labels)
                good.append(self._prepared(row))
        found = self._look_up(good)
        for row in found.rows:
            try:
                self._stage_row(row, found)
            except InvalidRecord as error:
                self._reject(row.number, row.post_id, str(error))

    def _prepared(self, row: ImportRow) -> ImportRow:
        """The row with its labels chosen, its id made up where it has none, and its text masked."""
        if self.options.labels_as is LabelsAs.GOLD and row.gold:
            row = replace(row, labels=row.gold)
        if self.options.labels_as is LabelsAs.IGNORE:
            row = replace(row, labels=())
        if any(is_import_name(label.model_version) for label in row.labels):
            row = replace(row, labels=tuple(self._with_free_model(row, label) for label in row.labels))
        if row.text is None:
            return row
        if looks_like_mojibake(row.text):
            self.report.mojibake_rows += 1
        if row.post_id is None and row.text.strip():
            row = replace(row, post_id=f"t-{_sha256(row.text)[:16]}")
        return self._masked(row) if self.options.mask else row

    def _with_free_model(self, row: ImportRow, label: Label) -> Label:
        """The label under a model name of its own where the file's is what the store calls predictions of an import here."""
        name = label.model_version
        if name is None or not is_import_name(name):
            return label
        free = f"from-{name}"
        if name not in self.report.renamed_models:
            self.report.renamed_models[name] = free
            reason = f"the model's name {name} means an import of this project; kept as {free}"
            self.staging.add_issue(Issue(row.number, row.post_id, "renamed", reason))
        return replace(label, model_version=free)

    def _masked(self, row: ImportRow) -> ImportRow:
        text = row.text or ""
        hidden = mask(text, author=row.author, region=self.options.region)
        self.report.masked += hidden.count
        labels = tuple(
            replace(la, passages=_masked_passages(la.passages, text, self.options.region)) for la in row.labels
        )
        author = pseudonym(row.author) if row.author else None
        return replace(row, text=hidden.text, author=author, labels=labels)

    def _look_up(self, rows: list[ImportRow]) -> _Batch:
        batch = _Batch(rows)
        batch.hashes = {r.number: _sha256(r.text) for r in rows if r.text}
        batch.known_ids = self.store.text_hashes({r.post_id for r in rows if r.post_id})
        if self.options.same_text is SameText.SKIP:
            batch.known_texts = self.store.known_texts(list(batch.hashes.values()))
        return batch

    def _stage_row(self, row: ImportRow, batch: _Batch) -> None:
        if row.post_id is None:
            raise InvalidRecord("has neither an id nor a text")
        if row.text is None:
            if not row.labels:
                raise InvalidRecord("has no text")
            self._keep_labels(row, row.post_id)
            return
        here = batch.hashes.get(row.number, "")
        known = batch.known_ids.get(row.post_id)
        staged = None if known else self.staging.text_sha256(row.post_id)
        if known or staged:
            self._stage_repeated(row, row.post_id, same=here == (known or staged), in_store=known)
            return
        twin = batch.known_texts.get(here) or (
            self.staging.post_with_text(here) if self.options.same_text is SameText.SKIP else None
        )
        if twin is not None:
            self._duplicate(row, f"the same text as post {twin}")
            self._lost_labels(row, f"the post was skipped for having the same text as {twin}")
            return
        self._stage_new(row, row.post_id, here)

    def _stage_new(self, row: ImportRow, post_id: str, text_sha256: str) -> None:
        post = Post(
            id=post_id,
            text=row.text or "",
            split=self.options.split or _split(row.split),
            author=row.author,
            source=row.source or self.options.source,
            posted_at=row.posted_at,
            meta=row.meta,
        )
        self.staging.add_post(post, text_sha256)
        self.report.imported += 1
        self._stage_labels(row, post_id, in_store=False)

    def _stage_repeated(self, row: ImportRow, post_id: str, *, same: bool, in_store: str | None) -> None:
        """A post that is there already: its labels are taken if the text is the same."""
        if not same:
            raise InvalidRecord(f"the id {post_id} belongs to another text already")
        if in_store:
            self.staging.add_known_post(post_id, in_store)
        if in_store or not row.labels:
            self._duplicate(row, "the post is there already" if in_store else "the post stands in the file before")
        self._stage_labels(row, post_id, in_store=in_store is not None)

    # --- labels

    def _stage_labels(self, row: ImportRow, post_id: str, *, in_store: bool) -> None:
        """Labels that are whole become records at once; those spread over rows wait until all rows are read."""
        if all(label.whole for label in row.labels):
            if row.labels:
                taken = self._taker.take(post_id, row.text or "", [(row.number, la) for la in row.labels])
                self._stage_taken(post_id, taken, in_store=in_store)
        else:
            self._keep_labels(row, post_id)

    def _keep_labels(self, row: ImportRow, post_id: str) -> None:
        for label in row.labels:
            self.staging.add_label(row.number, post_id, pickle.dumps(label))

    def _stage_split_labels(self) -> None:
        for post_id, group in itertools.groupby(self.staging.labels(), key=lambda item: item[0]):
            self._check_cancel()
            labels = [(row, _unpickled(payload)) for _, row, payload in group]
            text = self.staging.text(post_id)
            stored = {p.id: p for p in self.store.posts([post_id])} if text is None else {}
            if text is None and post_id not in stored:
                self._reject(
                    labels[0][0], post_id, f"there is no post {post_id} to which the {len(labels)} labels belong"
                )
                continue
            if text is None:
                text = stored[post_id].text
                self.staging.add_known_post(post_id, stored[post_id].text_sha256)
            self._stage_taken(post_id, self._taker.take(post_id, text, labels), in_store=bool(stored))

    def _stage_taken(self, post_id: str, taken: Taken, *, in_store: bool) -> None:
        known = self.store.history(post_id) if in_store and taken.annotations else []
        for annotation in taken.annotations:
            if already_there(known, annotation):
                self.report.known_annotations += 1
            else:
                self.staging.add_annotation(annotation)
        for prediction, model_version in taken.predictions:
            self.staging.add_prediction(prediction, model_version=model_version)
        for name, role in taken.reviewers.items():
            self.staging.add_reviewer(name, role)
        for doubt in taken.doubts:
            self.staging.add_alignment(post_id, doubt.criterion_id, doubt.reviewer, doubt.evidence, doubt.candidates)
        for issue in taken.issues:
            self.staging.add_issue(issue)
        self.report.aligned += taken.aligned
        self.report.uncertain += taken.uncertain
        self.report.unaligned += taken.unaligned
        self.report.repaired += taken.repaired

    # --- the report

    def _reject(self, row: int, post_id: str | None, reason: str) -> None:
        self.staging.add_issue(Issue(row, _storable(post_id), "rejected", _storable(reason) or "unreadable"))
        self.report.rejected_count += 1
        if len(self.report.rejected) < REPORTED_ROWS:
            self.report.rejected.append({"row": row, "reason": _storable(reason)})

    def _duplicate(self, row: ImportRow, reason: str) -> None:
        self.report.duplicates += 1
        self.staging.add_issue(Issue(row.number, row.post_id, "duplicate", reason))

    def _lost_labels(self, row: ImportRow, reason: str) -> None:
        for label in row.labels:
            self.staging.add_issue(Issue(row.number, row.post_id, "label", f"{label.criterion}: {reason}"))

    def _count(self) -> None:
        report = self.report
        report.rejected.sort(key=lambda item: item["row"])
        report.annotations = self.staging.count("annotation")
        report.predictions = self.staging.count("prediction")
        report.labels_refused = self.staging.issue_counts().get("label", 0)
        report.unknown_criteria = dict(sorted(self._matcher.unknown.items()))
        report.new_criteria = sorted(self._matcher.added)

    # --- the end

    def publish(self, file_name: str, by: str | None, also: Callable[[ImportReport], None] | None) -> None:
        self._check_cancel()
        self._progress(STORING, "storing")
        self.staging.close()

        def inside(import_id: int) -> None:
            self.report.import_id = import_id
            if self._matcher.added:
                self.store.save_criteria(self._matcher.added.values(), by=by)
            self.store.finish_import(import_id, self.report.to_dict())
            if also is not None:
                also(self.report)

        def on_step(done: float) -> None:
            self._check_cancel()
            self._progress(STORING + (INDEXING - STORING) * done, f"{done:.0%} stored")

        self.store.publish(
            self.staging.path, file_name=file_name, format_name=self.report.format, by=by, on_step=on_step, also=inside
        )
        self._index()

    def _index(self) -> None:
        """The posts are in; searching finds them step by step. Neither cancelled nor failed: the import stands."""

        def on_step(done: int) -> None:
            fraction = min(1.0, done / max(1, self.report.imported))
            self._progress(INDEXING + (1 - INDEXING) * fraction, f"{done} posts made searchable")

        try:
            self.store.index_posts(on_step=on_step)
        except sqlite3.OperationalError as error:  # the disk is full, as a rule; the next import or start goes on
            log.warning("Import %s stands, but searching does not find all of it yet: %s", self.report.import_id, error)

    def _progress(self, fraction: float, message: str) -> None:
        if self._on_progress is not None:
            self._on_progress(fraction, message)

    def _check_cancel(self) -> None:
        if self._should_cancel is not None and self._should_cancel():
            raise ImportCancelled("The import was cancelled. Nothing was imported.")


def _masked_passages(passages: Iterable[Passage], text: str, region: str) -> tuple[Passage, ...]:
    """The passages without words where the offsets say it all, with masked words elsewhere."""
    found = []
    for passage in passages:
        if passage.quote is None:
            found.append(passage)
        elif passage.start is not None and text[passage.start : passage.end] == passage.quote:
            found.append(replace(passage, quote=None))
        else:
            found.append(replace(passage, quote=mask(passage.quote, region=region).text))
    return tuple(found)


def _wording_beside(path: Path) -> list[Criterion]:
    """The criteria of the manifest that an export left beside (or inside) its file; none if there is no manifest."""
    for manifest in (
        path / "manifest.json",
        path.parent / "manifest.json",
        path.with_name(path.name + ".manifest.json"),
    ):
        if not manifest.is_file():
            continue
        try:
            items = json.loads(manifest.read_text("utf-8")).get("criteria", [])
            return [Criterion(c["id"], c["name"], c["text"], c.get("guideline", "")) for c in items]
        except (ValueError, KeyError, TypeError, AttributeError, InvalidRecord):
            return []  # somebody else's manifest
    return []


def _split(value: str | None) -> Split | None:
    """Raises InvalidRecord for a word that names no split."""
    if not value:
        return None
    found = _SPLITS.get(value.strip().lower())
    if found is None:
        raise InvalidRecord(f"{value[:40]!r} is no split; use train, dev or test")
    return found


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _storable(text: str | None) -> str | None:
    """Text that SQLite takes: without NUL and half characters."""
    return None if text is None else text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _unpickled(payload: bytes) -> Label:
    label: Label = pickle.loads(payload)  # noqa: S301 (written by this very process into its own private file)
    return label
