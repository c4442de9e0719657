"""The simple learner: posts with reviewed answers in, predictions out, within seconds and without a GPU. No torch.

It is the floor that every model is compared with, answers criteria that the model does not know, and learns after each
decision. Given another model's logits it learns what they lack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from encoder.errors import BadExamples
from encoder.examples import Example
from encoder.measure.metrics import Floats
from encoder.simple.features import FeatureCache, PostFeatures, stack_rows
from encoder.simple.fitting import CriterionFit, Reviewed, best_words, find_passages, fit_criterion
from encoder.simple.logistic import log_softmax
from encoder.simple.units import Unit, choose_unit
from storage.records import Criterion, Post, Prediction, Span

VERSION = "simple"

Given = Mapping[str, Mapping[str, Floats]]
"""Another model's logits for the sentences of a post, (sentences,), by post id and criterion id."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The learner's view of one post for one criterion: calibrated probabilities of its sentences, and scored passages."""

    sentences: Floats
    passages: tuple[Span, ...]


class SimpleLearner:
    """What was learned, by criterion id. Make one with `fit`."""

    version = VERSION

    def __init__(self, fits: Mapping[str, CriterionFit], cache: FeatureCache | None = None) -> None:
        self.fits = dict(fits)
        self._cache = cache or FeatureCache()

    @classmethod
    def fit(
        cls,
        examples: Sequence[Example],
        criteria: Sequence[Criterion],
        *,
        given: Given | None = None,
        cache: FeatureCache | None = None,
    ) -> SimpleLearner:
        """Learn every criterion that has both answers among the examples. Raises BadExamples if none has."""
        cache = cache or FeatureCache()
        fits = {}
        for criterion in criteria:
            reviewed = reviewed_for(criterion.id, examples, given or {}, cache)
            found = fit_criterion(reviewed, choose_unit(examples, criterion.id)) if reviewed else None
            if found is not None:
                fits[criterion.id] = found
        if not fits:
            raise BadExamples("Nothing to learn from: no criterion has both evidence and sentences without it.")
        return cls(fits, cache)

    def predict(
        self,
        posts: Sequence[Post],
        criteria: Sequence[Criterion],
        *,
        given: Given | None = None,
        all_sentences: bool = False,
    ) -> list[Prediction]:
        """Posts x criteria, in this order; a criterion that was not learned is not known.

        all_sentences: every sentence with its probability, as average precision needs it, instead of what is shown.
        """
        found = []
        for post in posts:
            features = self._cache.of(post)
            for criterion in criteria:
                fitted = self.fits.get(criterion.id)
                if fitted is None:
                    found.append(Prediction(post.id, criterion.id, self.version, (), 0.5, known=False))
                    continue
                logits = (given or {}).get(post.id, {}).get(criterion.id)
                answer = answer_of(fitted, features, logits)
                found.append(prediction_of(post, criterion, self.version, fitted, features, answer, all_sentences))
        return found


def reviewed_for(criterion_id: str, examples: Sequence[Example], given: Given, cache: FeatureCache) -> list[Reviewed]:
    """The examples that are labelled for a criterion and hold a sentence."""
    found = []
    for example in examples:
        label = example.labels.get(criterion_id)
        if label is None:
            continue
        features = cache.of(example.post)
        logits = given.get(example.post.id, {}).get(criterion_id)
        if features.sentences:
            found.append(Reviewed(features, label, np.zeros(len(features.sentences)) if logits is None else logits))
    return found


def answer_of(fitted: CriterionFit, features: PostFeatures, given: Floats | None) -> Answer:
    """What was learned, applied to one post."""
    own = fitted.sentence.logits(stack_rows([features.sentence_rows], fitted.sentence_columns))[:, 0]
    tags = log_softmax(fitted.words.logits(stack_rows([features.word_rows], fitted.word_columns)))
    words = best_words(tags, features.sentence_of, len(own))
    stacked = np.column_stack([np.zeros(len(own)) if given is None else given, own, words])
    logits = stacked @ fitted.settled.stack[:-1] + fitted.settled.stack[-1]
    passages: tuple[Span, ...] = ()
    if fitted.settled.choice.unit is Unit.PASSAGE:
        found = find_passages(
            tags, logits, features, boldness=fitted.settled.boldness, share=fitted.settled.sentence_share
        )
        passages = tuple(
            Span(s.start, s.end, float(_sigmoid(evidence @ fitted.settled.sure[:-1] + fitted.settled.sure[-1])))
            for s, evidence in found
        )
    return Answer(_sigmoid(logits), passages)


def prediction_of(
    post: Post,
    criterion: Criterion,
    version: str,
    fitted: CriterionFit,
    features: PostFeatures,
    answer: Answer,
    all_sentences: bool = False,
) -> Prediction:
    """The answer as a prediction in the criterion's unit."""
    if fitted.settled.choice.unit is Unit.PASSAGE and not all_sentences:
        spans = answer.passages
    else:
        least = 0.0 if all_sentences else fitted.settled.threshold
        spans = tuple(
            Span(s.start, s.end, float(p))
            for s, p in zip(features.sentences, answer.sentences, strict=True)
            if p >= least
        )
    best = float(answer.sentences.max()) if len(answer.sentences) else 0.0
    return Prediction(post.id, criterion.id, version, spans, 1.0 - best)


def _sigmoid(x: Floats) -> Floats:
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(x, np.float64)))
