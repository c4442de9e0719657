"""From words to passages and back: the tags of gold spans, and the passages that tag scores stand for. NumPy only.

Every word is outside of a passage, its first word, or inside it (BIO; Ramshaw and Marcus 1995, cmp-lg/9505040). A passage is
decoded as the likeliest sequence in which none begins in the middle.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from encoder.measure.metrics import Floats, Ints
from storage.records import Span

OUTSIDE, BEGIN, INSIDE = 0, 1, 2
TAGS = 3
_NEVER = -1e9


def tags_of(words: Ints, spans: Sequence[Span]) -> Ints:
    """The tag of every word; words (words, 2) are [start, end). A word that a span touches belongs to it."""
    tags = np.full(len(words), OUTSIDE, np.int64)
    for span in sorted(spans):
        touched = np.flatnonzero((words[:, 0] < span.end) & (words[:, 1] > span.start))
        if len(touched):
            tags[touched] = INSIDE
            tags[touched[0]] = BEGIN
    return tags


def decode_tags(scores: Floats) -> Ints:
    """The likeliest sequence of tags; scores (..., words, TAGS) are log scores, (..., words) are returned."""
    length = scores.shape[-2]
    if not length:
        return np.empty(scores.shape[:-1], np.int64)
    step = np.zeros((TAGS, TAGS))
    step[OUTSIDE, INSIDE] = _NEVER
    best = scores[..., 0, :].copy()
    best[..., INSIDE] = _NEVER
    came_from = np.empty((*scores.shape[:-2], length, TAGS), np.int8)
    for at in range(1, length):
        ways = best[..., :, None] + step
        came_from[..., at, :] = ways.argmax(-2)
        best = ways.max(-2) + scores[..., at, :]
    tags = np.empty(scores.shape[:-1], np.int64)
    tags[..., -1] = best.argmax(-1)
    for at in range(length - 1, 0, -1):
        tags[..., at - 1] = np.take_along_axis(came_from[..., at, :], tags[..., at, None], -1)[..., 0]
    return tags


def word_ranges(tags: Ints) -> list[tuple[int, int]]:
    """The passages of a sequence of tags as half-open ranges of words, in order."""
    found: list[tuple[int, int]] = []
    began: int | None = None
    for at, tag in enumerate(tags.tolist()):
        if tag != INSIDE and began is not None:
            found.append((began, at))
            began = None
        if tag == BEGIN:
            began = at
    if began is not None:
        found.append((began, len(tags)))
    return found


def characters(words: Ints, text_range: tuple[int, int]) -> Span:
    """The span from a range's first word to its last."""
    first, last = text_range
    return Span(int(words[first, 0]), int(words[last - 1, 1]))
