"""A reviewed post for one criterion, and what was answered about it before it was learned from. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from encoder.examples import Label
from encoder.measure.metrics import Bools, Floats, Ints, sentence_is_evidence
from encoder.simple.deep import View
from encoder.simple.features import PostFeatures
from encoder.simple.passages import BEGIN, INSIDE, OUTSIDE


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A reviewed post for one criterion.

    given: the logits that another model has for its sentences, (sentences,), 0 for none. fresh: that model was not trained on
    this post, so what it says of it counts. marked: the sentences that it shows as evidence, (sentences,); None where it does not
    know the criterion, or where only its logits count. view: what an encoder makes of the post, where one was asked.
    """

    features: PostFeatures
    label: Label
    given: Floats
    fresh: bool = True
    marked: Bools | None = None
    view: View | None = None

    @property
    def gold(self) -> Bools:
        return np.array([sentence_is_evidence(s, self.label.spans) for s in self.features.sentences], np.bool_)


@dataclass(frozen=True, slots=True)
class Tried:
    """What was answered about a post before it was learned from.

    tag_scores: log probabilities of the words' tags, (words, TAGS). stacked: the given, the own and the best word's logit of
    each sentence, (sentences, 3). gold: (sentences,).
    """

    reviewed: Reviewed
    tag_scores: Floats
    stacked: Floats
    gold: Bools

    @classmethod
    def of(cls, reviewed: Reviewed, own: Floats, tag_scores: Floats) -> Tried:
        """own: the learner's logits of the sentences, (sentences,)."""
        words = best_words(tag_scores, reviewed.features.sentence_of, len(own))
        return cls(reviewed, tag_scores, np.column_stack([reviewed.given, own, words]), reviewed.gold)


def best_words(tag_scores: Floats, word_sentence: Ints, count: int) -> Floats:
    """For each sentence the largest lead of evidence over none among its words, (count,); -4 without words.

    tag_scores: log probabilities (words, TAGS). word_sentence: (words,), -1 outside of all sentences.
    """
    lead = np.full(count, -4.0)
    inside = word_sentence >= 0
    margin = np.logaddexp(tag_scores[:, BEGIN], tag_scores[:, INSIDE]) - tag_scores[:, OUTSIDE]
    np.maximum.at(lead, word_sentence[inside], margin[inside])
    return lead
