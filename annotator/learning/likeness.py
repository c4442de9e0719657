"""Suggestions for criteria that no model has learned: what resembles the criterion's text and examples, marked as just that.

The vectors are those of the model in service, kept in memory by post, up to KEPT_POSTS. A ranking is judged on what was decided so
far; where it is no better than chance, nothing is shown, and `hint` says so. The instant learner takes over as soon as it speaks.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from annotator.models.long_posts import LONG_CHARACTERS
from encoder.errors import EncoderError
from encoder.likeness import LEAST_SENTENCES, STANDS_OUT, Likeness, Ranked, Vectors, likeness_to, rank
from encoder.measure.metrics import Bools, Floats, sentence_is_evidence
from encoder.text.sentences import sentences
from storage.records import LIKENESS_MARK, Criterion, Post, Prediction, Span
from storage.store import Store

if TYPE_CHECKING:
    from annotator.models.serving import ModelService
    from encoder.predict import Predictor

MOST_SHOWN = 3
HIGHEST_SCORE = 0.5
"""A likeness is no chance of being evidence, and is never shown as more than an even one."""
COMPARED_POSTS = 40
KEPT_POSTS = 1000


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A criterion as it was compared, and the result: None where the `posts` of the project had too few sentences."""

    criterion: Criterion
    found: Likeness | None
    posts: int


@dataclass
class _Of:
    """What was computed with one model: sentence vectors by text, those compared with, criteria, answers and how they rank.

    A call that began with an earlier model goes on with that one's, which nobody reads any more.
    """

    predictor: Predictor
    vectors: OrderedDict[str, Vectors] = field(default_factory=OrderedDict)
    corpus: Vectors | None = None
    wanted: dict[str, _Wanted] = field(default_factory=dict)
    tried: dict[str, OrderedDict[str, tuple[Floats, Bools]]] = field(default_factory=dict)
    ranked: dict[str, Ranked | None] = field(default_factory=dict)


class LikenessService:
    """Likeness to criteria by the model in service. Safe between threads."""

    def __init__(self, store: Store, models: ModelService) -> None:
        self._store, self._models = store, models
        self._lock = threading.Lock()
        self._state: _Of | None = None
        self._compared = 0

    def prepare(self, criteria: Sequence[Criterion]) -> int:
        """Compare the criteria that the model in service does not know, where that is still to be done.

        Returns how many comparisons were made so far: with each, what was decided before has to be judged anew (`learn`).
        """
        state = self._current()
        known = None if state is None else state.predictor.known_criteria
        if state is None or known is None or not state.predictor.reads_alone:
            return self._compared
        for criterion in criteria:
            kept = state.wanted.get(criterion.id)
            same = kept is not None and kept.criterion.same_wording(criterion)
            if criterion.id in known or (kept and same and (kept.found or kept.posts == self._store.count_posts())):
                continue
            passages = ([criterion.text], criterion.examples, criterion.counterexamples)
            posts = self._store.count_posts()
            text, examples, counterexamples = (state.predictor.passage_vectors(p) for p in passages)
            found = likeness_to(self._sentences(state), text, examples, counterexamples)
            with self._lock:
                state.tried.pop(criterion.id, None)
                state.ranked.pop(criterion.id, None)
                state.wanted[criterion.id] = _Wanted(criterion, found, posts)
                self._compared += 1
        return self._compared

    def suggest(self, post: Post, criterion: Criterion, prediction: Prediction) -> Prediction:
        """The prediction of a criterion that is not known, with the sentences that stand out, best ones only; else as it was."""
        state = self._current()
        wanted = None if state is None else state.wanted.get(criterion.id)
        if state is None or wanted is None or wanted.found is None or len(post.text) > LONG_CHARACTERS:
            return prediction
        ranked = state.ranked.get(criterion.id)
        if ranked is not None and not ranked.beats_chance:
            return prediction
        vectors = self._of(state, post)
        standing, alike = wanted.found.standing(vectors), wanted.found.cosines(vectors)
        best = [n for n in np.argsort(-standing)[:MOST_SHOWN].tolist() if standing[n] >= STANDS_OUT]
        passages = sentences(post.text)
        spans = (Span(passages[n].start, passages[n].end, _score(float(alike[n]))) for n in sorted(best))
        return replace(prediction, spans=tuple(spans), model_version=f"{prediction.model_version} + {LIKENESS_MARK}")

    def hint(self, criterion: Criterion) -> str:
        """What to know of the suggestions for a criterion that is not known; empty where nothing was compared yet."""
        state = self._current()
        if state is not None and not state.predictor.reads_alone:
            return "The model reads posts and criteria together, so passages cannot be compared with the criterion: no suggestions yet."
        wanted = None if state is None else state.wanted.get(criterion.id)
        if state is None or wanted is None:
            return ""
        ranked = state.ranked.get(criterion.id)
        if wanted.found is None:
            return f"No suggestions yet: it takes {LEAST_SENTENCES} sentences to tell what stands out among them."
        if ranked is not None and not ranked.beats_chance:
            return (
                f"No suggestions yet: on what was decided so far ({ranked.evidence} sentences of evidence), passages that resemble"
                " the criterion's wording were evidence no more often than others."
            )
        count = len(criterion.examples)
        by = "wording" + (f" and {count} example{'s' * (count > 1)}" if count else "")
        return f"Not learned yet: what is marked here, if anything, resembles the criterion's {by}. The score is a likeness, no chance."

    def learn(self, post: Post, criterion: Criterion, spans: Sequence[Span] | None) -> None:
        """Take note of an answer, to judge the ranking by; None takes it back. spans: the gold ones."""
        state = self._current()
        wanted = None if state is None else state.wanted.get(criterion.id)
        if state is None or wanted is None or wanted.found is None:
            return
        tried = state.tried.setdefault(criterion.id, OrderedDict())
        tried.pop(post.id, None)
        if spans is not None:
            gold = np.array([sentence_is_evidence(s, spans) for s in sentences(post.text)], np.bool_)
            tried[post.id] = wanted.found.standing(self._of(state, post)), gold
            while len(tried) > KEPT_POSTS:
                tried.popitem(last=False)
        state.ranked[criterion.id] = rank([s for s, _ in tried.values()], [g for _, g in tried.values()])

    def _current(self) -> _Of | None:
        """What belongs to the loaded model; nothing where there is none."""
        try:
            predictor = self._models.predictor()
        except EncoderError:
            return None
        with self._lock:
            if self._state is None or self._state.predictor is not predictor:
                self._state = _Of(predictor)
            return self._state

    def _sentences(self, state: _Of) -> Vectors:
        """Those of some posts of the project, always the same ones."""
        if state.corpus is None or len(state.corpus) < LEAST_SENTENCES:
            posts = self._store.posts(self._store.posts_at_random(COMPARED_POSTS))
            none = np.zeros((0, state.predictor.encoder.hidden_size), np.float16)
            state.corpus = np.concatenate([none, *(self._of(state, post) for post in posts)])
        return state.corpus

    def _of(self, state: _Of, post: Post) -> Vectors:
        key = post.text_sha256
        with self._lock:
            found = state.vectors.get(key)
        if found is None:
            found = state.predictor.sentence_vectors(post).astype(np.float16)
        with self._lock:
            state.vectors[key] = found
            state.vectors.move_to_end(key)
            while len(state.vectors) > KEPT_POSTS:
                state.vectors.popitem(last=False)
        return found


def _score(cosine: float) -> float:
    return round(HIGHEST_SCORE * min(1.0, max(0.0, cosine)), 4)
