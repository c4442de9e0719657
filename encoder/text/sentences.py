"""Where sentences begin and end in a post. No torch, no library.

Forum text is often all lower case, without final stops, with line breaks as the only punctuation. The Unicode rule (UAX 29)
does not break before a lower-case letter and so would join "i cant sleep. i feel dead"; hence rules of our own.
Offsets are Unicode code points; the spans are trimmed of surrounding white space and never overlap.
"""

from __future__ import annotations

import re

from storage.records import Span

MAX_SENTENCE_CHARACTERS = 400

# a run of closing punctuation, with closing quotes and brackets, before white space; or the end of a line
_BREAK = re.compile(r"(?:[.!?…。！？]+[\"'”’»)\]]*(?=\s|$))|(?:[ \t]*(?:\r\n|\r|\n|\u2028|\u2029)\s*)")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'])(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|etc|e\.g|i\.e|approx|dept|est|fig|mt|a\.m|p\.m|u\.s|[a-hj-z])\.$",
    re.IGNORECASE,
)
_NOT_AN_ABBREVIATION_BEFORE_CAPITAL = re.compile(r"(?:etc|a\.m|p\.m|u\.s)\.$", re.IGNORECASE)
_SOFT_BREAK = re.compile(r"[;:—–]\s|,\s(?=and |but |so |because |then )|\s")


def sentences(text: str) -> list[Span]:
    """The sentences of `text` in order, as spans without scores.

    A sentence longer than MAX_SENTENCE_CHARACTERS is cut at a clause or word, so that a post without any punctuation still
    has passages of readable size.
    """
    spans: list[Span] = []
    start = 0
    for match in _BREAK.finditer(text):
        if match.start() < start or _inside_abbreviation(text, match):
            continue
        _add(spans, text, start, match.end())
        start = match.end()
    _add(spans, text, start, len(text))
    return spans


def _inside_abbreviation(text: str, match: re.Match[str]) -> bool:
    if not match.group().startswith(".") or len(match.group()) > 1:
        return False
    before = text[max(0, match.start() - 8) : match.end()]
    if not _ABBREVIATION.search(before):
        return False
    following = text[match.end() :].lstrip()
    starts_new = bool(following) and following[0].isupper()
    return not (starts_new and _NOT_AN_ABBREVIATION_BEFORE_CAPITAL.search(before))


def _add(spans: list[Span], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while end - start > MAX_SENTENCE_CHARACTERS:
        cut = _soft_cut(text, start, start + MAX_SENTENCE_CHARACTERS)
        _add(spans, text, start, cut)
        start = cut
        while start < end and text[start].isspace():
            start += 1
    if any(ch.isalnum() for ch in text[start:end]):
        spans.append(Span(start, end))
    elif spans and start < end:  # lone punctuation or an emoji belongs to the sentence before it
        spans[-1] = Span(spans[-1].start, end)
    elif start < end:
        spans.append(Span(start, end))


def _soft_cut(text: str, start: int, limit: int) -> int:
    """The last clause break before `limit`, else the last space, else `limit`."""
    pieces = list(_SOFT_BREAK.finditer(text, start + MAX_SENTENCE_CHARACTERS // 3, limit))
    clauses = [m for m in pieces if len(m.group()) > 1 or not m.group().isspace()]
    best = clauses or pieces
    return best[-1].end() if best else limit
