"""The worker: what becomes of a job that is done, fails, is cancelled, or is taken away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from annotator.job_context import JobContext, JobMonitor, Part
from annotator.settings import Settings
from annotator.worker import Busy, Handler, Worker, folder_lock
from storage.jobs import JobCancelled, JobLost, Jobs
from storage.records import EvidenceError, JobKind, JobStatus, NotFound
from storage.store import Store


@pytest.fixture
def jobs(store: Store) -> Jobs:
    return Jobs(store)


@pytest.fixture
def worker_with(store: Store) -> Callable[[Handler], Worker]:
    settings = Settings(data_dir=store.path.parent)
    return lambda handler: Worker(settings, handlers_by_kind=dict.fromkeys(JobKind, handler))


def test_a_job_is_run_and_its_result_kept(jobs: Jobs, worker_with: Callable[[Handler], Worker]) -> None:
    def double(context: JobContext) -> Mapping[str, Any]:
        return {"doubled": context.job.payload["number"] * 2}

    job = jobs.enqueue(JobKind.PREDICT, {"number": 21})
    assert worker_with(double).run_one() is JobKind.PREDICT
    done = jobs.get(job.id)
    assert (done.status, done.result, done.progress) == (JobStatus.DONE, {"doubled": 42}, 1.0)


def test_with_nothing_waiting_the_worker_ends_when_it_was_idle_long_enough(
    worker_with: Callable[[Handler], Worker],
) -> None:
    worker = worker_with(lambda context: {})
    assert worker.run_one() is None
    worker.run(idle_seconds=0.0)


def test_an_error_of_ours_becomes_the_reason_of_the_failure(
    jobs: Jobs, worker_with: Callable[[Handler], Worker]
) -> None:
    def fail(context: JobContext) -> Mapping[str, Any]:
        raise NotFound("There is no model version 'v9'.")

    job = jobs.enqueue(JobKind.PREDICT, {})
    worker_with(fail).run_one()
    assert (jobs.get(job.id).status, jobs.get(job.id).error) == (JobStatus.FAILED, "There is no model version 'v9'.")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (OSError(28, "No space left on device"), "disk is full"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError"),
    ],
)
def test_any_other_error_fails_the_job_with_a_readable_reason(
    jobs: Jobs,
    worker_with: Callable[[Handler], Worker],
    error: Exception,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(context: JobContext) -> Mapping[str, Any]:
        raise error

    job = jobs.enqueue(JobKind.TRAIN, {})
    worker_with(fail).run_one()
    assert words in (jobs.get(job.id).error or "")
    assert "Traceback" in capsys.readouterr().err


def test_a_cancelled_job_stops_at_its_next_report_and_says_what_it_kept(
    jobs: Jobs, worker_with: Callable[[Handler], Worker]
) -> None:
    begun = threading.Event()

    def work(context: JobContext) -> Mapping[str, Any]:
        context.work_dir.mkdir(parents=True)
        begun.set()
        while True:
            context.monitor.progress(0.5, "train", "step")
            time.sleep(0.01)

    job = jobs.enqueue(JobKind.TRAIN, {})
    thread = threading.Thread(target=worker_with(work).run_one)
    thread.start()
    assert begun.wait(10)
    jobs.request_cancel(job.id)
    thread.join(10)
    ended = jobs.get(job.id)
    assert ended.status is JobStatus.CANCELLED
    assert ended.result == {"work": f"job-{job.id}", "resumable": True}


def test_a_worker_that_is_told_to_stop_puts_its_job_back_without_counting_the_attempt(
    jobs: Jobs, worker_with: Callable[[Handler], Worker]
) -> None:
    begun = threading.Event()

    def work(context: JobContext) -> Mapping[str, Any]:
        begun.set()
        while True:
            context.monitor.check()
            time.sleep(0.01)

    job = jobs.enqueue(JobKind.TRAIN, {})
    worker = worker_with(work)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert begun.wait(10)
    worker.stopping.set()
    thread.join(10)
    waiting = jobs.get(job.id)
    assert (waiting.status, waiting.attempt, waiting.worker) == (JobStatus.QUEUED, 0, None)
    assert "app was stopped" in waiting.message


def test_a_job_that_was_given_to_another_worker_is_left_alone(
    jobs: Jobs, worker_with: Callable[[Handler], Worker]
) -> None:
    def work(context: JobContext) -> Mapping[str, Any]:
        jobs.requeue_abandoned(worker=context.job.worker)
        jobs.claim("elsewhere:1:x")
        return {"from": "the first worker"}

    job = jobs.enqueue(JobKind.PREDICT, {})
    worker_with(work).run_one()
    assert (jobs.get(job.id).status, jobs.get(job.id).worker) == (JobStatus.RUNNING, "elsewhere:1:x")


def test_a_folder_is_held_by_one_worker_at_a_time(tmp_path: Path) -> None:
    with (
        folder_lock(tmp_path / "job-1"),
        pytest.raises(Busy, match="job-1"),
        folder_lock(tmp_path / "job-1", wait_seconds=0.0),
    ):
        raise AssertionError("two held it")
    with folder_lock(tmp_path / "job-1", wait_seconds=0.0):
        pass


def test_the_worker_leaves_after_a_training_when_asked_to(jobs: Jobs, worker_with: Callable[[Handler], Worker]) -> None:
    jobs.enqueue(JobKind.TRAIN, {})
    later = jobs.enqueue(JobKind.PREDICT, {})
    worker_with(lambda context: {}).run(exit_after_training=True)
    assert jobs.get(later.id).status is JobStatus.QUEUED


def test_points_of_the_curves_wait_for_each_other_and_none_is_lost(jobs: Jobs) -> None:
    jobs.enqueue(JobKind.TRAIN, {})
    job = jobs.claim("w:1:x")
    assert job is not None
    monitor = JobMonitor(jobs, job)
    for step in range(5):
        monitor.metrics(step, {"loss": 1.0 / (step + 1)})
    monitor.flush()
    assert [row["step"] for row in jobs.metrics(job.id)] == [0, 1, 2, 3, 4]


def test_every_step_of_a_training_moves_its_progress_and_its_curves_in_one_write(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.job_context.PROGRESS_EVERY_SECONDS", 0.0)
    jobs.enqueue(JobKind.TRAIN, {})
    job = jobs.claim("w:1:x")
    assert job is not None
    monitor = JobMonitor(jobs, job)
    for step in (1, 2, 3):
        monitor.metrics(step, {"loss": 1.0 / step})
        monitor.progress(step / 4, "train", f"step {step}")
        assert [row["step"] for row in jobs.metrics(job.id)] == list(range(1, step + 1))
        assert (jobs.get(job.id).progress, jobs.get(job.id).message) == (step / 4, f"step {step}")


def test_progress_is_not_written_more_than_once_a_second_within_a_stage(jobs: Jobs) -> None:
    jobs.enqueue(JobKind.TRAIN, {})
    job = jobs.claim("w:1:x")
    assert job is not None
    monitor = JobMonitor(jobs, job)
    part = Part(monitor, 0.5, 1.0, "measure")
    part.progress(0.0, "measure", "first")
    part.progress(0.5, "measure", "second")
    assert (jobs.get(job.id).progress, jobs.get(job.id).message) == (0.5, "first")
    monitor.progress(0.9, "promote", "")
    assert jobs.get(job.id).stage == "promote"


@pytest.mark.parametrize("reason", [JobCancelled("stop"), JobLost("gone")])
def test_the_first_reason_to_stop_is_raised_by_every_report(jobs: Jobs, reason: EvidenceError) -> None:
    jobs.enqueue(JobKind.TRAIN, {})
    job = jobs.claim("w:1:x")
    assert job is not None
    monitor = JobMonitor(jobs, job)
    monitor.stop(reason)
    monitor.stop(EvidenceError("another"))
    for report in (monitor.check, lambda: monitor.progress(0.5), lambda: monitor.log("line")):
        with pytest.raises(type(reason), match=str(reason)):
            report()
