"""The model registry: versions as directories and rows, put in service, rolled back, deleted, pruned.

A directory is complete before it gets its name, and its row is written after that: a version that can be seen is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from annotator.models.bundled import is_bundled
from annotator.settings import Settings
from storage.jobs import Jobs
from storage.records import EvidenceError, Job, JobKind, JobStatus, ModelStatus, ModelVersion, Reviewer
from storage.store import Store

WORK = ".work"
TRASH = ".trash"
MADE_BY = "made_by_job.json"  # beside the weights: the job that made them; no other directory is ever swept away
KEEP_SETTING = "models_kept"
UNFINISHED = (JobStatus.QUEUED, JobStatus.RUNNING)


class NotPossible(EvidenceError):
    """The model version cannot be treated like that; the text says why."""


class DirectoryBroken(EvidenceError):
    """A model directory lacks what a model needs."""


def directory_of(settings: Settings, model: ModelVersion) -> Path:
    """Where the version's files are. Raises NotPossible if they do not belong to the project."""
    if is_bundled(model):
        raise NotPossible("The bundled model belongs to the program and is not a file of the project.")
    if not is_own(settings, model):
        raise NotPossible(f"The files of model {model.id} lie outside the project, in {model.path}.")
    return settings.models_dir / model.path


@contextlib.contextmanager
def registry_lock(settings: Settings) -> Iterator[None]:
    """Between choosing a version's name and writing its row nobody else does the same."""
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    with (settings.models_dir / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def check_directory(directory: Path) -> None:
    """Raise DirectoryBroken unless the directory holds a readable configuration and whole safetensors weights."""
    if not directory.is_dir():
        raise DirectoryBroken(f"The files of model {directory.name} are gone.")
    from encoder.config import EncoderConfig

    EncoderConfig.load(directory)
    weights = sorted(directory.glob("*.safetensors"))
    if not weights:
        raise DirectoryBroken(f"{directory.name} holds no weights (*.safetensors).")
    for path in weights:
        check_safetensors(path)


def check_safetensors(path: Path) -> None:
    """Raise DirectoryBroken if the file is cut off or is no safetensors file. Reads only its header."""
    import json

    size = path.stat().st_size
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if not 2 <= length <= min(size - 8, 100_000_000):
            raise DirectoryBroken(f"{path.name} is not a safetensors file.")
        try:
            header = json.loads(handle.read(length))
        except ValueError as error:
            raise DirectoryBroken(f"{path.name} is not a safetensors file.") from error
    ends = [item["data_offsets"][1] for name, item in header.items() if name != "__metadata__"]
    if 8 + length + max(ends, default=0) != size:
        raise DirectoryBroken(f"{path.name} is cut off: {size} bytes are there.")


def check_files(settings: Settings, model: ModelVersion) -> None:
    """Raise DirectoryBroken if the files of a version that lies in the project are gone or not whole.

    What the bundled model, other directories and the Hub hold shows when the model is loaded.
    """
    if is_own(settings, model):
        check_directory(directory_of(settings, model))
    elif not is_bundled(model) and Path(model.path).is_absolute() and not Path(model.path).is_dir():
        raise DirectoryBroken(f"The directory {model.path} of model {model.id} is gone.")


def is_own(settings: Settings, model: ModelVersion) -> bool:
    """True if the version's files belong to the project, not to the program, another directory or the Hub."""
    return not is_bundled(model) and (settings.models_dir / model.path).parent == settings.models_dir


def size_of(directory: Path) -> int:
    return sum(p.stat().st_size for p in directory.rglob("*") if p.is_file())


# --- in service


def put_in_service(
    store: Store, jobs: Jobs, settings: Settings, model_id: str, *, by: Reviewer, note: str = ""
) -> ModelVersion:
    """Make the version the active one and have the unreviewed posts predicted anew.

    A version that was set aside needs a note that says why it is used all the same. Raises NotPossible, DirectoryBroken.
    """
    model = store.model(model_id)
    current = store.active_model()
    if current is not None and current.id == model_id:
        raise NotPossible(f"Model {model_id} is in service already.")
    if model.status is ModelStatus.DELETED:
        raise NotPossible(f"Model {model_id} was deleted.")
    if model.status is ModelStatus.ASIDE and not note.strip():
        raise NotPossible(
            f"Model {model_id} did not prove better than the one before it, so it is not in use. Say in a note why to use it all the same."
        )
    check_files(settings, model)
    with store.write():
        if model.status is ModelStatus.ASIDE:
            line = f"Put in service against the rule by {by.name}: {note.strip()}"
            store.update_model(model_id, status=ModelStatus.READY, note=f"{model.note}\n{line}".strip())
        store.activate_model(model_id, by=by.name, note=note.strip())
        enqueue_prediction(jobs, model_id, by=by.name)
    return store.model(model_id)


def enqueue_prediction(jobs: Jobs, model_id: str, *, by: str | None) -> Job:
    """Queue the prediction of unreviewed posts by the version; one that waits for another version gives way."""
    for job in jobs.jobs(kind=JobKind.PREDICT, statuses=UNFINISHED):
        if job.payload.get("after_swap"):
            jobs.request_cancel(job.id)
    return jobs.enqueue(JobKind.PREDICT, {"model": model_id, "after_swap": True}, by=by)


def rollback_target(store: Store) -> ModelVersion | None:
    """The version that was in service before the current one, and can be again.

    Going back to an earlier version takes what came after it off the pile, so that going back twice goes back two steps.
    """
    pile: list[str] = []
    for row in reversed(store.activations()):
        if row["model_version"] in pile:
            del pile[pile.index(row["model_version"]) + 1 :]
        else:
            pile.append(row["model_version"])
    usable = {m.id: m for m in store.models()}
    return next((usable[model_id] for model_id in reversed(pile[:-1]) if model_id in usable), None)


def roll_back(store: Store, jobs: Jobs, settings: Settings, *, by: Reviewer) -> ModelVersion:
    """Put the version before the current one back in service. Raises NotPossible if there is none."""
    target = rollback_target(store)
    if target is None:
        raise NotPossible("There is no earlier version to go back to.")
    return put_in_service(store, jobs, settings, target.id, by=by, note=f"Rolled back by {by.name}")


# --- leaving


def protection_of(store: Store, jobs: Jobs, model: ModelVersion) -> str | None:
    """Why the version must not be deleted, or None if it may be."""
    active = store.active_model()
    if active is not None and active.id == model.id:
        return f"Model {model.id} is in service. Put another one in service first."
    if is_bundled(model):
        return "The bundled model belongs to the program."
    if model.status is ModelStatus.DELETED:
        return f"Model {model.id} was deleted before."
    for job in jobs.jobs(statuses=UNFINISHED):
        if model.id in (job.payload.get("base"), job.payload.get("model")):
            return f"Job {job.id} uses model {model.id}. Cancel it or wait for it."
    return None


def check_deletable(store: Store, jobs: Jobs, model: ModelVersion) -> None:
    """Raises NotPossible with the reason if the version must not be deleted."""
    reason = protection_of(store, jobs, model)
    if reason is not None:
        raise NotPossible(reason)


def delete_version(store: Store, jobs: Jobs, settings: Settings, model_id: str) -> None:
    """Delete the version's files and predictions; its row stays as deleted. Raises NotPossible with the reason if it may not.

    Files outside the project are left where they are.
    """
    with store.write():
        model = store.model(model_id)
        check_deletable(store, jobs, model)
        store.update_model(model_id, status=ModelStatus.DELETED)
        store.forget_model_predictions(model_id)
    if is_own(settings, model):
        discard(settings, directory_of(settings, model))


def discard(settings: Settings, directory: Path) -> None:
    """Take a directory out of sight in one step, then remove it; what a crash leaves is swept up later."""
    if not directory.exists():
        return
    trash = settings.models_dir / TRASH
    trash.mkdir(exist_ok=True)
    target = trash / directory.name
    n = 1
    while target.exists():
        n += 1
        target = trash / f"{directory.name}-{n}"
    directory.rename(target)
    shutil.rmtree(target, ignore_errors=True)


def versions_to_prune(store: Store, jobs: Jobs, *, keep: int) -> list[ModelVersion]:
    """What the pruning rule would delete: all but the newest `keep`, the active one, the one to roll back to and the best.

    The best is the one with the highest macro F1 on dev posts.
    """
    models = [m for m in store.models() if not is_bundled(m)]
    before = rollback_target(store)
    best = max(models, key=lambda m: dev_f1(m) or -1.0, default=None)
    kept = {m.id for m in (*models[:keep], before, best) if m is not None}
    return [m for m in models[keep:] if m.id not in kept and protection_of(store, jobs, m) is None]


def prune(store: Store, jobs: Jobs, settings: Settings) -> list[str]:
    """Delete what the pruning rule names, if a number to keep is set. Returns the ids."""
    keep = store.setting(KEEP_SETTING)
    if not keep:
        return []
    deleted = []
    for model in versions_to_prune(store, jobs, keep=int(keep)):
        delete_version(store, jobs, settings, model.id)
        deleted.append(model.id)
    return deleted


def dev_f1(model: ModelVersion) -> float | None:
    """The version's macro F1 on the project's dev posts as measured when it was made, or None."""
    return macro_f1(model, "dev")


def macro_f1(model: ModelVersion, name: str) -> float | None:
    scores = (model.metrics.get(name) or {}).get("macro") or {}
    value = scores.get("f1")
    return None if value is None else float(value)


def sweep(store: Store, jobs: Jobs, settings: Settings) -> list[str]:
    """Remove what crashes left behind: trash, work folders of jobs that are over, versions of ours without a row.

    A cancelled or failed training keeps its folder, so that it can be resumed, until the next training has ended well.
    Returns the names of what went.
    """
    if not settings.models_dir.is_dir():
        return []
    swept = []
    with registry_lock(settings):
        known = {m.path for m in store.models()}
        for marker in sorted(settings.models_dir.glob(f"*/{MADE_BY}")):
            if marker.parent.name not in known and not jobs.jobs(kind=JobKind.TRAIN, statuses=UNFINISHED):
                discard(settings, marker.parent)
                swept.append(marker.parent.name)
        for folder in folders_not_needed(jobs, settings):
            shutil.rmtree(folder, ignore_errors=True)
            swept.append(f"{WORK}/{folder.name}")
    shutil.rmtree(settings.models_dir / TRASH, ignore_errors=True)
    return swept


def folders_not_needed(jobs: Jobs, settings: Settings) -> list[Path]:
    """Work folders of trainings that are done, and of stopped ones that came before the last done one."""
    trainings = jobs.jobs(limit=1000)
    last_done = max((j.id for j in trainings if j.status is JobStatus.DONE and j.kind is JobKind.TRAIN), default=0)
    needed = {
        str(j.payload.get("work") or f"job-{j.id}")
        for j in trainings
        if j.status in UNFINISHED or (j.kind is JobKind.TRAIN and j.id > last_done and j.status is not JobStatus.DONE)
    }
    root = settings.models_dir / WORK
    return [p for p in root.iterdir() if p.is_dir() and p.name not in needed] if root.is_dir() else []
