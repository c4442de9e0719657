"""Where sentences begin and end in a post. No torch, no library.

Forum text is often all lower case, without final stops, with line breaks as the only punctuation. The Unicode rule (UAX 29)
does not break before a lower-case letter and so would join "i cant sleep. i feel dead"; hence rules of our own.
Offsets are Unicode code points; the spans are trimmed of surrounding white space and never overlap.
"""

from __future__ import annotations

import re

from storage.records import Span

MAX_SENTENCE_CHARACTERS = 400
Range = tuple[int, int]

# a run of closing punctuation, with closing quotes and brackets, before white space; or the end of a line. The set that it begins with
# lets `re` pass over everything else at once
_BREAK = re.compile(
    r"[.!?…。！？\r\n\u2028\u2029]"
    r"(?:(?<=[.!?…。！？])[.!?…。！？]*[\"'”’»)\]]*(?=\s|$)|(?<=[\r\n\u2028\u2029])\s*)"
)
_LONGEST_ABBREVIATION = 6  # letters
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'])(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|etc|e\.g|i\.e|approx|dept|est|fig|mt|a\.m|p\.m|u\.s|[a-hj-z])\.$",
    re.IGNORECASE,
)
_NOT_AN_ABBREVIATION_BEFORE_CAPITAL = re.compile(r"(?:etc|a\.m|p\.m|u\.s)\.$", re.IGNORECASE)
_CLAUSE = re.compile(r"[;:—–]\s|,\s(?=and |but |so |because |then )")


def sentences(text: str) -> list[Span]:
    """The sentences of `text` in order, as spans without scores.

    A sentence longer than MAX_SENTENCE_CHARACTERS is cut at a clause or word, so that a post without any punctuation still
    has passages of readable size.
    """
    return [Span(start, end) for start, end in sentence_ranges(text)]


def sentence_ranges(text: str) -> list[Range]:
    """As `sentences`, as (start, end): a hundred thousand posts have a million of them."""
    ranges: list[Range] = []
    start = 0
    for match in _BREAK.finditer(text):
        if _inside_abbreviation(text, match):
            continue
        _add(ranges, text, start, match.end())
        start = match.end()
    _add(ranges, text, start, len(text))
    return ranges


def _inside_abbreviation(text: str, match: re.Match[str]) -> bool:
    at, end = match.span()
    if end - at > 1 or text[at] != ".":
        return False
    if at > _LONGEST_ABBREVIATION and text[at - _LONGEST_ABBREVIATION - 1 : at].isalnum():
        return False
    before = text[max(0, at - 8) : end]
    if not _ABBREVIATION.search(before):
        return False
    following = text[end:].lstrip()
    starts_new = bool(following) and following[0].isupper()
    return not (starts_new and _NOT_AN_ABBREVIATION_BEFORE_CAPITAL.search(before))


def _add(ranges: list[Range], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while end - start > MAX_SENTENCE_CHARACTERS:
        cut = _soft_cut(text, start, start + MAX_SENTENCE_CHARACTERS)
        _add(ranges, text, start, cut)
        start = cut
        while start < end and text[start].isspace():
            start += 1
    if start == end:
        return
    if text[start].isalnum() or any(map(str.isalnum, text[start:end])) or not ranges:
        ranges.append((start, end))
    else:  # lone punctuation or an emoji belongs to the sentence before it
        ranges[-1] = (ranges[-1][0], end)


def _soft_cut(text: str, start: int, limit: int) -> int:
    """The last clause break before `limit`, else the last space, else `limit`."""
    first = start + MAX_SENTENCE_CHARACTERS // 3
    end = 0
    for clause in _CLAUSE.finditer(text, first, limit):
        end = clause.end()
    if end:
        return end
    return next((at + 1 for at in range(limit - 1, first - 1, -1) if text[at].isspace()), limit)
