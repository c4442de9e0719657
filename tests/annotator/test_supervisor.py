"""The supervisor with real worker processes: started for work, restarted after a crash, gone with the app."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.settings import Settings
from annotator.supervisor import Supervisor, is_worker_process, requeue_dead_workers, settings_arguments
from annotator.training.data import NothingToTrain
from annotator.worker import worker_name
from storage.jobs import MAX_ATTEMPTS, Jobs
from storage.records import JobKind, JobStatus
from storage.store import Store
from tests.annotator.processes import wait_for

COMMAND = (sys.executable, "-m", "tests.annotator.worker_of_steps")


@pytest.fixture
def jobs(store: Store) -> Jobs:
    return Jobs(store)


@pytest.fixture
def supervisor(store: Store, jobs: Jobs) -> Iterator[Supervisor]:
    supervisor = Supervisor(Settings(data_dir=store.path.parent), jobs, command=COMMAND, chores=(), poll_seconds=0.05)
    yield supervisor
    supervisor.stop()


def steps(store: Store, job_id: int) -> list[str]:
    path = store.path.parent / "models" / ".work" / f"job-{job_id}" / "steps.txt"
    return path.read_text("utf-8").splitlines() if path.exists() else []


@pytest.mark.slow
def test_a_worker_is_started_when_a_job_waits_and_none_before(supervisor: Supervisor, jobs: Jobs) -> None:
    supervisor.start()
    assert supervisor.state.pid is None
    job = jobs.enqueue(JobKind.TRAIN, {"steps": 3})
    wait_for(lambda: jobs.get(job.id).status is JobStatus.DONE)
    wait_for(lambda: supervisor.state.pid is None)
    assert supervisor.state.last_exit == 0


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_job_goes_on_where_it_was(
    supervisor: Supervisor, jobs: Jobs, store: Store
) -> None:
    supervisor.start()
    job = jobs.enqueue(JobKind.TRAIN, {"steps": 6, "seconds": 0.05, "crash_after": 2, "crashes": 1})
    wait_for(lambda: jobs.get(job.id).status is JobStatus.DONE)
    lines = [line.split() for line in steps(store, job.id)]
    assert [int(step) for _, step in lines] == [0, 1, 2, 3, 4, 5]
    assert len({pid for pid, _ in lines}) == 2
    assert jobs.get(job.id).attempt == 2


@pytest.mark.slow
def test_a_job_that_kills_every_worker_fails_with_the_reason(store: Store, jobs: Jobs, supervisor: Supervisor) -> None:
    supervisor.start()
    job = jobs.enqueue(JobKind.TRAIN, {"steps": 9, "crash_after": 0})
    wait_for(lambda: jobs.get(job.id).status is JobStatus.FAILED)
    assert f"{MAX_ATTEMPTS} times" in (jobs.get(job.id).error or "")
    assert len(steps(store, job.id)) == MAX_ATTEMPTS


@pytest.mark.slow
def test_stopping_the_app_stops_the_worker_and_its_job_waits_for_the_next_start(
    supervisor: Supervisor, jobs: Jobs, store: Store
) -> None:
    supervisor.start()
    job = jobs.enqueue(JobKind.TRAIN, {"steps": 10_000, "seconds": 0.02})
    wait_for(lambda: len(steps(store, job.id)) > 2)
    pid = supervisor.state.pid
    supervisor.stop()
    assert pid is not None
    assert not is_worker_process(pid)
    assert (jobs.get(job.id).status, jobs.get(job.id).attempt) == (JobStatus.QUEUED, 0)


@pytest.mark.slow
def test_a_worker_whose_app_was_killed_ends_by_itself_and_leaves_its_job_in_the_queue(
    store: Store, jobs: Jobs, tmp_path: Path
) -> None:
    app = subprocess.Popen(
        [sys.executable, "-c", _APP, str(store.path.parent)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
        text=True,
    )
    job = jobs.enqueue(JobKind.TRAIN, {"steps": 10_000, "seconds": 0.02})
    wait_for(lambda: len(steps(store, job.id)) > 2)
    worker_pid = int(steps(store, job.id)[0].split()[0])
    app.send_signal(signal.SIGKILL)
    app.communicate()
    wait_for(lambda: not is_worker_process(worker_pid))
    assert jobs.get(job.id).status is JobStatus.QUEUED


_APP = """
import sys, threading
from pathlib import Path
from annotator.settings import Settings
from annotator.supervisor import Supervisor
from storage.jobs import Jobs
from storage.store import open_store

data_dir = Path(sys.argv[1])
command = (sys.executable, "-m", "tests.annotator.worker_of_steps")
Supervisor(Settings(data_dir=data_dir), Jobs(open_store(data_dir)), command=command, chores=(), poll_seconds=0.05).start()
threading.Event().wait()
"""


def test_the_jobs_of_a_worker_that_died_with_an_earlier_app_are_taken_back_at_the_start(jobs: Jobs) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    job = jobs.enqueue(JobKind.TRAIN, {})
    jobs.claim(worker_name(gone.pid, "x"))
    assert [j.id for j in requeue_dead_workers(jobs)] == [job.id]
    assert jobs.get(job.id).status is JobStatus.QUEUED


def test_the_jobs_of_workers_on_other_machines_are_left_to_their_heartbeat(jobs: Jobs) -> None:
    jobs.enqueue(JobKind.TRAIN, {})
    jobs.claim("another-machine:1:x")
    assert requeue_dead_workers(jobs) == []


@pytest.mark.slow
def test_a_stopped_worker_is_killed_before_its_job_is_given_on(
    store: Store, jobs: Jobs, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs.enqueue(JobKind.TRAIN, {"steps": 10_000, "seconds": 0.02})
    supervisor.step()
    wait_for(lambda: len(steps(store, job.id)) > 2)
    pid = supervisor.state.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with store.write() as db:
        db.conn.execute("UPDATE job SET heartbeat_at = heartbeat_at - 120 WHERE id = ?", [job.id])
    monkeypatch.setattr("annotator.supervisor.CHORES_EVERY_SECONDS", 0.0)
    for _ in range(2):
        supervisor.step()
    assert not is_worker_process(pid)
    assert jobs.get(job.id).status is JobStatus.QUEUED


@pytest.mark.slow
def test_a_worker_that_cannot_start_is_tried_ever_more_slowly(store: Store, jobs: Jobs) -> None:
    command = (sys.executable, "-c", "raise SystemExit(3)")
    supervisor = Supervisor(Settings(data_dir=store.path.parent), jobs, command=command, chores=())
    jobs.enqueue(JobKind.TRAIN, {})
    supervisor.step()
    wait_for(lambda: (supervisor.step(), supervisor.state.failures)[1] == 1)
    supervisor.step()
    assert supervisor.state.pid is None
    wait_for(lambda: (supervisor.step(), supervisor.state.failures)[1] == 2)
    assert supervisor.state.last_exit == 3


def test_a_chore_that_fails_keeps_no_other_from_being_done_and_is_logged_once(
    store: Store, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("annotator.supervisor.CHORES_EVERY_SECONDS", 0.0)
    swept: list[int] = []

    def failing() -> None:
        raise NothingToTrain("There is nothing to train on.")

    chores = (failing, lambda: swept.append(1))
    supervisor = Supervisor(Settings(data_dir=store.path.parent), jobs, command=COMMAND, chores=chores)
    for _ in range(3):
        supervisor.step()
    assert len(swept) == 3
    assert [r.getMessage().endswith("There is nothing to train on.") for r in caplog.records] == [True]


def test_the_worker_is_told_the_settings_that_it_needs(tmp_path: Path) -> None:
    arguments = settings_arguments(Settings(data_dir=tmp_path, device="cpu", threads=1))
    assert arguments == [
        *("--data-dir", str(tmp_path), "--device", "cpu", "--dtype", "auto", "--attention", "auto", "--threads", "1"),
        *("--serving-while-training", "auto"),
    ]
