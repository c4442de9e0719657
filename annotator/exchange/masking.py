"""Masking of e-mail addresses, phone numbers, URLs and user names before a post is stored.

Every mask is as long as what it hides, so that offsets of the file's labels stay right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from storage.formats.rows import ImportRow, Label, Passage
from storage.records import SpanAttributes

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
    """The row with everything hidden that names people, in its text and in what was written beside it; and how many masks were put in."""
    masker = _Masker(row.text or "", row.author, region)
    hidden = mask(row.text or "", author=row.author, region=region)
    masked = replace(
        row,
        text=hidden.text,
        author=pseudonym(row.author) if row.author else None,
        labels=tuple(map(masker.label, row.labels)),
        gold=tuple(map(masker.label, row.gold)),
        meta={k: masker.value(v) for k, v in row.meta.items()},
        adjudications=tuple(map(masker.decision, row.adjudications)),
    )
    return masked, hidden.count + masker.count


class _Masker:
    """Hides names in what stands beside one text. count: masks that were put in."""

    def __init__(self, text: str, author: str | None, region: str) -> None:
        self._text, self._author, self._region = text, author, region
        self.count = 0

    def words(self, words: str) -> str:
        hidden = mask(words, author=self._author, region=self._region)
        self.count += hidden.count
        return hidden.text

    def label(self, label: Label) -> Label:
        passages, rejected, undecided = (
            tuple(map(self._passage, _masked_passages(found, self._text, self._region)))
            for found in (label.passages, label.rejected, label.undecided)
        )
        note = self.words(label.note) if label.note else ""
        return replace(label, passages=passages, rejected=rejected, undecided=undecided, note=note)

    def _passage(self, passage: Passage) -> Passage:
        """The passage, and the prediction that it comes from, with masked rationales."""
        given = passage.predicted
        predicted = None if given is None else replace(given, attributes=self._said(given.attributes))
        return replace(passage, attributes=self._said(passage.attributes), predicted=predicted)

    def _said(self, said: SpanAttributes) -> SpanAttributes:
        return replace(said, rationale=self.words(said.rationale)) if said.rationale else said

    def value(self, value: Any) -> Any:
        """Words inside a value of the post's meta."""
        if isinstance(value, str):
            return self.words(value)
        if isinstance(value, Mapping):
            return {k: self.value(v) for k, v in value.items()}
        return [self.value(v) for v in value] if isinstance(value, list | tuple) else value

    def decision(self, decision: Mapping[str, Any]) -> dict[str, Any]:
        """An adjudication as our own export writes it; the words of its spans go, their places stay."""
        found = dict(decision)
        if isinstance(found.get("reason"), str):
            found["reason"] = self.words(found["reason"])
        if isinstance(spans := found.get("spans"), list):
            found["spans"] = [self._span(s) if isinstance(s, Mapping) else s for s in spans]
        return found

    def _span(self, span: Mapping[str, Any]) -> dict[str, Any]:
        kept = {k: v for k, v in span.items() if k != "text"}
        return {k: self.words(v) if k == "rationale" and isinstance(v, str) else v for k, v in kept.items()}


def _masked_passages(passages: Iterable[Passage], text: str, region: str) -> tuple[Passage, ...]:
    """The passages without words where the offsets say it all, with masked words elsewhere."""
    found = []
    for passage in passages:
        if passage.quote is None:
            found.append(passage)
        elif passage.start is not None and text[passage.start : passage.end] == passage.quote:
            found.append(replace(passage, quote=None))
        else:
            found.append(replace(passage, quote=mask(passage.quote, region=region).text))
    return tuple(found)
