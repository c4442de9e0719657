"""The simple learner: posts with reviewed answers in, predictions out, within seconds and without a GPU. No torch.

It is the floor that every model is compared with, answers criteria that the model does not know, and learns after each
decision. Given another model's logits it learns what they lack.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from encoder.errors import BadExamples
from encoder.examples import Example
from encoder.measure.metrics import Floats
from encoder.simple.deep import View
from encoder.simple.features import FeatureCache, PostFeatures
from encoder.simple.fitting import CriterionFit, fit_again, fit_criterion, settle
from encoder.simple.logistic import Linear, log_softmax
from encoder.simple.marking import find_passages
from encoder.simple.rows import Ids, Rows, stack_rows
from encoder.simple.tried import Reviewed, Tried, best_words
from encoder.simple.units import Unit, choose_unit
from encoder.simple.vectors import SENTENCE_BLOCKS, WORD_BLOCKS, table_of
from storage.records import Criterion, Post, Prediction, Span

VERSION = "simple"
LEAST_TO_SETTLE = 5
"""Gold sentences below which nothing is settled anew."""

Given = Mapping[str, Mapping[str, Floats]]
"""Another model's logits for the sentences of a post, (sentences,), by post id and criterion id."""
Views = Mapping[str, View]
"""An encoder's vectors of a post, by post id."""


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
        self._cache = FeatureCache() if cache is None else cache

    @classmethod
    def fit(
        cls,
        examples: Sequence[Example],
        criteria: Sequence[Criterion],
        *,
        given: Given | None = None,
        views: Views | None = None,
        cache: FeatureCache | None = None,
        on_progress: Callable[[float], None] = lambda done: None,
    ) -> SimpleLearner:
        """Learn every criterion that has both answers among the examples. views: what an encoder makes of some of their posts, by
        post id. on_progress: told before each criterion how many are done, 0 to 1: a fit takes up to minutes. Raises BadExamples if
        no criterion has both answers.
        """
        cache = FeatureCache() if cache is None else cache
        fits = {}
        for number, criterion in enumerate(criteria):
            on_progress(number / len(criteria))
            reviewed = reviewed_for(criterion.id, examples, given or {}, cache, views)
            found = fit_criterion(reviewed, choose_unit(examples, criterion.id)) if reviewed else None
            if found is not None:
                fits[criterion.id] = found
        if not fits:
            raise BadExamples("Nothing to learn from: no criterion has both evidence and sentences without it.")
        return cls(fits, cache)

    def with_all(
        self,
        examples: Sequence[Example],
        *,
        views: Views | None = None,
        on_progress: Callable[[float], None] = lambda done: None,
    ) -> SimpleLearner:
        """What it knows, learned from these examples, which hold those that it has learned from. on_progress: as of `fit`.

        The unit in which a criterion is marked stays. N-grams are fitted as ever; where an encoder's vectors are listened to beside
        them, strengths, mixture and thresholds stay too, as the answers held out before had them for somewhat weaker weights.
        """
        fits = {}
        for number, (key, fit) in enumerate(self.fits.items()):
            on_progress(number / len(self.fits))
            reviewed = reviewed_for(key, examples, {}, self._cache, views)
            fits[key] = (fit_again(fit, reviewed) if reviewed else None) or fit
        return SimpleLearner(fits, self._cache)

    def sentences(self, post: Post) -> tuple[Span, ...]:
        """The sentences that a post's given logits belong to."""
        return self._cache.of(post).sentences

    def knows(self, criterion_id: str) -> bool:
        return criterion_id in self.fits

    def sees(self, criterion_id: str) -> bool:
        """Whether it answers the criterion with an encoder's vectors beside its n-grams."""
        return criterion_id in self.fits and self.fits[criterion_id].deep is not None

    def of(self, criteria: Collection[str]) -> SimpleLearner:
        """What it knows of these criteria."""
        return SimpleLearner({key: fit for key, fit in self.fits.items() if key in criteria}, self._cache)

    def without_vectors(self, criteria: Collection[str]) -> SimpleLearner:
        """The same, but for these criteria what the n-grams learned by themselves."""
        return SimpleLearner(
            {key: fit.without_vectors() if key in criteria else fit for key, fit in self.fits.items()}, self._cache
        )

    def features(self, post: Post) -> PostFeatures:
        """The sentences and words whose vectors a view holds."""
        return self._cache.of(post)

    def predict(
        self,
        posts: Sequence[Post],
        criteria: Sequence[Criterion],
        *,
        given: Given | None = None,
        views: Views | None = None,
        threshold: float | None = None,
    ) -> list[Prediction]:
        """Posts x criteria, in this order; a criterion that was not learned is not known. threshold: as of `predict_one`."""
        seen = views or {}
        return [
            self.predict_one(
                post, c, given=(given or {}).get(post.id, {}).get(c.id), view=seen.get(post.id), threshold=threshold
            )
            for post in posts
            for c in criteria
        ]

    def predict_one(
        self,
        post: Post,
        criterion: Criterion,
        *,
        given: Floats | None = None,
        view: View | None = None,
        version: str = VERSION,
        threshold: float | None = None,
    ) -> Prediction:
        """The answer in the criterion's unit; with a threshold, the sentences at or above it (0 gives every sentence).

        given: another model's logits, (sentences,). view: the vectors of the encoder that the criterion was learned with; without
        them the n-grams answer. version: what the prediction is marked with.
        """
        fitted = self.fits.get(criterion.id)
        if fitted is None:
            return Prediction(post.id, criterion.id, version, (), 0.5, known=False)
        if not fitted.reads(view):
            fitted = fitted.without_vectors()
        features = self._cache.of(post)
        answer = answer_of(fitted, features, given, view)
        if threshold is None and fitted.settled.choice.unit is Unit.PASSAGE:
            spans = answer.passages
        else:
            least = fitted.settled.threshold if threshold is None else threshold
            scored = zip(features.sentences, answer.sentences.tolist(), strict=True)
            spans = tuple(Span(s.start, s.end, p) for s, p in scored if p >= least)
        best = float(answer.sentences.max()) if len(answer.sentences) else 0.0
        return Prediction(post.id, criterion.id, version, spans, 1.0 - best)

    def settled_on(
        self, examples: Sequence[Example], given: Given, *, trusted: Collection[str], views: Views | None = None
    ) -> SimpleLearner:
        """The same weights, put together with another model's logits as suits these examples, which neither was trained on.

        trusted: criteria that the other model has known for long: there the learner has to prove that it adds something, and
        is left out where it does not. Where the examples hold too little evidence, a trusted model answers alone and another
        criterion stays as it is.
        """
        fits = {}
        for key, fitted in self.fits.items():
            reviewed = reviewed_for(key, examples, given, self._cache, views)
            tried = [Tried.of(r, *raw_answer(fitted, r.features, r.view)) for r in reviewed]
            enough = sum(t.gold.sum() for t in tried) >= LEAST_TO_SETTLE
            if not enough:
                if key not in trusted:
                    fits[key] = fitted
                continue
            settled = settle(tried, fitted.settled.choice, trusted=key in trusted)
            if key not in trusted or settled.helps:
                fits[key] = replace(fitted, settled=settled)
        return SimpleLearner(fits, self._cache)


def reviewed_for(
    criterion_id: str, examples: Sequence[Example], given: Given, cache: FeatureCache, views: Views | None = None
) -> list[Reviewed]:
    """The examples that are labelled for a criterion and hold a sentence."""
    found = []
    for example in examples:
        label = example.labels.get(criterion_id)
        if label is None:
            continue
        features = cache.of(example.post)
        logits = given.get(example.post.id, {}).get(criterion_id)
        if features.sentences:
            start = np.zeros(len(features.sentences)) if logits is None else logits
            found.append(Reviewed(features, label, start, view=(views or {}).get(example.post.id)))
    return found


def raw_answer(fitted: CriterionFit, features: PostFeatures, view: View | None = None) -> tuple[Floats, Floats]:
    """The logits of the sentences, (sentences,), and the log probabilities of the words' tags, (words, TAGS)."""
    own = _logits(fitted.sentence, features.sentence_rows, fitted.sentence_columns, SENTENCE_BLOCKS)[:, 0]
    tags = log_softmax(_logits(fitted.words, features.word_rows, fitted.word_columns, WORD_BLOCKS))
    if view is None or fitted.deep is None or not fitted.reads(view):
        return own, tags
    return fitted.deep.beside(view, own, tags)


def _logits(linear: Linear, rows: Rows, columns: Ids, blocks: int) -> Floats:
    if len(linear.weights) == len(columns):  # learned before there were vectors of words
        return linear.logits(stack_rows([rows], columns))
    return linear.logits(table_of([rows], columns, blocks))


def answer_of(fitted: CriterionFit, features: PostFeatures, given: Floats | None, view: View | None = None) -> Answer:
    """What was learned, applied to one post. given: another model's logits, (sentences,); view: its vectors."""
    own, tags = raw_answer(fitted, features, view)
    settled = fitted.settled
    words = best_words(tags, features.sentence_of, len(own))
    stacked = np.column_stack([np.zeros(len(own)) if given is None else given, own, words])
    logits = stacked @ settled.stack[:-1] + settled.stack[-1]
    passages: tuple[Span, ...] = ()
    if settled.choice.unit is Unit.PASSAGE:
        marks = settled.passages
        found = find_passages(tags, logits, features, boldness=marks.boldness, share=marks.sentence_share)
        passages = tuple(
            Span(s.start, s.end, float(expit(evidence @ marks.sure[:-1] + marks.sure[-1]))) for s, evidence in found
        )
    return Answer(expit(logits), passages)
