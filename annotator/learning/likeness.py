"""Suggestions for criteria that no model has learned: what resembles the criterion's text and examples, marked as just that.

The vectors are those of the model in service, kept in memory by post, up to KEPT_POSTS. A ranking is judged on what was decided so
far; where it is no better than chance, nothing is shown, and `hint` says so. The instant learner takes over as soon as it speaks.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from annotator.models.long_posts import LONG_CHARACTERS
from encoder.errors import EncoderError
from encoder.likeness import LEAST_SENTENCES, STANDS_OUT, Likeness, Ranked, Vectors, likeness_to, rank
from encoder.measure.metrics import Bools, Floats, sentence_is_evidence
from encoder.text.sentences import sentences
from storage.records import Criterion, Post, Prediction, Span
from storage.store import Store

if TYPE_CHECKING:
    from annotator.models.serving import ModelService
    from encoder.predict import Predictor

MARK = "likeness"
"""What stands behind the model's version where a suggestion comes from here."""
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


class LikenessService:
    """Likeness to criteria by the model in service. Safe between threads."""

    def __init__(self, store: Store, models: ModelService) -> None:
        self._store, self._models = store, models
        self._lock = threading.Lock()
        self._version: str | None = None
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()
        self._corpus: Vectors | None = None
        self._wanted: dict[str, _Wanted] = {}
        self._tried: dict[str, OrderedDict[str, tuple[Floats, Bools]]] = {}
        self._ranked: dict[str, Ranked | None] = {}

    def prepare(self, criteria: Sequence[Criterion]) -> None:
        """Compare the criteria that the model in service does not know, where that is still to be done."""
        predictor = self._predictor()
        known = None if predictor is None else predictor.known_criteria
        if predictor is None or known is None or not predictor.reads_alone:
            return
        posts = self._store.count_posts()
        for criterion in criteria:
            kept = self._wanted.get(criterion.id)
            same = kept is not None and kept.criterion.same_wording(criterion)
            if criterion.id in known or (kept and same and (kept.found or kept.posts == posts)):
                continue
            passages = ([criterion.text], criterion.examples, criterion.counterexamples)
            text, examples, counterexamples = (predictor.passage_vectors(p) for p in passages)
            found = likeness_to(self._sentences(predictor), text, examples, counterexamples)
            with self._lock:
                self._tried.pop(criterion.id, None)
                self._ranked.pop(criterion.id, None)
                self._wanted[criterion.id] = _Wanted(criterion, found, posts)

    def suggest(self, post: Post, criterion: Criterion, prediction: Prediction) -> Prediction:
        """The prediction of a criterion that is not known, with the sentences that stand out, best ones only; else as it was."""
        predictor, wanted = self._predictor(), self._wanted.get(criterion.id)
        ranked = self._ranked.get(criterion.id)
        useless = ranked is not None and not ranked.beats_chance
        if predictor is None or wanted is None or wanted.found is None or useless or len(post.text) > LONG_CHARACTERS:
            return prediction
        vectors = self._of(predictor, post)
        standing, alike = wanted.found.standing(vectors), wanted.found.cosines(vectors)
        best = [n for n in np.argsort(-standing)[:MOST_SHOWN].tolist() if standing[n] >= STANDS_OUT]
        passages = sentences(post.text)
        spans = (Span(passages[n].start, passages[n].end, _score(float(alike[n]))) for n in sorted(best))
        return replace(prediction, spans=tuple(spans), model_version=f"{prediction.model_version} + {MARK}")

    def hint(self, criterion: Criterion) -> str:
        """What to know of the suggestions for a criterion that is not known; empty where nothing was compared yet."""
        predictor, wanted = self._predictor(), self._wanted.get(criterion.id)
        if predictor is not None and not predictor.reads_alone:
            return "The model reads posts and criteria together, so passages cannot be compared with the criterion: no suggestions yet."
        if wanted is None:
            return ""
        ranked = self._ranked.get(criterion.id)
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
        predictor, wanted = self._predictor(), self._wanted.get(criterion.id)
        if predictor is None or wanted is None or wanted.found is None:
            return
        tried = self._tried.setdefault(criterion.id, OrderedDict())
        tried.pop(post.id, None)
        if spans is not None:
            gold = np.array([sentence_is_evidence(s, spans) for s in sentences(post.text)], np.bool_)
            tried[post.id] = wanted.found.standing(self._of(predictor, post)), gold
            while len(tried) > KEPT_POSTS:
                tried.popitem(last=False)
        self._ranked[criterion.id] = rank([s for s, _ in tried.values()], [g for _, g in tried.values()])

    def _predictor(self) -> Predictor | None:
        """The loaded model; what was compared by another one is forgotten."""
        try:
            predictor = self._models.predictor()
        except EncoderError:
            return None
        with self._lock:
            if predictor.version != self._version:
                self._version, self._corpus = predictor.version, None
                for kept in (self._vectors, self._wanted, self._tried, self._ranked):
                    kept.clear()
        return predictor

    def _sentences(self, predictor: Predictor) -> Vectors:
        """Those of some posts of the project, always the same ones."""
        if self._corpus is None or len(self._corpus) < LEAST_SENTENCES:
            posts = self._store.posts(self._store.posts_at_random(COMPARED_POSTS))
            none = np.zeros((0, predictor.encoder.hidden_size), np.float16)
            self._corpus = np.concatenate([none, *(self._of(predictor, post) for post in posts)])
        return self._corpus

    def _of(self, predictor: Predictor, post: Post) -> Vectors:
        key = post.text_sha256
        with self._lock:
            found = self._vectors.get(key)
        if found is None:
            found = predictor.sentence_vectors(post).astype(np.float16)
        with self._lock:
            self._vectors[key] = found
            self._vectors.move_to_end(key)
            while len(self._vectors) > KEPT_POSTS:
                self._vectors.popitem(last=False)
        return found


def _score(cosine: float) -> float:
    return round(HIGHEST_SCORE * min(1.0, max(0.0, cosine)), 4)
