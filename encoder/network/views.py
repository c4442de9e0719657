"""What the lower two thirds of an encoder make of a post's words and sentences: the vectors that the simple learner is given.

The layers near the output know what the encoder was trained for, those in the middle what the words mean. What is above them is not
computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from encoder.measure.metrics import Floats
from encoder.network.lower import layers_of
from encoder.network.model import EvidenceEncoder
from encoder.simple.deep import View
from encoder.simple.features import PostFeatures, Values
from encoder.text.windows import ReadPost, windows
from encoder.turns import Turns
from storage.records import Post

REMEMBERED_WORDS = 100_000


class _Enough(Exception):
    """Carries what the wanted layer made out of the backbone, whose other layers are not computed."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states


def view_layer(encoder: EvidenceEncoder) -> int:
    """How many of the lowest layers are computed for a view."""
    return max(1, round(len(layers_of(encoder.backbone)) * 2 / 3))


class Viewer:
    """Gives the views of posts by one encoder. turns: those of everybody who computes with it."""

    def __init__(self, encoder: EvidenceEncoder, turns: Turns) -> None:
        self._encoder, self._turns = encoder, turns
        self._remembered: dict[tuple[str, str], View] | None = None
        self._words = 0

    def view(self, post: Post, features: PostFeatures) -> View:
        """The vectors of the post's sentences and words, means over their tokens; 0 where there is none."""
        key = post.id, post.text_sha256
        if self._remembered is not None and key in self._remembered:
            return self._remembered[key]
        read = ReadPost.of(post, self._encoder.tokenizer)
        sums = np.zeros((len(read.ids) + 1, self._encoder.hidden_size))
        np.cumsum(self._states(read), axis=0, out=sums[1:])
        found = View(
            _means(sums, read.sentence_tokens),
            _means(sums, [read.map.tokens(start, end) for start, end in features.words.tolist()]),
        )
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

    def _states(self, read: ReadPost) -> Floats:
        """What the layer makes of every token of the post, (tokens, hidden size)."""
        encoder = self._encoder
        before, after = encoder.prompts.post_prefix(), encoder.prompts.post_suffix()
        found = np.zeros((len(read.ids), encoder.hidden_size))
        parts = list(windows(read, size=encoder.prompts.window_tokens([]), stride=0))
        for done, part in enumerate(parts):
            ids = [*before, *read.ids[part.token_start : part.token_end], *after]
            with self._turns.turn(len(parts) - done), torch.inference_mode():
                states = lower_states(encoder, torch.tensor([ids], device=encoder.device))[0]
            own = states[len(before) : len(before) + len(part)]
            found[part.token_start : part.token_end] = own.float().cpu().numpy()
        return found


def lower_states(encoder: EvidenceEncoder, ids: Tensor) -> Tensor:
    """What the layers below `view_layer` make of rows of tokens without padding, (R, T) -> (R, T, H)."""
    layer = layers_of(encoder.backbone)[view_layer(encoder) - 1]
    hook = layer.register_forward_hook(_stop)
    try:
        encoder.hidden_states(ids, torch.ones_like(ids))
    except _Enough as enough:
        return enough.states
    finally:
        hook.remove()
    raise AssertionError("The backbone has not computed its own layer.")


def _stop(module: Any, inputs: Any, output: Any) -> None:
    raise _Enough(output[0] if isinstance(output, tuple) else output)


def _means(sums: Floats, ranges: Sequence[tuple[int, int]]) -> Values:
    """The means over half-open ranges of tokens, (ranges, size). sums: cumulated over the tokens, beginning with 0."""
    edges = np.asarray(ranges, np.int64).reshape(-1, 2)
    count = np.maximum(1, edges[:, 1] - edges[:, 0])[:, None]
    return ((sums[edges[:, 1]] - sums[edges[:, 0]]) / count).astype(np.float32)
