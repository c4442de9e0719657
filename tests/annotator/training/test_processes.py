"""A training in two processes of this machine: it ends in a version, stops for certain, goes on, and leaves nobody behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from annotator.cli import main
from annotator.models.registry import NotPossible
from annotator.settings import Settings
from annotator.supervisor import Supervisor
from annotator.training.elsewhere import take_training, write_training
from annotator.training.folder import TrainingFolderInvalid, read_folder, train_folder, write_folder
from annotator.training.processes import Events, train_in_processes
from annotator.training.promotion import PromotionRule
from annotator.training.run import TrainingWish, enqueue_training, resume_training
from annotator.worker import Worker
from encoder.config import TrainConfig
from encoder.errors import TrainingFailed
from encoder.training.monitor import SilentMonitor
from storage.jobs import Jobs
from storage.records import JobKind, JobStatus
from storage.store import Store, open_store
from tests.annotator.model_directories import a_model_directory
from tests.annotator.processes import processes_with, wait_for
from tests.annotator.reviewed_project import QUICK, a_training_folder

RULE = PromotionRule(margin=1.0, min_posts=1)
TWO = QUICK.changed(processes=2, batch_size=2)
ENDLESS = TWO.changed(max_steps=100_000, eval_steps=50_000)


@pytest.fixture
def folder(project: tuple[Settings, Store, Jobs], tmp_path: Path) -> Path:
    settings, store, _ = project
    return a_training_folder(settings, store, tmp_path / "elsewhere")


def processes_of(folder: Path) -> list[int]:
    """Living processes that were started for the folder, launcher and trainers."""
    return processes_with("annotator.training.processes", str(folder))


def test_a_folder_carries_everything_that_a_training_needs(folder: Path, project: tuple[Settings, Store, Jobs]) -> None:
    settings, _, _ = project
    training = read_folder(folder)
    assert training.config == QUICK
    assert (training.base_id, training.source) == ("base", str(folder / "base"))
    assert [len(training.data.train), len(training.data.dev)] == [8, 5]
    (settings.models_dir / "base").rename(settings.models_dir / "gone")  # as on another machine
    assert train_folder(training, SilentMonitor(), device="cpu") == folder / "candidate"
    assert (folder / "candidate" / "training.json").exists()


@pytest.mark.parametrize("name", ["job.json", "data.json", "data.jsonl"])
def test_a_folder_that_is_not_whole_is_refused_with_the_name_of_what_is_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(TrainingFolderInvalid, match=name):
        read_folder(folder)


def test_a_folder_of_another_version_is_refused(folder: Path) -> None:
    path = folder / "job.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(TrainingFolderInvalid, match="another version"):
        read_folder(folder)


def test_events_are_read_once_each_and_an_unfinished_line_waits(tmp_path: Path) -> None:
    writing, reading = Events(tmp_path / "events"), Events(tmp_path / "events")
    assert list(reading.new()) == []
    writing.add("log", "one")
    with (tmp_path / "events").open("ab") as file:
        file.write(b'{"kind": "log", "val')
    assert [e["values"] for e in reading.new()] == [["one"]]
    with (tmp_path / "events").open("ab") as file:
        file.write(b'ues": ["two"]}\n')
    assert [e["values"] for e in reading.new()] == [["two"]]


@pytest.mark.slow
def test_a_training_in_two_processes_ends_in_a_version_in_service(
    project: tuple[Settings, Store, Jobs], supervisor: Supervisor
) -> None:
    settings, store, jobs = project
    job = enqueue_training(jobs, TrainingWish(TWO, rule=RULE), by="ana")
    wait_for(lambda: jobs.get(job.id).status in (JobStatus.DONE, JobStatus.FAILED))
    done = jobs.get(job.id)
    assert done.status is JobStatus.DONE, done.error
    assert [m.id for m in store.models()] == ["v1", "base"]
    assert '"processes": 2,' in (settings.models_dir / "v1" / "training.json").read_text()
    assert {row["name"] for row in jobs.metrics(job.id)} >= {"loss", "learning_rate", "dev_macro_f1"}
    assert max(row["step"] for row in jobs.metrics(job.id)) == TWO.max_steps
    assert not processes_of(settings.models_dir / ".work" / f"job-{job.id}")


@pytest.mark.slow
def test_a_cancel_stops_all_processes_after_their_checkpoint_and_a_resumed_job_goes_on_until_its_worker_is_killed(
    project: tuple[Settings, Store, Jobs], supervisor: Supervisor
) -> None:
    settings, _store, jobs = project
    job = enqueue_training(jobs, TrainingWish(ENDLESS.changed(save_steps=None), rule=RULE), by="ana")
    work = settings.models_dir / ".work" / f"job-{job.id}"
    wait_for(lambda: any(row["step"] >= 5 for row in jobs.metrics(job.id)))
    assert len(processes_of(work)) >= 3
    began = time.monotonic()
    jobs.request_cancel(job.id)
    wait_for(lambda: jobs.get(job.id).status is JobStatus.CANCELLED)
    assert time.monotonic() - began < 30
    assert not processes_of(work)
    assert (work / ".candidate.training" / "last" / "progress.json").exists()

    again = resume_training(jobs, settings, job.id, by="ana")
    wait_for(lambda: any("Going on from the checkpoint" in line for line in jobs.log_tail(again.id)))
    before, pid = processes_of(work), supervisor.state.pid
    assert len(before) >= 3
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not set(before) & set(processes_of(work)), seconds=30)
    jobs.request_cancel(again.id)
    wait_for(lambda: jobs.get(again.id).status is JobStatus.CANCELLED)
    wait_for(lambda: not processes_of(work), seconds=30)


class _Follows(SilentMonitor):
    """Never stops."""

    def raise_if_stopped(self) -> None: ...


@pytest.mark.slow
def test_the_reason_of_a_failure_in_the_processes_is_the_reason_of_the_job(folder: Path) -> None:
    (folder / "base" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(TrainingFailed, match="may be damaged"):
        train_in_processes(folder, _Follows(), processes=2, device="cpu")
    assert not processes_of(folder)


def test_more_processes_than_run_are_refused_before_anything_is_loaded(folder: Path) -> None:
    config = TrainConfig.from_dict({**QUICK.to_dict(), "processes": 3})
    write_folder(folder, config=config, base_id="base", source=str(folder / "base"))
    with pytest.raises(TrainingFailed, match="3 processes were asked for, but 1"):
        train_folder(read_folder(folder), SilentMonitor(), device="cpu")


# --- on another machine


def test_a_training_written_out_trained_elsewhere_and_taken_back_is_measured_and_registered(
    project: tuple[Settings, Store, Jobs], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, store, jobs = project
    folder, there = str(tmp_path / "job"), ["--data-dir", str(settings.data_dir)]
    changes = [f"--set={name}={value}" for name, value in (("max_steps", 4), ("eval_steps", 2), ("batch_size", 4))]
    assert main(["train-job", "write", folder, *changes, *there]) == 0
    assert main(["train-job", "take", folder, *there]) == 1
    assert "not trained yet" in capsys.readouterr().err
    assert main(["train-job", "run", folder, "--device", "cpu"]) == 0
    assert main(["train-job", "take", folder, *there, "--note", "from the cluster"]) == 0
    assert Worker(settings).run_one() is JobKind.TRAIN
    job = jobs.jobs(kind=JobKind.TRAIN)[0]
    assert job.status is JobStatus.DONE, job.error
    version = store.model("v1")
    assert (version.parent, version.note, version.examples) == ("base", "from the cluster", 8)
    assert version.config["max_steps"] == 4
    assert not (settings.models_dir / ".work" / str(job.payload["work"])).exists()


def test_a_folder_of_another_project_is_not_taken(
    project: tuple[Settings, Store, Jobs], folder: Path, tmp_path: Path
) -> None:
    _, _, jobs = project
    a_model_directory(folder / "candidate")
    other = Settings(data_dir=tmp_path / "other")
    store = open_store(other.data_dir)
    with pytest.raises(NotPossible, match="another project"):
        take_training(Jobs(store), other, folder)
    store.close()
    assert not jobs.jobs()


def test_a_training_is_not_written_over_what_is_there(project: tuple[Settings, Store, Jobs], folder: Path) -> None:
    settings, store, _ = project
    with pytest.raises(NotPossible, match="not empty"):
        write_training(store, settings, folder, QUICK)
