"""Tables with a row for each token (word, tag, number of the sentence): their rows become one record for each text, with lists of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.formats.columns import Record
from storage.formats.ledger import COLUMN, Ledger, Outcome
from storage.formats.rows import RowError
from storage.formats.synonyms import SYNONYMS
from storage.formats.tagged import OUTSIDE, is_tag
from storage.formats.values import is_empty, plain, string

_WORDS = ("word", "token", "form", "words", "tokens")
_TAGS = ("tag", "nertag", "ner", "bio", "iob", "label", "entity", "tags", "labels")
_TEXTS = (
    "postid",
    "docid",
    "documentid",
    "document",
    "doc",
    "textid",
    "sentence",
    "sentenceid",
    "sentid",
    "sentencenr",
    "sentnum",
    "id",
)


@dataclass(frozen=True, slots=True)
class TokenColumns:
    """text: the column that says to which text a token belongs, maybe in the first row of each only."""

    word: str
    tag: str
    text: str
    by: str | None = None

    def header(self) -> list[str]:
        return [self.text, self.word, self.tag, *([self.by] if self.by else [])]


def token_columns(columns: Sequence[str], sample: Sequence[Record]) -> TokenColumns | None:
    """The columns, if each row is a token with its tag; None for any other table."""
    names = {plain(c): c for c in reversed(columns)}
    word, tag, text = (next((names[n] for n in wanted if n in names), None) for wanted in (_WORDS, _TAGS, _TEXTS))
    if word is None or tag is None or text is None or len(sample) < 2 or "text" in names:
        return None
    words, tags = ([v for r in sample if not is_empty(v := r.get(c))] for c in (word, tag))
    single = sum(1 for w in words if isinstance(w, str) and len(w.split()) == 1)
    prefixed = any(isinstance(t, str) and t != OUTSIDE for t in tags)
    fits = prefixed and all(isinstance(t, str) and is_tag(t.strip()) for t in tags) and 10 * single >= 9 * len(words)
    by = next((names[n] for n in SYNONYMS["annotator"] if n in names), None)
    return TokenColumns(word, tag, text, by) if fits and tags else None


def texts_of_tokens(
    records: Iterable[tuple[int, Record | RowError]], columns: TokenColumns, ledger: Ledger
) -> Iterator[tuple[int, Record | RowError]]:
    """A record for each text, under the number of its first row. What belongs to tokens alone is counted as left out."""
    number, current, words, tags = 0, None, list[str](), list[str]()
    by, person = columns.by or "", None

    def made() -> tuple[int, Record]:
        return number, {columns.text: current, columns.word: words, columns.tag: tags, **({by: person} if by else {})}

    for place, record in records:
        if isinstance(record, RowError):
            yield place, record
            continue
        name = string(record.get(columns.text))
        who = string(record.get(by))
        if (name is not None and name != current) or (who is not None and who != person):
            if words:
                yield made()
            number, current, person, words, tags = place, name or current, who, [], []
        _count(record, columns, ledger, first=not words)
        words.append(str(record.get(columns.word) or ""))
        tags.append(str(record.get(columns.tag) or OUTSIDE).strip())
    if words:
        yield made()


def _count(record: Mapping[str, Any], columns: TokenColumns, ledger: Ledger, *, first: bool) -> None:
    """Count what a row says beside the first of its text, which is counted with the text."""
    taken = {columns.text: "post_id", columns.word: "text", columns.tag: "labels"} | (
        {columns.by: "annotator"} if columns.by else {}
    )
    for column, value in record.items():
        if is_empty(value) or (first and column in taken):
            continue
        if column in taken:
            ledger.count(COLUMN, column, Outcome.TAKEN, taken[column])
        else:
            ledger.count(COLUMN, column, Outcome.LEFT, "belongs to a token, not to a text")
