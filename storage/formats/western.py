"""Which single-byte encoding a text of a western or central European language is in, from what its bytes beyond ASCII would be.

Each of the usual encodings is tried; a sign or letter that cannot stand where it stands (a capital after a small letter, a currency
sign inside a word) speaks against it. A short text may hold one such byte alone, so that counting letters, as detectors do, is no help.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

# how probable each is before a byte is looked at, as a share of what it can reach
ENCODINGS = {"cp1252": 1.0, "mac_roman": 0.97, "cp1250": 0.93, "iso8859_15": 0.92, "cp850": 0.65}
_SELDOM = "cp850"  # of DOS; it may be the answer, but raises no doubt in another one
_OF_CENTRAL = {
    **ENCODINGS,
    "cp1250": 1.0,
    "cp1252": 0.93,
    "iso8859_2": 0.96,
}  # where the words are of a central European language
LEAST = 0.5  # of what all bytes could reach: below, it is none of these encodings
MARGIN = 0.12  # by which the best has to be better than what reads otherwise
_HIGH = re.compile(r"[^\x00-\x7f]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{3,}")
_COMMON = frozenset("éèêàáâäãçñöóôüúíïßåøæœÄÖÜÉÀÑÅØÇÁÍÓ")
_LESS_COMMON = frozenset("ëîìòõùûÿýÈÊËÂÃÎÏÌÔÒÕÚÛÙŒÆÝ")
_CENTRAL = frozenset("ąćęłńśźżčďěňřšťůžőűăşţĄĆĘŁŃŚŹŻČĎĚŇŘŠŤŮŽŐŰĂŞŢ")
_SELDOM_FIRST = frozenset("ëïîìûùœÿõòã")
_CONTRACTED = re.compile(r"(?:(?<=n.)t|(?<=\bi.)(?:m|ve|ll|d)|(?<=\b(?:you|who).)(?:ve|re|ll|d)|(?<=\bwe.)(?:ve|re|ll|d)"
    r"|(?<=\bthey.)(?:ve|re|ll|d)|(?<=[a-z].)s)(?![A-Za-z])", re.IGNORECASE)  # fmt: skip
_ELIDED = re.compile(r"(?:^|[^A-Za-z\u00c0-\u024f])(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|aujourd)\Z", re.IGNORECASE)
# words without accents of Polish, Czech, Slovak, Hungarian, Croatian, Slovenian and Romanian that no western language has
_CENTRAL_WORDS = re.compile(rb"(?<![\w\x80-\xff])(?:nie|jest|jestem|mnie|bardzo|tylko|kiedy|jak|czy|wszystko|przez|jsem"
    rb"|jsou|jako|nebo|jsme|bych|aby"
    rb"|som|nem|hogy|vagyok|mert|csak|vagy|nije"
    rb"|kako|samo|zato|nisam|ili|mogu|sve|uvijek|kao|imam|pentru|este|foarte|sau|sunt)(?![\w\x80-\xff])", re.IGNORECASE)  # fmt: skip
# of these, words that western languages have too: alone they say nothing
_SHARED_WORDS = frozenset((b"som", b"nem", b"este", b"sau", b"samo", b"imam", b"aby", b"jak"))
_WESTERN_ONLY = frozenset("èêëàãåñòõøæœìïùûÿÈÊËÀÃÅÑÒÕØÆŒÌÏÙÛ")
_ENGLISH = re.compile(rb"(?<![\w\x80-\xff])(?:the|and|of|is|my|it|to|not|was|that)(?![\w\x80-\xff])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Western:
    """name: the encoding, or None if it cannot be told. others: those that read as well, with what each makes of the first byte."""

    name: str | None
    others: tuple[tuple[str, str], ...] = ()


def western(sample: bytes) -> Western | None:
    """The encoding of lines with bytes beyond ASCII; None if they are of no such language (Cyrillic or Chinese text, for one)."""
    high = len(sample) - len(sample.translate(None, bytes(range(128, 256))))
    if sum(len(run) for run in _HIGH_RUN.findall(sample)) * 2 > high:
        return None
    english = len(_ENGLISH.findall(sample)) * 25 > len(sample.split())
    words = [word.lower() for word in _CENTRAL_WORDS.findall(sample)]
    central = len(words) * 20 > len(sample.split()) and not _SHARED_WORDS.issuperset(words)
    readings: dict[str, tuple[float, str]] = {}
    for name, prior in (_OF_CENTRAL if central else ENCODINGS).items():
        try:
            text = sample.decode(name)
        except UnicodeDecodeError:
            continue
        readings[name] = (prior * _plausible(text, english=english, central=central) / high, text)
    if not readings:
        return None
    best = max(readings, key=lambda n: readings[n][0])
    score, text = readings[best]
    if score < LEAST:
        return None
    rivals = [n for n, (s, t) in readings.items() if t != text and s > score - MARGIN and n != _SELDOM]
    if not rivals:
        return Western(best)
    return Western(None, tuple((n, _differing(readings[n][1], text, readings[rivals[0]][1])) for n in (best, *rivals)))


def _differing(text: str, one: str, other: str) -> str:
    """What the text has where the two first differ."""
    return text[next(n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)]


def _plausible(text: str, *, english: bool, central: bool) -> float:
    """The sum over the characters beyond ASCII of how well each sits, from 0 to 1; places that are alike are looked at once."""
    places = Counter(text[max(0, m.start() - 9) : m.start() + 5] for m in _HIGH.finditer(text) if m.start() >= 9)
    found = sum(n * _fit(around, 9, english=english, central=central) for around, n in places.items())
    return found + sum(_fit(text, m.start(), english=english, central=central) for m in _HIGH.finditer(text[:9]))


def _fit(text: str, at: int, *, english: bool, central: bool) -> float:
    char, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if char.isalpha() and char not in "ªº":
        if central and char in _WESTERN_ONLY:
            return 0.1
        sits = _letter(text, at, before, after, english=english)
        return sits / 0.6 if central and char in _CENTRAL else sits * (0.9 if english else 1.0)
    return _sign(text, at, before, after, english=english)


def _letter(text: str, at: int, before: str, after: str, *, english: bool) -> float:
    char = text[at]
    weight = 1.0 if char in _COMMON else 0.75 if char in _LESS_COMMON else 0.6 if char in _CENTRAL else 0.1
    if char.isupper():
        if before.islower() or (before.isalpha() and after.islower()):
            return 0.0
        return weight * (0.9 if after.isalpha() else 0.4)
    if before.isupper() and after.isupper():
        return 0.0
    if not before.isalpha():
        return weight * (0.3 if char in _SELDOM_FIRST else 1.0 if after.isalpha() else 0.8 if char in "àáèéóú" else 0.2)
    ends = _CONTRACTED.match(text, at + 1)
    if ends is not None:  # where an apostrophe would make don't or that's of it
        weight *= 0.4 if ends[0] != "s" else 0.6 if english else 0.95
    return weight


def _sign(text: str, at: int, before: str, after: str, *, english: bool) -> float:
    char, inside = text[at], before.isalpha() and after.isalpha()
    if char == "’":
        if inside:
            contracted = _CONTRACTED.match(text, at + 1) or _ELIDED.search(text[max(0, at - 8) : at])
            return 1.0 if contracted else 0.5
        return 0.9 if before.isalnum() or after.isalnum() else 0.3
    if char in "«»":
        return 0.0 if inside else 1.0
    if char in "“‘„‚‹¿¡":
        return 0.0 if before.isalnum() else 1.0 if after and not after.isspace() else 0.5
    if char in "”›":
        return 0.0 if after.isalpha() else 1.0 if before and not before.isspace() else 0.5
    if char in "–—":
        return (0.8 if english else 0.5) if inside else 1.0
    if char in "…":
        return 0.4 if after.isalpha() and not before.isalnum() else 1.0 if not inside else 0.6
    if char == "\xa0":
        return 0.6
    if char in "•·":
        return 0.0 if inside else 0.9 if char == "•" else 0.3
    if char in "€£¥":
        return (
            1.0
            if before.isdigit() or after.isdigit() or text[max(0, at - 2) : at - 1].isdigit()
            else 0.2 * (not inside)
        )
    if char in "°º²³½¼¾":
        return 1.0 if before.isdigit() or (before.isspace() and char in "½¼¾°") else 0.1
    if char in "©®™§±×÷":
        return 0.0 if inside else 0.7
    return 0.0 if inside or unicodedata.category(char).startswith("C") else 0.1
