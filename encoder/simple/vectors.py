"""Vectors of words, read off the middle of real Gemma once (`recipes/bundled_model/word_vectors.py`): what is learned of one word
holds for those like it. NumPy only.

A sentence is the mean of its words, the frequent ones counting less (Arora et al. 2017); a word is itself and the words before and
after it. The vectors are never written out for each row: a row says which words it holds, and weights of vectors become weights
of words before they are multiplied.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from scipy import sparse

from encoder.measure.metrics import Floats
from encoder.simple.rows import BUCKETS, Ids, Rows, Values, stack_rows, used_ids

DIRECTORY = Path(__file__).parents[1] / "bundled" / "words"
WORDS, VECTORS, TERMS = "words.txt", "vectors.safetensors", "NOTICE.txt"
SENTENCE_BLOCKS, WORD_BLOCKS = 1, 3
"""Vectors that stand side by side in the row of a sentence, and of a word: its own, those before it, those after it."""
NEAR = 2
"""Words before and after that count."""
SENTENCE_WEIGHT, WORD_WEIGHT = 0.35, 0.35
"""Lengths of a vector beside n-grams whose length is 1."""
FREQUENT = 1e-3
"""Share of all words from which on a word counts less than half in its sentence."""


class WordVectors:
    """words: the most frequent first. table: (words, size), of which each column has the variance 1 / size over running text."""

    def __init__(self, words: Sequence[str], table: Values) -> None:
        self._rows = {word: row for row, word in enumerate(words)}
        self.table = table
        share = 1 / np.arange(3, len(words) + 3)  # Zipf's law
        self.weights = FREQUENT / (FREQUENT + share / share.sum())

    def __len__(self) -> int:
        return len(self.table)

    @functools.cached_property
    def digest(self) -> str:
        """Says whether weights were learned with these very vectors."""
        return sha256(self.table.tobytes()).hexdigest()[:16]

    @property
    def size(self) -> int:
        return int(self.table.shape[1])

    def rows(self, words: Sequence[str]) -> Ids:
        """The row of each word as it is written, else in other letters' case; -1 for an unknown one."""
        known = self._rows
        found = (
            next((known[form] for form in (w, w.lower(), w.capitalize(), w.upper()) if form in known), -1)
            for w in words
        )
        return np.fromiter(found, np.int32, len(words))


@functools.cache
def word_vectors() -> WordVectors:
    """Those that come with the program."""
    stored = load_file(str(DIRECTORY / VECTORS))
    words = (DIRECTORY / WORDS).read_text("utf-8").split("\n")
    return WordVectors(words[: len(stored["table"])], stored["table"].astype(np.float32) * stored["scale"])


def sentence_places(rows: Ids, owner: Sequence[int], count: int) -> Rows:
    """The vectors' part of `count` sentences. rows: of the words, -1 unknown. owner: the sentence of each word, -1 for none."""
    owned = np.asarray(owner, np.int64)
    kept = np.flatnonzero((rows >= 0) & (owned >= 0))
    weights = word_vectors().weights[rows[kept]]
    length = np.sqrt(np.bincount(owned[kept], weights**2, minlength=count)) + 1e-9
    values = SENTENCE_WEIGHT * weights / length[owned[kept]]
    starts = np.concatenate([[0], np.cumsum(np.bincount(owned[kept], minlength=count))])
    return Rows(starts, BUCKETS + rows[kept], values.astype(np.float32))


def word_places(rows: Ids) -> Rows:
    """The vectors' part of each word. rows: of the words, -1 unknown."""
    steps = np.array([0, *range(-NEAR, 0), *range(1, NEAR + 1)])
    block = np.where(steps == 0, 0, np.where(steps < 0, 1, 2)) * len(word_vectors())
    value = np.where(steps == 0, 1.0, NEAR**-0.5) * WORD_WEIGHT
    padded = np.concatenate([np.full(NEAR, -1, np.int32), rows, np.full(NEAR, -1, np.int32)])
    near = padded[np.arange(len(rows))[:, None] + NEAR + steps]
    known = near >= 0
    starts = np.concatenate([[0], np.cumsum(known.sum(1))])
    ids, values = BUCKETS + near + block, np.broadcast_to(value, near.shape)
    return Rows(starts, ids[known].astype(np.int32), values[known].astype(np.float32))


@dataclass(frozen=True, slots=True)
class WithVectors:
    """N-grams and the vectors of words as one table, (rows, n-grams + blocks x size).

    places: (rows, n-grams + words of all blocks). vectors: of each block, (words, size).
    """

    places: sparse.csr_matrix
    ngrams: int
    vectors: tuple[Values, ...]

    @property
    def shape(self) -> tuple[int, int]:
        return self.places.shape[0], self.ngrams + sum(block.shape[1] for block in self.vectors)

    @property
    def dtype(self) -> Any:
        return self.places.dtype

    def __getitem__(self, rows: Any) -> WithVectors:
        return WithVectors(self.places[rows], self.ngrams, self.vectors)

    def __matmul__(self, weights: Floats) -> Floats:
        """(columns,) or (columns, outputs) -> (rows,) or (rows, outputs)."""
        parts, at = [weights[: self.ngrams]], self.ngrams
        for block in self.vectors:
            parts.append(block @ weights[at : at + block.shape[1]])
            at += block.shape[1]
        return np.asarray(self.places @ np.concatenate(parts))

    def transposed(self) -> _Transposed:
        return _Transposed(self, self.places.T.tocsr())


@dataclass(frozen=True, slots=True)
class _Transposed:
    table: WithVectors
    places: sparse.csr_matrix

    def __matmul__(self, slopes: Floats) -> Floats:
        """(rows,) or (rows, outputs) -> (columns,) or (columns, outputs)."""
        found = np.asarray(self.places @ slopes)
        parts, at = [found[: self.table.ngrams]], self.table.ngrams
        for block in self.table.vectors:
            parts.append(block.T @ found[at : at + len(block)])
            at += len(block)
        return np.concatenate(parts)


def table_of(parts: Sequence[Rows], columns: Ids, blocks: int) -> WithVectors:
    """The rows of several posts; columns: the buckets of n-grams to keep, sorted."""
    ids = used_ids(parts)[0]
    words = ids[ids >= BUCKETS]
    return WithVectors(
        stack_rows(parts, np.concatenate([columns, words])), len(columns), vectors_of(words - BUCKETS, blocks)
    )


def vectors_of(places: Ids, blocks: int) -> tuple[Values, ...]:
    """The vectors of each block's words. places: block x words + row, sorted."""
    known = word_vectors()
    block, row = np.divmod(places, len(known))
    return tuple(known.table[row[block == number]] for number in range(blocks))
