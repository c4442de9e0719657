"""Places in what a page shows → places in its source, for labels of tools that show HTML and keep the source as the text."""

from __future__ import annotations

import html
import re
from dataclasses import replace

from storage.formats.rows import Label, Passage

_PIECE = re.compile(
    r"<!--.*?-->|<(script|style)\b.*?</\1\s*>|</?[A-Za-z][^<>]*>|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|\w{2,31});|.",
    re.DOTALL | re.I,
)


class Shown:
    """The text that a source shows, and where each of its characters stands in the source."""

    def __init__(self, source: str) -> None:
        characters: list[str] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        for piece in _PIECE.finditer(source):
            words = "" if len(piece[0]) > 1 and piece[0][0] == "<" else html.unescape(piece[0])
            for character in words:
                characters.append(character)
                self._starts.append(piece.start())
                self._ends.append(piece.end())
        self.text = "".join(characters)

    def in_source(self, passage: Passage) -> Passage:
        """The passage by its place in the source, if its words prove that its offsets count what is shown; else as it is."""
        start, end, words = passage.start, passage.end, passage.quote
        if start is None or end is None or words is None or not 0 <= start < end <= len(self.text):
            return passage
        if self.text[start:end].split() != words.split():
            return passage
        return replace(passage, start=self._starts[start], end=self._ends[end - 1], quote=None)


def placed_in_source(labels: list[Label], source: str) -> list[Label]:
    """The labels with the passages that are not words of the source as they stand moved to where they are shown."""
    if "<" not in source or all((p.quote or "") in source for la in labels for p in la.passages):
        return labels
    shown = Shown(source)
    return [
        replace(la, passages=tuple(p if (p.quote or "") in source else shown.in_source(p) for p in la.passages))
        for la in labels
    ]
