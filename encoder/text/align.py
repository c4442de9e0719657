"""Evidence given as words → where it stands in the post. No torch.

Exact → variants (white space, quotes, dashes, case) → the same words with other punctuation → fuzzy (rapidfuzz), each with a
score; offsets are always those of the original text. "Not found" is a result. Precision comes first: what is doubtful is
returned as candidates for a person, not as the answer.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from encoder.text.sentences import sentences
from storage.records import Span

ACCEPT = 0.80
DOUBT = 0.50
MARGIN = 0.08
MAX_CANDIDATES = 5
MIN_FUZZY_WORDS = 3
MIN_PART_CHARACTERS = 3  # of words that were only found inside other words
MAX_JOINED_SENTENCES = 3
MAX_FUZZY_UNITS = 400

_SAME = {
    **dict.fromkeys("‘’‚‛′`´ʼ＇", "'"),
    **dict.fromkeys("“”„‟″«»＂", '"'),
    **dict.fromkeys("‐‑‒–—―−﹘﹣－", "-"),
    "…": "...",
    "\u00ad": "",
    "\u200b": "",
    "\u200c": "",
    "\u200d": "",
    "\u2060": "",
    "\ufeff": "",
    "\ufe0f": "",
}
_LAST_WITHOUT_MARKS = "\u02ff"
_WORD = re.compile(r"\w+(?:'\w+)*")
_ENTITY = re.compile(r"&(?:amp;)*(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]\w{1,30});", re.IGNORECASE)


class How(StrEnum):
    EXACT = "exact"
    VARIANT = "variant"  # white space, quotes, dashes or case differ
    PUNCTUATION = "punctuation"  # the same words in the same order
    FUZZY = "fuzzy"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where the evidence may stand. `score` in [0, 1]; `how` says by which means it was found."""

    span: Span
    score: float
    how: How


@dataclass(frozen=True, slots=True)
class Alignment:
    """candidates: best first, not overlapping, possibly none. best: the answer, or None if it is doubtful or not found."""

    candidates: tuple[Candidate, ...] = ()
    best: Candidate | None = None

    @property
    def doubtful(self) -> bool:
        """True if there are places worth a person's look, but no answer."""
        return self.best is None and bool(self.candidates)


@dataclass(frozen=True, slots=True)
class _Normal:
    """Text without the differences that do not count; `origin[i]` is the original offset of character i, `ends` where those end that are
    written as several characters (an accent by itself, `&#39;`), by that offset."""

    text: str
    origin: list[int]
    ends: dict[int, int]

    def span(self, start: int, end: int) -> Span:
        last = self.origin[end - 1]
        return Span(self.origin[start], self.ends.get(last, last + 1))


def align(text: str, evidence: str, *, near: int | None = None, accept: float = ACCEPT) -> Alignment:
    """Find `evidence` in `text`.

    near: offset at which it is said to stand; decides between equal places. accept: least score of a fuzzy answer.
    """
    evidence = evidence.strip()
    if not evidence:
        return Alignment()
    exact = [Candidate(Span(m, m + len(evidence)), 1.0, How.EXACT) for m in _occurrences(text, evidence)]
    if exact:
        return _settled(text, exact, near)
    normal_text, normal_evidence = _normalize(text), _normalize(evidence).text.strip()
    if not any(ch.isalnum() for ch in normal_evidence):
        return Alignment()
    for found in (_variants(normal_text, normal_evidence), _same_words(normal_text, normal_evidence)):
        if found:
            return _settled(text, found, near)
    return _fuzzy(text, normal_evidence, accept)


def _settled(text: str, found: Sequence[Candidate], near: int | None) -> Alignment:
    """The answer among certain finds: whole words before parts of words, then the nearest, then the first."""
    whole = [c for c in found if _is_whole(text, c.span)]
    inside = [Candidate(c.span, DOUBT, c.how) for c in found if c.span.end - c.span.start >= MIN_PART_CHARACTERS]
    places = whole or inside
    places = sorted(places, key=lambda c: (abs(c.span.start - near) if near is not None else 0, c.span.start))
    return Alignment(tuple(places[:MAX_CANDIDATES]), places[0] if whole else None)


def _is_whole(text: str, span: Span) -> bool:
    """False if the span begins or ends inside a word."""
    return not (_inside_word(text, span.start) or _inside_word(text, span.end))


def _inside_word(text: str, at: int) -> bool:
    if not 0 < at < len(text) or not text[at - 1].isalnum():
        return False
    return text[at].isalnum() or unicodedata.combining(text[at]) > 0


def _occurrences(text: str, words: str) -> Iterator[int]:
    at = text.find(words)
    while at >= 0:
        yield at
        at = text.find(words, at + len(words))


# --- variants of the same characters


def _normalize(text: str) -> _Normal:
    letters: list[str] = []
    origin: list[int] = []
    ends: dict[int, int] = {}
    entities = _entities(text) if "&" in text else {}
    behind = 0
    for position, character in enumerate(text):
        if position < behind:
            continue
        if position in entities:
            words, behind = entities[position]
            origin.extend([position] * len(words))
            letters.extend(words)
            ends[position] = behind
            continue
        if character > _LAST_WITHOUT_MARKS and origin and unicodedata.combining(character):
            base = origin[-1]
            if ends.get(base, base + 1) == position:  # an accent by itself: é is é, however it is written
                at = bisect_left(origin, base)
                joined = unicodedata.normalize("NFKC", text[base : position + 1]).casefold()
                letters[at:], origin[at:] = joined, [base] * len(joined)
                ends[base] = position + 1
                continue
        plain = _plain(character)
        if plain == " " and (not letters or letters[-1] == " "):
            continue
        letters.extend(plain)
        origin.extend([position] * len(plain))
    return _Normal("".join(letters), origin, ends)


def _entities(text: str) -> dict[int, tuple[str, int]]:
    """(what it stands for, where it ends) by where an HTML entity begins, also one that was escaped twice (`&amp;#39;`)."""
    found = {}
    for match in _ENTITY.finditer(text):
        words = html.unescape(html.unescape(match[0]))
        if words != match[0] and not unicodedata.combining(words[0]):
            found[match.start()] = ("".join(map(_plain, words)), match.end())
    return found


def _plain(character: str) -> str:
    if "!" <= character <= "~" and character not in "`":
        return character.lower()
    if character.isspace():
        return " "
    same = _SAME.get(character)
    if same is not None:
        return same
    return "".join(" " if c.isspace() else c for c in unicodedata.normalize("NFKC", character).casefold())


def _variants(text: _Normal, evidence: str) -> list[Candidate]:
    starts = _occurrences(text.text, evidence)
    return [Candidate(text.span(at, at + len(evidence)), 0.99, How.VARIANT) for at in starts]


# --- the same words


@dataclass(frozen=True, slots=True)
class _Words:
    words: list[str]
    spans: list[tuple[int, int]]


def _words(text: str) -> _Words:
    """Words without apostrophes ("dont" is "don't"), with their offsets in `text`."""
    matches = list(_WORD.finditer(text))
    return _Words([m.group().replace("'", "") for m in matches], [m.span() for m in matches])


def _same_words(text: _Normal, evidence: str) -> list[Candidate]:
    """Where the same letters stand in the same order, from the start of a word to the end of one ("can not" is "cannot")."""
    wanted, there = _words(evidence).words, _words(text.text)
    if len(wanted) < 2:
        return []
    starts, ends = {}, {}
    length = 0
    for number, word in enumerate(there.words):
        starts[length] = number
        length += len(word)
        ends[length] = number
    letters = "".join(wanted)
    found = []
    for at in _occurrences("".join(there.words), letters):
        if at in starts and at + len(letters) in ends:
            start, end = there.spans[starts[at]][0], there.spans[ends[at + len(letters)]][1]
            found.append(Candidate(_with_closing_punctuation(text, start, end, evidence), 0.97, How.PUNCTUATION))
    return found


def _with_closing_punctuation(text: _Normal, start: int, end: int, evidence: str) -> Span:
    """The words' span, with the final stop if the evidence has one too."""
    if not evidence[-1].isalnum():
        while end < len(text.text) and text.text[end] in ".!?…\"')":
            end += 1
    return text.span(start, end)


# --- fuzzy


def _fuzzy(text: str, evidence: str, accept: float) -> Alignment:
    """The passages that are most like the evidence, in units of sentences and runs of sentences.

    An answer needs a score of `accept` and a lead of MARGIN over the best passage elsewhere.
    """
    wanted = _words(evidence).words
    if len(wanted) < MIN_FUZZY_WORDS:
        return Alignment()
    scored = sorted(_scored_units(text, wanted), key=lambda c: (-c.score, c.span.end - c.span.start, c.span.start))
    chosen: list[Candidate] = []
    for candidate in scored:
        if candidate.score < DOUBT or len(chosen) == MAX_CANDIDATES:
            break
        if not any(candidate.span.overlaps(other.span) for other in chosen):
            chosen.append(candidate)
    if not chosen:
        return Alignment()
    lead = chosen[0].score - (chosen[1].score if len(chosen) > 1 else 0.0)
    answer = chosen[0] if chosen[0].score >= accept and lead >= MARGIN else None
    return Alignment(tuple(chosen), answer)


def _scored_units(text: str, wanted: list[str]) -> Iterator[Candidate]:
    units = _units(text, len(wanted))
    if len(units) > MAX_FUZZY_UNITS:
        units = _promising(text, units, set(wanted))
    for unit in units:
        normal = _normalize(unit.quote(text))
        there = _words(normal.text)
        yield from (
            Candidate(Span(unit.start + s.start, unit.start + s.end), score, How.FUZZY)
            for s, score in _unit_scores(normal, there, wanted)
        )


def _units(text: str, wanted: int) -> list[Span]:
    """Every sentence, and runs of up to MAX_JOINED_SENTENCES that are not much longer than the evidence."""
    single = sentences(text)
    units = list(single)
    for count in range(2, MAX_JOINED_SENTENCES + 1):
        for first in range(len(single) - count + 1):
            run = Span(single[first].start, single[first + count - 1].end)
            if len(run.quote(text).split()) <= 1.5 * wanted + 2:
                units.append(run)
    return units


def _promising(text: str, units: list[Span], wanted: set[str]) -> list[Span]:
    """For a very long post: the units that share most words with the evidence."""
    shared = [(len(wanted & set(_words(_normalize(u.quote(text)).text).words)), u) for u in units]
    shared.sort(key=lambda pair: (-pair[0], pair[1].start))
    return [unit for count, unit in shared[:MAX_FUZZY_UNITS] if count]


def _unit_scores(normal: _Normal, there: _Words, wanted: list[str]) -> Iterator[tuple[Span, float]]:
    """(span within the unit, score): the whole unit, and the part of it that the evidence covers."""
    if not there.words:
        return
    yield normal.span(0, len(normal.text.rstrip())), similarity(there.words, wanted)
    if len(there.words) > 1.3 * len(wanted):
        first, last = _best_window(there.words, wanted)
        part = normal.span(there.spans[first][0], there.spans[last][1])
        yield part, similarity(there.words[first : last + 1], wanted)


def _best_window(words: list[str], wanted: list[str]) -> tuple[int, int]:
    """First and last word of the part of `words` that is most like `wanted`."""
    from rapidfuzz import fuzz

    joined = " ".join(words)
    found = fuzz.partial_ratio_alignment(" ".join(wanted), joined)
    if found is None or found.dest_end <= found.dest_start:
        return 0, len(words) - 1
    first = joined.count(" ", 0, found.dest_start + 1)
    last = joined.count(" ", 0, max(found.dest_start, found.dest_end - 1))
    return first, max(first, min(last, len(words) - 1))


def similarity(one: Sequence[str], other: Sequence[str]) -> float:
    """How alike two lists of words are, in [0, 1]: the mean of likeness in characters and in words that carry meaning.

    Characters alone would match sentences of the same build ("i can not sleep" / "i can not eat"); words alone would not
    see misspellings.
    """
    from rapidfuzz import fuzz

    characters = fuzz.ratio(" ".join(one), " ".join(other)) / 100
    reordered = fuzz.token_sort_ratio(" ".join(one), " ".join(other)) / 100
    return 0.5 * max(characters, 0.95 * reordered) + 0.5 * _shared_weight(one, other)


def _shared_weight(one: Sequence[str], other: Sequence[str]) -> float:
    """Weight of the words in common over the weight of all; short words weigh less, near spellings count as nearly one."""
    left, right = list(one), list(other)
    total = sum(map(_weight, left)) + sum(map(_weight, right))
    common = 0.0
    for word in list(left):
        if word in right:
            right.remove(word)
            left.remove(word)
            common += 2 * _weight(word)
    for word in left:
        near = max(right, key=lambda w: _nearness(word, w), default=None)
        if near is not None and (nearness := _nearness(word, near)) >= 0.75:
            right.remove(near)
            common += nearness * (_weight(word) + _weight(near))
    return common / total if total else 0.0


def _nearness(one: str, other: str) -> float:
    from rapidfuzz import fuzz

    return fuzz.ratio(one, other) / 100


def _weight(word: str) -> float:
    return min(len(word), 6) / 6
