"""Trainings as Hugging Face Jobs, over HTTP against the stand-in Hub: done, cancelled, failed, followed again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from annotator.hub.client import Hub, HubRefused, Retry
from annotator.models.registry import DirectoryBroken, check_directory
from annotator.settings import Settings
from annotator.training.folder import BASE, CANDIDATE
from annotator.training.hub_job import STATE_FILE, HubJob, train_as_hub_job
from annotator.training.hub_run import EVENT
from annotator.training.promotion import PromotionRule
from annotator.training.run import TrainingWish, enqueue_training
from annotator.worker import Worker
from encoder.errors import TrainingFailed
from storage.jobs import JobCancelled, Jobs
from storage.records import JobStatus
from storage.store import Store
from tests.annotator.model_directories import a_model_directory
from tests.annotator.reviewed_project import QUICK, a_training_folder
from tests.hub.jobs import Jobs as StandInJobs
from tests.hub.jobs import StandInJob
from tests.hub.large_files import add_large_files
from tests.hub.standin import TOKEN, StandIn

REPOSITORY = "ana/trainings"
TARGET = HubJob(REPOSITORY, "t4-small", 2.0)


class Monitor:
    """Keeps what it hears, and raises what a test has put into `stop`."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.lines: list[str] = []
        self.points: list[int] = []
        self.stop: Exception | None = None

    def raise_if_stopped(self) -> None:
        if self.stop is not None:
            raise self.stop

    def progress(self, fraction: float, stage: str, message: str) -> None:
        self.stages.append(stage)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self.points.append(step)

    def log(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def hub(on_the_hub: StandIn) -> StandIn:
    add_large_files(on_the_hub)
    return on_the_hub


@pytest.fixture
def work(project: tuple[Settings, Store, Jobs], tmp_path: Path) -> Path:
    settings, store, _ = project
    return a_training_folder(settings, store, tmp_path / "work")


@pytest.fixture
def named(hub: StandIn, tmp_path: Path) -> StandInJobs:
    """Jobs that run in name only."""
    return StandInJobs(hub, tmp_path / "jobs")


def train(work: Path, monitor: Monitor) -> Path:
    return train_as_hub_job(work, monitor, TARGET, hub=Hub(retry=Retry(first_wait_seconds=0.01)), poll_seconds=0.01)


def event(kind: str, *values: object) -> str:
    return EVENT + json.dumps({"kind": kind, "values": values})


def leave_model(hub: StandIn, job: StandInJob, tmp_path: Path) -> None:
    """What the job puts into the repository."""
    model = a_model_directory(tmp_path / "made")
    name = job.spec["labels"]["evidence"]
    hub.repo("dataset", REPOSITORY).put({f"{name}/{CANDIDATE}/{p.name}": p.read_bytes() for p in model.iterdir()})


class Later(Monitor):
    """Acts once the job has been started and is being followed."""

    def __init__(self, act: object) -> None:
        super().__init__()
        self._act = act

    def raise_if_stopped(self) -> None:
        if any("was started" in line for line in self.lines) and self._act is not None:
            act, self._act = self._act, None
            act()  # type: ignore[operator]
        super().raise_if_stopped()


@pytest.mark.slow
def test_a_training_as_a_hub_job_ends_like_one_here_with_the_model_measured_and_judged(
    hub: StandIn, project: tuple[Settings, Store, Jobs], tmp_path: Path
) -> None:
    remote = StandInJobs(hub, tmp_path / "jobs", really=True)
    settings, _store, jobs = project
    job = enqueue_training(
        jobs, TrainingWish(QUICK, rule=PromotionRule(margin=1.0, min_posts=1), hub_job=TARGET), by="ana"
    )
    try:
        Worker(settings).run_one()
    finally:
        remote.stop()
    done = jobs.get(job.id)
    [started] = remote.started
    assert done.status is JobStatus.DONE, (done.error, started.lines)
    check_directory(settings.models_dir / "v1")
    assert {row["name"] for row in jobs.metrics(job.id)} >= {"loss"}
    assert hub.repo("dataset", REPOSITORY).private
    assert hub.repo("dataset", REPOSITORY).files == {}  # the posts' text does not stay there
    assert started.spec["flavor"] == "t4-small"
    assert started.spec["timeoutSeconds"] == 7200
    assert not any("sleep" in line for line in started.lines)


def test_the_token_travels_as_a_secret_only(hub: StandIn, named: StandInJobs, work: Path, tmp_path: Path) -> None:
    def finish() -> None:
        [job] = named.started
        leave_model(hub, job, tmp_path)
        job.lines += [event("progress", 0.5, "train", "half"), event("metrics", 3, {"loss": 1.0}), "noise", EVENT + "{"]
        job.stage = "COMPLETED"

    monitor = Later(finish)
    named_before = {p.name for p in (work / BASE).iterdir()}
    assert train(work, monitor) == work / CANDIDATE
    spec = named.started[0].spec
    assert spec["secrets"] == {"HF_TOKEN": TOKEN}
    assert TOKEN not in json.dumps({k: v for k, v in spec.items() if k != "secrets"})
    assert monitor.points == [3]
    assert "model.safetensors" in named_before
    check_directory(work / CANDIDATE)


def test_cancelling_ends_the_job_there_and_takes_the_data_away(hub: StandIn, named: StandInJobs, work: Path) -> None:
    monitor = Later(lambda: setattr(monitor, "stop", JobCancelled("stop")))
    with pytest.raises(JobCancelled):
        train(work, monitor)
    assert named.started[0].stage == "CANCELED"
    assert hub.repo("dataset", REPOSITORY).files == {}
    assert not (work / STATE_FILE).exists()


def test_a_worker_that_was_stopped_follows_the_same_job_again(
    hub: StandIn, named: StandInJobs, work: Path, tmp_path: Path
) -> None:
    monitor = Later(lambda: setattr(monitor, "stop", KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        train(work, monitor)
    [job] = named.started
    assert job.stage == "RUNNING"
    leave_model(hub, job, tmp_path)
    job.stage = "COMPLETED"
    train(work, Monitor())
    assert len(named.started) == 1
    check_directory(work / CANDIDATE)


def test_a_job_that_fails_says_its_own_reason_and_leaves_no_data_there(
    hub: StandIn, named: StandInJobs, work: Path
) -> None:
    def fail() -> None:
        named.started[0].lines.append(event("error", "There was not enough memory."))
        named.started[0].stage = "ERROR"

    with pytest.raises(TrainingFailed, match="not enough memory"):
        train(work, Later(fail))
    assert hub.repo("dataset", REPOSITORY).files == {}


def test_a_model_that_arrives_cut_off_is_not_taken(
    hub: StandIn, named: StandInJobs, work: Path, tmp_path: Path
) -> None:
    def finish() -> None:
        [job] = named.started
        leave_model(hub, job, tmp_path)
        path = f"{job.spec['labels']['evidence']}/{CANDIDATE}/model.safetensors"
        repo = hub.repo("dataset", REPOSITORY)
        repo.put({path: repo.files[path][:-4]})
        job.stage = "COMPLETED"

    with pytest.raises(DirectoryBroken, match="cut off"):
        train(work, Later(finish))
    assert not (work / CANDIDATE).exists()
    assert hub.repo("dataset", REPOSITORY).files == {}


def test_a_hub_that_breaks_for_a_moment_is_asked_again(
    hub: StandIn, named: StandInJobs, work: Path, tmp_path: Path
) -> None:
    def finish() -> None:
        [job] = named.started
        leave_model(hub, job, tmp_path)
        job.stage = "COMPLETED"
        hub.fail("GET", "/api/jobs/", 503, times=2)
        hub.cut("GET", "/api/jobs/")

    train(work, Later(finish))
    check_directory(work / CANDIDATE)


def test_a_model_that_could_not_be_fetched_waits_for_the_resumed_job(
    hub: StandIn, named: StandInJobs, work: Path, tmp_path: Path
) -> None:
    def finish() -> None:
        [job] = named.started
        leave_model(hub, job, tmp_path)
        job.stage = "COMPLETED"
        hub.fail("GET", f"/api/datasets/{REPOSITORY}", 403)

    with pytest.raises(HubRefused):
        train(work, Later(finish))
    train(work, Monitor())
    assert len(named.started) == 1
    check_directory(work / CANDIDATE)
    assert hub.repo("dataset", REPOSITORY).files == {}


@pytest.mark.parametrize(("status", "words"), [(402, "paid plan"), (403, "does not allow"), (500, "trouble")])
def test_a_hub_that_starts_no_job_says_why_and_keeps_no_data(
    hub: StandIn, named: StandInJobs, work: Path, status: int, words: str
) -> None:
    hub.fail("POST", "/api/jobs/", status)
    with pytest.raises(HubRefused, match=words):
        train(work, Monitor())
    assert named.started == []
    assert hub.repo("dataset", REPOSITORY).files == {}


def test_a_public_repository_gets_no_data(hub: StandIn, named: StandInJobs, work: Path) -> None:
    repo = hub.add("dataset", REPOSITORY)
    with pytest.raises(HubRefused, match="public"):
        train(work, Monitor())
    assert repo.files == {}
