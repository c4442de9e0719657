"""Characters <-> tokens: the only place where one becomes the other. No torch.

A tokenizer's offsets often take in the white space before a word; here a token covers its visible characters only, so that a
word's characters become tokens and come back as the same characters. Offsets are Unicode code points, ends are exclusive.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenMap:
    """Where each token of one text lies. Both lists are non-decreasing; an empty token covers no visible character."""

    starts: list[int]
    ends: list[int]

    @classmethod
    def of(cls, text: str, offsets: Iterable[tuple[int, int]]) -> TokenMap:
        """The map for `text` from a tokenizer's (start, end) pairs, with white space trimmed from both sides of each."""
        starts: list[int] = []
        ends: list[int] = []
        last_start = last_end = 0
        for start, end in offsets:
            while start < end and text[start].isspace():
                start += 1
            while end > start and text[end - 1].isspace():
                end -= 1
            if start == end:  # nothing visible: it must not stretch the tokens beside it
                start = end = last_end
            last_start, last_end = max(last_start, start), max(last_end, end)
            starts.append(last_start)
            ends.append(last_end)
        return cls(starts, ends)

    def __len__(self) -> int:
        return len(self.starts)

    def tokens(self, start: int, end: int) -> tuple[int, int]:
        """The half-open range of tokens that hold any character of [start, end); empty if none does."""
        token_start = bisect_right(self.ends, start)
        return token_start, max(token_start, bisect_left(self.starts, end))

    def characters(self, token_start: int, token_end: int) -> tuple[int, int] | None:
        """The characters from the first to the last token of the range, or None if they cover nothing visible."""
        while token_start < token_end and self.starts[token_start] == self.ends[token_start]:
            token_start += 1
        if token_start >= token_end:
            return None
        start, end = self.starts[token_start], self.ends[token_end - 1]
        return (start, end) if start < end else None
