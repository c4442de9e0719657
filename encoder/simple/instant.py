"""The instant learner: the simple learner refitted after each decision, in a bounded time.

Every answer is predicted before it is learned from, so how much the learner may say beside the model in service is settled on
posts that it had not seen, without fitting anything twice. The weights begin where the last fit ended and go on towards the
exact ones for as long as a decision may cost; the next decision takes them further.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from encoder.examples import Label
from encoder.measure.metrics import Bools, Floats, Ints
from encoder.simple.features import FeatureCache, PostFeatures
from encoder.simple.fitting import WORD_STRENGTH, CriterionFit, settle
from encoder.simple.learner import SimpleLearner, raw_answer
from encoder.simple.logistic import Linear, fit_binary, fit_tags
from encoder.simple.marking import Passages
from encoder.simple.passages import TAGS, tags_of
from encoder.simple.rows import BUCKETS, Ids, Rows
from encoder.simple.tried import Reviewed, Tried
from encoder.simple.units import UnitChoice, together, unit_of
from encoder.simple.vectors import SENTENCE_BLOCKS, WORD_BLOCKS, WithVectors, vectors_of, word_vectors
from storage.records import Post

MOST_POSTS = 500
"""Posts per criterion that are learned from at a time, the newest; the weights keep what they learned from earlier ones."""
MOST_WORDS = 25_000
"""Words of these posts together: what is fitted on, not only for how long, is bounded."""
SECONDS = 0.04
"""CPU time of one fit, of which a decision needs two."""
STRENGTH = 5.0
PASSAGES_EVERY = 10
MARKED_POSTS, MARKED_WORDS = 40, 2_500
"""How bold to be in marking passages is looked at every PASSAGES_EVERY decisions, on the last posts, so many or of so many words."""
SHARE_WHEN_DUE = 0.5
"""Of the time for fitting, at such a decision; the next one goes on from there."""
_FEW = 20
LEAST_BESIDE_MODEL = 5
"""Gold sentences from which on the learner may speak for a criterion that the model in service knows."""


@dataclass
class _Table:
    """The rows of posts in columns that are added as their ids occur: n-grams, and after them the words of `blocks` vectors."""

    blocks: int
    place: dict[int, int] = field(default_factory=dict)
    words: dict[int, int] = field(default_factory=dict)
    posts: dict[str, tuple[Ids, Rows]] = field(default_factory=dict)

    def add(self, post_id: str, rows: Rows) -> None:
        place, words = self.place, self.words
        columns = (
            place.setdefault(i, len(place)) if i < BUCKETS else ~words.setdefault(i, len(words))
            for i in rows.ids.tolist()
        )
        self.posts[post_id] = np.fromiter(columns, np.int32, len(rows.ids)), rows

    def matrix(self) -> WithVectors:
        parts = list(self.posts.values())
        lengths = np.concatenate([np.diff(rows.starts) for _, rows in parts])
        starts = np.concatenate([[0], np.cumsum(lengths)])
        ids = np.concatenate([columns for columns, _ in parts])
        values = np.concatenate([rows.values for _, rows in parts]).astype(np.float64)
        # vectors_of wants the words sorted
        known = np.sort(np.fromiter(self.words, np.int32, len(self.words)))
        where = np.searchsorted(known, np.fromiter(self.words, np.int32, len(self.words)))
        of_words = ids < 0
        ids[of_words] = len(self.place) + where[~ids[of_words]]
        shape = len(lengths), len(self.place) + len(known)
        return WithVectors(
            sparse.csr_matrix((values, ids, starts), shape=shape),
            len(self.place),
            vectors_of(known - BUCKETS, self.blocks),
        )

    def grown(self, linear: Linear | None, outputs: int) -> Linear:
        """The weights with zeros for the columns that are new."""
        size = self.blocks * word_vectors().size
        weights = np.zeros((len(self.place) + size, outputs))
        if linear is None:
            return Linear(weights, np.zeros(outputs))
        weights[: len(linear.weights) - size] = linear.weights[:-size]
        weights[-size:] = linear.weights[-size:]
        return Linear(weights, linear.bias)

    def in_order(self, linear: Linear) -> tuple[Ids, Linear]:
        """The buckets sorted, and the weights in that order."""
        buckets = np.fromiter(self.place, np.int32, len(self.place))
        order = np.argsort(buckets)
        return buckets[order], Linear(
            np.concatenate([linear.weights[order], linear.weights[len(buckets) :]]), linear.bias
        )


class _CriterionLearner:
    def __init__(self, criterion_id: str, trusted: bool) -> None:
        self.criterion_id, self.trusted = criterion_id, trusted
        self.tried: dict[str, Tried] = {}
        self.fit: CriterionFit | None = None
        self._marked: dict[str, tuple[Ints, UnitChoice]] = {}
        self._sentences, self._words = _Table(SENTENCE_BLOCKS), _Table(WORD_BLOCKS)
        self._sentence: Linear | None = None
        self._tags: Linear | None = None
        self._passages: Passages | None = None
        self._since = 0

    def take(self, post_id: str, reviewed: Reviewed) -> None:
        """Answer the post, then keep it and its true answer."""
        features = reviewed.features
        own, tags = self._answer(features)
        if post_id not in self.tried:
            self.tried[post_id] = Tried.of(reviewed, own, tags)
            self._since += 1
        else:  # another answer about a post that was learned from: what was said of it at first counts
            before = self.tried[post_id]
            self.tried[post_id] = Tried(reviewed, before.tag_scores, before.stacked, reviewed.gold)
        spans = reviewed.label.spans
        self._marked[post_id] = tags_of(features.words, spans), unit_of([(spans, features.sentences)])
        self._sentences.add(post_id, reviewed.features.sentence_rows)
        self._words.add(post_id, reviewed.features.word_rows)
        words = sum(len(t.tag_scores) for t in self.tried.values())
        for oldest in list(self.tried):
            if len(self.tried) <= MOST_POSTS and words <= MOST_WORDS:
                break
            words -= len(self.tried[oldest].tag_scores)
            self.drop(oldest)

    @property
    def may_speak(self) -> bool:
        """Whether it helps; beside a model that shows passages of its own, only once there is evidence enough to tell."""
        assert self.fit is not None
        beside = any(t.reviewed.marked is not None for t in self.tried.values())
        return self.fit.settled.helps and (not beside or self.fit.settled.positives >= LEAST_BESIDE_MODEL)

    def drop(self, post_id: str) -> None:
        for kept in (self.tried, self._marked, self._sentences.posts, self._words.posts):
            kept.pop(post_id, None)

    def refit(self, seconds: float) -> None:
        """Move the weights towards the exact ones, `seconds` of CPU time for the sentences and as much for the words."""
        tried = list(self.tried.values())
        gold = np.concatenate([t.gold for t in tried]) if tried else np.empty(0, np.bool_)
        if not gold.any() or gold.all():
            self.fit = None
            return
        due = self._passages is None or self._since >= (1 if len(tried) < _FEW else PASSAGES_EVERY)
        if due and len(tried) >= _FEW:
            seconds *= SHARE_WHEN_DUE
        self._sentence = fit_binary(
            self._sentences.matrix(),
            gold,
            strength=STRENGTH,
            start=self._sentences.grown(self._sentence, 1),
            seconds=seconds,
        )
        tags = np.concatenate([self._marked[post_id][0] for post_id in self.tried])
        self._tags = fit_tags(
            self._words.matrix(), tags, TAGS,
            strength=WORD_STRENGTH, start=self._words.grown(self._tags, TAGS), seconds=seconds,
        )  # fmt: skip
        choice = together(unit for _, unit in self._marked.values())
        settled = settle(
            tried, choice, trusted=self.trusted, passages=None if due else self._passages, most=_newest(tried)
        )
        if due:
            self._passages, self._since = settled.passages, 0
        sentence_columns, sentence = self._sentences.in_order(self._sentence)
        word_columns, words = self._words.in_order(self._tags)
        # without its bias, which falls while answers come in: what was said of earlier posts stays comparable, and the stack has one
        sentence = Linear(sentence.weights, np.zeros(1), sentence.converged)
        self.fit = CriterionFit(sentence_columns, sentence, word_columns, words, STRENGTH, settled)

    def _answer(self, features: PostFeatures) -> tuple[Floats, Floats]:
        if self.fit is not None:
            return raw_answer(self.fit, features)
        return np.zeros(len(features.sentences)), np.tile(np.log([0.98, 0.01, 0.01]), (len(features.words), 1))


def _newest(tried: Sequence[Tried]) -> int:
    """How many of the last posts are looked at for how bold to be, at least one."""
    words = np.cumsum([len(t.tag_scores) for t in reversed(tried[-MARKED_POSTS:])])
    return max(1, int((words <= MARKED_WORDS).sum()))


class InstantLearner:
    """Learns one answer at a time. trusted: criteria that the model whose logits are given knows. Not safe between threads."""

    def __init__(self, *, trusted: frozenset[str] = frozenset(), cache: FeatureCache | None = None) -> None:
        self._trusted = trusted
        self._cache = FeatureCache() if cache is None else cache
        self._learners: dict[str, _CriterionLearner] = {}

    def take(
        self,
        post: Post,
        criterion_id: str,
        label: Label | None,
        *,
        given: Floats | None = None,
        marked: Bools | None = None,
        fresh: bool = True,
    ) -> None:
        """Keep an answer, to be learned from by `refit`; None takes the answer about the post back.

        given: the model's logits of the sentences, (sentences,). marked: those that it shows, (sentences,). fresh: the model was
        not trained on this post.
        """
        learner = self._learners.setdefault(
            criterion_id, _CriterionLearner(criterion_id, criterion_id in self._trusted)
        )
        features = self._cache.of(post)
        if label is None or not features.sentences:
            learner.drop(post.id)
            return
        logits = np.zeros(len(features.sentences)) if given is None else given
        learner.take(post.id, Reviewed(features, label, logits, fresh, marked))

    def refit(self, criterion_id: str, *, seconds: float = SECONDS) -> float:
        """Learn from all answers of the criterion. Returns the CPU seconds that it took."""
        began = time.thread_time()
        self._learners[criterion_id].refit(seconds)
        return time.thread_time() - began

    @property
    def answers(self) -> Mapping[str, int]:
        """How many answers are being learned from, by criterion id."""
        return {key: len(learner.tried) for key, learner in self._learners.items()}

    def learner(self) -> SimpleLearner:
        """What has been learned and helps, ready to answer: where the model alone says more, it stays silent."""
        fits = {key: one.fit for key, one in self._learners.items() if one.fit is not None and one.may_speak}
        return SimpleLearner(fits, self._cache)
