"""The vectors of words that come with the program: what the middle of real Gemma makes of each frequent word by itself.

`python -m recipes.bundled_model.word_vectors [--general-text FILE ...] [--output DIR] [--words 60000]`: a few minutes on one core.
The words that occur LEAST times in the text and then whole words of Gemma's vocabulary, which is sorted by frequency, are read one
at a time; their states after half of the layers are turned to SIZE axes of largest variance, each scaled to the same (weighted by
Zipf's law), and kept in 8 bits. After model2vec (Minish Lab 2024).
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from encoder.measure.metrics import Floats
from encoder.network.bases import NOTICE_FILE, notice
from encoder.network.checkpoints import LoadOptions, load_encoder
from encoder.network.hub import GEMMA_DIRECTORY
from encoder.network.lower import layers_of
from encoder.network.model import EvidenceEncoder
from encoder.simple.features import WORD
from encoder.simple.vectors import DIRECTORY, VECTORS, WORDS
from recipes.bundled_model.general import read_general

SIZE = 64
LEAST = 3
_BATCH, _WIDEST = 512, 4.0
_CHANGES = "google/gemma-3-270m was fine-tuned into an encoder that marks evidence, its states of single words reduced to 64 numbers"


class _Enough(Exception):
    """Ends a forward pass after the layer that is wanted."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--general-text", nargs="*", default=[], help="text files (also .gz), a text per line")
    parser.add_argument("--output", type=Path, default=DIRECTORY)
    parser.add_argument("--words", type=int, default=60_000)
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    encoder = load_encoder(GEMMA_DIRECTORY, LoadOptions("cpu", "float32"))
    words = [*frequent_words(read_general(given.general_text)), *whole_words(encoder.tokenizer.backend.get_vocab())]
    words = list(dict.fromkeys(words))[: given.words]
    write(given.output, words, reduced(states_of(encoder, words), SIZE))


def frequent_words(texts: Iterable[str]) -> list[str]:
    """Those that occur LEAST times as they are written, the most frequent first."""
    counts = Counter(found.group() for text in texts for found in WORD.finditer(text))
    return [word for word, count in counts.most_common() if count >= LEAST]


def whole_words(vocabulary: Mapping[str, int]) -> list[str]:
    """Tokens that are a word after a space, or a mark, in the order of their ids."""
    found = []
    for piece, number in vocabulary.items():
        word = piece[1:] if piece.startswith("▁") else piece if len(piece) == 1 and not piece.isalnum() else ""
        if WORD.fullmatch(word) and word.isprintable():
            found.append((number, word))
    return [word for _, word in sorted(found)]


def states_of(encoder: EvidenceEncoder, words: Sequence[str]) -> Floats:
    """What the layer half way up makes of each word at the begin of a text, means over its tokens: (words, H)."""
    layers = layers_of(encoder.backbone)
    found = np.zeros((len(words), encoder.hidden_size))
    part: list[int] = []

    def keep(module: Any, inputs: Any, output: Any) -> None:
        states = output[0] if isinstance(output, tuple) else output
        found[part] = states[:, 1:].mean(1).double().numpy()
        raise _Enough

    begin = encoder.tokenizer.special("bos")
    hook = layers[len(layers) // 2 - 1].register_forward_hook(keep)
    ids = [encoder.tokenizer.ids(f" {word}") for word in words]
    order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
    try:
        for _, group in itertools.groupby(order, key=lambda place: len(ids[place])):
            places = list(group)
            for first in range(0, len(places), _BATCH):
                part = places[first : first + _BATCH]
                rows = torch.tensor([[begin, *ids[place]] for place in part])
                with torch.inference_mode(), suppress(_Enough):
                    encoder.hidden_states(rows, torch.ones_like(rows))
    finally:
        hook.remove()
    return found


def reduced(states: Floats, size: int) -> Floats:
    """The axes of largest variance, (words, size), each with variance 1, over text in which words are as frequent as Zipf's law says."""
    share = 1 / np.arange(3, len(states) + 3)
    share /= share.sum()

    def standard(table: Floats) -> Floats:
        centered = table - share @ table
        found: Floats = centered / np.sqrt(share @ centered**2 + 1e-12)
        return found

    even = np.clip(standard(states), -6, 6)
    _, axes = np.linalg.eigh((even * share[:, None]).T @ even)
    return standard(even @ axes[:, ::-1][:, :size])


def write(directory: Path, words: Sequence[str], table: Floats) -> None:
    """Words and vectors in 8 bits, whose columns have the variance 1 / size, and the terms that they are under."""
    directory.mkdir(parents=True, exist_ok=True)
    step = _WIDEST / 127
    bits = np.clip(np.rint(table / step), -127, 127).astype(np.int8)
    scale = np.array([step / table.shape[1] ** 0.5], np.float32)
    save_file({"table": np.ascontiguousarray(bits), "scale": scale}, str(directory / VECTORS))
    (directory / WORDS).write_text("\n".join(words) + "\n", encoding="utf-8")
    (directory / NOTICE_FILE).write_text(notice(_CHANGES), encoding="utf-8")


if __name__ == "__main__":
    main()
