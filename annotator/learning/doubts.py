"""Looks for answers that may be wrong: the simple learner, with the model in service, answers each post without having seen it.

It works when somebody asks for it, in a thread of its own, criterion by criterion, and again once ANEW answers were added.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import numpy as np

from annotator.learning.given import given_by, label_of
from annotator.training.plan import trained_up_to
from encoder.simple.doubts import find_doubts
from encoder.simple.features import FeatureCache
from encoder.simple.tried import Reviewed
from storage.doubts import Doubt
from storage.records import Criterion, Gold
from storage.store import Store

log = logging.getLogger(__name__)

ANEW = 20
MOST_POSTS = 500
MOST_DOUBTS = 200
"""Of a criterion, the worst."""
PATIENCE_SECONDS = 3.0
"""How long who asks waits for what is found."""


class DoubtService:
    """The doubted answers of a project, as of the model in service. Safe between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._looked: tuple[str | None, int] = (None, -ANEW)
        self._cache = FeatureCache()

    def look(self, version: str | None, *, patience: float = PATIENCE_SECONDS) -> bool:
        """Look for doubted answers, unless that was done lately. Returns whether it is done; else it goes on.

        version: of the model in service.
        """
        with self._lock:
            last = self._store.last_annotation_id()
            fresh = self._looked[0] == version and last - self._looked[1] < ANEW
            if not fresh and (self._thread is None or not self._thread.is_alive()):
                self._looked = (version, last)
                self._thread = threading.Thread(target=self._run, args=(version,), name="doubts", daemon=True)
                self._thread.start()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=patience)
        return thread is None or not thread.is_alive()

    def _run(self, version: str | None) -> None:
        try:
            gold = [g for g in self._store.gold() if g.rule != "adjudicated"]
            in_use = {c.id for c in self._store.criteria()}
            for criterion in self._store.criteria(with_inactive=True):
                doubts = self._doubts(criterion, gold, version) if criterion.id in in_use else []
                self._store.replace_doubts(criterion.id, doubts)
        except Exception as error:  # nobody waits for the thread, and the next who asks begins anew
            log.warning("Looking for doubted answers met an error: %s", type(error).__name__)
            self._looked = (None, -ANEW)
        finally:
            self._store.close()

    def _doubts(self, criterion: Criterion, gold: Sequence[Gold], version: str | None) -> list[Doubt]:
        """Of the newest answers; those of a blind round that is open are left alone, as others would read of them here."""
        of_criterion = [g for g in gold if g.criterion_id == criterion.id and g.annotation.id is not None]
        newest = sorted(of_criterion, key=lambda g: g.annotation.id or 0)[-MOST_POSTS:]
        trained = trained_up_to(self._store)
        answers, reviewed = [], []
        for answer in newest:
            label = label_of(answer)
            features = self._cache.of(post := self._store.post(answer.post_id))
            if label is None or not features.sentences or self._store.is_sealed(post.id):
                continue
            known = (answer.annotation.id or 0) <= trained or version is None  # the model was trained on it
            prediction = None if known else self._store.predictions(post.id, version or "").get(criterion.id)
            given = given_by(prediction, features.sentences)
            answers.append(answer)
            reviewed.append(Reviewed(features, label, np.zeros(len(features.sentences)) if given is None else given))
        return [
            Doubt(
                answers[d.number].post_id,
                criterion.id,
                answers[d.number].annotation.id or 0,
                d.sentence,
                d.is_evidence,
                round(d.doubt, 4),
            )
            for d in find_doubts(reviewed)[:MOST_DOUBTS]
        ]
