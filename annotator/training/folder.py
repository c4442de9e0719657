"""A training as a folder that any process or machine can run: data, criteria, settings and base, with nothing else around it.

    data.jsonl, data.json   posts with their labels; criteria, annotation ids, content hash (annotator.training.data)
    job.json                settings of the training, the base's name, and where its files are
    base/                   the base's files, where the folder is to leave this machine
    candidate/              the trained model, once it is whole

Whoever trains it goes on from the last checkpoint in the folder. The folder holds the text of posts: keep it where those may be.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.models.archives import copy_model_files
from annotator.models.registry import MADE_BY, check_directory, discard
from annotator.settings import Settings
from annotator.training.data import TrainingData, read_training_data, write_json
from encoder.config import InvalidConfig, TrainConfig
from storage.files import sync_tree
from storage.records import EvidenceError, utc_now

if TYPE_CHECKING:
    from encoder.training.monitor import Monitor
    from encoder.training.result import TrainResult

JOB_FILE = "job.json"
BASE = "base"
CANDIDATE = "candidate"
FORMAT = 1


class TrainingFolderInvalid(EvidenceError):
    """A folder that is no whole training; the text says what is missing."""


@dataclass(frozen=True)
class TrainingFolder:
    """A training as it was read from its folder. base_id: the base's version in the project that it comes from.
    source: what `encoder.training.train` takes as base: `bundled`, a directory or a Hub id."""

    folder: Path
    data: TrainingData
    config: TrainConfig
    base_id: str
    source: str

    @property
    def candidate(self) -> Path:
        """Where the trained model is, or will be."""
        return self.folder / CANDIDATE


def write_folder(folder: Path, *, config: TrainConfig, base_id: str, source: str, carry_base: bool = False) -> None:
    """Add settings and base to a folder that `collect_training_data` has filled. carry_base: copy the base's files into it, so that
    the folder is complete on a machine that has not got them; the bundled model and a Hub id go by name.
    """
    if carry_base and Path(source).is_dir():
        copy_model_files(Path(source), folder / BASE)
        source = BASE
    given = {"format": FORMAT, "created_at": utc_now(), "base": base_id, "source": source, "config": config.to_dict()}
    write_json(folder / JOB_FILE, given)


def read_folder(folder: Path) -> TrainingFolder:
    """The training in `folder`. Raises TrainingFolderInvalid, and EvidenceError if its data has changed."""
    try:
        given: dict[str, Any] = json.loads((folder / JOB_FILE).read_text("utf-8"))
        if given["format"] != FORMAT:
            raise TrainingFolderInvalid(f"{folder} was written by another version of this program; write it anew.")
        config, source, base_id = TrainConfig.from_dict(given["config"]), str(given["source"]), str(given["base"])
        data = read_training_data(folder)
    except FileNotFoundError as error:
        raise TrainingFolderInvalid(
            f"{folder} is no whole training: {Path(error.filename).name} is missing."
        ) from error
    except InvalidConfig:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingFolderInvalid(f"{folder} cannot be read as a training: {error!r}") from error
    if source == BASE:
        source = str(folder / BASE)
    return TrainingFolder(folder, data, config, base_id, source)


def placed(settings: Settings, work: Path, job_id: int, version_id: str) -> Path:
    """Give the whole candidate in a job's folder its place as a version, and say which job made it. Returns the directory.

    To be called under the registry's lock. Raises DirectoryBroken.
    """
    candidate, target = work / CANDIDATE, settings.models_dir / version_id
    check_directory(candidate)
    write_json(candidate / MADE_BY, {"job": job_id, "work": work.name})
    sync_tree(candidate)
    discard(settings, target)
    candidate.rename(target)
    return target


def train_folder(
    training: TrainingFolder,
    monitor: Monitor,
    *,
    device: str = "auto",
    on_result: Callable[[TrainResult], None] = lambda result: None,
) -> Path:
    """Train, from the last checkpoint if there is one, unless that was done. Returns the candidate's directory. on_result: given what
    was trained now.

    Run by several processes together, each calls it. Raises what `encoder.training.train` raises, and what the monitor raises.
    """
    if not training.candidate.is_dir():  # it gets its name when it is whole, so what is there need not be made again
        from encoder.training.train import Task, train

        data = training.data
        task = Task(
            data.train,
            (*data.dev, *data.replay_dev),
            data.criteria,
            base=training.source,
            output=training.candidate,
            config=training.config,
            replay=data.replay,
            device=device,
        )
        on_result(train(task, monitor=monitor, resume=True))
    return training.candidate
