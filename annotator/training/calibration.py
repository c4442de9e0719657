"""A model in service whose adapter stands on other weights than it was trained on is calibrated anew on the first reviewed posts.

What comes of it is a version like any other: it is put in service, its predictions are its own, and it can be rolled back. None is
made where the spans would be worse for it. It is tried again with twice as many posts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from annotator.job_context import JobContext, Part
from annotator.models.loading import CALIBRATED_AT, ON_OTHER_WEIGHTS, WORKER_THREADS, load_predictor, model_source
from annotator.models.registry import (
    UNFINISHED,
    NotPossible,
    discard,
    enqueue_prediction,
    prune,
    registry_lock,
    size_of,
)
from annotator.training.auto import AUTHOR
from annotator.training.data import gold_examples, usable_gold
from annotator.training.folder import CANDIDATE, placed
from annotator.training.promotion import Decision
from annotator.words import counted
from encoder.network.hub import resolve
from encoder.seen import fingerprint, seen_by
from storage.jobs import Jobs
from storage.records import Gold, Job, JobKind, ModelStatus, ModelVersion, Split, utc_now
from storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from encoder.examples import Example
    from encoder.predict import Predictor
    from encoder.training.recalibrate import Recalibrated

MOST_POSTS = 200
"""So many are read for it, the first by their ids: reading one takes as long as predicting it."""
CALIBRATE = "calibrate"
"""In the payload of a measurement that this is one."""
CALIBRATED_ON = "calibrated_on"
"""In the settings of a version that was made so: on how many posts."""


def enqueue_calibration_if_due(store: Store, jobs: Jobs) -> Job | None:
    """Queue the calibration of the model in service if it was found to stand on other weights and enough posts are reviewed. Returns
    it, or None.
    """
    active = store.active_model()
    if active is None or store.setting(ON_OTHER_WEIGHTS) != active.id:
        return None
    reviewed = store.count_reviewed_since(0)
    if reviewed < _least_for(jobs, active):
        return None
    with store.write():
        if jobs.jobs(kind=JobKind.EVALUATE, statuses=UNFINISHED):
            return None
        return jobs.enqueue(JobKind.EVALUATE, {"model": active.id, CALIBRATE: reviewed}, by=AUTHOR)


def run_calibration_job(context: JobContext) -> dict[str, Any] | None:
    """Calibrate the version of the payload. Ends the job itself if that makes a new version, else returns {"model", "reason"}."""
    store, settings, payload = context.store, context.settings, context.job.payload
    base = store.model(payload["model"])
    if base.status is ModelStatus.DELETED:
        raise NotPossible(f"Model {base.id} was deleted.")
    context.monitor.progress(0.0, "measure", f"Loading {base.id}")
    predictor = load_predictor(settings, base, threads=WORKER_THREADS)
    if not predictor.encoder.other_base:
        return _nothing(base, f"{base.id} stands on the weights that it was trained on.")
    from encoder.training.recalibrate import calibrated_alone, recalibrate, save_recalibrated

    criteria = calibrated_alone(predictor, store.criteria())
    examples = _unseen(store, resolve(model_source(base, settings)), [c.id for c in criteria])
    if len(examples) < CALIBRATED_AT:
        return _nothing(
            base, f"{counted(len(examples), 'reviewed post')} of {CALIBRATED_AT} that it can be calibrated on."
        )
    told = Part(context.monitor, 0.1, 0.95, "measure")
    found = recalibrate(predictor, examples, criteria, on_progress=lambda done: told.progress(done, "", "reading"))
    if found is None:
        return _nothing(base, f"{counted(len(examples), 'reviewed post')} hold too little evidence to calibrate on.")
    decision = _decision(found)
    if not decision.promote:
        return _nothing(base, decision.reason)
    candidate = context.work_dir / CANDIDATE
    save_recalibrated(predictor, model_source(base, settings), candidate, found)
    return _put_in_service(context, base, predictor, found, decision)


def _put_in_service(
    context: JobContext, base: ModelVersion, predictor: Predictor, found: Recalibrated, decision: Decision
) -> dict[str, Any] | None:
    """Register what lies in the job's folder, activate it and end the job, in one transaction."""
    store, jobs, settings, job = context.store, context.jobs, context.settings, context.job
    context.monitor.flush()
    with registry_lock(settings):
        version_id = store.next_model_id()
        directory = placed(settings, context.work_dir, job.id, version_id)
        model = ModelVersion(
            id=version_id,
            path=directory.name,
            status=ModelStatus.READY,
            parent=base.id,
            base=base.base or base.path,
            metrics={
                "judged": found.after.to_dict(),
                "beside": {"active": {"judged": found.before.to_dict()}},
                "decision": decision.to_dict(),
                "compared_with": base.id,
            },
            config={CALIBRATED_ON: len(found.examples)},
            size_bytes=size_of(directory),
            job_id=job.id,
            note=f"{predictor.encoder.other_base}; calibrated anew on {counted(len(found.examples), 'reviewed post')}",
            created_by=job.created_by,
            created_at=utc_now(),
        )
        result = {"model": version_id, "promoted": True, "reason": decision.reason}
        with store.write():
            context.still_mine()
            active = store.active_model()
            if active is None or active.id != base.id:
                discard(settings, directory)
                return _nothing(base, f"{base.id} is no longer in service.")
            store.add_model(model)
            store.activate_model(version_id, by=None, note=decision.reason)
            enqueue_prediction(jobs, version_id, by=job.created_by)
            jobs.finish(job, result)
    prune(store, jobs, settings)
    return None


def _decision(found: Recalibrated) -> Decision:
    before, after = found.before.macro_f1, found.after.macro_f1
    judged_on = f"{counted(len(found.examples), 'reviewed post')}, each half judged by what the other says"
    kept = "" if found.worth_it else " The spans would be worse for it: it stays as it is."
    reason = f"Calibrated anew on other weights of its base: macro F1 {before:.3f} before, {after:.3f} now, on {judged_on}.{kept}"
    return Decision(found.worth_it, reason, after, before, {}, judged_on)


def _unseen(store: Store, directory: Path, criterion_ids: list[str]) -> list[Example]:
    """The first reviewed posts with their gold that the model has not learned from, without those that are kept for testing."""
    wanted, seen = set(criterion_ids), seen_by(directory).train
    gold: dict[str, list[Gold]] = {}
    for one in usable_gold(store, store.criteria()):
        if one.criterion_id in wanted:
            gold.setdefault(one.post_id, []).append(one)
    found: list[Example] = []
    posts = sorted(gold)
    for first in range(0, len(posts), MOST_POSTS):
        some = posts[first : first + MOST_POSTS]
        examples = gold_examples(store, [one for post_id in some for one in gold[post_id]])
        found += [e for e in examples if e.post.split is not Split.TEST and fingerprint(e.post.text) not in seen]
        if len(found) >= MOST_POSTS:
            break
    return found[:MOST_POSTS]


def _least_for(jobs: Jobs, model: ModelVersion) -> float:
    """How many posts have to be reviewed for the next try: twice as many as at the last one, if that was in vain.

    Never where it made a version: who went back from that one wants it so.
    """
    tried = [j for j in jobs.jobs(kind=JobKind.EVALUATE, limit=1000) if _is_of(j, model)]
    if any((j.result or {}).get("promoted") for j in tried):
        return math.inf
    return max([CALIBRATED_AT, *(2 * j.payload[CALIBRATE] for j in tried)])


def _is_of(job: Job, model: ModelVersion) -> bool:
    return CALIBRATE in job.payload and job.payload["model"] == model.id


def _nothing(base: ModelVersion, reason: str) -> dict[str, Any]:
    return {"model": base.id, "reason": reason}
