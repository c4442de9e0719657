"""Answers that may be wrong: passages that the simple learner, which has not seen them, would have answered otherwise. No torch.

Every post is answered by weights fitted on other posts only, together with another model's logits where these are given; what is
doubted most is what these contradict most surely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from encoder.measure.metrics import Bools, Floats
from encoder.simple.fitting import held_out_logits
from encoder.simple.tried import Reviewed
from storage.records import Span

LEAST_POSTS = 20
"""Reviewed posts of a criterion below which nothing is doubted."""
LEAST_DOUBT = 0.7
"""Chance of the other answer from which on an answer is doubted."""


@dataclass(frozen=True, slots=True)
class Doubted:
    """A sentence whose answer is doubted. number: of its post, as given. doubt: chance of the other answer, in [0, 1]."""

    number: int
    sentence: Span
    is_evidence: bool
    doubt: float


def find_doubts(reviewed: Sequence[Reviewed]) -> list[Doubted]:
    """The doubted sentences of a criterion's reviewed posts, the most doubted first; none with too few posts or one answer only."""
    logits = held_out_logits(reviewed) if len(reviewed) >= LEAST_POSTS else None
    if logits is None:
        return []
    found = []
    for number, (post, of_post) in enumerate(zip(reviewed, logits, strict=True)):
        gold = post.gold
        for sentence, is_evidence, doubt in zip(post.features.sentences, gold, _against(of_post, gold), strict=True):
            if doubt >= LEAST_DOUBT:
                found.append(Doubted(number, sentence, bool(is_evidence), float(doubt)))
    return sorted(found, key=lambda d: -d.doubt)


def _against(logits: Floats, gold: Bools) -> Floats:
    """The chance of the other answer: (sentences,), (sentences,) -> (sentences,)."""
    found: Floats = expit(np.where(gold, -logits, logits))
    return found
