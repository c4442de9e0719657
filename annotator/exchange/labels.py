"""A file's labels → annotations and predictions of a post: criteria are matched, labels of one criterion united, evidence is placed.

Pure: reads nothing and stores nothing. What cannot be taken comes back as issues, and every label is counted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace

from annotator.exchange.matching import CriteriaMatcher
from annotator.exchange.options import ImportOptions, LabelsAs
from annotator.exchange.placing import LabelPlace, OnePlacing, Taken, counts_utf16, has_wide_characters, reviewer_of
from annotator.exchange.repeated import stronger
from storage.formats.ledger import Outcome
from storage.formats.rows import Label, LabelKind
from storage.records import OF_POST, Annotation, InvalidRecord, Role, Verdict
from storage.staging import Issue


@dataclass
class _United:
    """Labels of a file that are one answer. names: as the file calls them, one for each."""

    row: int
    label: Label
    names: list[str]
    verdicts: dict[str, Verdict]


class LabelTaker:
    """Turns the labels of one post after the other into records."""

    def __init__(self, matcher: CriteriaMatcher, options: ImportOptions) -> None:
        self._matcher, self._options = matcher, options

    def take(self, post_id: str, text: str, labels: Iterable[tuple[int, Label]]) -> Taken:
        """labels: (row number, label) in order of the file."""
        taken = Taken()
        known: list[tuple[int, str, Label]] = []
        for row, label in labels:
            why = (
                "labels are not wanted (--labels-as ignore)"
                if self._options.labels_as is LabelsAs.IGNORE
                else label.left_out
            )
            if not why and label.criterion == OF_POST:
                known.append((row, label.criterion, label))
                continue
            criterion = None if why else self._matcher.find(label.criterion)
            if criterion is None:
                unknown = why or f"the project has no criterion {label.criterion!r}"
                if self._options.labels_as is not LabelsAs.IGNORE:
                    taken.issues.append(
                        Issue(row, post_id, "label", f"{label.criterion}: {unknown}" if why else unknown)
                    )
                taken.count(label.criterion, Outcome.LEFT, unknown if why else "the project has no such criterion")
            else:
                own = label if label.criterion == criterion.id else replace(label, criterion=criterion.id)
                known.append((row, label.criterion, own))
        utf16 = self._units(text, [label for _, _, label in known]) if has_wide_characters(text) else {}
        for one in self._united(known):
            if one.label.criterion == OF_POST:
                self._take_of_post(post_id, one, taken)
                continue
            self._place(post_id, text, one, taken, utf16=utf16.get(self._answer(one.label), False))
        return taken

    def _take_of_post(self, post_id: str, one: _United, taken: Taken) -> None:
        """Labels of the whole post; an answer that was taken back has none."""
        label = one.label
        predicts = label.kind is LabelKind.PREDICTION or self._options.labels_as is LabelsAs.PREDICTIONS
        fate = (
            (Outcome.LEFT, "labels of a post are no predictions") if predicts else (Outcome.TAKEN, "labels of the post")
        )
        for name in one.names:
            taken.count(name, *fate)
        if predicts:
            return
        reviewer = reviewer_of(label, self._options)
        taken.annotations.append(
            Annotation(
                post_id,
                OF_POST,
                reviewer,
                None,
                note=label.note,
                seconds=label.seconds,
                labels=label.labels,
                created_at=label.created_at,
            )
        )
        role = Role.ADJUDICATOR if label.role == Role.ADJUDICATOR else Role.REVIEWER
        taken.reviewers.setdefault(reviewer, role)

    def _place(self, post_id: str, text: str, one: _United, taken: Taken, *, utf16: bool) -> None:
        criterion, before = self._matcher.criterion(one.label.criterion), _size(taken)
        self._report_contradiction(post_id, one, taken)
        why = "its passages were not found"
        try:
            place = LabelPlace(post_id, text, one.row, utf16)
            OnePlacing(place, criterion, self._options, taken).take(one.label)
        except InvalidRecord as error:
            why = str(error)
            taken.issues.append(Issue(one.row, post_id, "label", f"{criterion.id}: {error}"))
        stored = _size(taken) != before
        kind = "a prediction" if one.label.kind is LabelKind.PREDICTION else "an answer"
        for name in one.names:
            taken.count(
                name, Outcome.TAKEN if stored else Outcome.LEFT, f"{kind} for {criterion.id}" if stored else why
            )

    def _report_contradiction(self, post_id: str, one: _United, taken: Taken) -> None:
        if len(set(one.verdicts.values())) > 1:
            said = ", ".join(f"{name} says {verdict}" for name, verdict in one.verdicts.items())
            reason = f"{one.label.criterion}: contradictory: {said}; kept as {one.label.verdict}"
            taken.issues.append(Issue(one.row, post_id, "contradiction", reason))

    # --- which labels belong together

    def _answer(self, label: Label) -> Hashable:
        """Labels of one answer sheet: the same person's, or the same model's."""
        return (label.kind, label.annotator, label.model_version)

    def _units(self, text: str, labels: Iterable[Label]) -> dict[Hashable, bool]:
        """Whether the offsets of each answer sheet count UTF-16 units: what one passage proves holds for its neighbours."""
        sheets: dict[Hashable, list[Label]] = {}
        for label in labels:
            sheets.setdefault(self._answer(label), []).append(label)
        return {sheet: counts_utf16(text, members) for sheet, members in sheets.items()}

    def _united(self, labels: Iterable[tuple[int, str, Label]]) -> list[_United]:
        """Labels of one criterion by one person (or model) as one answer; answers that follow each other in time as they are."""
        found: dict[Hashable, _United] = {}
        for row, name, label in labels:
            key: Hashable = (row, len(found)) if label.revision else self._key(label)
            first = found.get(key)
            if first is None:
                found[key] = _United(row, label, [name], {})
            else:
                first.label = _joined(first.label, label)
                first.names.append(name)
            if _judges_the_post(label):
                found[key].verdicts.setdefault(f"{name} (row {row})", label.verdict)  # type: ignore[arg-type]
        return list(found.values())

    def _key(self, label: Label) -> Hashable:
        own = label.kind is LabelKind.PREDICTION
        by = label.model_version if own else reviewer_of(label, self._options)
        if self._options.labels_as is LabelsAs.PREDICTIONS and not own:
            by = None  # all people's answers become the predictions of one import
        several = label.whole and not own and self._options.labels_as is LabelsAs.ANSWERS
        return (label.criterion, label.kind, by, label.created_at if several else None)


def _judges_the_post(label: Label) -> bool:
    """Whether the verdict is about the whole post: a refused passage alone says nothing of the others."""
    return label.verdict is not None and not (label.verdict is Verdict.NO_EVIDENCE and bool(label.rejected))


def _joined(one: Label, other: Label) -> Label:
    return replace(
        one,
        verdict=stronger(one.verdict, other.verdict),
        passages=tuple(dict.fromkeys((*one.passages, *other.passages))),
        rejected=tuple(dict.fromkeys((*one.rejected, *other.rejected))),
        undecided=tuple(dict.fromkeys((*one.undecided, *other.undecided))),
        created_at=max(filter(None, (one.created_at, other.created_at)), default=None),
        note="\n".join(dict.fromkeys(n for n in (one.note, other.note) if n)),
        labels=tuple(sorted({**dict(other.labels), **dict(one.labels)}.items())),
        no_evidence_score=min(
            (s for s in (one.no_evidence_score, other.no_evidence_score) if s is not None), default=None
        ),
    )


def _size(taken: Taken) -> tuple[int, int, int]:
    return len(taken.annotations), len(taken.predictions), len(taken.doubts)


def mapping_of(lines: str) -> Mapping[str, str]:
    """`file label = our criterion`, one per line, as a mapping. Raises InvalidRecord for a line without `=`."""
    found = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        label, separator, criterion = line.rpartition("=")
        if not separator or not label.strip() or not criterion.strip():
            raise InvalidRecord(f"{line[:60]!r} is no pair of labels; write: label in the file = criterion")
        found[label.strip()] = criterion.strip()
    return found
