"""A file's labels → annotations and predictions of a post: criteria are matched, evidence is placed, rows are merged.

Pure: reads nothing and stores nothing. What cannot be taken comes back as issues.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from annotator.exchange.options import ImportOptions, ImportRefused, LabelsAs
from encoder.text.align import Alignment, align
from encoder.text.sentences import sentences
from storage.formats.answers import annotated_span
from storage.formats.rows import Label, LabelKind, Passage, Units
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


class CriteriaMatcher:
    """Finds the project's criterion for a file's label; adds criteria where that is allowed."""

    def __init__(
        self, criteria: Sequence[Criterion], options: ImportOptions, wording: Sequence[Criterion] = ()
    ) -> None:
        self._by_name = {_plain(n): c for c in reversed(criteria) for n in (c.name, c.id)}
        self._by_id = {c.id: c for c in criteria}
        self._chosen = {_plain(k): v for k, v in options.criteria.items()}
        self._wording = {_plain(c.id): c for c in wording}
        lost = [v for v in self._chosen.values() if _plain(v) not in self._by_name]
        if lost and not options.new_criteria:
            raise ImportRefused(
                f"There is no criterion {lost[0]!r} for a label to become. Criteria: {', '.join(self._by_id)};"
                " or let the import add new ones."
            )
        self._may_add = options.new_criteria
        self._next_position = len(criteria)
        self.added: dict[str, Criterion] = {}
        self.unknown: dict[str, int] = {}

    def find(self, label: str) -> Criterion | None:
        """The criterion; None (and counted) if the project has none of that name and may not get one."""
        wanted = self._chosen.get(_plain(label), label)
        found = self._by_name.get(_plain(wanted))
        if found is None and self._may_add:
            found = self._add(_plain(wanted), wanted)
        if found is None:
            self.unknown[label] = self.unknown.get(label, 0) + 1
        return found

    def criterion(self, criterion_id: str) -> Criterion:
        """The criterion of an id that `find` has given."""
        return self._by_id[criterion_id]

    def _add(self, name: str, label: str) -> Criterion | None:
        criterion_id = re.sub(r"[^\w.-]+", "_", label.strip())[:80].strip("_")
        if not criterion_id:
            return None
        known = self._wording.get(name)
        criterion = known or Criterion(criterion_id, label.strip(), label.strip())
        criterion = replace(criterion, position=self._next_position, version=1)
        self._next_position += 1
        self._by_name[name] = self._by_id[criterion.id] = self.added[criterion.id] = criterion
        return criterion


class LabelTaker:
    """Turns the labels of one post after the other into records."""

    def __init__(self, matcher: CriteriaMatcher, options: ImportOptions) -> None:
        self._matcher, self._options = matcher, options

    def take(self, post_id: str, text: str, labels: Iterable[tuple[int, Label]]) -> Taken:
        """labels: (row number, label) in order of the file."""
        taken = Taken()
        if self._options.labels_as is LabelsAs.IGNORE:
            return taken
        known: list[tuple[int, Label]] = []
        for row, label in labels:
            criterion = self._matcher.find(label.criterion)
            if criterion is None:
                taken.issues.append(Issue(row, post_id, "label", f"the project has no criterion {label.criterion!r}"))
            else:
                known.append((row, replace(label, criterion=criterion.id)))
        for row, label in _merged(known):
            criterion = self._matcher.criterion(label.criterion)
            try:
                _OnePlacing(post_id, text, row, criterion, self._options, taken).take(label)
            except InvalidRecord as error:
                taken.issues.append(Issue(row, post_id, "label", f"{criterion.id}: {error}"))
        return taken


def _merged(labels: Iterable[tuple[int, Label]]) -> list[tuple[int, Label]]:
    """Labels that stand in several rows (one row per span) as one each; whole ones as they are."""
    found: dict[object, tuple[int, Label]] = {}
    for row, label in labels:
        key = (row, len(found)) if label.whole else (label.criterion, label.annotator, label.kind, label.model_version)
        first = found.get(key)
        found[key] = (row, label) if first is None else (first[0], _joined(first[1], label))
    return list(found.values())


def _joined(one: Label, other: Label) -> Label:
    return replace(
        one,
        verdict=Verdict.EVIDENCE if Verdict.EVIDENCE in (one.verdict, other.verdict) else one.verdict,
        passages=one.passages + other.passages,
        rejected=one.rejected + other.rejected,
        created_at=max(filter(None, (one.created_at, other.created_at)), default=None),
        note="\n".join(dict.fromkeys(n for n in (one.note, other.note) if n)),
    )


class _OnePlacing:
    """One label of one post on its way to a record."""

    def __init__(
        self, post_id: str, text: str, row: int, criterion: Criterion, options: ImportOptions, taken: Taken
    ) -> None:
        self.post_id, self.text, self.row, self.criterion = post_id, text, row, criterion
        self.options, self.taken = options, taken

    def take(self, label: Label) -> None:
        reviewer = self._reviewer(label)
        utf16 = label.units is Units.UNKNOWN and _counts_utf16(self.text, label.passages)
        placed = list(self._placed(label.passages, utf16, reviewer, reports_doubt=label.kind is LabelKind.ANSWER))
        if label.kind is LabelKind.PREDICTION or self.options.labels_as is LabelsAs.PREDICTIONS:
            self._predict(label, placed)
            return
        if label.verdict is Verdict.EVIDENCE and not placed:
            if not label.passages:
                raise InvalidRecord("evidence is claimed, but no passage is named")
            return  # each passage has its own line in the report
        self.taken.annotations.append(
            Annotation(
                post_id=self.post_id,
                criterion_id=self.criterion.id,
                reviewer=reviewer,
                verdict=label.verdict,
                spans=_distinct(placed),
                rejected=_plain_spans(self._placed(label.rejected, utf16, reviewer)),
                undecided=_plain_spans(self._placed(label.undecided, utf16, reviewer)),
                criterion_version=min(label.criterion_version or self.criterion.version, self.criterion.version),
                model_version=label.model_version,
                note=label.note,
                seconds=label.seconds,
                created_at=label.created_at,
            )
        )
        self.taken.reviewers.setdefault(reviewer, self._role(label))

    def _reviewer(self, label: Label) -> str:
        if self.options.labels_as is LabelsAs.GOLD:
            return GOLD_REVIEWER
        return (label.annotator or self.options.annotator).strip()

    def _role(self, label: Label) -> Role:
        if self.options.labels_as is LabelsAs.GOLD or label.role == Role.ADJUDICATOR:
            return Role.ADJUDICATOR
        return Role.REVIEWER

    def _predict(self, label: Label, placed: Sequence[tuple[Passage, Span]]) -> None:
        own = label.kind is LabelKind.PREDICTION
        spans = [Span(s.start, s.end, 1.0 if p.score is None else p.score, p.core_start, p.core_end) for p, s in placed]
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
        self, passages: Iterable[Passage], utf16: bool, reviewer: str, *, reports_doubt: bool = False
    ) -> Iterator[tuple[Passage, Span]]:
        for passage in passages:
            span = self._by_offsets(passage, utf16)
            if span is None and passage.quote:
                span = self._by_words(passage, passage.quote, reviewer, reports_doubt)
            elif span is None:
                self._unplaced(
                    f"span {passage.start}:{passage.end} does not lie in the post ({len(self.text)} characters)"
                )
            if span is not None:
                yield passage, span

    def _by_offsets(self, passage: Passage, utf16: bool) -> Span | None:
        """The span that the offsets mean and, if there are words, say the same; else None."""
        if passage.start is None or passage.end is None:
            return None
        if not utf16 and (span := _fitting(self.text, passage.start, passage.end, passage.quote)) is not None:
            return span
        start, end = (_code_points(self.text, at) for at in (passage.start, passage.end))
        span = None if start is None or end is None else _fitting(self.text, start, end, passage.quote)
        if span is None or (span.start, span.end) == (passage.start, passage.end):
            return span
        if passage.quote is None and not utf16:
            return None  # a guess without words to prove it
        self.taken.repaired += 1
        where = f"{passage.start}:{passage.end} → {span.start}:{span.end}"
        self._report("repaired", f"{self.criterion.id}: offsets in UTF-16 units, converted ({where})")
        return span

    def _by_words(self, passage: Passage, words: str, reviewer: str, reports_doubt: bool) -> Span | None:
        found = align(self.text, words, near=self._near(passage), accept=self.options.accept)
        if found.best is not None:
            self.taken.aligned += 1
            return found.best.span
        if found.doubtful and reports_doubt:
            self._doubt(found, words, reviewer)
        else:
            self._unplaced("the evidence was not found in the post", words)
        return None

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


def already_there(known: Iterable[Annotation], new: Annotation) -> bool:
    """True if one of the stored revisions says the same, by the same person and (where the file tells) at the same time."""
    return any(
        (k.criterion_id, k.reviewer, k.verdict) == (new.criterion_id, new.reviewer, new.verdict)
        and {(s.start, s.end) for s in k.spans} == {(s.start, s.end) for s in new.spans}
        and set(k.rejected) == set(new.rejected)
        and new.created_at in (None, k.created_at)
        for k in known
    )


def _fitting(text: str, start: int, end: int, quote: str | None) -> Span | None:
    if not 0 <= start < end <= len(text) or (quote is not None and text[start:end] != quote):
        return None
    return Span(start, end)


def _distinct(placed: Iterable[tuple[Passage, Span]]) -> tuple[AnnotatedSpan, ...]:
    """Annotated spans in text order, each place once."""
    found: dict[tuple[int, int], AnnotatedSpan] = {}
    for passage, span in placed:
        found.setdefault((span.start, span.end), annotated_span(passage, span.start, span.end))
    return tuple(found[key] for key in sorted(found))


def _plain_spans(placed: Iterable[tuple[Passage, Span]]) -> tuple[Span, ...]:
    found = {(s.start, s.end): Span(s.start, s.end, p.score, p.core_start, p.core_end) for p, s in placed}
    return tuple(found[key] for key in sorted(found))


def _plain(name: str) -> str:
    return "".join(ch for ch in name.casefold() if ch.isalnum())


# --- UTF-16


def _code_points(text: str, units: int) -> int | None:
    """The code-point offset of an offset in UTF-16 units; None if it lies outside or in the middle of a character."""
    data = text.encode("utf-16-le", "surrogatepass")
    if not 0 <= units * 2 <= len(data):
        return None
    try:
        return len(data[: units * 2].decode("utf-16-le"))
    except UnicodeDecodeError:
        return None


def _counts_utf16(text: str, passages: Sequence[Passage]) -> bool:
    """True if the offsets make better sense in UTF-16 units: fewer of them cut a word or run past the end.

    Only texts with characters beyond the 16-bit plane (emoji) can differ; where both readings are as good, code points win.
    """
    offsets = [(p.start, p.end) for p in passages if p.start is not None and p.end is not None]
    if not offsets or all(ord(ch) < 0x10000 for ch in text):
        return False
    converted = [(_code_points(text, s), _code_points(text, e)) for s, e in offsets]
    return sum(_cuts(text, s, e) for s, e in converted) < sum(_cuts(text, s, e) for s, e in offsets)


def _cuts(text: str, start: int | None, end: int | None) -> int:
    """How badly a span sits: 3 outside the text, else one for each edge inside a word or on white space."""
    if start is None or end is None or not 0 <= start < end <= len(text):
        return 3
    return sum(
        (0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()) or inner.isspace()
        for at, inner in ((start, text[start]), (end, text[end - 1]))
    )


def mapping_of(lines: str) -> Mapping[str, str]:
    """`file label = our criterion`, one per line, as a mapping. Raises InvalidRecord for a line without `=`."""
    found = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        label, separator, criterion = line.rpartition("=")
        if not separator or not label.strip() or not criterion.strip():
            raise InvalidRecord(f"{line[:60]!r} is no pair of labels; write: label in the file = criterion")
        found[label.strip()] = criterion.strip()
    return found
