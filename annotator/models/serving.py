"""The model in service, inside the app's process: loading, swapping, and predictions that are there before they are needed.

One background thread does it. It loads the model while the first page already shows, notices within seconds when
another version was put in service (a retraining, a rollback) and swaps it without a restart, and reads posts ahead of the
reviewers, so that nobody waits for the model. Interactive predictions go first. A large model comes in beside the one that
answers (see `arriving`); in a new project that is the small bundled one.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from annotator.models import zero_gpu
from annotator.models.arriving import Arrival, Waiting
from annotator.models.as_stored import AsStored
from annotator.models.bundled import small_model
from annotator.models.loading import (
    CALIBRATED_AT,
    ON_OTHER_WEIGHTS,
    is_large,
    load_predictor,
    named_model,
    serving_threads,
)
from annotator.models.long_posts import LONG_CHARACTERS, Readings, Stopping
from annotator.models.sharing import PAUSED, place_now, say_where
from annotator.problems import unexpected
from annotator.settings import Settings
from encoder.errors import EncoderError, ModelUnusable
from storage.records import Criterion, EvidenceError, ModelVersion, Post, Prediction
from storage.store import Store
from storage.trouble import StorageTrouble

if TYPE_CHECKING:
    from encoder.predict import Predictor

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
AHEAD_BATCH = 4
STOP_SECONDS = 5.0
CRITERIA_SEEN = "criteria_predicted"


class ServingState(StrEnum):
    LOADING = "loading"
    READY = "ready"
    PAUSED = "paused"
    FAILED = "failed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Serving:
    """What is in service. `wanted`: the version that should be. `reason`: why the state is `failed` or `paused`, or why
    `wanted` could not replace `version`. `seconds`: how long loading took. `coming`: how far `wanted` is, while another
    answers. `speed`: what the model computes in here, and why."""

    state: ServingState
    wanted: str | None = None
    version: str | None = None
    reason: str = ""
    seconds: float | None = None
    coming: str = ""
    speed: str = ""

    def __str__(self) -> str:
        return f"{self.state}: {self.reason}" if self.state in _SAY_WHY else str(self.state)


_SAY_WHY = (ServingState.FAILED, ServingState.PAUSED)


class ModelService(AsStored):
    """The served model of one project. Safe to share between threads; `start()` it once, `stop()` it at the end."""

    def __init__(self, store: Store, settings: Settings, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._store = store
        self._settings = settings
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._trouble = ""  # of the storage, as last logged
        self._changed = threading.Condition(self._lock)
        self._serving = Serving(ServingState.LOADING)
        self._predictor: Predictor | None = None
        self._place: str | None = settings.device
        self._interactive = 0
        self.readings = Readings()
        self._asked_for: list[str] = []
        self._ahead_seen: tuple[object, ...] | None = None
        self._thread: threading.Thread | None = None
        self._arrival: Arrival | None = None

    # --- life

    def start(self) -> None:
        """Begin to load the model in the background."""
        self._thread = threading.Thread(target=self._run, name="model-service", daemon=True)
        self._thread.start()

    @property
    def caught_up(self) -> bool:
        """Whether there is nothing to read ahead until posts, criteria, decisions or the model change."""
        return self._ahead_seen is not None

    def stop(self) -> None:
        """Stop the thread; a prediction that is being made is finished first, loading is not waited for."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=STOP_SECONDS)

    def reload(self) -> None:
        """Look now whether another version should be in service, instead of at the next poll."""
        self._wake.set()

    # --- questions

    def info(self) -> Serving:
        return self._serving

    def status(self) -> str:
        """`loading`, `ready`, `none` (no model in this project), `paused: reason` or `failed: reason`."""
        return str(self._serving)

    @property
    def version(self) -> str | None:
        """The version whose predictions to show: the one in service, else the one that is still loading."""
        return self._serving.version or self._serving.wanted or self._wanted_id()

    def predictor(self) -> Predictor:
        """The loaded model. Raises ModelUnusable while there is none, saying why."""
        predictor, serving = self._predictor, self._serving
        if predictor is not None:
            return predictor
        if serving.state is ServingState.LOADING:
            raise ModelUnusable("The model is still loading; try again in a few seconds.")
        raise ModelUnusable(serving.reason or "No model is in service. Choose one on the Retrain page.")

    def wait_until_settled(self, timeout: float) -> Serving:
        """Wait until the model is ready or has failed, at most `timeout` seconds; returns how things stand."""
        self.wait_for(lambda: self._serving.state is not ServingState.LOADING, timeout)
        return self._serving

    def wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until the condition holds, looked at after every step of the service; False if it did not in time."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    # --- predictions

    def predictions(self, post: Post) -> dict[str, Prediction]:
        """What is stored for the post from the version in service, by criterion id; never waits for the model."""
        version = self.version
        return {} if version is None else self._store.predictions(post.id, version)

    def predict_post(self, post: Post) -> dict[str, Prediction]:
        """Predictions of the version in service for every criterion in use, by criterion id; made and stored where
        they are missing. Raises ModelUnusable while no model is loaded and something is missing, and StillReading of a post
        so long that it is read in the background.
        """
        criteria = self._store.criteria()
        predictor = self._predictor
        version = self.version if predictor is None else predictor.version
        stored = {} if version is None else self._store.predictions(post.id, version)
        missing = [c for c in criteria if c.id not in stored]
        if missing:
            predictor = predictor or self.predictor()
            if len(post.text) > LONG_CHARACTERS and self._thread is not None and not zero_gpu.is_here():
                self.prefetch([post.id])
                raise self.readings.ask(predictor.version, post.id)
            made = self._predict_first(predictor, [post], missing)
            self._store.add_predictions(made)
            stored = self._store.predictions(post.id, made[0].model_version)
        return {c.id: stored[c.id] for c in criteria if c.id in stored}

    def hint(self, criterion: Criterion) -> str:
        """What to know of the suggestions for a criterion that the model does not know: here nothing more."""
        return ""

    def predict(
        self,
        posts: Sequence[Post],
        criteria: Sequence[Criterion],
        *,
        threshold: float | None = None,
        on_progress: Callable[[float], None] = lambda fraction: None,
    ) -> list[Prediction]:
        """Predictions that are not stored, ahead of the background's; `threshold` and `on_progress` as of Predictor.predict.

        Raises ModelUnusable, EncoderError.
        """
        return self._predict_first(self.predictor(), posts, criteria, threshold, on_progress)

    def _predict_first(
        self,
        predictor: Predictor,
        posts: Sequence[Post],
        criteria: Sequence[Criterion],
        threshold: float | None = None,
        on_progress: Callable[[float], None] = lambda fraction: None,
    ) -> list[Prediction]:
        """Predict while the background thread holds still."""
        with self._lock:
            self._interactive += 1
        try:
            if zero_gpu.is_here():
                return zero_gpu.predict(predictor, posts, criteria, threshold)
            return predictor.predict(posts, criteria, threshold=threshold, on_progress=on_progress)
        finally:
            with self._lock:
                self._interactive -= 1

    def prefetch(self, post_ids: Sequence[str]) -> None:
        """Ask for these posts to be read next in the background, before all others."""
        with self._lock:
            self._asked_for = list(dict.fromkeys([*post_ids, *self._asked_for]))[:100]
        self._wake.set()

    # --- the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow_active_model()
                self._follow_criteria()
                busy = self._predict_ahead()
            except StorageTrouble as trouble:  # nothing is wrong with the model; `/healthz` and every save say what is
                busy = False
                if str(trouble) != self._trouble:
                    log.warning("Posts are not read ahead: %s", trouble)
                self._trouble = str(trouble)
            except Exception as error:  # the thread must outlive anything; the page shows that something is wrong
                self._set(dataclasses.replace(self._serving, reason=unexpected(error, "the model service")))
                busy = False
            else:
                self._trouble = ""
            with self._changed:
                self._changed.notify_all()
            if not busy:
                self._wake.wait(self._poll_seconds)
                self._wake.clear()
        self._store.close()

    def _wanted(self) -> ModelVersion | None:
        """The version that should be in service. A model named in the settings goes before the one chosen in the page."""
        if self._settings.model == "active":
            return self._store.active_model()
        return named_model(self._settings.model)

    def _wanted_id(self) -> str | None:
        wanted = self._wanted()
        return None if wanted is None else wanted.id

    def _follow_active_model(self) -> None:
        wanted, place = self._wanted(), place_now(self._store, self._settings)
        moved, self._place = place != self._place, place
        if wanted is None:
            self._predictor = None
            self._set(Serving(ServingState.NONE, reason="No model is in service. Choose one on the Retrain page."))
        elif place is None:
            self._pause(wanted)
        elif self._arrival is not None:
            self._receive(self._arrival, wanted, place)
        elif moved or wanted.id != self._serving.wanted or self._serving.state is ServingState.NONE:
            self._begin(wanted, place)

    def _pause(self, wanted: ModelVersion) -> None:
        if self._serving.state is not ServingState.PAUSED or self._serving.wanted != wanted.id:
            self._predictor = None
            self._say_where(None)
            self._set(Serving(ServingState.PAUSED, wanted=wanted.id, reason=PAUSED))

    def _say_where(self, device: str | None) -> None:
        """Give back the memory of the GPU that the model has left, then say so."""
        import torch

        if torch.cuda.is_initialized():
            gc.collect()
            torch.cuda.empty_cache()
        say_where(self._store, device)

    def _begin(self, wanted: ModelVersion, device: str) -> None:
        """Load `wanted`: at once, or beside what answers, if it is large."""
        if zero_gpu.is_here() or not is_large(wanted, self._settings):
            self._load(wanted, device)
            return
        if self._predictor is None and not self._store.count_predicted_posts(wanted.id):
            self._stand_in()
        version = self._predictor.version if self._predictor is not None else None
        state = ServingState.READY if version else ServingState.LOADING
        self._set(Serving(state, wanted=wanted.id, version=version, coming="loading"))
        waiting = Waiting(
            tell=lambda words: self._tell_progress(wanted.id, words), arrived=self._wake.set, stopping=self._stopping
        )
        self._arrival = Arrival(self._store, self._settings, wanted, device, waiting)

    def _stand_in(self) -> None:
        """Let the small bundled model answer until the one that is wanted can."""
        try:
            self._predictor = load_predictor(self._settings, small_model(self._store), device="cpu")
        except (EvidenceError, OSError, ImportError) as error:
            log.warning("The small model cannot stand in: %s", error)

    def _receive(self, arrival: Arrival, wanted: ModelVersion, device: str) -> None:
        """Put the model in service that has arrived, unless another one is wanted by now."""
        if not arrival.done:
            return
        self._arrival = None
        if (arrival.wanted.id, arrival.device) != (wanted.id, device):
            self._begin(wanted, device)
        elif arrival.predictor is None:
            self._refuse(wanted, arrival.error)
        else:
            self._put_in(wanted, arrival.predictor, arrival.seconds)

    def _tell_progress(self, model_id: str, words: str) -> None:
        if self._serving.wanted == model_id and self._serving.version != model_id:
            self._set(dataclasses.replace(self._serving, coming=words))

    def _load(self, wanted: ModelVersion, device: str) -> None:
        """Load `wanted`; the version before it answers meanwhile, and stays if this one cannot be loaded."""
        if self._predictor is None:
            self._set(Serving(ServingState.LOADING, wanted=wanted.id))
        began = time.monotonic()
        try:
            predictor = self._load_predictor(wanted, device)
        except (EvidenceError, OSError, ImportError) as error:
            self._refuse(wanted, str(error))
            return
        self._put_in(wanted, predictor, round(time.monotonic() - began, 2))

    def _refuse(self, wanted: ModelVersion, error: str) -> None:
        """Say why `wanted` cannot be loaded; what was in service stays."""
        log.warning("Model version %s cannot be loaded: %s", wanted.id, error)
        version = self._predictor.version if self._predictor is not None else None
        state = ServingState.READY if version else ServingState.FAILED
        reason = f"Model {wanted.id} cannot be loaded: {error}"
        self._set(Serving(state, wanted=wanted.id, version=version, reason=reason))

    def _put_in(self, wanted: ModelVersion, predictor: Predictor, seconds: float) -> None:
        self._predictor = predictor
        zero_gpu.serve(predictor)
        self._say_where(str(predictor.encoder.device))
        self.readings.forget_failures()
        self._ahead_seen = None
        speed = str(predictor.encoder.speed or "")
        note = predictor.encoder.other_base
        if note:
            note += f". They are calibrated anew once {CALIBRATED_AT} posts are reviewed, if that makes them better"
        self._set(Serving(ServingState.READY, wanted.id, predictor.version, note, seconds=seconds, speed=speed))
        log.info("Model version %s is in service after %.1f s", predictor.version, seconds)
        on_others = wanted.id if note else None
        if (
            self._store.setting(ON_OTHER_WEIGHTS) != on_others
        ):  # at last: a full disk must not keep it from being in service
            self._store.set_setting(ON_OTHER_WEIGHTS, on_others)

    def _load_predictor(self, wanted: ModelVersion, device: str) -> Predictor:
        place = "cpu" if zero_gpu.is_here() else device
        return load_predictor(self._settings, wanted, device=place, threads=serving_threads())

    def _follow_criteria(self) -> None:
        """Forget the predictions of criteria whose wording has changed since they were made."""
        now = {c.id: _fingerprint(c) for c in self._store.criteria(with_inactive=True)}
        seen: dict[str, str] = self._store.setting(CRITERIA_SEEN, {})
        if now == seen:
            return
        changed = [cid for cid, fingerprint in now.items() if seen.get(cid, fingerprint) != fingerprint]
        self._store.forget_predictions(changed)
        self._store.set_setting(CRITERIA_SEEN, now)  # at last: who is stopped before it forgets them again
        self._ahead_seen = None

    def _predict_ahead(self) -> bool:
        """Read a few posts for which predictions are missing. Returns whether there may be more to do."""
        predictor = self._predictor
        criteria = self._store.criteria()
        if predictor is None or not criteria or self._interactive:
            return False
        ids = self._next_ids(predictor.version, criteria)
        for post in self._store.posts(ids):
            if self._stopping.is_set():
                return False
            self._predict_quietly(predictor, post, criteria)
        return bool(ids)

    def _next_ids(self, version: str, criteria: Sequence[Criterion]) -> list[str]:
        """The next few posts to read: those asked for, then those nobody has reviewed, up to `predict_ahead`."""
        with self._lock:
            asked, self._asked_for = self._asked_for[:AHEAD_BATCH], self._asked_for[AHEAD_BATCH:]
        if asked:
            return asked
        seen = (version, self._store.count_posts(), tuple(c.id for c in criteria), self._reviewed(criteria))
        if seen == self._ahead_seen:
            return []
        ids: list[str] = []
        if self._store.count_predicted_posts(version) < self._settings.predict_ahead + seen[3]:
            failed = self.readings.failed(version)
            ids = self._store.posts_without_prediction(
                version, [c.id for c in criteria], limit=AHEAD_BATCH + len(failed), only_unreviewed=True
            )
            ids = [post_id for post_id in ids if post_id not in failed][:AHEAD_BATCH]
        if not ids:
            self._ahead_seen = seen  # nothing to do until one of these changes
        return ids

    def _reviewed(self, criteria: Sequence[Criterion]) -> int:
        """About how many posts have been reviewed."""
        return self._store.progress_counts(me="")["decisions"] // max(1, len(criteria))

    def _predict_quietly(self, predictor: Predictor, post: Post, criteria: Sequence[Criterion]) -> None:
        stored = self._store.predictions(post.id, predictor.version)
        missing = [c for c in criteria if c.id not in stored]
        failure = ""
        try:
            if missing:
                told = self.readings.following(post.id, self._stopping)
                self._store.add_predictions(predictor.predict([post], missing, on_progress=told))
        except Stopping:
            return
        except EncoderError as error:
            log.warning("Post %s cannot be predicted: %s", post.id, error)
            failure = str(error)
        self.readings.done(predictor.version, post.id, failure)

    def _set(self, serving: Serving) -> None:
        with self._changed:
            self._serving = serving
            self._changed.notify_all()


def _fingerprint(criterion: Criterion) -> str:
    return hashlib.sha256(criterion.text.encode()).hexdigest()[:16]
