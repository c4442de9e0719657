"""Where the header of a table is: below titles, over two rows, or followed by rows that say again what the columns mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage.formats.answers import is_verdict
from storage.formats.synonyms import SYNONYMS
from storage.formats.values import is_number, plain
from storage.formats.wide import says_no_words

HEADER_ROWS = 20  # rows in which a header is looked for
KNOWN = {s for name, synonyms in SYNONYMS.items() if name not in ("meta", "history") for s in synonyms}
_TEXT_WORDS = 3
_MIN_VALUES = 2  # numbers below a word before the word is no value
_QUALTRICS = '{"ImportId"'


@dataclass(frozen=True, slots=True)
class HeaderRows:
    """place: of the row with the names, from 0; last: of the last row that is no data. said: what is left out of the rows between."""

    place: int
    last: int
    names: tuple[str, ...]
    said: tuple[str, ...] = ()


def header_row(rows: Sequence[Sequence[str]]) -> int | None:
    """The place of the row that names the columns: the first that is not empty, unless a later one has more names that are known.

    Titles, notes and names of groups of columns stand above the header of many tables; they are narrower than it.
    """
    filled = [n for n, row in enumerate(rows) if any(c.strip() for c in row)][:HEADER_ROWS]
    if not filled:
        return None
    known = {n: sum(plain(c) in KNOWN for c in rows[n]) for n in filled}
    width = {n: sum(bool(c.strip()) for c in rows[n]) for n in filled}
    first = filled[0]
    best = max(filled, key=lambda n: (known[n], -n))
    return best if known[best] > known[first] and width[best] > width[first] else first


def header_rows(rows: Sequence[Sequence[str]], place: int) -> HeaderRows:
    """The header at the place, with the rows below it that belong to it."""
    names, last = [c.strip() for c in rows[place]], place
    below = rows[place + 1] if place + 1 < len(rows) else ()
    if (joined := _joined(names, below)) is not None:
        names, last = joined, place + 1
    said = []
    for row in range(last + 1, _end_of_meanings(names, rows, last + 1)):
        meanings = ", ".join(" ".join(c.split()) for c in rows[row] if c.strip())
        said.append(f"row {row + 1} says what the columns mean, and is no post: {meanings[:300]}")
    return HeaderRows(place, last + len(said), tuple(names), tuple(said))


def _joined(names: Sequence[str], below: Sequence[str]) -> list[str] | None:
    """The names of two rows as one: groups of columns, and what each column of a group holds; None if the second row is no header.

    It is one where it names all columns of the groups, and says nothing, or the same again, of the others.
    """
    width = max(len(names), len(below))
    above, under = ([*row, *[""] * (width - len(row))] for row in (names, [c.strip() for c in below]))
    grouped = [n for n in range(width) if not above[n] and n and any(above[:n])]
    if not grouped or not any(under):
        return None
    group, parts, made = "", set[int](), list[str]()
    for n in range(width):
        group = above[n] or group
        parts |= {n, *([n - 1] if above[n - 1] else [])} if n in grouped else set()
        made.append(group)
    for n in range(width):
        if n in parts:
            if not under[n] or is_number(under[n]) or len(under[n].split()) > 4:
                return None
            made[n] = f"{made[n]} {under[n]}"
        elif under[n] not in ("", above[n]):
            return None
    repeated = len({under[n] for n in parts}) < len(parts)
    return made if repeated or all(plain(under[n]) in KNOWN for n in parts) else None


def _end_of_meanings(names: Sequence[str], rows: Sequence[Sequence[str]], start: int) -> int:
    """The place of the first row of data: below the names of questions and codes that some programs write under the names of columns."""
    for n in range(start, min(start + 3, len(rows))):
        cells = [c for c in rows[n] if c.strip()]
        if len(cells) > 1 and all(c.lstrip().startswith(_QUALTRICS) for c in cells):
            return n + 1
    return start + 1 if start < len(rows) and _are_meanings(names, rows[start], rows[start + 1 :]) else start


def _are_meanings(names: Sequence[str], row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the row has words in all columns (two at least) that hold numbers alone below it."""
    numeric = []
    for n in range(len(row)):
        values = [r[n] for r in below if n < len(r) and r[n].strip()]
        if len(values) >= _MIN_VALUES and all(map(is_number, values)):
            numeric.append(row[n].strip())
    words = [
        c for c in numeric if len(c) > 3 and any(map(str.isalpha, c)) and not is_verdict(c) and not says_no_words(c)
    ]
    return len(numeric) >= 2 and len(words) == len(numeric) == len(set(words)) and not _is_data(names, row, below)


def _is_data(names: Sequence[str], row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a row has an id like those below it or, unless its id is a word where theirs are numbers, some words under their texts."""
    for n in range(min(len(row), len(names))):
        values = [r[n].strip() for r in below if n < len(r) and r[n].strip()]
        is_id = plain(names[n]) in SYNONYMS["post_id"] or plain(names[n]).endswith("id")
        if is_id and row[n].strip() and values:
            if all(map(is_number, values)):
                return is_number(row[n])
            if any(map(str.isdigit, row[n])) or row[n].strip() in values:
                return True
    prose = (n for n in range(min(len(row), len(names))) if plain(names[n]) in SYNONYMS["text"])
    return any(len(row[n].split()) >= _TEXT_WORDS for n in prose)
