"""One label of one post → an annotation or a prediction: its evidence is placed by offsets, by words, or by both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from annotator.exchange.options import ImportOptions, LabelsAs
from encoder.text.align import Alignment, Candidate, How, align
from encoder.text.sentences import sentences
from storage.formats.answers import annotated_span
from storage.formats.ledger import LABEL, Key, Outcome
from storage.formats.rows import Label, LabelKind, Passage, Units
from storage.formats.texts import cuts, splits_words
from storage.formats.utf16 import CodePoints
from storage.records import (
    AnnotatedSpan,
    Annotation,
    Criterion,
    InvalidRecord,
    Prediction,
    Role,
    Span,
    Verdict,
    merge_overlapping,
)
from storage.staging import Issue

GOLD_REVIEWER = "imported gold"
# what parts several pieces of evidence in one cell; the first ones are used for nothing else
SEPARATORS = ("||", "|", "\n", "\t", "</s>", "<br>", '", "', "', '", ";", " // ", " / ", "[...]", "…", "...")
_SURE_SEPARATORS = 6
_BULLET = re.compile(r"(?:[-*•–]|\(?\d{1,2}[.)])\s+")
_CLOSE = (How.EXACT, How.VARIANT)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Evidence for which a person has to choose the place."""

    criterion_id: str
    reviewer: str
    evidence: str
    candidates: tuple[tuple[int, int, float], ...]


@dataclass
class Taken:
    """What became of a post's labels."""

    annotations: list[Annotation] = field(default_factory=list)
    predictions: list[tuple[Prediction, str | None]] = field(default_factory=list)
    reviewers: dict[str, Role] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    aligned: int = 0
    uncertain: int = 0
    unaligned: int = 0
    repaired: int = 0
    several_places: int = 0
    likeliest: int = 0
    odd_edges: int = 0
    tally: dict[Key, int] = field(default_factory=dict)

    def count(self, name: str, outcome: Outcome, detail: str) -> None:
        """Book one label of the file under its own name."""
        key = (LABEL, name, outcome, detail)
        self.tally[key] = self.tally.get(key, 0) + 1


@dataclass(frozen=True, slots=True)
class LabelPlace:
    """Where a label lies: in which post, with which text, from which row. utf16: its offsets count UTF-16 units."""

    post_id: str
    text: str
    row: int
    utf16: bool


class OnePlacing:
    """One label of one post on its way to a record."""

    def __init__(self, place: LabelPlace, criterion: Criterion, options: ImportOptions, taken: Taken) -> None:
        self.post_id, self.text, self.row, self._utf16 = place.post_id, place.text, place.row, place.utf16
        self.criterion, self.options, self.taken = criterion, options, taken
        self._offsets: CodePoints | None = None

    def take(self, label: Label) -> None:
        reviewer = reviewer_of(label, self.options)
        placed = list(self._placed(label.passages, reviewer, reports_doubt=label.kind is LabelKind.ANSWER))
        predicted = label.kind is LabelKind.PREDICTION or self.options.labels_as is LabelsAs.PREDICTIONS
        if label.passages and not placed and (predicted or label.verdict is Verdict.EVIDENCE):
            return  # each passage has its own line in the report
        if label.verdict is Verdict.EVIDENCE and not placed:
            raise InvalidRecord("evidence is claimed, but no passage is named")
        if predicted:
            if label.verdict is Verdict.UNSURE and not placed:
                raise InvalidRecord("unsure: a prediction cannot say that")
            self._predict(label, placed)
            return
        self.taken.annotations.append(
            Annotation(
                post_id=self.post_id,
                criterion_id=self.criterion.id,
                reviewer=reviewer,
                verdict=label.verdict,
                spans=_distinct(placed),
                rejected=_plain_spans(self._placed(label.rejected, reviewer)),
                undecided=_plain_spans(self._placed(label.undecided, reviewer)),
                criterion_version=min(label.criterion_version or self.criterion.version, self.criterion.version),
                model_version=label.model_version,
                note=label.note,
                seconds=label.seconds,
                bulk=label.bulk,
                created_at=label.created_at,
            )
        )
        self.taken.reviewers.setdefault(reviewer, self._role(label))

    def _role(self, label: Label) -> Role:
        if self.options.labels_as is LabelsAs.GOLD or label.role == Role.ADJUDICATOR:
            return Role.ADJUDICATOR
        return Role.REVIEWER

    def _predict(self, label: Label, placed: Sequence[tuple[Passage, Span]]) -> None:
        own = label.kind is LabelKind.PREDICTION
        spans = [_with_score(p, s, 1.0 if p.score is None else p.score) for p, s in placed]
        score = label.no_evidence_score
        if score is None:
            score = 1.0 - max((s.score or 0.0 for s in spans), default=0.0)
        prediction = Prediction(
            self.post_id,
            self.criterion.id,
            label.model_version or "",
            tuple(sorted(spans) if own else merge_overlapping(spans)),
            score,
            known=label.known,
            created_at=label.created_at,
        )
        self.taken.predictions.append((prediction, label.model_version if own else None))

    def _placed(
        self, passages: Iterable[Passage], reviewer: str, *, reports_doubt: bool = False
    ) -> Iterator[tuple[Passage, Span]]:
        for passage in passages:
            span = self._by_offsets(passage)
            if span is not None:
                if passage.quote is None:
                    self._tell_of_edges(span)
                yield passage, span
            elif passage.quote:
                yield from ((passage, s) for s in self._by_words(passage, passage.quote, reviewer, reports_doubt))
            else:
                where = f"{passage.start}:{passage.end}"
                self._unplaced(f"span {where} does not lie in the post ({len(self.text)} characters)")

    def _by_offsets(self, passage: Passage) -> Span | None:
        """The span that the offsets mean and, if there are words, say the same; else None."""
        if passage.start is None or passage.end is None:
            return None
        here = _fitting(self.text, passage.start, passage.end, passage.quote)
        if here is not None and not self._utf16:
            return here
        if self._offsets is None:
            self._offsets = CodePoints(self.text)
        start, end = self._offsets.of(passage.start), self._offsets.of(passage.end)
        span = None if start is None or end is None else _fitting(self.text, start, end, passage.quote)
        if span is None or (span.start, span.end) == (passage.start, passage.end):
            return span or here
        if passage.quote is None and not self._utf16:
            return None  # a guess without words to prove it
        self.taken.repaired += 1
        where = f"{passage.start}:{passage.end} → {span.start}:{span.end}"
        self._report("repaired", f"{self.criterion.id}: offsets in UTF-16 units, converted ({where})")
        return span

    def _by_words(self, passage: Passage, words: str, reviewer: str, reports_doubt: bool) -> list[Span]:
        """Where the words stand; where they are several pieces of evidence in one cell, where each of these stands."""
        near = self._near(passage)
        found = align(self.text, words, near=near, accept=self.options.accept)
        if found.best is None or found.best.how not in _CLOSE:
            pieces = self._pieces(words)
            if pieces:
                self.taken.aligned += len(pieces)
                return pieces
        if found.best is not None:
            self.taken.aligned += 1
            if found.best.how is How.FUZZY:
                self._tell_of_likeness(found.best, words)
            elif near is None:
                self._tell_of_places(found, words)
            return [found.best.span]
        if found.doubtful and reports_doubt:
            self._doubt(found, words, reviewer)
        else:
            self._unplaced("the evidence was not found in the post", words)
        return []

    def _pieces(self, words: str) -> list[Span]:
        """The places of the pieces that a separator parts, if all of them stand in the post (for a sure separator: if any does)."""
        for place, separator in enumerate(SEPARATORS):
            pieces = [q for p in words.split(separator) if len(q := _piece(p)) > 1]
            if len(pieces) < 2:
                continue
            found = [align(self.text, p, accept=self.options.accept) for p in pieces]
            close = [best.span for a in found if (best := a.best) is not None and best.how in _CLOSE]
            if not close or (len(close) < len(pieces) and place >= _SURE_SEPARATORS):
                continue
            for piece, one in zip(pieces, found, strict=True):
                if one.best is None or one.best.how not in _CLOSE:
                    self._unplaced("a piece of the evidence was not found in the post", piece)
                else:
                    self._tell_of_places(one, piece)
            return close
        return []

    def _tell_of_places(self, found: Alignment, words: str) -> None:
        """Say that certain words stand in several places where nothing in the file says which is meant: the first was taken."""
        if found.best is None or len(found.candidates) < 2:
            return
        self.taken.several_places += 1
        first, second = (c.span for c in found.candidates[:2])
        where = f"taken {first.start}:{first.end}, the next is {second.start}:{second.end}"
        self._report("place", f"{self.criterion.id}: the words stand in several places of the post ({where})", words)

    def _tell_of_likeness(self, best: Candidate, words: str) -> None:
        """Say that the words do not stand in the post, and that what is most like them was taken."""
        self.taken.likeliest += 1
        where = f"{best.span.start}:{best.span.end}, likeness {best.score:.2f}"
        reason = f"not in the post word for word; what is most like it was taken ({where})"
        self._report("place", f"{self.criterion.id}: {reason}", words)

    def _tell_of_edges(self, span: Span) -> None:
        """Say that offsets without words to prove them part a word or hold white space at an edge: they may count something else."""
        if splits_words(self.text, span.start, span.end):
            self.taken.odd_edges += 1
            reason = f"{span.start}:{span.end} begins or ends inside a word or on white space; taken as it stands"
            self._report("place", f"{self.criterion.id}: {reason}")

    def _near(self, passage: Passage) -> int | None:
        if passage.start is not None:
            return passage.start
        if passage.hint is None:
            return None
        places = sentences(self.text)
        return places[passage.hint].start if 0 <= passage.hint < len(places) else None

    def _doubt(self, found: Alignment, words: str, reviewer: str) -> None:
        self.taken.uncertain += 1
        places = tuple((c.span.start, c.span.end, round(c.score, 3)) for c in found.candidates)
        self.taken.doubts.append(Doubt(self.criterion.id, reviewer, words, places))
        self.taken.reviewers.setdefault(reviewer, Role.REVIEWER)
        best = found.candidates[0]
        reason = f"{self.criterion.id}: best place {best.span.start}:{best.span.end}, likeness {best.score:.2f}; to be confirmed"
        self._report("uncertain", reason, words)

    def _unplaced(self, reason: str, words: str | None = None) -> None:
        self.taken.unaligned += 1
        self._report("unaligned", f"{self.criterion.id}: {reason}", words)

    def _report(self, kind: str, reason: str, words: str | None = None) -> None:
        self.taken.issues.append(Issue(self.row, self.post_id, kind, reason, words))


def _piece(words: str) -> str:
    """A piece of evidence without its bullet, number and quotes."""
    return _BULLET.sub("", words.strip(), count=1).strip(" \t\r\n\"'“”[]")


def reviewer_of(label: Label, options: ImportOptions) -> str:
    """Whose answer the label becomes."""
    if options.labels_as is LabelsAs.GOLD:
        return GOLD_REVIEWER
    return (label.annotator or options.annotator).strip() or options.annotator


def _fitting(text: str, start: int, end: int, quote: str | None) -> Span | None:
    if not 0 <= start < end <= len(text) or (quote is not None and text[start:end] != quote):
        return None
    return Span(start, end)


def _distinct(placed: Iterable[tuple[Passage, Span]]) -> tuple[AnnotatedSpan, ...]:
    """Annotated spans in text order, each place once."""
    found: dict[tuple[int, int], AnnotatedSpan] = {}
    for passage, span in placed:
        key = (span.start, span.end)
        if key not in found or (passage.attributes and not found[key].attributes):
            found[key] = annotated_span(passage, span.start, span.end)
    return tuple(found[key] for key in sorted(found))


def _plain_spans(placed: Iterable[tuple[Passage, Span]]) -> tuple[Span, ...]:
    found = {(s.start, s.end): _with_score(p, s, p.score) for p, s in placed}
    return tuple(found[key] for key in sorted(found))


def _with_score(passage: Passage, place: Span, score: float | None) -> Span:
    return Span(place.start, place.end, score, passage.core_start, passage.core_end, passage.attributes)


# --- UTF-16


def has_wide_characters(text: str) -> bool:
    """Whether the text has characters beyond the 16-bit plane (emoji): in others all offsets mean the same."""
    return not text.isascii() and any(ord(ch) >= 0x10000 for ch in text)


def counts_utf16(text: str, labels: Sequence[Label]) -> bool:
    """Whether the offsets of one answer count UTF-16 units: its words prove it, or it is the better reading where the file leaves it open.

    Only texts with wide characters can differ; where both readings are as good, code points win.
    """
    if not has_wide_characters(text):
        return False
    if any(label.units is Units.UTF16 for label in labels):
        return True
    offsets = CodePoints(text)
    units = points = 0
    for passage in (p for la in labels for p in (*la.passages, *la.rejected, *la.undecided)):
        if passage.start is None or passage.end is None or not passage.quote:
            continue
        start, end = offsets.of(passage.start), offsets.of(passage.end)
        there = start is not None and end is not None and _fitting(text, start, end, passage.quote) is not None
        here = _fitting(text, passage.start, passage.end, passage.quote) is not None
        units += there and not here
        points += here and not there
    if units or points:
        return units > points
    unknown = [p for la in labels if la.units is Units.UNKNOWN for p in la.passages]
    return _reads_better_as_utf16(text, unknown, offsets)


def _reads_better_as_utf16(text: str, passages: Sequence[Passage], offsets: CodePoints) -> bool:
    """True if fewer of the passages cut a word or run past the end."""
    given = [(p.start, p.end) for p in passages if p.start is not None and p.end is not None]
    converted = [(offsets.of(s), offsets.of(e)) for s, e in given]
    return sum(cuts(text, s, e) for s, e in converted) < sum(cuts(text, s, e) for s, e in given)
