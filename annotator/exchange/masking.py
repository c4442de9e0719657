"""Masking of e-mail addresses, phone numbers, URLs and user names before a post is stored.

Every mask is as long as what it hides, so that offsets of the file's labels stay right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from storage.formats.rows import ImportRow, Passage

_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"'”’)\]]+[^\s<>\"'”’)\].,;:!?]", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_USER = re.compile(r"(?<![\w/@.])(?:@|/?u/)(?=[\w-]*\w)[\w-]{2,}")
_DIGITS = re.compile(r"[+(]?\d[\d\s().\-/]{5,}\d")


@dataclass(frozen=True, slots=True)
class Masked:
    """`text` has the length of the original; `count` masks were put in."""

    text: str
    count: int


def mask(text: str, *, author: str | None = None, region: str = "US") -> Masked:
    """Hide addresses, numbers, links, names after @ or u/, and the author's own name.

    region: where phone numbers without a country code belong; two letters.
    """
    count = 0
    for pattern, name in ((_URL, "URL"), (_EMAIL, "MAIL"), (_USER, "USER")):
        text, found = pattern.subn(_filler(name), text)
        count += found
    text, found = _mask_phones(text, region)
    count += found
    if author and len(author) > 2:
        text, found = re.subn(rf"(?<!\w){re.escape(author)}(?!\w)", _filler("USER"), text, flags=re.IGNORECASE)
        count += found
    return Masked(text, count)


def pseudonym(author: str) -> str:
    """The same name for the same author, from which the author cannot be read."""
    return f"author-{hashlib.sha256(f'pseudonym:{author}'.encode()).hexdigest()[:10]}"


def _filler(name: str) -> Callable[[re.Match[str]], str]:
    return lambda match: _fill(name, len(match.group()))


def _fill(name: str, length: int) -> str:
    return f"[{name}]".ljust(length, "_") if length >= len(name) + 2 else "_" * length


def _mask_phones(text: str, region: str) -> tuple[str, int]:
    if not _DIGITS.search(text):
        return text, 0
    from phonenumbers import Leniency, PhoneNumberMatcher

    found = [(m.start, m.end) for m in PhoneNumberMatcher(text, region, leniency=Leniency.VALID)]
    for start, end in found:
        text = text[:start] + _fill("PHONE", end - start) + text[end:]
    return text, len(found)


def masked_row(row: ImportRow, region: str) -> tuple[ImportRow, int]:
    """The row with everything hidden that names people, and how many masks were put in."""
    text = row.text or ""
    hidden = mask(text, author=row.author, region=region)
    labels = tuple(replace(la, passages=_masked_passages(la.passages, text, region)) for la in row.labels)
    author = pseudonym(row.author) if row.author else None
    return replace(row, text=hidden.text, author=author, labels=labels), hidden.count


def _masked_passages(passages: Iterable[Passage], text: str, region: str) -> tuple[Passage, ...]:
    """The passages without words where the offsets say it all, with masked words elsewhere."""
    found = []
    for passage in passages:
        if passage.attributes.rationale:
            said = replace(passage.attributes, rationale=mask(passage.attributes.rationale, region=region).text)
            passage = replace(passage, attributes=said)
        if passage.quote is None:
            found.append(passage)
        elif passage.start is not None and text[passage.start : passage.end] == passage.quote:
            found.append(replace(passage, quote=None))
        else:
            found.append(replace(passage, quote=mask(passage.quote, region=region).text))
    return tuple(found)
