"""Training jobs: from a request to a measured version that is in service, or set aside with the reason.

The stages are data, train, measure, promote. Each leaves its result in the job's folder, whole or not at all, so that a job
whose worker was killed goes on with the stage it was in. The last one is a rename and one transaction: registry row, activation
and end of the job happen together or not at all.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.job_context import JobContext, Part
from annotator.models.loading import WORKER_THREADS, as_measured, load_predictor, model_source
from annotator.models.quality import dev_learned_by, with_dev_learned
from annotator.models.registry import (
    MADE_BY,
    NotPossible,
    enqueue_prediction,
    prune,
    registry_lock,
    size_of,
)
from annotator.models.sharing import await_room
from annotator.settings import Settings
from annotator.training.data import (
    NothingToTrain,
    ReplaySource,
    TrainingData,
    bundled_replay,
    collect_training_data,
    usable_gold,
    write_json,
)
from annotator.training.folder import CANDIDATE, JOB_FILE, TrainingFolder, placed, train_folder, write_folder
from annotator.training.measure import Measured, measure
from annotator.training.plan import uses_bundled_replay
from annotator.training.processes import train_in_processes
from annotator.training.promotion import Decision, Figures, PromotionRule, decide, nothing_held_out, posts_to_judge_by
from encoder.config import TrainConfig
from encoder.simple.files import has_measured
from encoder.training.reports import reports_directory
from encoder.training.result import TRAINING_FILE
from storage.jobs import Jobs
from storage.records import Job, JobKind, JobStatus, ModelStatus, ModelVersion, Split, utc_now
from storage.store import Store

if TYPE_CHECKING:
    from annotator.training.hub_job import HubJob
    from encoder.predict import Predictor
    from encoder.simple.learner import SimpleLearner
    from encoder.training.result import TrainResult

MEASURED = "measured.json"
COMPARISON = "comparison.json"
ROWS = "training_data.json"
SAME_SECONDS = 5.0


@dataclass(frozen=True)
class TrainingWish:
    """A training as somebody wants it. base: a version's id, a directory or a Hub id; None for the model in service.
    hub_job: train there, measure and judge here; None trains here."""

    config: TrainConfig
    base: str | None = None
    rule: PromotionRule = field(default_factory=PromotionRule)
    note: str = ""
    hub_job: HubJob | None = None


def enqueue_training(jobs: Jobs, wish: TrainingWish, *, by: str | None = None) -> Job:
    """Queue a training. Several may wait; one runs at a time. Who asks for the very same within SAME_SECONDS meant one, and is given that.

    Raises InvalidConfig, NothingToTrain, NotFound, NotPossible.
    """
    wish.config.validate()
    chosen = base_version(jobs.store, wish.base)
    if chosen.status is ModelStatus.DELETED:
        raise NotPossible(f"Model {chosen.id} was deleted and cannot be trained further.")
    if not usable_gold(jobs.store, jobs.store.criteria(), split=Split.TRAIN):
        raise NothingToTrain("No reviewed post is in the training split yet. Review some posts first, then train.")
    payload = {"base": chosen.id, "config": wish.config.to_dict(), "rule": asdict(wish.rule), "note": wish.note}
    if wish.hub_job is not None:
        payload["hub_job"] = asdict(wish.hub_job)
    with jobs.store.write():  # two at the same moment must not both find that nothing waits
        return _asked_just_now(jobs, payload, by) or jobs.enqueue(JobKind.TRAIN, payload, by=by)


def _asked_just_now(jobs: Jobs, payload: Mapping[str, Any], by: str | None) -> Job | None:
    """The same training that the same person queued a moment ago, as by a double click, if it is not over."""
    since = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=SAME_SECONDS)).strftime("%Y-%m-%dT%H:%M:%SZ")
    same = (json.loads(json.dumps(payload)), by, False)
    waiting = jobs.jobs(kind=JobKind.TRAIN, statuses=(JobStatus.QUEUED, JobStatus.RUNNING), limit=1)
    return next(
        (j for j in waiting if (j.payload, j.created_by, j.cancel_requested) == same and (j.created_at or "") >= since),
        None,
    )


def resume_training(jobs: Jobs, settings: Settings, job_id: int, *, by: str | None) -> Job:
    """Queue a cancelled or failed training again, from its last checkpoint and with its own data. Raises NotPossible."""
    job = jobs.get(job_id)
    if job.kind is not JobKind.TRAIN or job.status not in (JobStatus.CANCELLED, JobStatus.FAILED):
        raise NotPossible(f"Job {job_id} is {job.status} and cannot be resumed.")
    work = str(job.payload.get("work") or f"job-{job.id}")
    waiting = jobs.jobs(kind=JobKind.TRAIN, statuses=(JobStatus.QUEUED, JobStatus.RUNNING))
    if any(j.payload.get("work") == work for j in waiting):
        raise NotPossible(f"Job {job_id} was resumed already.")
    return jobs.enqueue(JobKind.TRAIN, {**job.payload, "work": work, "resumes": job_id}, by=by)


def base_version(store: Store, base: str | None) -> ModelVersion:
    """The registered version of that id, the active one for None, else a record for a directory or Hub id."""
    if base is None:
        active = store.active_model()
        if active is None:
            raise NotPossible("No model is in service. Name the model to start from.")
        return active
    known = {m.id: m for m in store.models(with_deleted=True)}
    return known[base] if base in known else ModelVersion(id=base, path=base)


def run_train_job(context: JobContext) -> None:
    """Run or continue a training; ends the job itself, together with what it made. Raises what stops it."""
    payload, store, settings = context.job.payload, context.store, context.settings
    config, rule = TrainConfig.from_dict(payload["config"]), PromotionRule(**payload["rule"])
    base = base_version(store, payload["base"])
    work = context.work_dir
    context.monitor.progress(0.0, "data", "Collecting the reviewed posts")
    data = collect_training_data(store, work, replay=replay_for(store, base, config))
    context.monitor.log(f"Data {data.sha256[:12]}: {_counts(data)}")
    take_back(store, settings, work)
    trained = train_candidate(context, data, config, base)
    measured, decision = measure_candidate(context, trained, rule)
    promote(context, trained, measured, decision)
    keep_reports(settings, work)
    shutil.rmtree(work, ignore_errors=True)


def keep_reports(settings: Settings, work: Path) -> None:
    """Move what was reported to tensorboard or mlflow out of the job's folder, which goes, to `reports/`."""
    reports = reports_directory(work / CANDIDATE)
    if reports.is_dir():
        target = settings.data_dir / "reports" / work.name
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        shutil.move(reports, target)  # the work folders may be a disk of their own


def replay_for(store: Store, base: ModelVersion, config: TrainConfig) -> ReplaySource | None:
    """Where old examples come from that are replayed beside the new ones; None for nowhere."""
    return bundled_replay if config.replay_ratio > 0 and uses_bundled_replay(store, base) else None


def take_back(store: Store, settings: Settings, work: Path) -> None:
    """Return a model to the job's folder that was given its place, but not its row, before the worker was killed."""
    known = {m.path for m in store.models(with_deleted=True)}
    for marker in settings.models_dir.glob(f"*/{MADE_BY}"):
        mine = json.loads(marker.read_text("utf-8")).get("work") == work.name
        if mine and marker.parent.name not in known and not (work / CANDIDATE).exists():
            marker.parent.rename(work / CANDIDATE)


@dataclass(frozen=True)
class Trained:
    """A training that is done: on what, how, from which model. timing: its seconds, and those of one step. dev_learned: dev posts of
    the project that what answers has learned from too, after it was measured on them. simple: what the train posts taught the simple
    learner by itself, None if that is not known any more.
    """

    data: TrainingData
    config: TrainConfig
    base: ModelVersion
    timing: Mapping[str, float]
    dev_learned: int = 0
    simple: SimpleLearner | None = None


def train_candidate(context: JobContext, data: TrainingData, config: TrainConfig, base: ModelVersion) -> Trained:
    """Train into the job's folder, from the last checkpoint if there is one."""
    work, device = context.work_dir, context.settings.device
    source = model_source(base, context.settings)
    training = TrainingFolder(work, data, config, base.id, source)
    results: list[TrainResult] = []
    if not training.candidate.is_dir() and (hub_job := context.job.payload.get("hub_job")):
        from annotator.training.hub_job import HubJob, train_as_hub_job

        if not (work / JOB_FILE).exists():
            write_folder(work, config=config, base_id=base.id, source=source, carry_base=True)
        train_as_hub_job(work, Part(context.monitor, 0.03, 0.78, "train"), HubJob(**hub_job))
    if not training.candidate.is_dir():
        await_room(context)
        context.monitor.progress(0.02, "train", "Loading the model")
        part = Part(context.monitor, 0.03, 0.78, "train")
        if config.processes > 1:
            write_folder(work, config=config, base_id=base.id, source=source)
            train_in_processes(work, part, processes=config.processes, device=device)
        else:
            train_folder(training, part, device=device, on_result=results.append)
    record = json.loads((training.candidate / TRAINING_FILE).read_text("utf-8"))
    learned = dev_learned_in(training.candidate, record, dev=len(data.dev), base=base)
    return Trained(data, config, base, timing_of(record), learned, results[-1].alone if results else None)


def dev_learned_in(candidate: Path, record: Mapping[str, Any], *, dev: int, base: ModelVersion) -> int:
    """How many of the project's dev posts what answers has learned from; dev: how many there are. Where this training learned from none,
    the candidate may keep what the version that it began with had learned so.
    """
    if record.get("dev_learned"):
        return dev
    return dev_learned_by(base) if has_measured(candidate) else 0


def timing_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of the training and of one step, from the record beside the weights; 0 where it does not know them, or took no step."""
    steps = record["steps"]
    return {"seconds": record["seconds"], "seconds_per_step": round(record["seconds"] / steps, 4) if steps else 0.0}


def measure_candidate(context: JobContext, trained: Trained, rule: PromotionRule) -> tuple[Measured, Decision]:
    """Measure the new model beside the active one and the baselines, and apply the promotion rule.

    What was measured before a crash counts only while the same model is in service.
    """
    data, active = trained.data, context.store.active_model()
    path = context.work_dir / MEASURED
    pooled, judged_on = posts_to_judge_by(dev=len(data.dev), replay_dev=len(data.replay_dev), rule=rule)
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if known and known["active"] == (active and active.id):
        measured = Measured.from_dict(known)
    else:
        measured = measure(
            data,
            candidate=_loaded(context.settings, ModelVersion("candidate", str(context.work_dir / CANDIDATE))),
            active=None if active is None else partial(_loaded, context.settings, active),
            pooled=pooled,
            progress=Part(context.monitor, 0.78, 0.97, "measure"),
            simple=trained.simple,
        )
        write_json(path, {**measured.to_dict(), "active": active and active.id})
    if "judged" not in measured.sets:
        return measured, nothing_held_out()
    judged = measured.sets["judged"]
    before = Figures.of(judged["refitted"]) if "refitted" in judged else None
    simple = Figures.of(judged["simple"]) if "simple" in judged else None
    candidate, names = Figures.of(judged["candidate"]), {c.id: c.name for c in data.criteria}
    return measured, decide(candidate, before, rule=rule, judged_on=judged_on, simple=simple, names=names)


def promote(context: JobContext, trained: Trained, measured: Measured, decision: Decision) -> None:
    """Give the new version its directory, then register it, activate it if it earned that, and end the job, in one transaction.

    A crash before the transaction leaves a directory without a row, which the resumed job takes back.
    """
    store, jobs, settings, job = context.store, context.jobs, context.settings, context.job
    data, base = trained.data, trained.base
    context.monitor.progress(0.98, "promote", decision.reason)
    context.monitor.flush()
    active = store.active_model()
    with registry_lock(settings):
        version_id = store.next_model_id()
        directory = place_directory(context, data, measured, decision, version_id)
        model = ModelVersion(
            id=version_id,
            path=directory.name,
            status=ModelStatus.READY if decision.promote else ModelStatus.ASIDE,
            parent=base.id,
            base=base.base or base.path,
            metrics=metrics_of(measured, decision, active) | with_dev_learned(trained.dev_learned),
            config={**trained.config.to_dict(), "data": data.describe(), "rule": job.payload["rule"]},
            data_sha256=data.sha256,
            examples=len(data.train),
            size_bytes=size_of(directory),
            job_id=job.id,
            note=str(job.payload.get("note") or ""),
            created_by=job.created_by,
            created_at=utc_now(),
        )
        result: dict[str, Any] = {
            "model": version_id,
            "promoted": decision.promote,
            "reason": decision.reason,
            **trained.timing,
        }
        result["last_annotation"] = data.last_annotation
        with store.write():
            context.still_mine()
            store.add_model(model)
            if decision.promote:
                store.activate_model(version_id, by=None, note=decision.reason)
                enqueue_prediction(jobs, version_id, by=job.created_by)
            jobs.finish(job, result)
    prune(store, jobs, settings)


def place_directory(
    context: JobContext, data: TrainingData, measured: Measured, decision: Decision, version_id: str
) -> Path:
    """Move the finished model to `models/<version_id>`, with its measurements and row list. Returns the directory."""
    candidate, active = context.work_dir / CANDIDATE, context.store.active_model()
    write_json(candidate / ROWS, data.row_list())
    write_json(
        candidate / COMPARISON, {"compared_with": active and active.id, "differing": measured.to_dict()["differing"]}
    )
    write_json(candidate / "metrics.json", {**measured.sets, "decision": decision.to_dict()})
    return placed(context.settings, context.work_dir, context.job.id, version_id)


def metrics_of(measured: Measured, decision: Decision, active: ModelVersion | None) -> dict[str, Any]:
    """What the registry row keeps: the candidate's figures by set, those of the others beside it, and the decision."""
    own = {name: models["candidate"] for name, models in measured.sets.items()}
    beside = {
        model: {name: models[model] for name, models in measured.sets.items() if model in models}
        for model in ("active", "refitted", "keywords", "simple")
    }
    extra = {"changes": measured.changes, "decision": decision.to_dict(), "compared_with": active and active.id}
    return {**own, "beside": beside, **extra}


def _loaded(settings: Settings, model: ModelVersion) -> Predictor:
    return as_measured(load_predictor(settings, model, threads=WORKER_THREADS), settings, model)


def _counts(data: TrainingData) -> str:
    parts = [f"{count} {name.replace('_', ' ')}" for name, count in data.describe()["posts"].items()]
    return ", ".join(parts) + " posts"
