"""What the layers in the middle of an encoder make of a post's words and sentences: the vectors that the simple learner is given.

The layers near the output know what the encoder was trained for, those in the middle what the words mean: names of companies are
found best from half way up, toxic words from two thirds (benchmarks/RESULTS.md). What is above these is not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from encoder.measure.metrics import Floats
from encoder.network.lower import layers_of
from encoder.network.model import EvidenceEncoder
from encoder.simple.deep import View
from encoder.simple.features import PostFeatures
from encoder.simple.rows import Values
from encoder.text.windows import ReadPost, windows
from encoder.turns import Turns
from storage.records import Post

SHARES = (1 / 3, 1 / 2, 2 / 3)
REMEMBERED_WORDS = 50_000


class _Enough(Exception):
    """Ends the backbone's forward pass after the last layer that is wanted."""


def view_layers(encoder: EvidenceEncoder) -> tuple[int, ...]:
    """After how many layers the states are taken that stand side by side in a view, in order; the last says how many are computed."""
    count = len(layers_of(encoder.backbone))
    return tuple(sorted({max(1, round(count * share)) for share in SHARES}))


class Viewer:
    """Gives the views of posts by one encoder. turns: those of everybody who computes with it."""

    def __init__(self, encoder: EvidenceEncoder, turns: Turns) -> None:
        self._encoder, self._turns = encoder, turns
        self._remembered: dict[tuple[str, str], View] | None = None
        self._words = 0

    def view(
        self, post: Post, features: PostFeatures, on_progress: Callable[[float], None] = lambda done: None
    ) -> View:
        """The vectors of the post's sentences and words, means over their tokens; 0 where there is none. on_progress: told after
        every window how much of the post has been read, 0 to 1.
        """
        key = post.id, post.text_sha256
        if self._remembered is not None and key in self._remembered:
            return self._remembered[key]
        read = ReadPost.of(post, self._encoder.tokenizer)
        size = len(view_layers(self._encoder)) * self._encoder.hidden_size
        means = (
            _Means(read.sentence_tokens, size),
            _Means([read.map.tokens(start, end) for start, end in features.words.tolist()], size),
        )
        for first, states in self._windows(read, on_progress):
            sums = np.zeros((len(states) + 1, size))
            np.cumsum(states, axis=0, out=sums[1:])
            for one in means:
                one.add(first, sums)
        found = View(*(one.result() for one in means))
        if self._remembered is not None and self._words < REMEMBERED_WORDS:
            self._remembered[key] = found
            self._words += len(found.words)
        return found

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Inside, the view of a post is computed once, for a bounded number of words. Not for several threads."""
        self._remembered, self._words = {}, 0
        try:
            yield
        finally:
            self._remembered = None

    def _windows(self, read: ReadPost, on_progress: Callable[[float], None]) -> Iterator[tuple[int, Floats]]:
        """What the layers make of the post's tokens, window after window: its first token, (tokens, layers x hidden size)."""
        encoder = self._encoder
        before, after = encoder.prompts.post_prefix(), encoder.prompts.post_suffix()
        parts = list(windows(read, size=encoder.prompts.window_tokens([]), stride=0))
        for done, part in enumerate(parts):
            ids = [*before, *read.ids[part.token_start : part.token_end], *after]
            with self._turns.turn(len(parts) - done), torch.inference_mode():
                states = lower_states(encoder, torch.tensor([ids], device=encoder.device))[0]
            own = states[len(before) : len(before) + len(part)]
            yield part.token_start, own.double().cpu().numpy()
            on_progress((done + 1) / len(parts))


class _Means:
    """Means over half-open ranges of tokens, (ranges, size), of tokens that come in parts: as large as its result, however long
    the post.
    """

    def __init__(self, ranges: Sequence[tuple[int, int]], size: int) -> None:
        self._edges = np.asarray(ranges, np.int64).reshape(-1, 2)
        self._found: Values = np.zeros((len(self._edges), size), np.float32)

    def add(self, first: int, sums: Floats) -> None:
        """sums: cumulated over a part's tokens, beginning with 0, (tokens + 1, size); first: its first token."""
        inside = np.clip(self._edges - first, 0, len(sums) - 1)
        rows = np.flatnonzero(inside[:, 1] > inside[:, 0])
        whole = (self._edges[rows, 1] - self._edges[rows, 0])[:, None]
        self._found[rows] += ((sums[inside[rows, 1]] - sums[inside[rows, 0]]) / whole).astype(np.float32)

    def result(self) -> Values:
        return self._found


def lower_states(encoder: EvidenceEncoder, ids: Tensor) -> Tensor:
    """What `view_layers` make of rows of tokens without padding, side by side: (R, T) -> (R, T, layers x H)."""
    found: list[Tensor] = []
    wanted = view_layers(encoder)

    def keep(module: Any, inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)
        if len(found) == len(wanted):
            raise _Enough

    layers = layers_of(encoder.backbone)
    hooks = [layers[number - 1].register_forward_hook(keep) for number in wanted]
    try:
        with encoder.lower.aside() if encoder.lower else nullcontext(), suppress(_Enough):
            encoder.hidden_states(ids, torch.ones_like(ids))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(found, -1)
