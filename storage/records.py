"""The words of the product as types. Standard library only; everything else imports this.

Offsets are Unicode code points of `Post.text`, 0-based, end exclusive, everywhere in Python.
Times are UTC, ISO 8601 with seconds and a trailing `Z`, as text.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class EvidenceError(Exception):
    """Base of every error that a user can cause or cure; its text says what to do.

    EvidenceError
    ├── InvalidRecord        a record that contradicts itself or its post
    ├── NotFound             no such post, criterion, job, model version
    ├── Conflict             somebody saved in between; carries the current revision
    ├── StoreUnavailable     the data directory or its database cannot be used
    └── (encoder.errors, annotator.people.accounts and storage.formats add theirs)
    """


class InvalidRecord(EvidenceError, ValueError):
    """A record that contradicts itself or its post."""


class NotFound(EvidenceError, LookupError):
    """The thing asked for is not in the store."""


class Conflict(EvidenceError):
    """Somebody saved a newer revision than the one the caller had seen."""

    def __init__(self, message: str, *, current_revision: int) -> None:
        super().__init__(message)
        self.current_revision = current_revision


class StoreUnavailable(EvidenceError):
    """The data directory or its database cannot be used."""


LIKENESS_MARK, SAME_WORDS_MARK = "likeness", "same words"
"""What stands behind a model's version where a suggestion is not the model's: it resembles the criterion's text, or accepted words."""


OF_POST = "@post"
"""Stands for a criterion in answers about the whole post; no criterion can be called so."""


class Verdict(StrEnum):
    EVIDENCE = "evidence"
    NO_EVIDENCE = "no_evidence"
    UNSURE = "unsure"


class SpanOrigin(StrEnum):
    """How a reviewer's span came about, relative to the model's prediction."""

    ACCEPTED = "accepted"
    ADJUSTED = "adjusted"
    ADDED = "added"


class Split(StrEnum):
    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class Role(StrEnum):
    REVIEWER = "reviewer"
    ADJUDICATOR = "adjudicator"
    ADMIN = "admin"


class JobKind(StrEnum):
    TRAIN = "train"
    PREDICT = "predict"
    EVALUATE = "evaluate"
    IMPORT = "import"


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ModelStatus(StrEnum):
    """A model version is `ready` (may be put in service), `aside` (measured worse) or `deleted`."""

    READY = "ready"
    ASIDE = "aside"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, order=True)
class SpanAttributes:
    """What is said of a span beside its place: a level and flags that the project names (`storage.attributes`), and why, in words."""

    rationale: str = ""
    severity: str = ""
    flags: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rationale or self.severity or self.flags)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`[start, end)` of a post's text; `score` in [0, 1] when a model made it.

    `core_start`/`core_end` is the tighter passage that a model offers inside the span, if any. attributes: as the model says them.
    """

    start: int
    end: int
    score: float | None = None
    core_start: int | None = None
    core_end: int | None = None
    attributes: SpanAttributes = SpanAttributes()

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise InvalidRecord(f"Span {self.start}:{self.end} is empty or negative.")
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise InvalidRecord(f"Score {self.score} of span {self.start}:{self.end} is not in [0, 1].")

    def check(self, text: str, *, where: str) -> None:
        """Raise InvalidRecord if the span does not lie inside `text`; `where` names the post."""
        if self.end > len(text):
            raise InvalidRecord(f"Span {self.start}:{self.end} runs past {where} ({len(text)} characters).")

    def quote(self, text: str) -> str:
        return text[self.start : self.end]

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end

    def iou(self, other: Span) -> float:
        """Intersection over union in code points, in [0, 1]."""
        shared = max(0, min(self.end, other.end) - max(self.start, other.start))
        return shared / (self.end - self.start + other.end - other.start - shared)


@dataclass(frozen=True, slots=True, order=True)
class AnnotatedSpan:
    """A reviewer's span. `predicted` is the model's span it was accepted or adjusted from."""

    start: int
    end: int
    origin: SpanOrigin = SpanOrigin.ADDED
    predicted: Span | None = None
    attributes: SpanAttributes = SpanAttributes()

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise InvalidRecord(f"Span {self.start}:{self.end} is empty or negative.")
        if (self.predicted is None) != (self.origin is SpanOrigin.ADDED):
            raise InvalidRecord(f"Span {self.start}:{self.end} is {self.origin} but its prediction does not fit that.")

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Post:
    """The document. `text` is stored verbatim, never normalised."""

    id: str
    text: str
    split: Split | None = None
    author: str | None = None
    source: str | None = None
    posted_at: str | None = None
    imported_at: str | None = None
    import_id: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.id or self.id != self.id.strip():
            raise InvalidRecord(f"Post id {self.id!r} is empty or has spaces around it.")
        if not self.text.strip():
            raise InvalidRecord(f"Post {self.id} has no text.")
        if "\x00" in self.text or "\x00" in self.id:
            raise InvalidRecord(f"Post {self.id!r} holds a NUL character; remove it and try again.")
        if has_unpaired_surrogate(self.text) or has_unpaired_surrogate(self.id):
            raise InvalidRecord(f"Post {self.id!r} holds half of a UTF-16 pair and cannot be stored as Unicode text.")

    @property
    def text_sha256(self) -> str:
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


MOST_EXAMPLES = 20
MOST_EXAMPLE_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing to look for: `text` is what the model reads, `guideline` what the reviewer reads.

    examples: passages that are evidence. counterexamples: passages that resemble it and are none. Up to MOST_EXAMPLES of each.
    """

    id: str
    name: str
    text: str
    guideline: str = ""
    version: int = 1
    position: int = 0
    active: bool = True
    examples: tuple[str, ...] = ()
    counterexamples: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.id or not all(ch.isalnum() or ch in "_-." for ch in self.id):
            raise InvalidRecord(f"Criterion id {self.id!r} may hold only letters, digits, '_', '-' and '.'.")
        if not self.name.strip() or not self.text.strip():
            raise InvalidRecord(f"Criterion {self.id} needs a name and a text.")
        self._check_examples()

    def _check_examples(self) -> None:
        for what, passages in (("examples", self.examples), ("counterexamples", self.counterexamples)):
            if len(passages) > MOST_EXAMPLES:
                raise InvalidRecord(f"Criterion {self.id} has {len(passages)} {what}; give at most {MOST_EXAMPLES}.")
            if not all(passages):
                raise InvalidRecord(f"Criterion {self.id}: one of its {what} is empty.")
            if long := next((p for p in passages if len(p) > MOST_EXAMPLE_CHARACTERS), ""):
                raise InvalidRecord(
                    f"Criterion {self.id}: one of its {what} has {len(long)} characters; give passages of at most"
                    f" {MOST_EXAMPLE_CHARACTERS}."
                )
        if both := set(self.examples) & set(self.counterexamples):
            raise InvalidRecord(
                f"Criterion {self.id} gives a passage both as an example and as a counterexample: {min(both)[:80]!r}."
            )

    def same_wording(self, other: Criterion) -> bool:
        """Whether both say the same to the model and to the reviewer."""
        return self._wording() == other._wording()

    def _wording(self) -> tuple[object, ...]:
        return (self.name, self.text, self.guideline, self.examples, self.counterexamples)


@dataclass(frozen=True, slots=True)
class About:
    """What a criteria set says of its subject; every page speaks of it in these words. Empty: nothing is said.

    subject: completes "evidence for ...". language: of the texts, ISO 639-1. notice: before the first post.
    reminder: what a mark is and is not. one_by_one: ids of criteria that are never confirmed together with others.
    """

    subject: str = ""
    language: str = ""
    notice: str = ""
    reminder: str = ""
    crisis_text: str = ""
    crisis_url: str = ""
    one_by_one: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """One model version's answer for (post, criterion).

    `spans` are those at or above the model's threshold for the criterion, in text order.
    `no_evidence_score` in [0, 1]: the model's belief that the post holds no evidence.
    `known` is False when the model was never trained on the criterion: then there are no spans, or they merely resemble it.
    """

    post_id: str
    criterion_id: str
    model_version: str
    spans: tuple[Span, ...]
    no_evidence_score: float
    known: bool = True
    created_at: str | None = None

    @property
    def max_score(self) -> float:
        return max((span.score or 0.0 for span in self.spans), default=0.0)

    @property
    def uncertainty(self) -> float:
        """1 when the model is undecided whether there is evidence, 0 when it is sure."""
        return 1.0 - abs(2.0 * self.no_evidence_score - 1.0) if self.known else 0.0


@dataclass(frozen=True, slots=True)
class Annotation:
    """One reviewer's answer for (post, criterion) at one revision. Never changed once stored.

    verdict: None while predicted spans are still undecided, or after the decision was taken back.
    spans: the reviewer's spans, in text order. rejected: predicted spans judged not to be evidence.
    undecided: predicted spans neither accepted, adjusted nor rejected yet; empty once there is a verdict.
    seconds: time spent on this decision, as measured in the browser. op_id: idempotency key of the save.
    restored_from: id of the revision whose answer this one brings back. undoes: id of the revision that it takes back
    (an undo; taking an undo back is a redo). bulk: one of several that one gesture confirmed as shown. suggested: whether the
    model's marks were on the page; None where that is not known, as with imports. labels: (scale, level) of the whole post, of an
    answer to OF_POST, which has no verdict.
    """

    post_id: str
    criterion_id: str
    reviewer: str
    verdict: Verdict | None
    spans: tuple[AnnotatedSpan, ...] = ()
    rejected: tuple[Span, ...] = ()
    undecided: tuple[Span, ...] = ()
    revision: int = 0
    criterion_version: int = 1
    model_version: str | None = None
    note: str = ""
    seconds: float | None = None
    op_id: str | None = None
    restored_from: int | None = None
    undoes: int | None = None
    bulk: bool = False
    suggested: bool | None = None
    labels: tuple[tuple[str, str], ...] = ()
    created_at: str | None = None
    id: int | None = None

    def __post_init__(self) -> None:
        where = f"{self.post_id} x {self.criterion_id}"
        if self.criterion_id == OF_POST and (self.verdict or self.spans or self.rejected or self.undecided):
            raise InvalidRecord(f"{self.post_id}: labels of the whole post have neither a verdict nor spans.")
        if self.verdict is Verdict.EVIDENCE and not self.spans:
            raise InvalidRecord(f"{where}: the verdict is evidence, but there is no span.")
        if self.verdict is Verdict.NO_EVIDENCE and self.spans:
            raise InvalidRecord(f"{where}: the verdict is no evidence, but there are spans.")
        if self.verdict in (Verdict.EVIDENCE, Verdict.NO_EVIDENCE) and self.undecided:
            raise InvalidRecord(f"{where}: a verdict needs every predicted span to be decided.")

    @property
    def decided(self) -> bool:
        return self.verdict is not None


@dataclass(frozen=True, slots=True)
class Gold:
    """The answer that trains and is exported for (post, criterion). rule: how it became gold, see `storage.gold`."""

    post_id: str
    criterion_id: str
    verdict: Verdict
    spans: tuple[Span, ...]
    rejected: tuple[Span, ...]
    reviewers: tuple[str, ...]
    annotation: Annotation
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Reviewer:
    name: str
    role: Role = Role.REVIEWER
    created_at: str | None = None
    disabled_at: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A unit of background work: a row that outlives a crash. `progress` is in [0, 1]."""

    id: int
    kind: JobKind
    status: JobStatus
    payload: Mapping[str, Any]
    progress: float = 0.0
    stage: str = ""
    message: str = ""
    result: Mapping[str, Any] | None = None
    error: str | None = None
    cancel_requested: bool = False
    attempt: int = 0
    worker: str | None = None
    created_by: str | None = None
    created_at: str | None = None
    claimed_at: str | None = None
    heartbeat_at: float | None = None
    finished_at: str | None = None


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A directory of weights and what is known about it. `path` is relative to the data directory's `models/`,
    or the word `bundled` for the model inside the package."""

    id: str
    path: str
    status: ModelStatus = ModelStatus.READY
    parent: str | None = None
    base: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    data_sha256: str | None = None
    examples: int | None = None
    size_bytes: int | None = None
    job_id: int | None = None
    note: str = ""
    created_by: str | None = None
    created_at: str | None = None


def utc_now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def has_unpaired_surrogate(text: str) -> bool:
    """True if `text` cannot be written as UTF-8 (half of a UTF-16 pair got in)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def split_of(key: str, *, dev: float = 0.15, test: float = 0.15) -> Split:
    """The split that `key` (an author, else a post id) falls into: a hash, so it never depends on order."""
    point = int.from_bytes(hashlib.sha256(f"split:{key}".encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64
    if point < test:
        return Split.TEST
    return Split.DEV if point < test + dev else Split.TRAIN


def merge_overlapping(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Union of the spans in text order; touching spans stay apart; the best score is kept."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            scores = [s for s in (last.score, span.score) if s is not None]
            merged[-1] = Span(last.start, max(last.end, span.end), max(scores) if scores else None)
        else:
            merged.append(span)
    return tuple(merged)
