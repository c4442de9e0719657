"""What the views of the Retrain page draw, as JSON values. No gradio; texts of posts only as values, never as HTML."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from annotator.models.bundled import BUNDLED_ID, gemma_offer, is_bundled
from annotator.models.quality import NAMES, dev_learned_by, figures, interval_of, within
from annotator.models.registry import NotPossible, directory_of, protection_of, rollback_target
from annotator.models.version_row import wrong_in
from annotator.problems import unexpected
from annotator.settings import Settings
from annotator.teams.naming import Called
from annotator.training.calibration import CALIBRATE, CALIBRATED_ON
from annotator.training.measure import Differing, differing_from
from annotator.training.plan import Estimate, Plan, trained_up_to
from annotator.training.run import COMPARISON
from encoder.text.sentences import sentences
from storage.jobs import ABANDONED_AFTER_SECONDS, Jobs
from storage.records import (
    EvidenceError,
    Job,
    JobKind,
    JobStatus,
    ModelStatus,
    ModelVersion,
    Span,
    Split,
    StoreUnavailable,
)
from storage.store import Store

SHOWN_DIFFERENCES = 40
LOG_LINES = 12
CURVES = (
    ("loss", "Loss"),
    ("dev_macro_f1", "Dev macro F1"),
    ("learning_rate", "Learning rate"),
    ("memory_bytes", "Memory, GB"),
)
KINDS = {
    JobKind.TRAIN: "Training {}",
    JobKind.PREDICT: "Reading of unreviewed posts (job {})",
    JobKind.EVALUATE: "Measurement (job {})",
    JobKind.IMPORT: "Import (job {})",
}


# --- plan


def plan_value(plan: Plan, store: Store) -> dict[str, Any]:
    active = plan.active
    activation = next(iter(store.activations()), None)
    return {
        "active": active and {"id": active.id, "since": activation and activation["activated_at"]},
        "new_posts": plan.new_posts,
        "posts": {str(split): plan.posts[split] for split in Split},
        "answers": plan.answers,
        "criteria": [dataclasses.asdict(c) for c in plan.criteria],
        "left_out": [dataclasses.asdict(row) for row in plan.left_out],
        "replay": plan.replay,
        "obstacle": plan.obstacle,
        "warnings": list(plan.warnings),
        "offer": gemma_offer(),
        "ever_trained": trained_up_to(store) > 0,
    }


def estimate_value(found: Estimate, preset: str, settings: Settings, changed: str) -> dict[str, Any]:
    device = {"auto": "the best device of this machine", "cpu": "the CPU"}.get(settings.device, settings.device)
    return {
        "preset": preset,
        "changed": changed,
        "steps": found.steps,
        "seconds": round(found.seconds),
        "memory_mb": round(found.memory_mb),
        "measured": found.measured,
        "device": device,
    }


# --- job


def shown_job(jobs: Jobs) -> Job | None:
    """The job to show: the one that runs, else the one that waits longest, else the newest training, else None."""
    running = jobs.jobs(statuses=[JobStatus.RUNNING], limit=10)
    waiting = jobs.jobs(statuses=[JobStatus.QUEUED], limit=100)
    trainings = jobs.jobs(kind=JobKind.TRAIN, limit=1)
    first = sorted(running, key=lambda j: j.kind is not JobKind.TRAIN)[:1] or waiting[-1:] or trainings
    return next(iter(first), None)


def job_value(jobs: Jobs, job: Job | None) -> dict[str, Any]:
    """The job with its curves, log, and what waits behind it."""
    if job is None:
        return {"job": None}
    metrics = jobs.metrics(job.id)
    waiting = [j for j in reversed(jobs.jobs(statuses=[JobStatus.QUEUED])) if j.id != job.id]
    return {
        "job": {
            "id": job.id,
            "title": _title(job),
            "status": str(job.status),
            "stage": job.stage,
            "message": job.message,
            "progress": job.progress,
            "error": job.error,
            "result": (job.result or {}).get("reason", ""),
            "model": (job.result or {}).get("model"),
            "aside": (job.result or {}).get("promoted") is False,
            "attempt": job.attempt,
            "stalled": _stalled(job),
            "cancelling": job.cancel_requested and job.status is JobStatus.RUNNING,
            "eta_seconds": eta_seconds(job),
            "ended": job.finished_at,
        },
        "curves": curves(metrics),
        "log": jobs.log_tail(job.id, lines=LOG_LINES),
        "waiting": [_title(j) for j in waiting],
    }


def _title(job: Job) -> str:
    return ("Calibration (job {})" if CALIBRATE in job.payload else KINDS[job.kind]).format(job.id)


def eta_seconds(job: Job, *, now: float | None = None) -> float | None:
    """About how long the job still takes, from how fast it has been; None while that says nothing."""
    if job.status is not JobStatus.RUNNING or job.claimed_at is None or job.progress < 0.08:
        return None
    spent = (now if now is not None else time.time()) - dt.datetime.fromisoformat(job.claimed_at).timestamp()
    return max(0.0, spent * (1.0 - job.progress) / job.progress)


def curves(metrics: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The curves that have points, at most 200 points each."""
    found = []
    for name, title in CURVES:
        scale = 1e-9 if name == "memory_bytes" else 1.0
        points = [[row["step"], row["value"] * scale] for row in metrics if row["name"] == name]
        if points:
            step = max(1, len(points) // 200)
            found.append({"name": name, "title": title, "points": [*points[:-1:step], points[-1]]})
    return found


def _stalled(job: Job) -> bool:
    beat = job.heartbeat_at
    return job.status is JobStatus.RUNNING and beat is not None and time.time() - beat > ABANDONED_AFTER_SECONDS / 2


# --- result of a version


def result_value(store: Store, settings: Settings, version_id: str | None) -> dict[str, Any]:
    """A version beside the model before it and the baselines on the same posts, and the posts where the two differ."""
    model = next((m for m in store.models() if m.id == version_id), None)
    if model is None:
        return {"model": None}
    names = {c.id: c.name for c in store.criteria()}
    metrics = model.metrics
    return {
        "model": model.id,
        "status": str(model.status),
        "note": model.note,
        "decision": (metrics.get("decision") or {}).get("reason", ""),
        "compared_with": metrics.get("compared_with"),
        "sets": [_set_value(model, name, names) for name in SET_TITLES if _measured(metrics, name, names)],
        "latest": _latest(metrics, names),
        "data": _data_value(model),
        "settings": {k: v for k, v in model.config.items() if k not in ("data", "rule")},
        "differing": differing_value(store, settings, model, store.criterion_names()),
    }


REFITTED = {"refitted": "Model before, its thresholds fitted on these posts (what the rule compares)"}
SET_TITLES = {
    "judged": "The posts that the rule looked at",
    "dev": "Dev posts of this project",
    "test": "Test posts of this project",
    "test_posts": "Whole posts held out of the bundled corpus",
}
BUNDLED_TEST_TITLE = "Passages held out of the bundled corpus"


def _measured(metrics: Mapping[str, Any], name: str, names: Mapping[str, str]) -> bool:
    """Whether the set says something of the project's criteria. Where the dev posts alone decided, they are shown as such."""
    if name == "judged" and _dev_alone(metrics):
        return False
    found = metrics.get(name) or {}
    return bool(found.get("macro")) and not names.keys().isdisjoint(found["criteria"])


def _dev_alone(metrics: Mapping[str, Any]) -> bool:
    return (metrics.get("judged") or {}).get("posts") == (metrics.get("dev") or {}).get("posts")


def _set_value(model: ModelVersion, name: str, names: Mapping[str, str]) -> dict[str, Any]:
    metrics = model.metrics
    own = metrics[name]
    sets_beside = metrics.get("beside") or {}
    beside = {other: sets[name] for other, sets in sets_beside.items() if sets.get(name)}
    if name == "dev" and _dev_alone(metrics) and sets_beside.get("refitted"):
        beside["refitted"] = sets_beside["refitted"]["judged"]  # what the decision speaks of
    before = beside.get("refitted") or beside.get("active")
    rows = [{"name": "This version", "own": True, **_summary(own, names)}]
    rows += [
        {"name": {**NAMES, **REFITTED}.get(other, other), "own": False, **_summary(found, names)}
        for other, found in beside.items()
    ]
    listed = [(cid, own["criteria"][cid]) for cid in names if cid in own["criteria"]]
    return {
        "title": BUNDLED_TEST_TITLE if name == "test" and is_bundled(model) else SET_TITLES[name],
        "posts": own["posts"],
        "then_learned": name in ("dev", "judged") and dev_learned_by(model) > 0,
        "others": len(own["criteria"].keys() - names.keys()),
        "rows": rows,
        "criteria": [_criterion_row(cid, names, scores, before) for cid, scores in listed],
    }


def _summary(evaluation: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The figures over the project's criteria alone."""
    found = within(evaluation, names)
    return {**figures(found), "interval": interval_of(found.get("macro"))}


def _criterion_row(
    criterion_id: str, names: Mapping[str, str], scores: Mapping[str, Any], beside: Mapping[str, Any] | None
) -> dict[str, Any]:
    before = ((beside or {}).get("criteria") or {}).get(criterion_id) or {}
    return {
        "name": names.get(criterion_id, criterion_id),
        "support": scores["support"],
        "precision": scores["precision"],
        "recall": scores["recall"],
        "f1": scores["f1"],
        "interval": interval_of(scores),
        "before": before.get("f1"),
    }


def _latest(metrics: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any] | None:
    latest = metrics.get("latest")
    if not latest:
        return None
    return {
        "at": latest["at"],
        "sets": {s: _summary(latest[s], names) | {"posts": latest[s]["posts"]} for s in latest if s != "at"},
    }


def _data_value(model: ModelVersion) -> dict[str, Any]:
    data = model.config.get("data") or {}
    return {
        "sha256": model.data_sha256,
        "posts": data.get("posts") or {},
        "dev_learned": dev_learned_by(model),
        "parent": model.parent,
        "base": model.base,
    }


def differing_value(store: Store, settings: Settings, model: ModelVersion, names: Mapping[str, str]) -> dict[str, Any]:
    """The posts on which this version and the one before it differ, as pieces of text to draw."""
    rows = _differing_rows(settings, model)
    posts = {post.id: post for post in store.posts(sorted({d.post_id for d in rows}))}
    shown = [d for d in rows if d.post_id in posts][:SHOWN_DIFFERENCES]
    return {
        "total": len(rows),
        "better": sum(d.gain > 0 for d in rows),
        "worse": sum(d.gain < 0 for d in rows),
        "pairs": [
            {
                "post": d.post_id,
                "criterion": names.get(d.criterion_id, d.criterion_id),
                "gain": d.gain,
                "gold": bool(d.gold),
                "pieces": pieces(posts[d.post_id].text, d),
            }
            for d in shown
        ],
    }


def _differing_rows(settings: Settings, model: ModelVersion) -> tuple[Differing, ...]:
    try:
        path = directory_of(settings, model) / COMPARISON
        return differing_from(json.loads(path.read_text("utf-8"))["differing"])
    except (NotPossible, OSError):
        return ()


def pieces(text: str, pair: Differing) -> list[dict[str, Any]]:
    """The sentences that gold or either model marks, with one sentence around, cut where the marks begin and end.

    A piece without text stands for what is left out.
    """
    marks = {"gold": pair.gold, "active": pair.active, "candidate": pair.candidate}
    marked = [Span(a, b) for spans in marks.values() for a, b in spans if b <= len(text)]
    found = sentences(text)
    hit = {i for i, s in enumerate(found) if any(s.overlaps(m) for m in marked)}
    near = sorted({j for i in hit for j in (i - 1, i, i + 1) if 0 <= j < len(found)})
    result: list[dict[str, Any]] = []
    last_end = 0
    for index in near:
        start = found[index].start
        if start > last_end and text[last_end:start].strip():
            result.append({"text": ""})
        result += _cut(text, max(start, last_end), found[index].end, marks)
        result.append({"text": " "})
        last_end = found[index].end
    if text[last_end:].strip():
        result.append({"text": ""})
    return result


def _cut(text: str, start: int, end: int, marks: Mapping[str, Sequence[tuple[int, int]]]) -> list[dict[str, Any]]:
    edges = {start, end}
    for spans in marks.values():
        edges |= {min(max(x, start), end) for span in spans for x in span}
    cuts = sorted(edges)
    return [
        {"text": text[a:b], **{name: any(s <= a and b <= e for s, e in spans) for name, spans in marks.items()}}
        for a, b in itertools.pairwise(cuts)
    ]


# --- registry


def model_label(model: ModelVersion, active: ModelVersion | None) -> str:
    name = f"{model.id} (bundled)" if is_bundled(model) and model.id != BUNDLED_ID else model.id
    if active is not None and model.id == active.id:
        return f"{name} · in service"
    return f"{name} · not in use" if model.status is ModelStatus.ASIDE else name


def shown(view: Callable[..., dict[str, Any]], *given: Any) -> dict[str, Any]:
    """What a view draws, or one line in its place: what one model version holds must not take the page away from everybody."""
    try:
        return view(*given)
    except StoreUnavailable:
        raise
    except EvidenceError as error:
        return {"broken": f"This cannot be shown: {error}"}
    except Exception as error:
        return {"broken": f"This cannot be shown. {unexpected(error, f'the view {view.__name__}')}"}


def models_value(store: Store, jobs: Jobs, called: Called) -> dict[str, Any]:
    """The registry as rows, who trained them as they are `called`, and the learning curve over all versions measured on the project."""
    active, before = store.active_model(), rollback_target(store)
    models = store.models()
    return {
        "rows": [_row_or_name(store, jobs, m, active, before) | {"by": called(m.created_by or "")} for m in models],
        "curve": learning_curve(store, [m for m in models if _can_be_drawn(m)]),
    }


def _can_be_drawn(model: ModelVersion) -> bool:
    return wrong_in({"metrics": dict(model.metrics), "config": dict(model.config), "examples": model.examples}) is None


def _row_or_name(
    store: Store, jobs: Jobs, model: ModelVersion, active: ModelVersion | None, before: ModelVersion | None
) -> dict[str, Any]:
    """The version's row; of one whose figures are not as they should be, all but the figures."""
    plain = model if _can_be_drawn(model) else dataclasses.replace(model, metrics={}, config={}, examples=None)
    return _model_row(store, jobs, plain, active, before)


def _model_row(
    store: Store, jobs: Jobs, model: ModelVersion, active: ModelVersion | None, before: ModelVersion | None
) -> dict[str, Any]:
    return {
        "id": model.id,
        "active": active is not None and active.id == model.id,
        "previous": before is not None and before.id == model.id,
        "aside": model.status is ModelStatus.ASIDE,
        "bundled": is_bundled(model),
        "parent": model.parent,
        "examples": model.examples,
        "dev_learned": dev_learned_by(model),
        "measured": _measured_beside(model),
        "size": model.size_bytes,
        "data": (model.data_sha256 or "")[:8],
        "at": model.created_at,
        "note": model.note,
        "protected": protection_of(store, jobs, model),
    }


def _measured_beside(model: ModelVersion) -> dict[str, Any] | None:
    """F1 of the version and of the one before it on the same posts of this project, test posts where there are any; None if it was
    not measured on posts of this project. What a training was judged on may hold posts of the corpus, a calibration's posts do not."""
    own = ("test", "dev", *(("judged",) if CALIBRATED_ON in model.config else ()))
    for name in () if is_bundled(model) else own:
        if _f1(model, name) is not None:
            before = ((model.metrics.get("beside") or {}).get("active") or {}).get(name) or {}
            return {
                "set": "reviewed" if name == "judged" else name,
                "posts": model.metrics[name]["posts"],
                "f1": _f1(model, name),
                "before": (before.get("macro") or {}).get("f1"),
                "before_id": model.metrics.get("compared_with"),
            }
    return None


def _f1(model: ModelVersion, name: str) -> float | None:
    return ((model.metrics.get(name) or {}).get("macro") or {}).get("f1")


def learning_curve(store: Store, models: Sequence[ModelVersion]) -> dict[str, Any]:
    """F1 by number of corrected posts, as measured when each version was made: macro, and per criterion.

    On test posts, as dev posts chose among the steps; on dev posts as long as there are no test posts.
    """
    trained = [m for m in sorted(models, key=lambda m: m.examples or 0) if m.examples]
    name = "test" if sum(_f1(m, "test") is not None for m in trained) >= 2 else "dev"
    if sum(_f1(m, name) is not None for m in trained) < 2:
        name = "judged"
    lines = [
        {"name": "Macro F1", "points": [[m.examples, _f1(m, name), m.id] for m in trained if _f1(m, name) is not None]}
    ]
    for criterion in store.criteria():
        points = []
        for m in trained:
            scores = ((m.metrics.get(name) or {}).get("criteria") or {}).get(criterion.id) or {}
            if scores.get("f1") is not None:
                points.append([m.examples, scores["f1"], m.id])
        lines.append({"name": criterion.name, "points": points})
    return {"set": SET_TITLES[name].lower(), "lines": [line for line in lines if line["points"]]}
