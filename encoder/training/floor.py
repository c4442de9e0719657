"""The simple learner that goes with a trained encoder: a floor under what it knows, and its voice where it knows nothing.

It is fitted on the train examples alone. How far it is listened to beside the encoder is settled on the dev examples, which
neither has learned from. Source: stacked generalization, Wolpert 1992.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from encoder.errors import BadExamples
from encoder.examples import Example
from encoder.simple.learner import Given, SimpleLearner
from storage.records import Criterion

if TYPE_CHECKING:
    from encoder.predict import Predictor


def fit_learner(train: Sequence[Example], criteria: Sequence[Criterion]) -> SimpleLearner | None:
    """What the train examples teach by themselves; None where there is too little to learn from."""
    try:
        return SimpleLearner.fit(train, criteria)
    except BadExamples:
        return None


def settled_beside(
    predictor: Predictor,
    learner: SimpleLearner,
    dev: Sequence[Example],
    criteria: Sequence[Criterion],
    *,
    trusted: Sequence[str],
) -> SimpleLearner:
    """The learner as it is to speak beside the predictor's encoder. trusted: criteria that the encoder knew before."""
    return learner.settled_on(dev, given_logits(predictor, dev, criteria), trusted=trusted)


def given_logits(predictor: Predictor, examples: Sequence[Example], criteria: Sequence[Criterion]) -> Given:
    """The encoder's logits for the sentences of the examples' posts, for the criteria that it knows."""
    known = [c for c in criteria if predictor.config.knows(c.id)]
    found: dict[str, dict[str, object]] = {}
    posts = [e.post for e in examples]
    if not known:
        return {}
    for post, scores in zip(posts, predictor.iter_scores(posts, known), strict=True):
        logits = {c.id: predictor.given(scores, column) for column, c in enumerate(known)}
        found[post.id] = {key: value for key, value in logits.items() if value is not None}
    return found  # type: ignore[return-value]
