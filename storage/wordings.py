"""What a person marked and rejected lately, as words, to find the same words elsewhere.

Asked with every post that they open, so what was found is kept and only the answers since are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from storage.connection import Connections, Handle
from storage.rows import json_cell

LATELY, LOOKED_AT = 200, 2000
"""Answers of the person with passages that count, and answers of any kind among which they are looked for."""
_KEPT_PEOPLE = 500

_ANSWERS = (
    "SELECT a.id, a.post_id, a.criterion_id, iif(a.verdict IN ('evidence', 'no_evidence'), a.spans, '[]'),"
    " iif(a.verdict IN ('evidence', 'no_evidence'), a.rejected, '[]'), post.text"
    " FROM main.annotation a CROSS JOIN main.annotation_head h ON h.post_id = a.post_id AND h.criterion_id = a.criterion_id"
    " AND h.reviewer = a.reviewer AND h.annotation_id = a.id CROSS JOIN post ON post.id = a.post_id"
    " WHERE a.reviewer = ? AND a.id > ?"
)
_SINCE = f"{_ANSWERS} ORDER BY a.id DESC LIMIT ?"
_WITH_PASSAGES = (
    f"{_ANSWERS} AND a.verdict IN ('evidence', 'no_evidence') AND (a.spans <> '[]' OR a.rejected <> '[]')"
    " ORDER BY a.id DESC LIMIT ?"
)
_WINDOW = (
    "SELECT ifnull(max(id), 0), ifnull((SELECT id FROM main.annotation WHERE reviewer = :me ORDER BY id DESC LIMIT 1"
    f" OFFSET {LOOKED_AT}), -1) FROM main.annotation WHERE reviewer = :me"
)


@dataclass(frozen=True, slots=True)
class Wordings:
    """By criterion id: passages that were marked as evidence, and predicted ones that were rejected, the newest first."""

    marked: dict[str, list[str]]
    rejected: dict[str, list[str]]


Passages = dict[tuple[str, str], tuple[list[str], list[str]]]
"""By post id and criterion id, the newest first: what was marked, and what was rejected."""


@dataclass(frozen=True, slots=True)
class _Lately:
    """What was found for a person. imports: how many there were, and how many were undone: either adds or removes older answers.
    last: the newest answer that was looked at; since: how many came after those that were read at first.
    """

    imports: tuple[int, int]
    last: int
    since: int
    passages: Passages
    wordings: Wordings


class WordingStore(Connections):
    """Questions about the words of a person's answers."""

    def __init__(self, path: Path) -> None:
        self._lately: dict[str, _Lately] = {}
        super().__init__(path)

    def wordings_of(self, reviewer: str) -> Wordings:
        """Of the person's newest answers, LATELY of them, or up to twice as many until they are read anew."""
        with self.read() as db:
            imports = db.execute("SELECT count(*), count(undone_at) FROM import").fetchone()
            known = self._lately.get(reviewer)
            if known is None or known.imports != imports or known.since >= LATELY:
                lately = _read(db, reviewer, imports)
            else:
                lately = _followed(db, reviewer, known)
            if not db.hides_pending and lately is not known:
                if len(self._lately) >= _KEPT_PEOPLE:
                    self._lately.clear()
                self._lately[reviewer] = lately
        return lately.wordings


def _read(db: Handle, reviewer: str, imports: tuple[int, int]) -> _Lately:
    last, floor = db.execute(_WINDOW, {"me": reviewer}).fetchone()
    passages = {key: found for _, key, found in _passages(db, _WITH_PASSAGES, [reviewer, floor, LATELY])}
    return _Lately(imports, last, 0, passages, _by_criterion(passages))


def _followed(db: Handle, reviewer: str, known: _Lately) -> _Lately:
    """With the answers since: each takes the place of an older one to the same question. Read anew if more came than count."""
    new = list(_passages(db, _SINCE, [reviewer, known.last, LATELY + 1]))
    if not new:
        return known
    if len(new) > LATELY:
        return _read(db, reviewer, known.imports)
    last, since = new[0][0], known.since + len(new)
    answered = {key: found for _, key, found in new}
    added = {key: found for key, found in answered.items() if any(found)}
    if not added and answered.keys().isdisjoint(known.passages):
        return replace(known, last=last, since=since)
    passages = {**added, **{key: found for key, found in known.passages.items() if key not in answered}}
    return _Lately(known.imports, last, since, passages, _by_criterion(passages))


def _passages(
    db: Handle, sql: str, values: Sequence[str | int]
) -> Iterator[tuple[int, tuple[str, str], tuple[list[str], list[str]]]]:
    for number, post_id, criterion_id, spans, rejected, text in db.execute(sql, values).fetchall():
        yield number, (post_id, criterion_id), (_quotes(spans, text), _quotes(rejected, text))


def _quotes(cell: str, text: str) -> list[str]:
    return [] if cell == "[]" else [text[item[0] : item[1]] for item in json_cell(cell)]


def _by_criterion(passages: Passages) -> Wordings:
    found = Wordings({}, {})
    for (_, criterion_id), (marked, rejected) in passages.items():
        for kept, quotes in ((found.marked, marked), (found.rejected, rejected)):
            if quotes:
                kept.setdefault(criterion_id, []).extend(quotes)
    return found
