"""The words of working in a team as types: the gold rule, adjudications, rounds. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from storage.matching import AGREEMENT_IOU
from storage.records import OF_POST, InvalidRecord, Span, Split

ONE_READER = "one reader"  # how an answer became gold that nobody else gave one to
_LABEL = f"{OF_POST}:"
"""A question about a label of the whole post stands in place of a criterion as `@post:Risk`."""


def label_question(scale: str) -> str:
    """What stands for a criterion where a label of the whole post is asked."""
    return _LABEL + scale


def label_asked(question: str) -> str | None:
    """The label that a question is about; None for a criterion."""
    return question.removeprefix(_LABEL) if question.startswith(_LABEL) else None


def answered_under(question: str) -> str:
    """What stands for a criterion in the answers to a question: all labels of a post are one answer."""
    return question if label_asked(question) is None else OF_POST


class SpanRule(StrEnum):
    """What becomes of the spans of people who agree: each of the latest answer's, with those that match it."""

    UNION = "union"
    INTERSECTION = "intersection"
    LONGEST = "longest"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class GoldRule:
    """When answers agree, and what gold then is. iou: share of words in common from which two spans are the same evidence.

    attributes: whether another level or other flags of the same evidence are a disagreement too. What is written in words never is.
    """

    iou: float = AGREEMENT_IOU
    spans: SpanRule = SpanRule.LATEST
    attributes: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.iou <= 1.0:
            raise InvalidRecord(f"The overlap from which spans agree is above 0 and at most 1, not {self.iou}.")

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"iou": self.iou, "spans": str(self.spans)}
        return found | {"attributes": True} if self.attributes else found

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> GoldRule:
        """Raises InvalidRecord if a value is none of the choices."""
        try:
            return cls(
                float(given.get("iou", AGREEMENT_IOU)),
                SpanRule(given.get("spans", SpanRule.LATEST)),
                bool(given.get("attributes")),
            )
        except (TypeError, ValueError) as error:
            raise InvalidRecord(f"That is no gold rule: {error}.") from error


class Standing(StrEnum):
    """How the answers to one (post, criterion) stand."""

    SINGLE = "single"  # one person answered
    AGREED = "agreed"
    OPEN = "open"  # people disagree, and nobody has adjudicated
    ADJUDICATED = "adjudicated"
    UNDECIDABLE = "undecidable"  # adjudicated: it cannot be decided


class Outcome(StrEnum):
    """What an adjudicator decided. `reopened` takes the decision before it back."""

    EVIDENCE = "evidence"
    NO_EVIDENCE = "no_evidence"
    LABEL = "label"  # of a label of the post: which level it has
    UNDECIDABLE = "undecidable"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class Adjudication:
    """A decision about the answers of others to (post, criterion), with its reason. Append-only, as annotations are.

    answers: ids of the annotations that were decided about. error_kind: what went wrong in them, of the project's list; None if
    nothing was chosen. revision: 1, 2, … per (post, criterion). level: of a label of the post, with the outcome `label`; '' else.
    """

    post_id: str
    criterion_id: str
    adjudicator: str
    outcome: Outcome
    spans: tuple[Span, ...] = ()
    reason: str = ""
    error_kind: str | None = None
    answers: tuple[int, ...] = ()
    criterion_version: int = 1
    revision: int = 0
    seconds: float | None = None
    op_id: str | None = None
    created_at: str | None = None
    id: int | None = None
    level: str = ""

    def __post_init__(self) -> None:
        where = f"{self.post_id} x {self.criterion_id}"
        label = label_asked(self.criterion_id)
        if label is not None and self.outcome in (Outcome.EVIDENCE, Outcome.NO_EVIDENCE):
            raise InvalidRecord(f"{where}: a label of the post is decided by a level, not by evidence.")
        if (self.outcome is Outcome.LABEL) != bool(self.level) or (label is None and self.level):
            raise InvalidRecord(f"{where}: a level is decided of a label of the post, and by the outcome label.")
        if self.outcome is Outcome.EVIDENCE and not self.spans:
            raise InvalidRecord(f"{where}: the decision is evidence, but there is no span.")
        if self.outcome is not Outcome.EVIDENCE and self.spans:
            raise InvalidRecord(f"{where}: the decision is {self.outcome}, but there are spans.")


class RoundKind(StrEnum):
    TRAINING = "training"  # against gold, with feedback at once
    CALIBRATION = "calibration"
    MAIN = "main"
    GOLD_CHECK = "gold_check"  # gold posts are mixed in, unmarked


class Suggestions(StrEnum):
    """Whether readers see what the model marked. `random`: a random half of each person's posts shows it."""

    SHOWN = "shown"
    HIDDEN = "hidden"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Round:
    """Posts that are given to people together. overlap: share of the posts by how many people read each, adding up to 1.

    chosen: how the posts were chosen (filter, sample, strata), for the methods report. revision: counts the changes, so that
    two leads cannot change a round past each other. closed_at: None while it is open.
    """

    id: int
    name: str
    kind: RoundKind
    blind: bool
    suggestions: Suggestions
    people: tuple[str, ...]
    overlap: Mapping[int, float]
    seed: int
    chosen: Mapping[str, Any] = field(default_factory=dict)
    deadline: str | None = None
    revision: int = 1
    created_by: str | None = None
    created_at: str | None = None
    closed_at: str | None = None

    def to_dict(self) -> dict[str, Any]:
        given = asdict(self)
        return given | {"overlap": {str(n): share for n, share in self.overlap.items()}, "people": list(self.people)}


class OthersAnswer(NamedTuple):
    """What somebody else decided, to be shown. places: [start, end] of each span."""

    criterion_id: str
    reviewer: str
    verdict: str
    places: list[list[int]]
    note: str


@dataclass(frozen=True, slots=True)
class RoundPost:
    """A post of a round. readers: how many people are to read it. gold: whether it is there to check the readers by."""

    post_id: str
    readers: int
    gold: bool = False


@dataclass(frozen=True, slots=True)
class Assigned:
    """A post that a person was given. done: they have decided every criterion in use; started: one of them."""

    post_id: str
    reviewer: str
    round_id: int | None
    hide_suggestions: bool = False
    decided: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A post that may go into a round. evidence: the model's best span score in it, uncertainty: how undecided it is about it; None if it
    has not read it. came: counts the posts as they came in.
    """

    post_id: str
    source: str | None
    evidence: float | None
    uncertainty: float | None = None
    came: int = 0


@dataclass(frozen=True, slots=True)
class PostsWanted:
    """Which posts a round may be made of. unread: only those that nobody answered and no round holds. query: words of the text.

    among: their ids; None for any.
    """

    source: str | None = None
    split: Split | None = None
    query: str = ""
    unread: bool = True
    among: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class RoundEvent:
    """What was done with a round. detail: the people, dates and numbers of posts that it was about."""

    what: str
    detail: Mapping[str, Any]
    at: str
    by: str | None


@dataclass(frozen=True, slots=True)
class RoundChange:
    """What becomes different in a round. what, detail: as the event that is noted. taken: (post id, reviewer) that lose the post.

    deadline: a date, "" for none any more. Everything else that is None stays as it is.
    """

    what: str = "changed"
    detail: Mapping[str, Any] = field(default_factory=dict)
    people: Sequence[str] | None = None
    deadline: str | None = None
    closed: bool | None = None
    taken: Sequence[tuple[str, str]] = ()
    given: Sequence[Assigned] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a person of a round is. posts: given, with every criterion decided, and begun."""

    reviewer: str
    assigned: int
    done: int
    begun: int

    @property
    def left(self) -> int:
        return self.assigned - self.done
