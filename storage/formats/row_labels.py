"""What the cells of one row of a table say: a label with its verdict and passages, columns of criteria, columns of several people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from storage.formats.answers import is_verdict, verdict_of
from storage.formats.columns import ColumnMapping, Record
from storage.formats.fields import Fields
from storage.formats.labels import NOTHING_SAID, Given, labels_of
from storage.formats.paired import pairs_of
from storage.formats.passages import names_places, passage_or_reason, passages_of, passages_of_cell
from storage.formats.rows import Label, LabelKind, Passage, Source
from storage.formats.said import POST_LABELS, labels_from, said_of
from storage.formats.standing import qualifier_of_row
from storage.formats.values import decoded, is_empty, plain, string
from storage.formats.wide import is_mark, says_no_words, says_verdict
from storage.records import OF_POST, Verdict

NO_PASSAGE = "evidence is claimed, but no passage is named; kept in meta"
_CLASSES = frozenset(("labels", "classes", "symptoms", "criteria", "tags", "categories"))


class RowLabels:
    """One record, with the labels that its cells say. What a method reads it takes from the record's fields."""

    def __init__(self, number: int, record: Record, mapping: ColumnMapping, source: Source) -> None:
        self._number, self._mapping, self._source = number, mapping, source
        self._record, self._fields = record, Fields(record)
        self._sentence: Passage | None = None  # all of the text, where it is a sentence of its post

    def _flat_label(self) -> tuple[Label, ...]:
        """The label that a row of a table holds: one criterion, and one passage or several, or a verdict alone."""
        column = self._mapping.columns.get("criterion", "")
        criterion = self._source.criterion if not column else self._fields.peek(column)
        if criterion is None or is_empty(decoded(criterion)) or (not column and not self._says_something()):
            return ()
        if criterion == OF_POST:
            return self._labels_of_post(column)
        if (several := self._several(column, criterion)) is not None:
            return several
        if not isinstance(criterion, str | int | float):
            self._fields.keep(column, "a list of labels of the whole post")
            return labels_of(criterion, self._fields, column, Given())
        given = Given(
            label=string(criterion),
            annotator=self._annotator(),
            created_at=string(self._take("created_at")),
            whole=False,
        )
        note = string(self._take("note")) or ""
        verdict_column = self._mapping.columns.get("verdict", "")
        said = self._fields.peek(verdict_column)
        evidence = self._mapping.columns.get("evidence", "")
        # a column of evidence that says whether there is any
        if said is None and says_verdict(self._fields.peek(evidence)) and not self._is_quote(evidence):
            verdict_column, said = evidence, self._fields.peek(evidence)
        found, bad = self._flat_passages(without=verdict_column)
        left = [given.a_label(None, None, left_out=reason) for reason in bad]
        if said is not None and not is_verdict(said):
            self._fields.keep(verdict_column, "is no verdict")
            self._fields.keep(column, "with an unknown verdict")
            why = f"{string(said)!r} is no verdict; use evidence, no_evidence or unsure"
            return (*left, given.a_label(None, None, left_out=why))
        if self._sentence is not None and not found and not bad and self._says_sentence(criterion, said):
            found = (self._sentence,)
        if verdict_of(said) is None and not found:
            self._fields.keep(column, "a label of the whole post, not read as an answer")
            return tuple(left) or (given.a_label(None, None, left_out=NOTHING_SAID),)
        if verdict_of(said) is Verdict.EVIDENCE and not found:
            for name in (column, verdict_column):
                self._fields.keep(name, "a label of the whole post, not read as an answer")
            return (*left, given.a_label(None, None, left_out=NO_PASSAGE)) if not bad else tuple(left)
        self._fields.take(verdict_column, "verdict")
        self._fields.take(column, "criterion")
        if found and (attributes := said_of(self._fields, self._source.attributes)):
            found = tuple(replace(passage, attributes=attributes) for passage in found)
        return (*left, replace(_answer(given, verdict_of(said), found), note=note))

    def _several(self, column: str, criterion: Any) -> tuple[Label, ...] | None:
        """The labels of a cell with several, each with its piece of evidence; None where it holds one, or has offsets beside it."""
        columns = self._mapping.columns
        evidence = columns.get("evidence", "")
        if not evidence or any(columns.get(n, "") in self._fields for n in ("start", "end")):
            return None
        pairs = pairs_of(
            criterion,
            self._fields.peek(evidence),
            self._source.criteria,
            each="text" not in columns and not self._mapping.wide,
        )
        said = self._fields.peek(columns.get("verdict", ""))
        if pairs is None or (said is not None and not is_verdict(said)):
            return None
        given = Given(annotator=self._annotator(), created_at=string(self._take("created_at")), whole=False)
        if isinstance(pairs, str):
            for name in (column, evidence):
                self._fields.keep(name, f"not read: {pairs}")
            return (given.a_label(string(criterion), None, left_out=pairs),)
        note = string(self._take("note")) or ""
        self._fields.take(columns.get("verdict"), "verdict")
        for name, to in ((column, "criterion"), (evidence, "quote")):
            self._fields.take(name, to)
        return tuple(
            la for name, piece in pairs for la in self._one_of_several(replace(given, label=name), said, piece, note)
        )

    def _one_of_several(self, given: Given, said: Any, piece: Any, note: str) -> Iterator[Label]:
        column = self._mapping.columns.get("evidence", "")
        found, bad = passages_of_cell(piece, column, self._fields.peek(self._mapping.columns.get("text", "")))
        yield from (given.a_label(None, None, left_out=reason) for reason in bad)
        if found or (said is not None and verdict_of(said) is not Verdict.EVIDENCE):
            yield replace(_answer(given, verdict_of(said), found), note=note)
        elif not bad:
            yield given.a_label(None, None, left_out=NOTHING_SAID if said is None else NO_PASSAGE)

    def _says_something(self) -> bool:
        """Whether a row without a column of criteria says something of the one of its file."""
        return any(self._mapping.columns.get(n, "") in self._fields for n in ("verdict", "evidence", "start"))

    def _is_quote(self, column: str) -> bool:
        """Whether a cell of evidence that could say a doubt (maybe, not sure) are words of the text."""
        value, text = (self._fields.peek(c) for c in (column, self._mapping.columns.get("text", "")))
        doubt = is_verdict(value) and verdict_of(value) is Verdict.UNSURE
        if not isinstance(text, str) or not (doubt or says_no_words(value)) or not plain(str(value)):
            return False
        return str(value).strip().casefold() in text.casefold()

    def _says_sentence(self, criterion: Any, said: Any) -> bool:
        """Whether a row of a sentence says that it is evidence: by its verdict, or by its class where there is no other column."""
        if {"verdict", "evidence", "start"} & self._mapping.columns.keys():
            return verdict_of(said) is Verdict.EVIDENCE
        return not is_verdict(criterion)

    def _labels_of_post(self, column: str) -> tuple[Label, ...]:
        """What a row of our own table says of the whole post."""
        found = labels_from(self._fields.peek(POST_LABELS), self._source.attributes)
        if not found:
            return ()
        for key, to in ((column, "criterion"), (POST_LABELS, "labels of the post")):
            self._fields.take(key, to)
        created_at, note = string(self._take("created_at")), string(self._take("note")) or ""
        given = Given(label=OF_POST, annotator=self._annotator(), created_at=created_at)
        return (replace(given.a_label(None, None), labels=found, note=note),)

    def _labels_beside(self) -> tuple[Label, ...]:
        """Labels of the whole post that stand beside its answers."""
        found = labels_from(self._fields.peek(POST_LABELS), self._source.attributes)
        if POST_LABELS not in self._fields or not found:
            return ()
        self._fields.take(POST_LABELS, "labels of the post")
        return (replace(Given(label=OF_POST).a_label(None, None), labels=found),)

    def _given(self, column: str, kind: LabelKind) -> Given:
        """Whose the labels of a column are: of the person (or model) whom a column beside it names, else of the row's annotator."""
        key = self._fields.first(*(f"{column}{mark}agent" for mark in "_.-"))
        if key is not None:
            name = string(self._fields.take(key, "annotator" if kind is LabelKind.ANSWER else "model"))
            of = self._source.attributes
            answers = kind is LabelKind.ANSWER
            return (
                Given(kind, annotator=name, attributes=of)
                if answers
                else Given(kind, model_version=name, attributes=of)
            )
        by = self._mapping.people.get(column) or self._annotator() if kind is LabelKind.ANSWER else None
        return Given(kind, annotator=by, attributes=self._source.attributes)

    def _annotator(self) -> str | None:
        """Who gave the row's labels; the column is taken with the first of them."""
        column = self._mapping.columns.get("annotator")
        if column is None:
            return None
        name = string(self._fields.peek(column))
        self._fields.take(column, "annotator")
        return name

    def _unless_taken_back(self, labels: Sequence[Label], *, one_label: bool) -> list[Label]:
        """The labels; left out where a column of the row takes them back."""
        taken = set(self._mapping.columns.values())
        why = qualifier_of_row(self._fields, [c for c in self._fields if c not in taken], one_label=one_label)
        if not why:
            return list(labels)
        answers = LabelKind.ANSWER
        return [replace(la, left_out=la.left_out or f"marked {why}") if la.kind is answers else la for la in labels]

    def _flat_passages(self, *, without: str) -> tuple[tuple[Passage, ...], list[str]]:
        """The passages of the row: by its offsets, or by what its evidence says; and the reasons why others cannot be read.

        without: a column that says something else.
        """
        columns = self._mapping.columns
        start, end, evidence = (
            self._take(n) if columns.get(n) != without else None for n in ("start", "end", "evidence")
        )
        if start is None and end is None:
            return passages_of_cell(evidence, columns.get("evidence") or "", self._fields.peek(columns.get("text", "")))
        found = passage_or_reason(start, end, evidence if isinstance(evidence, str) else None)
        return ((), [found]) if isinstance(found, str) else ((found,), [])

    def _wide_labels(self) -> Iterator[Label]:
        """Labels of columns that bear a criterion's name."""
        for criterion, (verdict_column, evidence_column) in self._mapping.wide.items():
            says = any(c in self._fields for c in (verdict_column, evidence_column) if c is not None)
            given = Given(label=criterion, annotator=self._annotator() if says else None)
            said = self._fields.peek(verdict_column or "")
            evidence = self._fields.peek(evidence_column or "")
            said = "1" if is_mark(said) else said
            if says_no_words(evidence) and not self._is_quote(evidence_column or ""):
                self._fields.leave(str(evidence_column), "no words")
                evidence = evidence_column = None
            if said is None and says_verdict(evidence) and not self._is_quote(evidence_column or ""):
                said, verdict_column, evidence_column = evidence, evidence_column, None
            elif said is not None and evidence_column is None and not says_verdict(said) and not says_no_words(said):
                # a cell of a column that stands alone may hold its evidence
                said, verdict_column, evidence_column = None, None, verdict_column
            found, bad = passages_of(
                self._fields.take(evidence_column, f"evidence of {criterion}"),
                places=names_places(evidence_column or ""),
            )
            yield from (given.a_label(None, None, left_out=reason) for reason in bad)
            if self._sentence is not None and is_verdict(said) and verdict_of(said) is Verdict.EVIDENCE and not found:
                found = (self._sentence,)
            if said is not None and not is_verdict(said):
                self._fields.keep(str(verdict_column), "is no verdict")
                yield given.a_label(None, None, left_out=f"{string(said)!r} is no verdict")
                continue
            if not found and not bad and verdict_of(said) is Verdict.EVIDENCE:
                self._fields.keep(str(verdict_column), "a label of the whole post, not read as an answer")
                yield given.a_label(None, None, left_out=NO_PASSAGE)
                continue
            self._fields.take(verdict_column, f"verdict of {criterion}")
            verdict = verdict_of(said)
            if verdict is not None or found:
                yield _answer(given, verdict, found)

    def _classes(self) -> Iterator[Label]:
        """Labels of a sentence that are listed: it is evidence for each of them."""
        if self._sentence is None or "criterion" in self._mapping.columns:
            return
        for column in [c for c in self._fields if plain(c) in _CLASSES]:
            names = decoded(self._fields.peek(column))
            if isinstance(names, list) and all(isinstance(n, str) for n in names):
                self._fields.take(column, "criterion")
                given = Given(annotator=self._annotator(), whole=False)
                yield from (given.a_label(n, Verdict.EVIDENCE, self._sentence) for n in names if not is_verdict(n))

    def _numbered_labels(self) -> Iterator[Label]:
        """The labels of a row that has columns for several of them: `symptom1`, `evidence1`, `symptom2`, `evidence2`."""
        own = ("criterion", "verdict", "start", "end", "evidence", "note")
        shared = {k: v for k, v in self._mapping.columns.items() if k not in own}
        for columns in self._mapping.numbered:
            reader = RowLabels(
                self._number, self._record, replace(self._mapping, columns={**shared, **columns}), self._source
            )
            reader._sentence = self._sentence
            yield from reader._flat_label()
            self._fields.follow(reader._fields)

    def _labels_of_raters(self) -> list[Label]:
        """Labels of the people who have columns of their own: the row as each of them filled it in."""
        found: list[Label] = []
        for person, rater in self._mapping.raters.items():
            if not any(column in self._fields for column in rater.all()):
                continue
            shared = {k: v for k, v in self._mapping.columns.items() if k not in ("verdict", "annotator", "history")}
            wide = {criterion: (column, None) for criterion, column in rater.wide.items()}
            own = replace(self._mapping, columns={**shared, **rater.columns}, wide=wide, raters={})
            reader = RowLabels(self._number, self._record, own, self._source)
            reader._sentence = self._sentence
            said = [*(reader._flat_label() if rater.columns else ()), *reader._wide_labels()]
            self._fields.follow(reader._fields)
            found += (replace(la, annotator=person) for la in self._unless_taken_back(said, one_label=True))
        return found

    def _take(self, name: str) -> Any:
        column = self._mapping.columns.get(name)
        return None if column is None else self._fields.take(column, name)


def _answer(given: Given, verdict: Verdict | None, passages: tuple[Passage, ...]) -> Label:
    """The label of a row; the passages of a refusal are those that were looked at."""
    refused = verdict is Verdict.NO_EVIDENCE
    taken, rejected = ((), passages) if refused else (passages, ())
    return given.a_label(None, verdict or Verdict.EVIDENCE, *taken, rejected=rejected)
