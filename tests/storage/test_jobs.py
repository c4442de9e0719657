from __future__ import annotations

import threading

import pytest

from storage.jobs import MAX_ATTEMPTS, JobCancelled, JobLost, Jobs
from storage.records import JobKind, JobStatus
from storage.store import Store
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(store: Store, clock: Clock) -> Jobs:
    return Jobs(store, clock=clock)


def test_the_oldest_job_is_claimed_first_and_only_once(jobs: Jobs) -> None:
    first, second = jobs.enqueue(JobKind.PREDICT, {"n": 1}), jobs.enqueue(JobKind.PREDICT, {"n": 2})
    claimed = [jobs.claim("w1"), jobs.claim("w2"), jobs.claim("w3")]
    assert [c and c.id for c in claimed] == [first.id, second.id, None]


def test_many_threads_never_claim_the_same_job(jobs: Jobs) -> None:
    expected = [jobs.enqueue(JobKind.PREDICT, {}).id for _ in range(40)]
    claimed: list[int] = []

    def work(name: str) -> None:
        while (job := jobs.claim(name)) is not None:
            claimed.append(job.id)

    threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(claimed) == expected


def test_a_second_training_waits_for_the_first(jobs: Jobs) -> None:
    jobs.enqueue(JobKind.TRAIN, {})
    waiting = jobs.enqueue(JobKind.TRAIN, {})
    predict = jobs.enqueue(JobKind.PREDICT, {})
    running = jobs.claim("w1")
    assert running is not None
    assert (claimed := jobs.claim("w2")) is not None
    assert claimed.id == predict.id
    assert jobs.claim("w2") is None
    jobs.finish(running, {"model": "v1"})
    assert (claimed := jobs.claim("w2")) is not None
    assert claimed.id == waiting.id


def test_progress_result_metrics_and_log_are_rows(jobs: Jobs) -> None:
    jobs.enqueue(JobKind.TRAIN, {"seed": 7}, by="ana")
    job = jobs.claim("w1")
    assert job is not None
    jobs.progress(job, 0.25, stage="training", message="step 5 of 20")
    jobs.add_metrics(job, 5, {"loss": 0.5})
    jobs.add_metrics(job, 5, {"loss": 0.4})
    jobs.log(job, "half way")
    jobs.finish(job, {"model": "v1"})
    done = jobs.get(job.id)
    assert (done.status, done.progress, done.stage, done.result, done.payload) == (
        JobStatus.DONE,
        1.0,
        "training",
        {"model": "v1"},
        {"seed": 7},
    )
    assert jobs.metrics(job.id) == [{"step": 5, "name": "loss", "value": 0.4}]
    assert [line.split(" ", 1)[1] for line in jobs.log_tail(job.id)] == ["half way"]


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_at_its_next_heartbeat(jobs: Jobs) -> None:
    queued = jobs.enqueue(JobKind.TRAIN, {})
    assert jobs.request_cancel(queued.id).status is JobStatus.CANCELLED
    jobs.enqueue(JobKind.TRAIN, {})
    running = jobs.claim("w1")
    assert running is not None
    jobs.request_cancel(running.id)
    with pytest.raises(JobCancelled):
        jobs.heartbeat(running)
    jobs.acknowledge_cancel(running, {"kept": "checkpoint-3"})
    assert jobs.get(running.id).status is JobStatus.CANCELLED


def test_a_silent_workers_job_goes_back_to_the_queue_and_the_old_worker_is_told(jobs: Jobs, clock: Clock) -> None:
    jobs.enqueue(JobKind.TRAIN, {})
    old = jobs.claim("w1")
    assert old is not None
    clock.now += 61
    assert [j.status for j in jobs.requeue_abandoned()] == [JobStatus.QUEUED]
    new = jobs.claim("w2")
    assert new is not None
    assert new.attempt == 2
    with pytest.raises(JobLost):
        jobs.heartbeat(old)
    with pytest.raises(JobLost):
        jobs.finish(old, {})
    jobs.heartbeat(new)


def test_a_job_whose_worker_dies_each_time_fails_with_the_reason(jobs: Jobs) -> None:
    job = jobs.enqueue(JobKind.TRAIN, {})
    for n in range(MAX_ATTEMPTS):
        assert jobs.claim(f"w{n}") is not None
        jobs.requeue_abandoned(worker=f"w{n}")
    failed = jobs.get(job.id)
    assert failed.status is JobStatus.FAILED
    assert "stopped unexpectedly 3 times" in (failed.error or "")


def test_a_cancelled_job_of_a_dead_worker_is_not_started_again(jobs: Jobs) -> None:
    jobs.enqueue(JobKind.TRAIN, {})
    job = jobs.claim("w1")
    assert job is not None
    jobs.request_cancel(job.id)
    jobs.requeue_abandoned(worker="w1")
    assert jobs.get(job.id).status is JobStatus.CANCELLED


def test_a_finish_inside_a_transaction_that_fails_leaves_the_job_running(jobs: Jobs, store: Store) -> None:
    jobs.enqueue(JobKind.TRAIN, {})
    job = jobs.claim("w1")
    assert job is not None
    with pytest.raises(RuntimeError), store.write():
        jobs.finish(job, {})
        raise RuntimeError("the version could not be registered")
    assert jobs.get(job.id).status is JobStatus.RUNNING
