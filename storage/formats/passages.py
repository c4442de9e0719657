"""Passages in every spelling: offsets under many names, words, pairs, lists beside each other. What cannot be read has its reason."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.attributes import Attributes
from storage.formats.fields import Fields
from storage.formats.rows import Passage
from storage.formats.said import NOTHING_DEFINED, said_of
from storage.formats.values import decoded, is_empty, is_number, kind_of, number, plain, shortened, whole
from storage.formats.vocabulary import ENDS, LENGTHS, SCORES, STARTS, VERDICTS, WORDS
from storage.records import InvalidRecord, Span, SpanOrigin

_COUNTS_ELSE = re.compile(
    r"sentence|token|word|paragraph|(?<![^\W_])(?:sent|line|para)s?(?=[\W_]|span|position|ind|point|offset|character)"
)
"""Columns of places that count something else than characters: `sent_idx`, `token_span`; not those of PARANOIA."""

_RANGE = r"[\[(]?\s*(\d{1,7})\s*(?:-|–|:|\.\.)\s*(\d{1,7})\s*[\])]?"
_RANGES = re.compile(rf"\s*{_RANGE}(?:\s*[;,|]\s*{_RANGE})*\s*")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What an object may say of itself. names: of the key, plain, best first; to: in the ledger; read: its value, or None for none."""

    field: str
    names: tuple[str, ...]
    to: str
    read: Callable[[Any], Any]


class Names:
    """An object's keys by their plain names. Objects of a file have the same few sets of keys: `names_of` makes each once."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = {plain(key): key for key in reversed(list(keys))}
        self._found: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._parts: dict[tuple[Part, ...], tuple[tuple[str, Part], ...]] = {}

    def key(self, names: tuple[str, ...]) -> str | None:
        found = self.keys(names)
        return found[0] if found else None

    def keys(self, names: tuple[str, ...]) -> tuple[str, ...]:
        found = self._found.get(names)
        if found is None:
            found = self._found[names] = tuple(self._keys[n] for n in names if n in self._keys)
        return found

    def parts(self, wanted: tuple[Part, ...]) -> tuple[tuple[str, Part], ...]:
        """Those of the parts that the object has, each with its key. Most objects have few, and pay for no others."""
        found = self._parts.get(wanted)
        if found is None:
            keyed = ((self.key(part.names), part) for part in wanted)
            found = self._parts[wanted] = tuple((key, part) for key, part in keyed if key is not None)
        return found


def names_of(fields: Fields) -> Names:
    keys = tuple(fields)
    return _remembered_names(keys) if len(keys) <= 40 and sum(map(len, keys)) <= 1000 else Names(keys)


_remembered_names = functools.lru_cache(maxsize=256)(Names)


def taken(fields: Fields, names: Names, wanted: tuple[str, ...], to: str) -> Any:
    key = names.key(wanted)
    return None if key is None else fields.take(key, to)


def parts_of(fields: Fields, names: Names, wanted: tuple[Part, ...]) -> dict[str, Any]:
    """What the object says of the parts, by field; what it does not say has no entry. Raises what the readings raise."""
    read = ((part, fields.take(key, part.to)) for key, part in names.parts(wanted))
    said = ((part.field, part.read(value)) for part, value in read if value is not None)
    return {field: value for field, value in said if value is not None}


def own_passage(
    fields: Fields, names: Names, attributes: Attributes, *, has_others: bool
) -> tuple[list[Passage], list[str]]:
    start_key, end_key = names.key(STARTS), names.key(ENDS)
    words_key = next((k for k in names.keys(WORDS) if isinstance(fields.peek(k), str) and k in fields), None)
    length_key = names.key(LENGTHS)
    if start_key is None and length_key is not None and is_number(fields.peek("offset")):
        start_key = "offset"
    start_key = start_key if start_key is not None and start_key in fields else None
    end_key = end_key if end_key is not None and end_key in fields else None
    if start_key is None and end_key is None and words_key is None:
        return [], []
    if start_key is None and has_others:  # words beside a list of offsets say the same
        fields.take(words_key, "quote")
        return [], []
    values = [fields.take(k, to) for k, to in ((start_key, "start"), (end_key, "end"), (words_key, "quote"))]
    score = taken(fields, names, SCORES, "score")
    core = {n: taken(fields, names, (plain(n),), n) for n in ("core_start", "core_end")}
    origin, predicted = fields.take("origin", "origin"), fields.take("predicted", "origin")
    if values[1] is None and is_number(values[0]) and length_key is not None and is_number(fields.peek(length_key)):
        values[1] = number(values[0]) + number(fields.take(length_key, "end"))  # type: ignore[operator]
    passage = passage_or_reason(values[0], values[1], values[2], score)
    if isinstance(passage, str):
        return [], [passage]
    passage = replace(
        passage,
        core_start=whole(core["core_start"]),
        core_end=whole(core["core_end"]),
        attributes=said_of(fields, attributes),
    )
    return [_with_origin(passage, origin, predicted, attributes)], []


def passage_or_reason(start: Any, end: Any, words: str | None, score: Any = None) -> Passage | str:
    """The passage that offsets, words or both say; else why they say none. Offsets that cannot be read leave the words to say it."""
    try:
        first, last = whole(start), whole(end)
    except InvalidRecord as error:
        if not words:
            return str(error)
        first = last = None
    if last is None and first is not None and words:
        last = first + len(words)
    if (first is None or last is None) and not words:
        return "has a start without an end" if first is not None else "has neither start and end nor words"
    if first is None or last is None:
        first = last = None
    return Passage(first, last, words or None, _score(score))


def _with_origin(passage: Passage, origin: Any, predicted: Any, attributes: Attributes) -> Passage:
    if not isinstance(predicted, Mapping) or origin not in list(SpanOrigin):
        return passage
    given = _passage_of(predicted, attributes)
    if given.start is None or given.end is None:
        return passage
    span = Span(given.start, given.end, given.score, given.core_start, given.core_end, given.attributes)
    return replace(passage, origin=SpanOrigin(origin), predicted=span)


def passages_of(
    value: Any, *, places: bool = False, attributes: Attributes = NOTHING_DEFINED
) -> tuple[tuple[Passage, ...], list[str]]:
    """Passages from a list of objects, pairs and words, or from one of them; and the reasons why others cannot be read.

    attributes: what the project can say of spans.
    places: numbers that follow each other are those of characters; else they may count anything, sentences for example.
    """
    if value is None or is_empty(value := decoded(value)):
        return (), []
    if isinstance(value, Mapping):
        value = transposed(value) or [dict(value)]
    elif isinstance(value, str) or (isinstance(value, Sequence) and len(value) == 2 and all(map(is_number, value))):
        value = [value]
    if not isinstance(value, Sequence):
        return (), [f"its passages are {kind_of(value)}, no list"]
    if places and (runs := _runs(value)) is not None:
        return runs, []
    if len(value) > 2 and all(isinstance(v, int) for v in value):
        return (), [
            f"{shortened(value)} are numbers: neither pairs of start and end, nor places of characters that follow each other"
        ]
    found: list[Passage] = []
    bad: list[str] = []
    for item in value:
        try:
            found.append(_passage_of(item, attributes))
        except InvalidRecord as error:
            bad.append(str(error))
    return tuple(found), bad


def passages_of_cell(value: Any, column: str, text: Any) -> tuple[tuple[Passage, ...], list[str]]:
    """As `passages_of`, of a cell of a table; one of places may hold ranges too: `2-13; 26-37`, unless these are words of the text."""
    places = names_places(column)
    words = isinstance(text, str) and str(value).strip() in text
    if isinstance(value, str) and places and not words and _RANGES.fullmatch(value):
        pairs = [(int(start), int(end)) for start, end in re.findall(_RANGE, value)]
        if all(start < end for start, end in pairs):
            return tuple(Passage(start, end) for start, end in pairs), []
    return passages_of(value, places=places)


@functools.lru_cache(maxsize=1024)
def names_places(key: str) -> bool:
    """Whether a key or column is one of offsets: its numbers are places in the text."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).casefold()
    counts_else = _COUNTS_ELSE.search(name) is not None
    return not counts_else and re.search(r"(span|position|ind(ex|ice)|point|offset|character)s?$", name) is not None


def _runs(value: Sequence[Any]) -> tuple[Passage, ...] | None:
    """Passages from the positions of all their characters, [4, 5, 6, 9, 10], as some corpora write them; None for any other list."""
    if len(value) < 3 or any(not isinstance(v, int) or isinstance(v, bool) for v in value):
        return None
    steps = [b - a for a, b in itertools.pairwise(value)]
    if min(steps) < 1 or steps.count(1) * 2 < len(steps):
        return None
    ends = [n for n, step in enumerate(steps) if step > 1]
    bounds = [0, *(n + 1 for n in ends), len(value)]
    return tuple(Passage(value[a], value[b - 1] + 1) for a, b in itertools.pairwise(bounds))


def _passage_of(item: Any, attributes: Attributes) -> Passage:
    """A passage from an object, a pair [start, end] or words. Raises InvalidRecord."""
    if isinstance(item, str):
        return Passage(quote=item)
    if isinstance(item, Mapping):
        fields = Fields(item)
        found, bad = own_passage(fields, names_of(fields), attributes, has_others=False)
        if not found:
            raise InvalidRecord(f"a passage {bad[0] if bad else 'has neither start and end nor words'}")
        return found[0]
    if isinstance(item, Sequence) and not isinstance(item, bytes) and len(item) >= 2:
        start, end = whole(item[0]), whole(item[1])
        if start is None or end is None:
            raise InvalidRecord("a passage has no start or no end")
        return Passage(start, end, item[2] if len(item) > 2 and isinstance(item[2], str) else None)
    raise InvalidRecord(f"{shortened(item)} is no passage; expected start and end, or words")


def _score(value: Any) -> float | None:
    """A score in [0, 1]; None for any other."""
    found = number(value) if is_number(value) else None
    return found if found is not None and 0.0 <= found <= 1.0 else None


def transposed(value: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """{"start": [..], "label": [..]} as a list of objects; None for any other object."""
    lists = {k: v for k, v in value.items() if isinstance(v, list | tuple)}
    if not lists or len(lists) < len([v for v in value.values() if not is_empty(v)]):
        return None
    lengths = {len(v) for v in lists.values() if v}
    names = {plain(str(k)) for k in lists}
    if (
        len(lengths) != 1
        or not names & {*STARTS, *ENDS, *WORDS, *VERDICTS}
        or (len(lists) == 1 and not names & set(STARTS))
    ):
        return None
    count = lengths.pop()
    return [{k: v[n] for k, v in lists.items() if v} for n in range(count)]
