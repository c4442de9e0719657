"""The instant learner of a project: it follows the answers, and improves the suggestions of the model in service with them.

It works in a thread of its own, after a save and never in it. What it changes is what is shown: the stored predictions of the
model stay as they are, and a decision made over its suggestions names both, as `v3 + 41 decisions`. It learns from gold on
training posts only, of all reviewers, but from no post of a blind round before that is closed, and speaks for a criterion while
that says more about answers that it had not seen than the model alone does. A new model version absorbs it: it then begins anew
from what was decided since.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from annotator.learning.given import given_by, label_of
from annotator.learning.likeness import LikenessService
from annotator.training.plan import trained_up_to
from encoder.measure.metrics import sentence_is_evidence
from encoder.simple.features import FeatureCache
from encoder.simple.instant import MOST_POSTS, InstantLearner
from encoder.simple.learner import SimpleLearner
from storage.records import Criterion, Post, Prediction, Split
from storage.settings import LEARN_AT_ONCE
from storage.store import Store

if TYPE_CHECKING:
    from annotator.models.serving import ModelService

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
STOP_SECONDS = 5.0
REST = 3.0
"""After a lesson the thread rests for so many times as long as it had to wait in it for others: while many people decide at once
it learns a little later, and holds up none of them."""
RESCORED = 20
"""Posts read ahead whose place in the queue is looked at after each decision, one stretch after the other."""


def is_on(store: Store) -> bool:
    return bool(store.setting(LEARN_AT_ONCE, True))


def switch(store: Store, *, on: bool) -> None:
    """Turn the learner of a project on or off; it follows within a second."""
    store.set_setting(LEARN_AT_ONCE, on)


@dataclasses.dataclass(frozen=True)
class _Taught:
    """What is shown from one moment on. state: what it rests on, to begin anew when that changes."""

    learner: SimpleLearner
    decisions: int
    version: str | None


_NOTHING = _Taught(SimpleLearner({}), 0, None)


class InstantService:
    """The suggestions of a ModelService with what was decided since. `start()` it once, `stop()` it at the end.

    For reviewing it is the model: the same questions, answered a little better.
    """

    def __init__(self, store: Store, models: ModelService, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._store, self._models, self._poll_seconds = store, models, poll_seconds
        self._taught = _NOTHING
        self._cache = FeatureCache()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._pupil: InstantLearner | None = None
        self._basis: tuple[object, ...] = ()
        self._seen = self._since = 0
        self._fresh: set[tuple[str, str]] = set()
        self._known: dict[str, Criterion] = {}
        self._place = ""
        self._likeness = LikenessService(store, models)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="instant-learner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=STOP_SECONDS)

    # --- the model, as reviewing asks it

    @property
    def version(self) -> str | None:
        return self._models.version

    def status(self) -> str:
        return self._models.status()

    def predictions(self, post: Post) -> dict[str, Prediction]:
        return self.improved(post, self.stored(post))

    def stored(self, post: Post) -> dict[str, Prediction]:
        """Those of the model in service alone, as they are stored."""
        return self._models.predictions(post)

    def predict_post(self, post: Post) -> dict[str, Prediction]:
        """As of the model in service. Raises ModelUnusable while it has not answered and is not loaded."""
        return self.improved(post, self._models.predict_post(post))

    def improved(self, post: Post, predictions: Mapping[str, Prediction]) -> dict[str, Prediction]:
        """The predictions with the learner's in the place of those that it can better. May read the post where one is not known."""
        taught = self._taught
        return {key: self._improve(taught, post, p) for key, p in predictions.items()}

    def _improve(self, taught: _Taught, post: Post, prediction: Prediction, *, alike: bool = True) -> Prediction:
        """alike: whether a criterion that nobody has learned gets what resembles it, which may read the post."""
        criterion = self._known.get(prediction.criterion_id)
        if criterion is None:
            return prediction
        if prediction.model_version != taught.version or not taught.learner.knows(criterion.id):
            wanted = alike and not prediction.known
            return self._likeness.suggest(post, criterion, prediction) if wanted else prediction
        return taught.learner.predict_one(
            post,
            criterion,
            given=given_by(prediction, taught.learner.sentences(post)),
            version=f"{prediction.model_version} + {taught.decisions} decisions",
        )

    def hint(self, criterion: Criterion) -> str:
        """What to know of the suggestions for a criterion that neither the model nor the learner knows."""
        return self._likeness.hint(criterion) if criterion.id in self._known else ""

    # --- the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            began, worked = time.monotonic(), time.thread_time()
            try:
                busy = self.follow()
            except Exception as error:  # the thread must outlive anything; suggestions are then the model's alone
                log.warning("The instant learner met an error and begins anew: %s", type(error).__name__)
                self._taught, self._basis, busy = _NOTHING, (), False
            waited = time.monotonic() - began - (time.thread_time() - worked)
            self._stopping.wait(REST * max(0.0, waited) if busy else self._poll_seconds)
        self._store.close()

    def follow(self) -> bool:
        """Learn from the next answer that has not been learned from. Returns whether there was one."""
        version = self._models.version
        criteria = self._store.criteria()
        wordings = tuple((c.id, c.text) for c in criteria)
        on = is_on(self._store)
        compared = self._likeness.prepare(criteria) if version is not None and on else 0
        basis = (version, on, wordings, self._store.sealing_rounds(), compared)
        if basis != self._basis:
            self._begin(basis, criteria)
        if version is None or not on or self._pupil is None:
            self._known = {}
            return False
        pairs = self._store.answers_after(self._seen, limit=1)
        for annotation_id, post_id, criterion_id in pairs:
            self._seen = annotation_id
            self._learn(annotation_id, post_id, criterion_id)
        return bool(pairs)

    def _begin(self, basis: tuple[object, ...], criteria: Sequence[Criterion]) -> None:
        """Forget everything, and go through the newest answers once more."""
        self._basis, self._taught, self._fresh = basis, _NOTHING, set()
        self._known = {c.id: c for c in criteria}
        self._since = trained_up_to(self._store)
        self._seen = self._store.answer_before_last(MOST_POSTS * max(1, len(criteria)))
        self._pupil = InstantLearner(trusted=frozenset(self._known), cache=self._cache)

    def _learn(self, annotation_id: int, post_id: str, criterion_id: str) -> None:
        assert self._pupil is not None
        if criterion_id not in self._known:
            return
        post = self._store.post(post_id)
        if post.split is not Split.TRAIN or self._store.is_sealed(post_id):
            return  # held-out answers judge models; those of a blind round would reach its readers as suggestions
        prediction = self._models.predictions(post).get(criterion_id)
        gold = next((g for g in self._store.gold(post_ids=[post_id]) if g.criterion_id == criterion_id), None)
        given = given_by(prediction, self._cache.of(post).sentences)
        fresh = annotation_id > self._since
        shown = prediction.spans if prediction is not None and prediction.known else None
        marked = (
            None
            if shown is None
            else np.array([sentence_is_evidence(s, shown) for s in self._cache.of(post).sentences], np.bool_)
        )
        if prediction is None or not prediction.known:
            self._likeness.learn(post, self._known[criterion_id], gold.spans if gold else None)
        self._pupil.take(post, criterion_id, label_of(gold), given=given, marked=marked, fresh=fresh)
        self._pupil.refit(criterion_id)
        (self._fresh.add if fresh and gold else self._fresh.discard)((post_id, criterion_id))
        if self._fresh:  # before the first decision since the model was trained there is nothing to add to it
            self._taught = _Taught(self._pupil.learner(), len(self._fresh), self._models.version)
            self._rescore()

    def _rescore(self) -> None:
        """Give some of the posts that were read ahead their new place in the queue."""
        version = self._taught.version
        if version is None:
            return
        ids = self._store.posts_read_by(version, after=self._place, limit=RESCORED)
        self._place = ids[-1] if len(ids) == RESCORED else ""
        found = []
        for post in self._store.posts(ids):
            stored = self._store.predictions(post.id, version).values()
            found += [self._improve(self._taught, post, prediction, alike=False) for prediction in stored]
        self._store.set_post_scores(version, found)
