"""Tables of any origin (CSV, XLSX, Parquet, JSON objects): records to `ImportRow`s."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from storage.formats.argilla import Answers
from storage.formats.argilla_columns import record_of
from storage.formats.columns import ColumnMapping, Record, checked_mapping
from storage.formats.fields import Fields
from storage.formats.labels import Given, labels_of
from storage.formats.ledger import ID_OF_QUESTION, LINE, Ledger, Outcome
from storage.formats.row_labels import RowLabels
from storage.formats.rows import ImportRow, Label, LabelKind, Passage, Row, RowError, Source
from storage.formats.sentence_rows import each_once, posts_of_sentences
from storage.formats.squad import answers_of_question
from storage.formats.tagged import joined_tokens, tagged_labels
from storage.formats.texts import NOBODY, UNSAVED, check_text
from storage.formats.token_rows import texts_of_tokens, token_columns
from storage.formats.values import decoded, plain, plain_value, string
from storage.records import InvalidRecord

IGNORED = ("manifest", "post_labels_rule", "discussion")
_TOTALS = frozenset(
    ("total", "totals", "grandtotal", "sum", "mean", "average", "summe", "gesamt", "mittelwert", "totaux", "totales")
)
_OF_REDDIT = ("body", "selftext")  # of a comment, of a post


def read_table(
    columns: Sequence[str], sample: Sequence[Record], records: Iterable[tuple[int, Record | RowError]], source: Source
) -> Iterator[Row]:
    """The records as rows. Raises FormatError if no column can be the text of a post."""
    tokens = None if source.columns.get("text") else token_columns(columns, sample)
    if tokens is not None:
        grouped = texts_of_tokens(enumerate(sample, start=1), tokens, Ledger())
        columns, sample = tokens.header(), [r for _, r in grouped if not isinstance(r, RowError)]
        records = texts_of_tokens(records, tokens, source.ledger)
        chosen = {name: column for name, column in source.columns.items() if column in ("", *columns)}
        source = replace(source, columns={**chosen, "post_id": tokens.text})
    mapping = checked_mapping(
        columns,
        source.columns,
        sample,
        criteria=source.criteria,
        of_one=bool(source.criterion),
        reviewers=source.reviewers,
    )
    yield from rows_of_records(records, mapping, source)


def rows_of_records(
    records: Iterable[tuple[int, Record | RowError]], mapping: ColumnMapping, source: Source
) -> Iterator[Row]:
    """Numbered records as ImportRows; what cannot be read of a record costs itself, or the row where it is the text."""
    for said in mapping.said:
        source.ledger.count(LINE, "people", Outcome.TAKEN, said)
    rows = _rows_of_records(records, mapping, source)
    if mapping.sentences:
        once = each_once(mapping.columns)
        rows = posts_of_sentences(rows, mapping.sentence_number, source.ledger, each_once=once)
    return rows


def _rows_of_records(
    records: Iterable[tuple[int, Record | RowError]], mapping: ColumnMapping, source: Source
) -> Iterator[Row]:
    for number, record in records:
        if isinstance(record, RowError):
            yield record
            continue
        reader = _RowReader(number, record, mapping, source)
        try:
            yield reader.row()
        except InvalidRecord as error:
            yield reader.refused(str(error))


class _RowReader(RowLabels):
    """One record on its way to a row."""

    def __init__(self, number: int, record: Record, mapping: ColumnMapping, source: Source) -> None:
        super().__init__(number, record, mapping, source)
        self._notes: list[tuple[str, str]] = []
        self._labels: list[Label] = []
        self._post_id: str | None = None
        self._kept: dict[str, Any] = {}
        self._part: str | None = None  # posts and comments of Reddit may have the same ids

    def row(self) -> ImportRow:
        self._post_id = None if self._mapping.squad else string(self._take("post_id"))
        if self._post_id == UNSAVED:
            self._post_id = None
            self._notes.append(("renamed", f"its id is {UNSAVED}: the id is made from the text"))
        text = self._text()
        if self._post_id is None and "post_id" in self._mapping.columns and plain(text or "") in _TOTALS:
            raise InvalidRecord(f"is a row of totals without an id, no post: {string(text)}")
        if self._mapping.sentences and text:
            self._sentence = Passage(0, len(text), text)
        history, settled = self._labels_in("history"), self._labels_in("annotations")
        of_post = any(label.labels for label in history)
        predictions = self._labels_in("predictions", LabelKind.PREDICTION)
        self._labels = [*(history or settled), *predictions]
        raters = self._mapping.raters.values()
        theirs = any(column in self._fields for rater in raters for column in rater.columns.values())
        flat = () if theirs and "verdict" not in self._mapping.columns else self._flat_label()
        own = self._labels_of_raters()
        beside = self._labels_beside()
        self._labels += () if of_post else beside  # each person's stand in the history
        self._labels += own
        if flat:
            self._labels += self._unless_taken_back(flat, one_label=True)
        found: list[Label] = list(self._classes())
        for column, kind in self._mapping.lists.items():
            value = self._fields.take(column, "labels")
            if value is not None:
                found += labels_of(value, self._fields, column, self._given(column, kind))
        found += [
            *self._numbered_labels(),
            *self._wide_labels(),
            *self._tagged(text),
            *self._question(),
            *self._argilla(),
        ]
        self._labels += self._unless_taken_back(found, one_label=False) if found else ()
        decisions = self._decisions()
        author = string(self._take("author"))
        source, posted_at, split = (string(self._take(n)) for n in ("source", "posted_at", "split"))
        return ImportRow(
            number=self._number,
            post_id=self._post_id,
            text=text,
            author=None if author in NOBODY else author,
            source=source,
            posted_at=posted_at,
            split=split,
            meta=self._meta(),
            labels=tuple(self._labels),
            gold=(*settled, *beside) if history else (),
            adjudications=decisions,
            part=split or self._part,
            notes=tuple(self._notes),
            account=self._fields.account,
        )

    def refused(self, reason: str) -> RowError:
        self._fields.settle()
        return RowError(self._number, reason, self._fields.account, self._post_id, tuple(self._labels))

    # --- the text

    def _text(self) -> str | None:
        column = self._mapping.columns.get("text")
        if column is None:
            return self._tokens_text()
        if self._mapping.joined:
            parts = [self._words(self._fields.take(c, "text")) for c in self._mapping.joined]
            return "\n\n".join(p for p in parts if p) or None
        self._part = "comments" if column in _OF_REDDIT and "body" in self._fields else None
        if (
            column in _OF_REDDIT and column not in self._fields
        ):  # posts beside comments, and a post that is a title alone
            self._part = (
                "comments" if self._mapping.columns["text"] == "selftext" and "body" in self._fields else "posts"
            )
            column = self._fields.first(
                *_OF_REDDIT, *(["title"] if "selftext" in set(self._fields.item_keys()) else [])
            )
            return self._words(self._fields.take(column, "text"))
        return self._words(self._take("text"))

    def _words(self, value: Any) -> str | None:
        text, notes = check_text(value)
        self._notes += notes
        return text

    def _tokens_text(self) -> str | None:
        if self._mapping.tokens is None:
            return None
        words = decoded(self._fields.peek(self._mapping.tokens[0]))
        return joined_tokens(words)[0] if isinstance(words, list) and words else None

    # --- labels

    def _labels_in(self, name: str, kind: LabelKind = LabelKind.ANSWER) -> tuple[Label, ...]:
        column = self._mapping.columns.get(name)
        if column is None or column not in self._fields:
            return ()
        by = self._annotator() if name == "annotations" else None
        given = Given(kind, annotator=by, revision=name == "history", attributes=self._source.attributes)
        return labels_of(self._fields.take(column, name), self._fields, column, given)

    def _tagged(self, text: str | None) -> tuple[Label, ...]:
        if self._mapping.tokens is None or text is None:
            return ()
        words_column, tags_column = self._mapping.tokens
        words, tags = (decoded(self._fields.take(c, t)) for c, t in ((words_column, "text"), (tags_column, "labels")))
        if not tags_column:
            return ()
        if not isinstance(words, list) or not isinstance(tags, list) or len(words) != len(tags):
            self._notes.append(("label", f"{tags_column}: the tags are not as many as the words"))
            return ()
        found = tagged_labels([str(w) for w in words], [str(t) for t in tags], text)
        by = self._annotator() if found else None
        return tuple(replace(la, annotator=by) for la in found)

    def _question(self) -> tuple[Label, ...]:
        if not self._mapping.squad:
            return ()
        self._fields.leave("id", ID_OF_QUESTION)
        return answers_of_question(self._fields, whole=False)

    def _decisions(self) -> tuple[Mapping[str, Any], ...]:
        """Adjudications, as our own export writes them."""
        value = decoded(self._take("adjudications"))
        return tuple(v for v in value if isinstance(v, Mapping)) if isinstance(value, list | tuple) else ()

    def _argilla(self) -> list[Label]:
        if not self._mapping.questions:
            return []
        answers = Answers(Fields(record_of(self._fields, self._mapping.questions)), {})
        answers.responses()
        answers.suggestions()
        self._kept |= answers.kept
        return answers.labels

    # --- the rest

    def _meta(self) -> dict[str, Any]:
        meta = decoded(self._take("meta"))
        found: dict[str, Any] = {str(k): plain_value(v) for k, v in meta.items()} if isinstance(meta, Mapping) else {}
        if meta is not None and not isinstance(meta, Mapping):
            found["meta"] = plain_value(meta)
        for name in IGNORED:
            if name == "manifest" or isinstance(
                decoded(self._fields.peek(name)), list | Mapping
            ):  # as our exports write them
                self._fields.leave(name, "of another export")
        for column, hint in self._mapping.hints.items():
            self._fields.keep(column, hint)
        return found | self._fields.settle() | self._kept
