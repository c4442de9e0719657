"""Texts that were decoded wrongly before they were saved (`don‚Äôt` for `don’t`), and HTML entities: mended before anything is stored.

Only where it is asked for. The passages of the labels go with the text.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from storage.formats.encodings import looks_like_mojibake
from storage.formats.rows import ImportRow, Label, Passage

EXAMPLES, EXAMPLE_CHARACTERS = 5, 60


class Mender:
    """Mends the rows of one import, and counts those that look as if they needed it."""

    def __init__(self, *, mojibake: bool, entities: bool) -> None:
        self._mojibake, self._entities = mojibake, entities
        self.garbled = self.mended_rows = 0
        self.examples: list[dict[str, str]] = []

    def mended(self, row: ImportRow) -> ImportRow:
        text = row.text
        if text is None:
            return row
        if self._entities and "&" in text:
            row = _with_text(row, html.unescape)
        if looks_like_mojibake(text):
            self.garbled += 1
            fixed = _fix_encoding(text) if self._mojibake or len(self.examples) < EXAMPLES else text
            if fixed != text and len(self.examples) < EXAMPLES:
                self.examples.append(_example(text, fixed))
            if self._mojibake and fixed != text:
                self.mended_rows += 1
                row = _with_text(row, _fix_encoding)
        return row


def _fix_encoding(text: str) -> str:
    from ftfy import fix_encoding

    return fix_encoding(text)


def _example(before: str, after: str) -> dict[str, str]:
    """The first place that the mending changes, as it is and as it will be."""
    place = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = max(0, place - EXAMPLE_CHARACTERS // 3)
    return {"before": before[start : start + EXAMPLE_CHARACTERS], "after": after[start : start + EXAMPLE_CHARACTERS]}


def _with_text(row: ImportRow, change: Callable[[str], str]) -> ImportRow:
    """The row with its text changed, and its passages moved to where their words stand then."""
    before = row.text or ""
    after = change(before)
    if after == before:
        return row

    def moved(passage: Passage) -> Passage:
        quote = None if passage.quote is None else change(passage.quote)
        if passage.start is None or passage.end is None:
            return replace(passage, quote=quote)
        if not 0 <= passage.start < passage.end <= len(before):
            return replace(passage, quote=quote)  # outside the text, as it was
        start, end = (len(change(before[:at])) for at in (passage.start, passage.end))
        here = change(before[passage.start : passage.end])
        if after[start:end] == here:
            return replace(passage, start=start, end=end, quote=quote, core_start=None, core_end=None)
        return replace(passage, start=None, end=None, quote=quote or here, core_start=None, core_end=None)

    def with_moved(label: Label) -> Label:
        return replace(
            label,
            passages=tuple(map(moved, label.passages)),
            rejected=tuple(map(moved, label.rejected)),
            undecided=tuple(map(moved, label.undecided)),
        )

    return replace(
        row,
        text=after,
        labels=tuple(map(with_moved, row.labels)),
        gold=tuple(map(with_moved, row.gold)),
        adjudications=tuple({**d, "spans": _moved_spans(d.get("spans"), moved)} for d in row.adjudications),
    )


def _moved_spans(spans: Any, moved: Callable[[Passage], Passage]) -> Any:
    """The spans of an adjudication as our own export writes it. One that cannot be moved stays and is refused with its reason later."""
    if not isinstance(spans, list):
        return spans
    found = []
    for span in spans:
        places = (span.get("start"), span.get("end")) if isinstance(span, Mapping) else ()
        if len(places) == 2 and all(isinstance(p, int) for p in places):
            words = span.get("text")
            there = moved(Passage(*places, words if isinstance(words, str) else None))
            start, end = (there.start, there.end) if there.start is not None else (-1, -1)
            found.append({**span, "start": start, "end": end, **({} if words is None else {"text": there.quote})})
        else:
            found.append(span)
    return found
