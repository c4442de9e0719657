"""An import on its way from the file into its staging file: rows are checked, labels placed, and what cannot be taken is reported."""

from __future__ import annotations

import itertools
import logging
import pickle
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotator.exchange.decisions import decisions_of, leave_decisions
from annotator.exchange.labels import LabelTaker
from annotator.exchange.masking import masked_row
from annotator.exchange.matching import CriteriaMatcher
from annotator.exchange.mending import Mender
from annotator.exchange.options import COUNTED, REPORTED_ROWS, ImportOptions, ImportReport, LabelsAs, SameText
from annotator.exchange.people import by_name, codes_alone
from annotator.exchange.placing import Taken
from annotator.exchange.raw_rows import clean_id, generated_id, id_in_part, sha256, split_named, storable, storable_row
from annotator.exchange.repeated import Homes, Uniting, already_there
from annotator.exchange.sources import attributes_for, detected_of, fingerprint, source_of, wording_beside
from annotator.exchange.watch import UNWATCHED, Watch
from annotator.review.about import about_of
from annotator.review.language import others_among
from storage.formats.inline_tags import with_tags_said
from storage.formats.ledger import COLUMN, FILE, LABEL, OPTION, Ledger, Outcome
from storage.formats.rows import FormatError, ImportRow, Label, Row, RowError
from storage.imports import is_import_name
from storage.records import InvalidRecord, Post, Role
from storage.staging import Issue, Staging
from storage.store import Store

log = logging.getLogger(__name__)
BATCH_ROWS = 500
READING, PLACING, STORING, INDEXING = 0.60, 0.70, 0.71, 0.85  # progress where each ends (the last two: begins)


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
        watch: Watch = UNWATCHED,
        *,
        left: Sequence[str] = (),
    ) -> None:
        """left: files beside `path` that are not read."""
        self.store, self.path, self.options, self.staging = store, path, options, staging
        self._watch = watch
        self.detected = detected_of(path, options)
        encoding = self.detected.encoding
        self.report = ImportReport(
            format=self.detected.format.name,
            detected=self.detected.reason,
            encoding=encoding.name,
            encoding_note=encoding.note,
        )
        criteria = store.criteria(with_inactive=True)
        self._matcher = CriteriaMatcher(criteria, options, wording_beside(path))
        self._taker = LabelTaker(self._matcher, options)
        self._names = tuple(self._matcher.names())
        self._mender = Mender(mojibake=options.mend, entities=options.unescape)
        self._homes, self._codes = Homes(staging, store), codes_alone(store)
        attributes, self._defines = attributes_for(store, path, options)
        source = source_of(path, self.detected, options, self._matcher.names(), attributes)
        self.source = replace(source, reviewers=tuple(r.name for r in store.reviewers()))
        self.ledger: Ledger = self.source.ledger
        for name in (*left, *self.detected.left):
            self.ledger.count(FILE, name, Outcome.LEFT, "is not read")
        self._note_ignored_options()
        self._size = max(1, sum(size for _, size, _ in fingerprint(path)))
        self._read, self.stopped = 0, False
        self._twins: set[str] = set()  # posts to which labels of posts with the same text went

    def _note_ignored_options(self) -> None:
        """Options that the format does not know have no effect: say so."""
        given = {"columns": self.options.columns, "encoding": self.options.encoding, "sheet": self.options.sheet}
        for name, value in given.items():
            if value and name not in self.detected.format.options:
                option = "--column" if name == "columns" else f"--{name}"
                self.ledger.count(OPTION, option, Outcome.LEFT, f"has no effect on {self.detected.format.title}")

    # --- reading

    def stage(self, *, rows: int | None = None, seconds: float | None = None) -> None:
        """Read the file into the staging file. rows, seconds: read no more than this, for a look; `stopped` says whether more is there."""
        read = self._at_first(self.detected.format.read(self.source), rows, seconds)
        while batch := list(itertools.islice(read, BATCH_ROWS)):
            self._watch.check_cancel()
            self._stage_batch(batch)
            fraction = min(1.0, self._read / self._size)
            self._watch.progress(READING * fraction, f"{self.report.rows} rows read")
        if self.report.rows == 0:
            raise FormatError(f"{self.path.name} holds no rows.")
        self._stage_split_labels()
        self._watch.progress(PLACING, f"{self.report.aligned} passages placed")
        self._count()

    def _at_first(self, rows: Iterable[Row], limit: int | None, seconds: float | None) -> Iterator[Row]:
        began = time.monotonic()
        for number, row in enumerate(rows, start=1):
            yield row
            late = seconds is not None and time.monotonic() - began > seconds
            if late or number == limit:
                self.stopped = True
                return

    def _stage_batch(self, batch: Sequence[Row]) -> None:
        good = []
        for row in batch:
            self.report.rows += 1
            if isinstance(row, RowError):
                self._reject(row, row.row, row.post_id, row.reason)
                continue
            self._read += len(row.text or "") + 40 * len(row.labels)
            try:
                good.append(self._prepared(row))
            except InvalidRecord as error:
                self._reject(row, row.number, row.post_id, str(error))
        found = self._look_up(good)
        for row in found.rows:
            try:
                self._stage_row(row, found)
            except InvalidRecord as error:
                self._reject(row, row.number, row.post_id, str(error))

    def _prepared(self, row: ImportRow) -> ImportRow:
        """The row with its labels chosen, its id made up where it has none, and its text mended and masked."""
        row = by_name(storable_row(row), self._codes, self.options, self.ledger)
        if self.options.labels_as is LabelsAs.GOLD and row.gold:
            row = replace(row, labels=row.gold)
        if any(is_import_name(label.model_version) for label in row.labels):
            row = replace(row, labels=tuple(self._with_free_model(row, label) for label in row.labels))
        cleaned = None if row.post_id is None else clean_id(row.post_id)
        if storable(cleaned) != cleaned:
            raise InvalidRecord("the id holds half of a UTF-16 pair and cannot be stored as Unicode text")
        if cleaned is not None and cleaned != row.post_id:
            self._issue(
                row, "renamed", f"the id is kept as {cleaned}: an id is one line of at most 200 characters", cleaned
            )
            row = replace(row, post_id=cleaned)
        if row.text is None:
            return row
        row = with_tags_said(self._mender.mended(row), self._names)
        if row.post_id is None and row.text and row.text.strip():
            row = replace(row, post_id=generated_id(row.text))
            self.report.generated_ids += 1
        if not self.options.mask:
            return row
        row, masks = masked_row(row, self.options.region)
        self.report.masked += masks
        return row

    def _with_free_model(self, row: ImportRow, label: Label) -> Label:
        """The label under a model name of its own where the file's is what the store calls predictions of an import here."""
        name = label.model_version
        if name is None or not is_import_name(name):
            return label
        free = f"from-{name}"
        if name not in self.report.renamed_models:
            self.report.renamed_models[name] = free
            self._issue(row, "renamed", f"the model's name {name} means an import of this project; kept as {free}")
        return replace(label, model_version=free)

    def _look_up(self, rows: list[ImportRow]) -> _Batch:
        batch = _Batch(rows)
        batch.hashes = {id(r): sha256(r.text) for r in rows if r.text}
        batch.known_ids = self.store.text_hashes({i for r in rows if r.post_id for i in (r.post_id, id_in_part(r))})
        if self.options.same_text is SameText.SKIP:
            batch.known_texts = self.store.known_texts(list(batch.hashes.values()))
        return batch

    def _stage_row(self, row: ImportRow, batch: _Batch) -> None:
        for kind, reason in row.notes:
            self._issue(row, kind, reason)
        if row.post_id is None:
            raise InvalidRecord("has neither an id nor a text")
        if row.text is None or not row.text.strip():
            if not row.labels or row.text is not None:
                raise InvalidRecord("has no text")
            self.ledger.add(row.account, kept_lost="stands in a row of labels alone")
            name = id_in_part(row)
            self._homes.in_part[name] = row.post_id
            self._keep_labels(row, name)
            return
        here = batch.hashes.get(id(row), "")
        for post_id in (row.post_id, id_in_part(row)):
            known = batch.known_ids.get(post_id)
            staged = None if known else self.staging.text_sha256(post_id)
            if here == (known or staged):
                self._stage_repeated(row, post_id, in_store=known)
                return
            if not known and not staged:
                if post_id != row.post_id:
                    self._issue(
                        row, "renamed", f"the id {row.post_id} belongs to another text already; kept as {post_id}"
                    )
                self._stage_unless_twin(row, post_id, here, batch)
                return
        raise InvalidRecord(f"the id {row.post_id} belongs to another text already")

    def _stage_unless_twin(self, row: ImportRow, post_id: str, text_sha256: str, batch: _Batch) -> None:
        in_store = batch.known_texts.get(text_sha256)
        twin = in_store or (
            self.staging.post_with_text(text_sha256) if self.options.same_text is SameText.SKIP else None
        )
        if twin is None:
            self._stage_new(row, post_id, text_sha256)
            return
        labels = "; its labels went to that post" if row.labels else ""
        self._duplicate(row, f"the same text as post {twin}{labels}")
        self._homes.aliases[post_id] = twin
        self._homes.put(row, twin)
        lost = f"the post was skipped for having the same text as {twin}"
        self.ledger.add(row.account, kept_lost=lost)
        leave_decisions(row, self.ledger, lost)
        if in_store:
            self.staging.add_known_post(twin, text_sha256)
        self._twins.add(twin)
        self._stage_labels(row, twin, in_store=in_store is not None, again=True)

    def _stage_new(self, row: ImportRow, post_id: str, text_sha256: str) -> None:
        post = Post(
            id=post_id,
            text=row.text or "",
            split=self.options.split or split_named(row.split),
            author=row.author,
            source=row.source or self.options.source,
            posted_at=row.posted_at,
            meta=row.meta,
        )
        self.staging.add_post(post, text_sha256)
        self._homes.put(row, post_id)
        self.report.imported += 1
        self.ledger.add(row.account)
        self._stage_labels(row, post_id, in_store=False)
        self._stage_decisions(row, post_id)

    def _stage_repeated(self, row: ImportRow, post_id: str, *, in_store: str | None) -> None:
        """A post that is there already: its labels are taken."""
        self._homes.put(row, post_id)
        if in_store:
            self.staging.add_known_post(post_id, in_store)
        if in_store or not row.labels:
            self._duplicate(row, "the post is there already" if in_store else "the post stands in the file before")
        lost = "the post is there already, and stays as it is" if in_store else "stands in a further row of its post"
        before = next(iter(self.store.posts([post_id])), None) if in_store and row.meta else None
        there = {} if not row.meta else self.staging.meta(post_id) if before is None else before.meta
        same = {k for k, v in row.meta.items() if k in there and there[k] == v}
        self.ledger.add(row.account, kept_lost=lost, kept_before=same)
        leave_decisions(row, self.ledger, lost)
        self._stage_labels(row, post_id, in_store=in_store is not None, again=True)

    # --- labels

    def _stage_labels(self, row: ImportRow, post_id: str, *, in_store: bool, again: bool = False) -> None:
        """Labels that are whole become records at once; those spread over rows wait until all rows are read.

        again: the post may have stood in the file before; what is said of it now is united with what was said then.
        """
        if all(label.whole or label.left_out for label in row.labels):
            if row.labels:
                taken = self._taker.take(post_id, row.text or "", [(la.row or row.number, la) for la in row.labels])
                again = again and not any(label.revision for label in row.labels)
                self._stage_taken(post_id, taken, in_store=in_store, again=again)
        else:
            self._keep_labels(row, post_id)

    def _stage_decisions(self, row: ImportRow, post_id: str) -> None:
        """The adjudications of a new post; those of a post that is there already stay as they are there."""
        if self.options.labels_as is not LabelsAs.ANSWERS:
            leave_decisions(row, self.ledger, "taken with --labels-as annotations only")
            return
        decisions, bad = decisions_of(row, post_id, self._matcher, self.ledger, self.source.attributes)
        for reason in bad:
            self._issue(row, "label", reason, post_id)
        for decision in decisions:
            self.staging.add_reviewer(decision.adjudicator, Role.ADJUDICATOR)
            self.staging.add_adjudication(decision)

    def _keep_labels(self, row: ImportRow, post_id: str) -> None:
        for label in row.labels:
            self.staging.add_label(label.row or row.number, post_id, pickle.dumps(label))

    def _stage_split_labels(self) -> None:
        seen: set[str] = set()
        for name, group in itertools.groupby(self.staging.labels(), key=lambda item: item[0]):
            self._watch.check_cancel()
            labels = [(row, _unpickled(payload)) for _, row, payload in group]
            try:
                post_id = self._homes.post_of(name)
            except InvalidRecord as error:
                self._refuse_labels(None, labels, str(error), f"belongs to no post: {error}")
                continue
            text = self.staging.text(post_id)
            stored = {p.id: p for p in self.store.posts([post_id])} if text is None else {}
            if text is None and post_id not in stored:
                self._no_such_post(post_id, labels)
                continue
            if text is None:
                text = stored[post_id].text
                self.staging.add_known_post(post_id, stored[post_id].text_sha256)
            taken = self._taker.take(post_id, text, labels)
            again = name != post_id or post_id in seen or post_id in self._twins
            self._stage_taken(post_id, taken, in_store=bool(stored), again=again)
            seen.add(post_id)

    def _no_such_post(self, post_id: str, labels: Sequence[tuple[int, Label]]) -> None:
        reason = f"has no text, and there is no post {post_id} to which its {len(labels)} labels could belong"
        self._refuse_labels(post_id, labels, "there is no post of that id", reason)

    def _refuse_labels(self, post_id: str | None, labels: Sequence[tuple[int, Label]], why: str, reason: str) -> None:
        self.staging.add_issue(Issue(labels[0][0], storable(post_id), "rejected", storable(reason)))
        self._count_rejected(labels[0][0], reason)
        for _, label in labels:
            self.ledger.count(LABEL, label.criterion, Outcome.LEFT, why)

    def _stage_taken(self, post_id: str, taken: Taken, *, in_store: bool, again: bool = False) -> None:
        known = self.store.history(post_id) if in_store and taken.annotations else []
        united = Uniting(self.staging, known) if again else None
        for annotation in taken.annotations:
            if already_there(known, annotation):
                self.report.known_annotations += 1
            elif united is None:
                self.staging.add_annotation(annotation)
            else:
                self.report.known_annotations += united.add_answer(annotation)
        for prediction, model_version in taken.predictions:
            if united is None:
                self.staging.add_prediction(prediction, model_version=model_version)
            else:
                united.add_prediction(prediction, model_version)
        for name, role in taken.reviewers.items():
            self.staging.add_reviewer(name, role)
        for doubt in taken.doubts:
            self.staging.add_alignment(post_id, doubt.criterion_id, doubt.reviewer, doubt.evidence, doubt.candidates)
        for issue in taken.issues:
            self.staging.add_issue(issue)
        self.ledger.add(taken.tally)
        for name in COUNTED:
            setattr(self.report, name, getattr(self.report, name) + getattr(taken, name))

    # --- the report

    def _reject(self, row: Row, number: int, post_id: str | None, reason: str) -> None:
        """Refuse a row: what its account says was taken was not, and its labels are lost with it."""
        if isinstance(row, ImportRow) and row.text is not None:
            self._homes.put(row, "")
        self.ledger.add(row.account, lost="its row was refused")
        for label in row.labels:
            self.ledger.count(LABEL, label.criterion, Outcome.LEFT, label.left_out or "its row was refused")
        self.staging.add_issue(Issue(number, storable(post_id), "rejected", storable(reason) or "unreadable"))
        self._count_rejected(number, reason)

    def _count_rejected(self, number: int, reason: str) -> None:
        self.report.rejected_count += 1
        if len(self.report.rejected) < REPORTED_ROWS:
            self.report.rejected.append({"row": number, "reason": storable(reason)})

    def _duplicate(self, row: ImportRow, reason: str) -> None:
        self.report.duplicates += 1
        self._issue(row, "duplicate", reason)

    def _issue(self, row: ImportRow, kind: str, reason: str, post_id: str | None = None) -> None:
        self.staging.add_issue(Issue(row.number, storable(post_id or row.post_id), kind, storable(reason)))

    def _count(self) -> None:
        report = self.report
        report.rejected.sort(key=lambda item: item["row"])
        report.annotations = self.staging.count("annotation")
        report.predictions = self.staging.count("prediction")
        issues = self.staging.issue_counts()
        report.labels_refused, report.renamed = issues.get("label", 0), issues.get("renamed", 0)
        report.unknown_criteria = dict(sorted(self._matcher.unknown.items()))
        report.new_criteria = sorted(self._matcher.added)
        report.mojibake_rows, report.mended_rows = self._mender.garbled, self._mender.mended_rows
        report.mojibake_examples = list(self._mender.examples)
        if report.generated_ids:
            made = "made from the text: no column of ids was found"
            self.ledger.count(COLUMN, "post id", Outcome.TAKEN, made, report.generated_ids)
        expected = about_of(self.store).language
        report.language = others_among(self.staging.texts(20), expected, "first posts") or ""
        report.ledger = [entry.to_dict() for entry in self.ledger]
        for entry in self.ledger:
            if entry.outcome is not Outcome.TAKEN and entry.what != LABEL:  # a label has a line of its own
                self.staging.add_issue(Issue(None, None, str(entry.outcome), storable(entry.in_words()) or ""))

    # --- the end

    def publish(self, file_name: str, by: str | None) -> None:
        self._watch.check_cancel()
        self._watch.progress(STORING, "storing")
        self.staging.close()

        def inside(import_id: int) -> None:
            self.report.import_id = import_id
            if self._matcher.added:
                self.store.save_criteria(self._matcher.added.values(), by=by)
            if self._defines:
                self.store.replace_attributes(self._defines)
            self.store.finish_import(import_id, self.report.to_dict())
            if self._watch.also is not None:
                self._watch.also(self.report)

        def on_step(done: float) -> None:
            self._watch.check_cancel()
            self._watch.progress(STORING + (INDEXING - STORING) * done, f"{done:.0%} stored")

        self.store.publish(
            self.staging.path, file_name=file_name, format_name=self.report.format, by=by, on_step=on_step, also=inside
        )
        self._index()

    def _index(self) -> None:
        """The posts are in; searching finds them step by step. Neither cancelled nor failed: the import stands."""

        def on_step(done: int) -> None:
            fraction = min(1.0, done / max(1, self.report.imported))
            self._watch.progress(INDEXING + (1 - INDEXING) * fraction, f"{done} posts made searchable")

        try:
            self.store.index_posts(on_step=on_step)
        except sqlite3.OperationalError as error:  # the disk is full, as a rule; the next import or start goes on
            log.warning("Import %s stands, but searching does not find all of it yet: %s", self.report.import_id, error)


def _unpickled(payload: bytes) -> Label:
    label: Label = pickle.loads(payload)  # noqa: S301 (written by this very process into its own private file)
    return label
