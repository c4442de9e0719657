"""What the learners of a project are given: the model's stored answers as logits, and gold as labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from encoder.examples import Label
from encoder.measure.metrics import Floats, sentence_is_evidence
from storage.records import EvidenceError, Gold, Prediction, Span

HIDDEN = 0.02
"""Chance of a sentence that the model did not mark, where it marked another."""


def given_by(prediction: Prediction | None, sentences: Sequence[Span]) -> Floats | None:
    """What a stored prediction says of each sentence, as logits, (sentences,); None where the model does not know the criterion.

    A sentence that was not marked has no score of its own: it is taken to be unlikely where another was marked, and half as
    likely as the post's best where none was.
    """
    if prediction is None or not prediction.known:
        return None
    rest = HIDDEN if prediction.spans else max(HIDDEN / 2, (1 - prediction.no_evidence_score) / 2)
    chances = np.full(len(sentences), rest)
    for at, sentence in enumerate(sentences):
        scores = [s.score or rest for s in prediction.spans if sentence_is_evidence(sentence, [s])]
        if scores:
            chances[at] = max(scores)
    held = np.clip(chances, 0.001, 0.999)
    return np.asarray(np.log(held / (1 - held)), np.float64)


def label_of(gold: Gold | None) -> Label | None:
    """A gold answer as the learners take it; None for one that contradicts itself."""
    if gold is None:
        return None
    try:
        return Label(gold.verdict, gold.spans, gold.rejected)
    except EvidenceError:
        return None
