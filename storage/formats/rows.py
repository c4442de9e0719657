"""The common row types between exchange formats and the rest: what a reader yields and what a writer takes.

Nothing here is checked against a criteria set or a store; offsets of a reader are as the file says them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from storage.attributes import Attributes
from storage.formats.ledger import Account, Ledger
from storage.records import (
    Annotation,
    Criterion,
    EvidenceError,
    Post,
    Prediction,
    Span,
    SpanAttributes,
    SpanOrigin,
    Verdict,
)
from storage.team_records import Adjudication


class FormatError(EvidenceError):
    """The file as a whole cannot be read or written in this format; the text says what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is read, and how.

    columns: column (or key) by field where the guess is wrong; '' takes a field away. sheet: of a workbook. criteria: names that the
    project knows, by which the columns of a wide table are found. attributes: what it can say of spans and posts: fields of a file that
    are called so are taken as that. criterion: the one of all labels of a file or sheet that is called after it. reviewers: of the project:
    columns that are called after them are theirs.
    ledger: where a reader notes what belongs to no row: files, sheets, lines that are no rows.
    """

    path: Path
    encoding: str = "utf-8"
    columns: Mapping[str, str] = field(default_factory=dict)
    sheet: str | None = None
    criteria: Sequence[str] = ()
    attributes: Attributes = field(default_factory=Attributes)
    criterion: str | None = None
    reviewers: Sequence[str] = ()
    ledger: Ledger = field(default_factory=Ledger)


class Units(StrEnum):
    """What a file's offsets count. Words beside an offset may prove the one or the other whatever is said here."""

    CODE_POINTS = "code points"
    UTF16 = "UTF-16 units"
    UNKNOWN = "unknown"  # code points or UTF-16 units: to be told apart by looking at the text


@dataclass(frozen=True, slots=True)
class Passage:
    """Evidence as a file gives it: offsets, words, or both.

    hint: number of the sentence (0-based) where the words are said to stand, if the file says one.
    """

    start: int | None = None
    end: int | None = None
    quote: str | None = None
    score: float | None = None
    core_start: int | None = None
    core_end: int | None = None
    origin: SpanOrigin = SpanOrigin.ADDED
    predicted: Span | None = None
    hint: int | None = None
    attributes: SpanAttributes = field(default_factory=SpanAttributes)


class LabelKind(StrEnum):
    ANSWER = "answer"  # a person's
    PREDICTION = "prediction"  # a model's


@dataclass(frozen=True, slots=True)
class Label:
    """One answer for (post, criterion) in a file.

    verdict: None while undecided. whole: True when this is the complete answer; False when further rows of the file may add
    spans to it (one row per span). units: of every offset in it. revision: one of several answers of the same person to the same
    question, which follow each other and are not to be united. labels: (scale,
    level) of the whole post, with the criterion OF_POST. left_out: why a label that the file holds is not taken; it is
    counted and reported. row: where it stands, if not in the row of its post.
    """

    criterion: str
    verdict: Verdict | None
    passages: tuple[Passage, ...] = ()
    rejected: tuple[Passage, ...] = ()
    undecided: tuple[Passage, ...] = ()
    kind: LabelKind = LabelKind.ANSWER
    whole: bool = True
    units: Units = Units.CODE_POINTS
    annotator: str | None = None
    role: str | None = None
    created_at: str | None = None
    model_version: str | None = None
    note: str = ""
    seconds: float | None = None
    bulk: bool = False
    restored_from: int | None = None
    criterion_version: int | None = None
    no_evidence_score: float | None = None
    known: bool = True
    revision: bool = False
    left_out: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    row: int | None = None


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One post of a file, or labels for a post that stands elsewhere (`text` None).

    number: 1-based row, line or item in the file, as a person would count it. Raw strings: nothing is validated yet.
    adjudications: decisions as our own export writes them.
    gold: labels that are the file's settled answers, where it holds those beside each person's own. part: the split, file or sheet
    in which ids may begin anew. notes: (kind, reason) of what was not taken from this row as it stands. account: what became of each
    key or column of the row.
    """

    number: int
    post_id: str | None
    text: str | None
    author: str | None = None
    source: str | None = None
    posted_at: str | None = None
    split: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    gold: tuple[Label, ...] = ()
    adjudications: tuple[Mapping[str, Any], ...] = ()
    part: str | None = None
    notes: tuple[tuple[str, str], ...] = ()
    account: Account = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that cannot be read, and why. The rows after it are read on. labels: those that are lost with it."""

    row: int
    reason: str
    account: Account = field(default_factory=dict)
    post_id: str | None = None
    labels: tuple[Label, ...] = ()


Row = ImportRow | RowError


@dataclass(frozen=True, slots=True)
class ExportPost:
    """One post with what is exported of it.

    answers: the chosen annotations (gold, or each reviewer's latest), by criterion, then reviewer.
    gold_rules: by criterion id (or `@post:NAME` of a label), how its answer became gold; empty for each reviewer's latest.
    labels: the answers about the whole post, chosen as those are.
    history: every revision, oldest first; predictions: by criterion and model; adjudications: oldest first. Only for formats that
    carry them, as is discussion: what people said about the post, oldest first, where it was asked for.
    """

    post: Post
    answers: tuple[Annotation, ...]
    history: tuple[Annotation, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    gold_rules: Mapping[str, str] = field(default_factory=dict)
    adjudications: tuple[Adjudication, ...] = ()
    labels: tuple[Annotation, ...] = ()
    discussion: tuple[Mapping[str, Any], ...] = ()


def _one_sentence(text: str) -> Sequence[tuple[int, int]]:
    return [(0, len(text))]


@dataclass(frozen=True, slots=True)
class ExportContext:
    """What a writer needs to know beside the posts.

    roles: by reviewer name. sentences: where those of a text lie.
    facts: lines for a dataset card about the people's agreement, as prepared by the caller.
    """

    criteria: Sequence[Criterion]
    title: str = "Evidence annotations"
    license: str = "unknown"
    software: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    facts: Sequence[str] = ()
    attributes: Attributes = field(default_factory=Attributes)
    sentences: Callable[[str], Sequence[tuple[int, int]]] = _one_sentence


@dataclass
class Written:
    """What a writer has put into its file, and what it had to leave out (with the reason)."""

    posts: int = 0
    answers: int = 0
    spans: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    def count(self, post: ExportPost) -> None:
        self.posts += 1
        self.answers += len(post.answers)
        self.spans += sum(len(a.spans) for a in post.answers)

    def leave_out(self, reason: str, count: int = 1) -> None:
        if count:
            self.left_out[reason] = self.left_out.get(reason, 0) + count
