"""Which tables of a folder are about the posts of another one although a column of theirs is called like a text (`comment`, `post`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePath
from typing import Any

from storage.formats.columns import ColumnMapping, Record, checked_mapping
from storage.formats.ledger import Ledger
from storage.formats.rows import FormatError, ImportRow, Row, Source
from storage.formats.sentence_rows import is_called_sentence
from storage.formats.synonyms import SYNONYMS
from storage.formats.values import plain, string

MAX_ROWS = 200_000  # of a table are looked through for the ids of its posts
_WEAK = frozenset((
    "post", "document", "comment", "message", "content", "statement", "context", "sentence", "beitrag", "nachricht", "inhalt", "mensaje",
    "contenido", "contenu",
))  # fmt: skip
_BARE = frozenset(("id", "uid", "uuid", "guid", "name", "index", "nr", "no", "key", "numero", "nummer", "kennung"))


@dataclass(frozen=True, slots=True)
class Table:
    """One file. chosen: whether its text was chosen, not guessed; sample: its first records."""

    place: PurePath
    source: Source
    format: Any
    header: Sequence[str]
    sample: Sequence[Record]
    mapping: ColumnMapping
    chosen: bool

    @property
    def texts(self) -> bool:
        return "text" in self.mapping.columns or self.mapping.tokens is not None

    @property
    def labels(self) -> bool:
        found = self.mapping
        of_one = self.source.criterion is not None and {"verdict", "evidence"} & found.columns.keys()
        named = {"criterion", "annotations", "history"} & found.columns.keys()
        return bool(
            named
            or of_one
            or found.lists
            or found.wide
            or found.questions
            or found.raters
            or found.tokens
            or found.numbered
        )

    @property
    def names(self) -> frozenset[str]:
        """What its first records call their posts."""
        return frozenset(self.values("post_id"))

    def values(self, name: str) -> list[str]:
        column = self.mapping.columns.get(name, "")
        return [v for r in self.sample if (v := string(r.get(column)))]

    def rows(self, *, quietly: bool = False) -> Iterator[Row]:
        """quietly: nothing is counted."""
        found: Iterator[Row] = self.format.read(replace(self.source, ledger=Ledger()) if quietly else self.source)
        return found

    def mapped(self, columns: Mapping[str, str]) -> Table:
        """The table read with these columns. Raises FormatError."""
        source, of_one = self.source, self.source.criterion is not None
        mapping = checked_mapping(
            self.header, columns, self.sample, criteria=source.criteria, of_one=of_one, reviewers=source.reviewers
        )
        return replace(self, source=replace(source, columns=columns), mapping=mapping)


def told_apart(tables: Sequence[Table], named: Iterable[str]) -> Iterator[tuple[Table, str]]:
    """Each table, as one of labels where it is one, and why it is not to be read, or "". named: what labels call text files."""
    files = frozenset(named)
    known: dict[PurePath, dict[str, list[str]]] = {}
    for table in tables:
        found = table if _is_sure(table) else _judged(table, tables, files, known)
        yield (table, found) if isinstance(found, str) else (found, "")


def _is_sure(table: Table) -> bool:
    text = plain(table.mapping.columns.get("text", ""))
    return table.chosen or not text or not (text in _WEAK or "criterion" in table.mapping.columns)


def _strength(table: Table) -> int:
    """How likely its texts are none: a weak name says less than labels beside the text."""
    return 2 * (plain(table.mapping.columns.get("text", "")) in _WEAK) + table.labels


def _judged(
    table: Table, tables: Sequence[Table], files: frozenset[str], known: dict[PurePath, dict[str, list[str]]]
) -> Table | str:
    column = table.mapping.columns["text"]
    weak = plain(column) in _WEAK
    others = [t for t in tables if t is not table and t.texts and _strength(t) < _strength(table)]
    posts = _posts(others, known) | {f: [] for f in files}
    if weak and _mostly([v in posts for v in table.values("text")]):
        return (
            _as_labels(table, column)
            if table.labels
            else f"its column {column} holds ids of posts, and no labels stand beside"
        )
    if not table.labels:
        called = "post_id" not in table.mapping.columns and any(plain(c) in SYNONYMS["criterion"] for c in table.header)
        beside = any(
            plain(t.mapping.columns.get("text", "")) not in _WEAK and "criterion" not in t.mapping.columns
            for t in others
        )
        words = (
            f"its column {column} may be no text of posts beside the other tables; to be read it is imported by itself"
        )
        return words if weak and (beside or (called and len(tables) > 1)) else table
    ids = table.values("post_id")
    if not _mostly([i in posts for i in ids]):
        return table
    return _beside(table, column, posts)


def _beside(table: Table, column: str, posts: Mapping[str, list[str]]) -> Table | str:
    """A table with labels whose ids are those of another's posts."""
    ids = table.mapping.columns["post_id"]
    pairs = [(t, posts.get(i, [])) for r in table.sample if (i := string(r.get(ids))) and (t := string(r.get(column)))]
    if _mostly([text in there for text, there in pairs]):
        return table
    if _mostly([any(text in post for post in there) for text, there in pairs]):
        if "criterion" not in table.mapping.columns and is_called_sentence(column):
            # a 0 beside a sentence is none of its post: put together, or not read
            why = f"its verdicts are of the words in {column}, not of the post; with columns criterion and verdict they are read"
            return table if table.mapping.sentences else why
        return _as_labels(table, ids, evidence=column)
    if plain(column) not in _WEAK:
        return table
    quote = table.mapping.columns.get("evidence", "")
    quoted = [
        any(q in p for p in posts.get(string(r.get(ids)) or "", []))
        for r in table.sample
        if (q := string(r.get(quote)))
    ]
    names = table.values("post_id")
    if plain(ids) not in _BARE or len(set(names)) < len(names) or len(pairs) < len(names) or _mostly(quoted):
        return _as_labels(table, ids)
    return f"its ids are those of other posts, and its column {column} may be a text or a remark; to be read it is imported by itself"


def _as_labels(table: Table, ids: str, *, evidence: str = "") -> Table | str:
    column = table.mapping.columns["text"]
    columns = {**table.source.columns, "text": "", "post_id": ids}
    if evidence and "evidence" not in table.mapping.columns:
        columns["evidence"] = evidence
    elif plain(column) == "comment" and "note" not in table.mapping.columns:
        columns["note"] = column
    try:
        return table.mapped(columns)
    except FormatError as error:
        return " ".join(str(error).split())


def _posts(tables: Sequence[Table], known: dict[PurePath, dict[str, list[str]]]) -> dict[str, list[str]]:
    """The texts by id of all the tables. known: by table, those that were read before."""
    found: dict[str, list[str]] = {}
    for table in tables:
        if table.place not in known:
            known[table.place] = {}
            for row in islice(table.rows(quietly=True), MAX_ROWS):
                if isinstance(row, ImportRow) and row.post_id and row.text:
                    known[table.place].setdefault(row.post_id, []).append(row.text)
        for post_id, texts in known[table.place].items():
            found.setdefault(post_id, []).extend(texts)
    return found


def _mostly(said: Sequence[bool]) -> bool:
    return bool(said) and sum(said) * 5 >= len(said) * 4
