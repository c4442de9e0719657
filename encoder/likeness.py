"""How much passages resemble a criterion that no model has learned: by its text, and by examples of it. NumPy only.

Everything is measured against the sentences of the same corpus: vectors are taken from their mean, because the sentences of one
corpus resemble each other more than anything, and a passage is only worth showing where it stands out among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from encoder.measure.metrics import Bools, Floats

Vectors = npt.NDArray[np.floating[Any]]
"""One vector a row: (passages, size)."""

LEAST_SENTENCES = 30
"""Sentences of the corpus that it takes to tell what stands out among them."""
STANDS_OUT = 2.0
"""Standard deviations above the mean likeness of the corpus from which on a sentence is shown."""
AGAINST = 0.5
"""What the counterexamples count, the text and the examples counting 1 each."""
CHANCE_MARGIN = 0.84
"""Standard errors by which the ranking has to beat chance: four times of five it then really does."""
LEAST_EVIDENCE = 5
"""Gold sentences from which on a ranking is judged."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a criterion asks for, as a direction among the sentences of a corpus. Make one with `likeness_to`."""

    direction: Floats
    mean: Floats
    usual: float
    spread: float

    def cosines(self, sentences: Vectors) -> Floats:
        """How alike each sentence is, in [-1, 1]: (sentences, size) -> (sentences,)."""
        found: Floats = _centred(sentences, self.mean) @ self.direction
        return found

    def standing(self, sentences: Vectors) -> Floats:
        """The same in standard deviations above the corpus' mean: (sentences, size) -> (sentences,)."""
        found: Floats = (self.cosines(sentences) - self.usual) / self.spread
        return found


def likeness_to(corpus: Vectors, text: Vectors, examples: Vectors, counterexamples: Vectors) -> Likeness | None:
    """The direction from the corpus' mean to the criterion; None with fewer than LEAST_SENTENCES sentences, or where nothing differs.

    corpus: some of its sentences. text: the criterion's text, (1, size). examples, counterexamples: (any number, size).
    """
    if len(corpus) < LEAST_SENTENCES:
        return None
    mean = np.asarray(corpus, np.float64).mean(0)
    wanted = _centred(text, mean).sum(0)
    for passages, weight in ((examples, 1.0), (counterexamples, -AGAINST)):
        if len(passages):
            wanted = wanted + weight * _centred(passages, mean).mean(0)
    direction = wanted / max(float(np.linalg.norm(wanted)), 1e-9)
    usual = _centred(corpus, mean) @ direction
    spread = float(usual.std())
    return Likeness(direction, mean, float(usual.mean()), spread) if spread > 1e-6 else None


@dataclass(frozen=True, slots=True)
class Ranked:
    """How well scores rank what is evidence above what is not. area: chance that a sentence of evidence ranks higher, .5 by chance."""

    area: float
    error: float
    evidence: int

    @property
    def beats_chance(self) -> bool:
        return self.area - CHANCE_MARGIN * self.error > 0.5


def rank(scores: Sequence[Floats], gold: Sequence[Bools], *, least: int = LEAST_EVIDENCE) -> Ranked | None:
    """The ranking of all sentences together; None with fewer than `least` of evidence, or none without.

    Source: the area's standard error, Hanley and McNeil 1982 (Radiology 143).
    """
    held, truth = (
        np.concatenate([*scores, np.empty(0)]),
        np.concatenate([*gold, np.empty(0, np.bool_)]).astype(np.bool_),
    )
    positive, negative = held[truth], np.sort(held[~truth])
    if len(positive) < least or not len(negative):
        return None
    below, up_to = np.searchsorted(negative, positive, "left"), np.searchsorted(negative, positive, "right")
    area = float((below + up_to).sum() / 2 / (len(positive) * len(negative)))
    by_positive = area / (2 - area) - area**2
    by_negative = 2 * area**2 / (1 + area) - area**2
    variance = area * (1 - area) + (len(positive) - 1) * by_positive + (len(negative) - 1) * by_negative
    return Ranked(area, float(np.sqrt(max(variance, 0.0) / (len(positive) * len(negative)))), len(positive))


def _centred(vectors: Vectors, mean: Floats) -> Floats:
    moved = np.asarray(vectors, np.float64) - mean
    found: Floats = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
    return found
