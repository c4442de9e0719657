"""A training on another machine: written out as a folder, trained there, taken back, measured and judged like any other."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import asdict
from pathlib import Path

from annotator.models.archives import copy_model_files
from annotator.models.loading import model_source
from annotator.models.registry import WORK, NotPossible, check_directory, registry_lock
from annotator.settings import Settings
from annotator.training.data import DATA_FILE, MANIFEST_FILE, TrainingData, collect_training_data
from annotator.training.folder import CANDIDATE, read_folder, write_folder
from annotator.training.promotion import PromotionRule
from annotator.training.run import base_version, replay_for
from encoder.config import TrainConfig
from storage.jobs import Jobs
from storage.records import Job, JobKind
from storage.store import Store


def write_training(
    store: Store, settings: Settings, folder: Path, config: TrainConfig, *, base: str | None = None
) -> TrainingData:
    """Write today's gold, the settings and the base's files into a new folder. base: as of `enqueue_training`.

    Raises NotPossible if the folder holds something already, NothingToTrain, InvalidConfig.
    """
    config.validate()
    if folder.exists() and any(folder.iterdir()):
        raise NotPossible(f"{folder} is not empty. Name a new folder.")
    chosen = base_version(store, base)
    data = collect_training_data(store, folder, replay=replay_for(store, chosen, config))
    write_folder(folder, config=config, base_id=chosen.id, source=model_source(chosen, settings), carry_base=True)
    return data


def take_training(
    jobs: Jobs,
    settings: Settings,
    folder: Path,
    *,
    rule: PromotionRule | None = None,
    by: str | None = None,
    note: str = "",
) -> Job:
    """Queue the rest of a training whose folder was trained elsewhere: it is measured here, and the rule decides.

    Raises TrainingFolderInvalid, NotPossible (not trained yet, of another project), DirectoryBroken.
    """
    training = read_folder(folder)
    if not training.candidate.is_dir():
        raise NotPossible(f"{folder} is not trained yet: run `evidence train-job run` on it first.")
    check_directory(training.candidate)
    own = [e.post.id for e in (*training.data.train, *training.data.dev, *training.data.test)]
    if len(jobs.store.posts(own)) < len(own):
        raise NotPossible(
            f"{folder} was written by another project. `evidence models add` takes its candidate/ as it is."
        )
    work = f"taken-{training.data.sha256[:12]}-{secrets.token_hex(4)}"
    payload = {"base": training.base_id, "config": training.config.to_dict(), "rule": asdict(rule or PromotionRule())}
    target = settings.models_dir / WORK / work
    with registry_lock(settings):  # a folder without a job would be swept up
        try:
            copy_model_files(training.candidate, target / CANDIDATE)
            for name in (DATA_FILE, MANIFEST_FILE):
                shutil.copyfile(folder / name, target / name)
            return jobs.enqueue(JobKind.TRAIN, {**payload, "note": note, "work": work}, by=by)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
