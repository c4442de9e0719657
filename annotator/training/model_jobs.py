"""Jobs around a model that is there: predict the posts that nobody has reviewed yet, and measure a version on today's gold."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from annotator.job_context import JobContext
from annotator.models.bundled import is_bundled
from annotator.models.loading import WORKER_THREADS, as_measured, load_predictor
from annotator.models.registry import NotPossible
from annotator.training.data import by_split, gold_examples, usable_gold
from annotator.training.measure import evaluation, predict_all
from encoder.errors import EncoderError
from storage.jobs import Jobs
from storage.records import Criterion, Job, JobKind, ModelStatus, ModelVersion, Post, Prediction, Split, utc_now
from storage.store import Store

if TYPE_CHECKING:
    from encoder.predict import Predictor

CHUNK = 16
ALL_OF_THEM = 1_000_000_000


def run_predict_job(context: JobContext) -> Mapping[str, Any]:
    """Predict every unreviewed post that the model has not read yet, a chunk at a time; reviewed ones are never touched,
    unless the payload names the `posts` to read.

    What is stored is what is done: a job that is resumed goes on where it was. A job that followed a swap gives way when
    another version is put in service. Returns {"model", "posts", "unreadable", "given_up"}.
    """
    store, payload = context.store, context.job.payload
    model = store.model(payload["model"])
    if model.status is ModelStatus.DELETED:
        raise NotPossible(f"Model {model.id} was deleted.")
    criteria = store.criteria()
    context.monitor.progress(0.0, "predict", f"Loading {model.id}")
    predictor = load_predictor(context.settings, model, threads=WORKER_THREADS)
    asked_for = _asked_for(store, model, criteria, payload.get("posts"))
    waiting = len(_unread(store, model, criteria, limit=ALL_OF_THEM)) if asked_for is None else len(asked_for)
    done, unreadable = 0, set[str]()
    began = time.monotonic()
    for ids in _chunks(context, model, criteria, unreadable, asked_for):
        if payload.get("after_swap") and not _in_service(store, model):
            return {"model": model.id, "posts": done, "unreadable": sorted(unreadable), "given_up": True}
        unreadable |= predict_chunk(store, predictor, store.posts(ids), criteria)
        done += len(ids)
        rate = done / max(1e-9, time.monotonic() - began)
        context.monitor.progress(done / max(1, waiting, done), "predict", f"{done} posts, {rate:.1f} a second")
    return {"model": model.id, "posts": done, "unreadable": sorted(unreadable), "given_up": False}


def predict_chunk(store: Store, predictor: Predictor, posts: Sequence[Post], criteria: Sequence[Criterion]) -> set[str]:
    """Predict and store the posts. Returns the ids of those that the model cannot read."""
    try:
        store.add_predictions(predictor.predict(posts, criteria))
        return set()
    except EncoderError:
        if len(posts) == 1:
            return {posts[0].id}
    return set().union(*(predict_chunk(store, predictor, [post], criteria) for post in posts))


def _chunks(
    context: JobContext,
    model: ModelVersion,
    criteria: Sequence[Criterion],
    unreadable: set[str],
    asked_for: Sequence[str] | None,
) -> Iterator[Sequence[str]]:
    """The posts to read, a few at a time: those asked for, or whatever is unread by then. `unreadable` grows meanwhile."""
    if asked_for is None:
        yield from iter(lambda: _next_chunk(context, model, criteria, unreadable), [])
        return
    for at in range(0, len(asked_for), CHUNK):
        context.monitor.check()
        yield asked_for[at : at + CHUNK]


def _next_chunk(
    context: JobContext, model: ModelVersion, criteria: Sequence[Criterion], unreadable: set[str]
) -> list[str]:
    """The next posts, taken from beyond those that the app reads ahead for its reviewers, so that none is read twice."""
    context.monitor.check()
    limit = CHUNK + len(unreadable) + context.settings.predict_ahead
    return [i for i in _unread(context.store, model, criteria, limit=limit) if i not in unreadable][-CHUNK:]


def _asked_for(
    store: Store, model: ModelVersion, criteria: Sequence[Criterion], ids: Sequence[str] | None
) -> list[str] | None:
    """Those of the posts that the model has not read yet, in the order given; None if no posts were named."""
    if ids is None:
        return None
    unread = set(store.posts_without_prediction(model.id, [c.id for c in criteria], limit=ALL_OF_THEM))
    return [post_id for post_id in ids if post_id in unread]


def _unread(store: Store, model: ModelVersion, criteria: Sequence[Criterion], *, limit: int) -> list[str]:
    return store.posts_without_prediction(model.id, [c.id for c in criteria], limit=limit, only_unreviewed=True)


def _in_service(store: Store, model: ModelVersion) -> bool:
    active = store.active_model()
    return active is not None and active.id == model.id


def enqueue_evaluation(jobs: Jobs, store: Store, model_id: str, *, by: str | None) -> Job:
    """Queue a measurement of the version on all dev and test posts that are reviewed by now."""
    return jobs.enqueue(JobKind.EVALUATE, {"model": store.model(model_id).id}, by=by)


def run_evaluate_job(context: JobContext) -> Mapping[str, Any]:
    """Measure a version on today's dev and test gold and keep the figures under `latest` of its metrics.

    Returns {"model", "posts": {split: n}, "macro_f1": {split: F1}}.
    """
    store = context.store
    model = store.model(context.job.payload["model"])
    if model.status is ModelStatus.DELETED and not is_bundled(model):
        raise NotPossible(f"Model {model.id} was deleted.")
    criteria = store.criteria()
    examples = by_split(gold_examples(store, usable_gold(store, criteria)))
    held_out = {s: examples[s] for s in (Split.DEV, Split.TEST) if examples[s]}
    if not held_out:
        raise NotPossible(
            "No post of the dev or test split is reviewed yet, so there is nothing to measure on. Review some: Posts, Split."
        )
    context.monitor.progress(0.0, "measure", f"Loading {model.id}")
    loaded = load_predictor(context.settings, model, threads=WORKER_THREADS)
    predictor = as_measured(loaded, context.settings, model)
    posts = [e.post for some in held_out.values() for e in some]
    found: dict[tuple[str, str], Prediction] = predict_all(
        predictor, posts, criteria, lambda fraction: context.monitor.progress(fraction * 0.9, "measure", "predicting")
    )
    latest = {str(split): evaluation(found, some, criteria) for split, some in held_out.items()}
    with store.write():
        metrics = {**store.model(model.id).metrics, "latest": {**latest, "at": utc_now()}}
        store.update_model(model.id, metrics=metrics)
    return {
        "model": model.id,
        "posts": {str(split): len(some) for split, some in held_out.items()},
        "macro_f1": {split: figures["macro"]["f1"] for split, figures in latest.items()},
    }
