"""Long posts: cut into overlapping windows of whole sentences, and put together again. No torch.

Every token and every sentence takes its scores from the window in which it stands farthest from a cut.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoder.text.offsets import TokenMap
from encoder.text.sentences import sentences
from encoder.text.tokenizer import TextTokenizer
from storage.records import Post, Span

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ReadPost:
    """A post as tokens and sentences. `sentence_tokens[i]` is the half-open token range of `sentences[i]`."""

    post: Post
    ids: list[int]
    map: TokenMap
    sentences: list[Span]
    sentence_tokens: list[tuple[int, int]]

    @classmethod
    def of(cls, post: Post, tokenizer: TextTokenizer) -> ReadPost:
        encoded = tokenizer.encode(post.text)
        found = sentences(post.text)
        return cls(post, encoded.ids, encoded.map, found, [encoded.map.tokens(s.start, s.end) for s in found])


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens [token_start, token_end) of a post, and the sentences [first_sentence, last_sentence) that they touch."""

    token_start: int
    token_end: int
    first_sentence: int
    last_sentence: int

    def __len__(self) -> int:
        return self.token_end - self.token_start


def windows(read: ReadPost, *, size: int, stride: int) -> list[Window]:
    """The windows of a post: at most `size` tokens each, neighbors sharing about `stride`, cut between sentences if possible.

    The last window reaches the end of the post; a post without tokens has one empty window.
    """
    total = len(read.ids)
    starts = [token_start for token_start, _ in read.sentence_tokens]
    found: list[Window] = []
    start = 0
    while True:
        end = min(start + size, total)
        if end < total:
            end = _last_in(starts, start + size // 2 + 1, end) or end
        found.append(_window(read, start, end))
        if end >= total:
            return found
        start = _first_in(starts, max(start + 1, end - stride), end) or max(start + 1, end - stride)


def _window(read: ReadPost, start: int, end: int) -> Window:
    first = bisect_right([e for _, e in read.sentence_tokens], start)
    last = bisect_left([s for s, _ in read.sentence_tokens], end)
    return Window(start, end, first, max(first, last))


def _last_in(starts: list[int], low: int, high: int) -> int | None:
    """The last sentence start in [low, high], or None."""
    at = bisect_right(starts, high) - 1
    return starts[at] if at >= 0 and starts[at] >= low else None


def _first_in(starts: list[int], low: int, high: int) -> int | None:
    """The first sentence start in [low, high), or None."""
    at = bisect_left(starts, low)
    return starts[at] if at < len(starts) and starts[at] < high else None


@dataclass(slots=True)
class PostScores:
    """The logits of one post, put together from its windows.

    sentences: (sentences, criteria). tokens: inside, start, end, (tokens, criteria, 3); start and end of the softmax head are
    relative to its null token. posts: (criteria,), the largest of the windows.
    A sentence without tokens keeps -inf.
    """

    read: ReadPost
    sentences: Floats
    tokens: Floats
    posts: Floats


class Merger:
    """Collects the windows of one post in any order. The result does not depend on the order."""

    def __init__(self, read: ReadPost, criteria: int) -> None:
        self._read = read
        count, length = len(read.sentences), len(read.ids)
        self._scores = PostScores(
            read,
            np.full((count, criteria), -np.inf, np.float32),
            np.zeros((length, criteria, 3), np.float32),
            np.full(criteria, -np.inf, np.float32),
        )
        self._sentence_room = np.full((count, criteria), -np.inf)
        self._token_room = np.full((length, criteria), -np.inf)

    def add(self, window: Window, criteria: slice, *, sentences: Floats, tokens: Floats, posts: Floats) -> None:
        """Take in one window's logits for some of the criteria; arrays as in PostScores, for the window only."""
        room = self._room(window, np.arange(window.token_start, window.token_end), 1)
        self._keep(
            self._token_room, self._scores.tokens, slice(window.token_start, window.token_end), criteria, room, tokens
        )
        which = slice(window.first_sentence, window.last_sentence)
        ranges = np.array(self._read.sentence_tokens[which], np.int64).reshape(-1, 2)
        room = self._room(window, ranges[:, 0], ranges[:, 1] - ranges[:, 0])
        room[ranges[:, 0] == ranges[:, 1]] = -np.inf
        self._keep(self._sentence_room, self._scores.sentences, which, criteria, room, sentences)
        self._scores.posts[criteria] = np.maximum(self._scores.posts[criteria], posts)

    def result(self) -> PostScores:
        return self._scores

    def _room(self, window: Window, start: NDArray[Any], length: NDArray[Any] | int) -> NDArray[np.float64]:
        """Tokens between [start, start + length) and the nearest cut; the ends of the post are no cuts.

        Ties go to the earlier window, by less than a token, so that the order of arrival does not matter.
        """
        left = np.where(window.token_start == 0, math.inf, start - window.token_start)
        right = np.where(window.token_end == len(self._read.ids), math.inf, window.token_end - start - length)
        nearest = np.minimum(np.minimum(left, right), len(self._read.ids))
        return np.asarray(nearest - 0.5 * window.token_start / (len(self._read.ids) + 1), np.float64)

    @staticmethod
    def _keep(
        room_so_far: NDArray[Any], kept: Floats, rows: slice, criteria: slice, room: NDArray[np.float64], new: Floats
    ) -> None:
        better = room[:, None] > room_so_far[rows, criteria]
        room_so_far[rows, criteria] = np.where(better, room[:, None], room_so_far[rows, criteria])
        mask = better if new.ndim == 2 else better[:, :, None]
        kept[rows, criteria] = np.where(mask, new, kept[rows, criteria])
