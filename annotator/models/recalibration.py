"""A model whose adapter stands on other weights than those it was trained on is calibrated anew, once, on the first reviewed posts.

The weights of a quantized file and the Hub's own differ a little, and so do the scores. Temperature and thresholds move away from
those that the model came with only as far as the answers carry. What was found belongs to the project, not to the model: it is kept
in the settings under the version and the weights, and used whenever that version is served on them.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from annotator.models.examples import gold_examples, usable_gold
from annotator.models.long_posts import Stopping
from encoder.config import TrainConfig
from storage.records import Criterion, Split
from storage.store import Store

if TYPE_CHECKING:
    from encoder.examples import Example
    from encoder.network.model import EvidenceEncoder
    from encoder.predict import Predictor

log = logging.getLogger(__name__)

LEAST_POSTS = 20
MOST_POSTS = 200
"""So many are read for it, in order of their ids: reading one takes as long as predicting it."""


class Recalibration:
    """Of the models that one service loads, one after the other. stopping: set when the app stops."""

    def __init__(self, store: Store, stopping: threading.Event) -> None:
        self._store, self._stopping = store, stopping
        self._tried: tuple[str, int] | None = None  # in vain, and at how many reviewed posts

    def use_kept(self, predictor: Predictor) -> str:
        """Give a loaded model what was found for it; returns what to know of its weights, empty if nothing."""
        note = predictor.encoder.other_base
        if not note:
            return ""
        kept = self._store.setting(_key(predictor))
        if kept is None:
            return f"{note}, until {LEAST_POSTS} posts are reviewed and it is calibrated anew on them"
        _apply(predictor.encoder, kept)
        return f"{note}, though calibrated anew on {kept['posts']} reviewed posts"

    def now_if_due(self, predictor: Predictor, reviewed: int) -> bool:
        """Calibrate if that is due; returns whether it was done. reviewed: about how many posts were.

        With fewer than LEAST_POSTS usable posts or five sentences of evidence nothing can be said; it is tried again with more.
        """
        key = _key(predictor)
        if reviewed < LEAST_POSTS or self._tried == (key, reviewed) or self._store.setting(key) is not None:
            return False
        self._tried = (key, reviewed)
        try:
            found = self._found(predictor)
        except Stopping:
            return False
        if found is None:
            return False
        _apply(predictor.encoder, found)
        self._store.set_setting(key, found)
        known = [c.id for c in self._known(predictor)]
        self._store.forget_predictions(known, model_version=predictor.version)
        log.info("Model version %s was calibrated anew on %d reviewed posts", predictor.version, found["posts"])
        return True

    def _known(self, predictor: Predictor) -> list[Criterion]:
        return [c for c in self._store.criteria() if predictor.encoder.config.knows(c.id)]

    def _found(self, predictor: Predictor) -> dict[str, Any] | None:
        """Temperature and thresholds as the reviewed posts have them, and of how many posts."""
        from encoder.training.judge import Judge, with_calibration

        known = self._known(predictor)
        examples = self._examples(known)
        if len(examples) < LEAST_POSTS:
            return None
        judge = Judge(examples, known, TrainConfig())
        judged = judge.measure(predictor.encoder, predictor=predictor, each_post=self._stop_between_posts)
        if judged.calibrated is None:
            return None
        config = with_calibration(predictor.encoder.config, judged.calibrated)
        return {
            "posts": len(examples),
            "temperature": config.temperature,
            "thresholds": dict(config.thresholds),
            "default_threshold": config.default_threshold,
        }

    def _examples(self, known: list[Criterion]) -> list[Example]:
        """The first reviewed posts with their gold; those that are kept for testing are not among them."""
        gold = usable_gold(self._store, known)
        chosen = set(sorted({g.post_id for g in gold})[: 2 * MOST_POSTS])
        examples = gold_examples(self._store, [g for g in gold if g.post_id in chosen])
        return [e for e in examples if e.post.split is not Split.TEST][:MOST_POSTS]

    def _stop_between_posts(self) -> None:
        if self._stopping.is_set():
            raise Stopping


def _apply(encoder: EvidenceEncoder, found: dict[str, Any]) -> None:
    encoder.config = encoder.config.changed(
        temperature=found["temperature"],
        thresholds=found["thresholds"],
        default_threshold=found["default_threshold"],
    )


def _key(predictor: Predictor) -> str:
    found = predictor.encoder.base_found
    weights = found.get("sha256") or found.get("revision") or found.get("source", "")
    return f"recalibrated {predictor.version} {weights}"
