"""What the model on real Gemma makes of many short texts: kept in parts in a directory, so that a run that was stopped goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from encoder.network.batching import Batch, Batcher
from encoder.network.checkpoints import LoadOptions, load_encoder
from encoder.network.heads import masked_mean
from encoder.network.hub import GEMMA_DIRECTORY
from encoder.network.model import EvidenceEncoder
from recipes.bundled_model.teacher import Floats
from storage.records import Criterion, Post

_PART, _BATCH = 2048, 64
_NOTHING = -30.0


class GemmaView:
    """A vector and criterion logits per text, by the text. Holds what was computed before in the same directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._places: dict[bytes, int] = {}
        self._vectors: list[NDArray[np.float16]] = []
        self._logits: list[Floats] = []
        for part in sorted(directory.glob("part-*.npz")):
            with np.load(part) as held:
                self._add(held["keys"], held["vectors"], held["logits"])

    def known(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that were read."""
        return [text for text in texts if _key(text) in self._places]

    def of(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """The vectors (texts, H) and logits (texts, criteria) of texts that were read."""
        places = [self._places[_key(text)] for text in texts]
        return np.concatenate(self._vectors)[places].astype(np.float32), np.concatenate(self._logits)[places]

    def read(
        self, texts: Sequence[str], criteria: Sequence[Criterion], *, dtype: str, say: Callable[[str], None]
    ) -> None:
        """Have those read that were not yet, in their order. dtype: of the encoder, as `LoadOptions` has it."""
        missing = [text for text in dict.fromkeys(texts) if _key(text) not in self._places]
        if not missing:
            return
        encoder = load_encoder(GEMMA_DIRECTORY, LoadOptions("cpu", dtype))
        begun = time.monotonic()
        for first in range(0, len(missing), _PART):
            part = missing[first : first + _PART]
            keys = np.array([_key(text) for text in part], dtype="V16")
            vectors, logits = _view(encoder, part, criteria)
            new = self.directory / "new.npz"
            np.savez(new, keys=keys, vectors=vectors, logits=logits)
            new.replace(self.directory / f"part-{len(self._vectors):05d}.npz")
            self._add(keys, vectors, logits)
            say(f"Gemma: {first + len(part)} of {len(missing)} texts, {time.monotonic() - begun:.0f} s")

    def _add(self, keys: NDArray[np.void], vectors: NDArray[np.float16], logits: Floats) -> None:
        at = len(self._places)
        self._places |= {key.tobytes(): at + n for n, key in enumerate(keys)}
        self._vectors.append(vectors)
        self._logits.append(logits)


def _key(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


@torch.inference_mode()
def _view(
    encoder: EvidenceEncoder, texts: Sequence[str], criteria: Sequence[Criterion]
) -> tuple[NDArray[np.float16], Floats]:
    """Mean vectors and logits of the texts; a text's logit is that of its best sentence."""
    vectors = np.zeros((len(texts), encoder.hidden_size), np.float16)
    logits = np.zeros((len(texts), len(criteria)), np.float32)
    batcher = encoder.batcher(criteria)
    known: torch.Tensor | None = None
    for chosen, batch in _batches(batcher, texts):
        hidden = encoder.encode(batch, known)
        known = hidden.criteria
        scores = encoder.answers(hidden, batch).sentences
        best = scores.masked_fill(batch.sentence_mask.unsqueeze(-1) == 0, _NOTHING).amax(1)
        vectors[chosen] = masked_mean(hidden.tokens, batch.post_mask).numpy()
        logits[chosen] = best.numpy() / encoder.config.temperature
    return vectors, logits


def _batches(batcher: Batcher, texts: Sequence[str]) -> Iterator[tuple[NDArray[np.int64], Batch]]:
    """The texts in batches of similar length, the first window of each."""
    order = np.argsort([len(text) for text in texts])
    for first in range(0, len(order), _BATCH):
        chosen = order[first : first + _BATCH]
        rows = [batcher.rows(batcher.read(Post(str(n), texts[n])), at)[0] for at, n in enumerate(chosen)]
        yield chosen, batcher.batch(rows)
