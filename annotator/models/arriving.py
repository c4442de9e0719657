"""A large model on its way into service: loaded in a thread of its own, and ahead of the reviewers, before it takes over.

Whatever answers meanwhile goes on answering: a real Gemma takes seconds to load, and its base a minute to be converted once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from annotator.models.loading import load_predictor, serving_threads
from annotator.problems import unexpected
from annotator.settings import Settings
from encoder.errors import EncoderError
from storage.records import EvidenceError, ModelVersion
from storage.store import Store
from storage.trouble import StorageTrouble

if TYPE_CHECKING:
    from encoder.predict import Predictor

log = logging.getLogger(__name__)

FIRST_POSTS = 4  # that are read before the model takes over, so that the next post has its highlights


@dataclass(frozen=True)
class Waiting:
    """Who waits for an arrival. tell: told how far loading is, in words. arrived: called at the end, in the thread.
    stopping: set when nobody waits any more."""

    tell: Callable[[str], None]
    arrived: Callable[[], None]
    stopping: threading.Event


class Arrival:
    """Loads `wanted` on `device` and reads the first posts. `predictor` is there when it is `done`, or `error` says why not."""

    def __init__(self, store: Store, settings: Settings, wanted: ModelVersion, device: str, waiting: Waiting) -> None:
        self.wanted, self.device = wanted, device
        self.predictor: Predictor | None = None
        self.error, self.seconds = "", 0.0
        self._store, self._settings, self._waiting = store, settings, waiting
        self._done = threading.Event()
        threading.Thread(target=self._run, name="model-arrival", daemon=True).start()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def _run(self) -> None:
        began = time.monotonic()
        try:
            predictor = load_predictor(
                self._settings,
                self.wanted,
                device=self.device,
                threads=serving_threads(),
                on_progress=lambda fraction, message: self._waiting.tell(f"{message}, {fraction:.0%}"),
            )
            self.seconds = round(time.monotonic() - began, 2)
            self._waiting.tell("reading the first posts")
            self._read_ahead(predictor)
            self.predictor = predictor
        except (EvidenceError, OSError, ImportError) as error:
            self.error = str(error)
        except Exception as error:
            self.error = unexpected(error, f"loading model version {self.wanted.id}")
        finally:
            self._done.set()
            self._store.close()
            self._waiting.arrived()

    def _read_ahead(self, predictor: Predictor) -> None:
        criteria = self._store.criteria()
        ids = self._store.posts_without_prediction(
            predictor.version, [c.id for c in criteria], limit=FIRST_POSTS, only_unreviewed=True
        )
        for post in self._store.posts(ids):
            if self._waiting.stopping.is_set():
                return
            try:
                self._store.add_predictions(predictor.predict([post], criteria))
            except StorageTrouble as trouble:
                log.warning("No posts are read before model version %s answers: %s", self.wanted.id, trouble)
                return
            except EncoderError as error:
                log.warning("Post %s cannot be predicted: %s", post.id, error)
