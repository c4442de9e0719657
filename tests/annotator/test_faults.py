"""SIGKILL on real processes: of the worker at every stage of a training, of the app, and in the middle of saves."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from annotator.models.registry import check_directory
from annotator.settings import Settings
from annotator.supervisor import Supervisor, is_worker_process
from annotator.training.promotion import PromotionRule
from annotator.training.run import TrainingWish, enqueue_training, resume_training
from annotator.worker import Worker
from storage.jobs import Jobs
from storage.records import Job, JobKind, JobStatus
from storage.store import Store
from tests.annotator.processes import processes_with, wait_for
from tests.annotator.reviewed_project import QUICK
from tests.encoder.training_data import a_base
from tests.faults.killing import kill_savers

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
RULE = PromotionRule(margin=1.0, min_posts=1)
LONG = QUICK.changed(max_steps=30, eval_steps=10, save_steps=5)


def assert_whole(settings: Settings, store: Store, job: Job) -> None:
    """The job is done or says why not; every ready version has whole files; the database is sound."""
    assert job.status is JobStatus.DONE or job.error, job
    for model in store.models():
        check_directory(settings.models_dir / model.path)
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert connection.execute("PRAGMA foreign_key_check").fetchone() is None
    active = store.active_model()
    assert active is not None
    assert (settings.models_dir / active.path).is_dir()


def reached(settings: Settings, jobs: Jobs, job: Job, stage: str) -> bool:
    """Whether the job has come to the stage: by what lies in its folder, and what it says."""
    work = settings.models_dir / ".work" / f"job-{job.id}"
    now = jobs.get(job.id)
    if now.status is JobStatus.DONE:  # this machine was too slow to see it
        return True
    if stage == "claim":
        return now.status is JobStatus.RUNNING
    if stage == "data":
        return (work / "data.jsonl").exists()
    if stage in ("checkpoint", "second checkpoint"):
        steps = [row["step"] for row in jobs.metrics(job.id)]
        return bool(steps) and max(steps) >= (6 if stage == "checkpoint" else 16)
    if stage == "saving":
        return (work / "candidate").exists() or "saving" in now.message
    if stage == "measure":
        return now.stage == "measure"
    return now.stage == "promote"


@pytest.mark.parametrize(
    "stages",  # a job may lose two workers; each costs seconds to start
    [("claim", "checkpoint"), ("data", "second checkpoint"), ("saving", "measure"), ("promote",)],
    ids=", ".join,
)
def test_a_worker_killed_at_any_stage_is_replaced_and_the_training_ends_whole(
    project: tuple[Settings, Store, Jobs], supervisor: Supervisor, stages: tuple[str, ...]
) -> None:
    settings, store, jobs = project
    job = enqueue_training(jobs, TrainingWish(LONG, rule=RULE), by="ana")
    for attempt, stage in enumerate(stages, start=1):
        wait_for(partial(reached, settings, jobs, job, stage))
        running = jobs.jobs(kind=JobKind.TRAIN, statuses=[JobStatus.RUNNING])
        assert len(running) <= 1
        pid = supervisor.state.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            wait_for(partial(taken_up_again, jobs, job, attempt))
    wait_for(lambda: jobs.get(job.id).status in (JobStatus.DONE, JobStatus.FAILED))
    assert jobs.get(job.id).status is JobStatus.DONE, jobs.get(job.id).error
    assert [m.id for m in store.models()] == ["v1", "base"]
    assert_whole(settings, store, jobs.get(job.id))


def taken_up_again(jobs: Jobs, job: Job, attempt: int) -> bool:
    """Whether another worker has the job, or there was nothing left to do."""
    now = jobs.get(job.id)
    return now.attempt > attempt or now.status is JobStatus.DONE


_APP = """
import sys, threading
from pathlib import Path
from annotator.settings import Settings
from annotator.supervisor import Supervisor
from storage.jobs import Jobs
from storage.store import open_store

data_dir = Path(sys.argv[1])
settings = Settings(data_dir=data_dir, device="cpu", threads=1, predict_ahead=0)
Supervisor(settings, Jobs(open_store(data_dir)), poll_seconds=0.1).start()
print("started", flush=True)
threading.Event().wait()
"""


def an_app(settings: Settings) -> subprocess.Popen[str]:
    app = subprocess.Popen(
        [sys.executable, "-c", _APP, str(settings.data_dir)], stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert app.stdout is not None
    assert app.stdout.readline() == "started\n"
    return app


def test_after_a_kill_no_process_stays_and_the_next_start_goes_on(project: tuple[Settings, Store, Jobs]) -> None:
    """Of the app, whose worker then ends by itself; of the app and its worker."""
    settings, store, jobs = project
    first = an_app(settings)
    job = enqueue_training(jobs, TrainingWish(LONG.changed(max_steps=60, eval_steps=30), rule=RULE), by="ana")
    wait_for(lambda: reached(settings, jobs, job, "checkpoint"))
    kill(first, jobs, job, both=False)
    second = an_app(settings)
    wait_for(lambda: any("Going on from the checkpoint" in line for line in jobs.log_tail(job.id)))
    kill(second, jobs, job, both=True)
    third = an_app(settings)
    try:
        wait_for(lambda: jobs.get(job.id).status in (JobStatus.DONE, JobStatus.FAILED))
        assert jobs.get(job.id).status is JobStatus.DONE, jobs.get(job.id).error
        assert_whole(settings, store, jobs.get(job.id))
    finally:
        third.terminate()
        third.communicate()
    wait_for(lambda: not processes_with("annotator.worker", str(settings.data_dir)), seconds=60)


def kill(app: subprocess.Popen[str], jobs: Jobs, job: Job, *, both: bool) -> None:
    """The app, or it and its worker; neither is there afterwards."""
    worker_pid = int((jobs.get(job.id).worker or "").split(":")[1])
    app.kill()
    if both:
        os.kill(worker_pid, signal.SIGKILL)
    app.communicate()
    wait_for(lambda: not is_worker_process(worker_pid), seconds=60)


def test_a_cancel_stops_the_real_worker_within_seconds_and_keeps_the_checkpoint(
    project: tuple[Settings, Store, Jobs], supervisor: Supervisor
) -> None:
    settings, _store, jobs = project
    job = enqueue_training(jobs, TrainingWish(LONG.changed(max_steps=100_000, eval_steps=50_000), rule=RULE), by="ana")
    wait_for(lambda: reached(settings, jobs, job, "checkpoint"))
    began = time.monotonic()
    jobs.request_cancel(job.id)
    wait_for(lambda: jobs.get(job.id).status is JobStatus.CANCELLED)
    assert time.monotonic() - began < 10
    assert jobs.get(job.id).result == {"work": f"job-{job.id}", "resumable": True}
    assert supervisor.state.failures == 0
    assert (settings.models_dir / ".work" / f"job-{job.id}" / "data.jsonl").exists()


def test_no_acknowledged_save_is_lost_when_the_saving_process_is_killed_200_times(
    project: tuple[Settings, Store, Jobs],
) -> None:
    _, store, _ = project
    killed = kill_savers(store, "open0", kills=200)
    assert (killed.kills, killed.lost) == (200, 0)
    assert killed.acknowledged >= 200


def run_a_limited_worker(settings: Settings, *, largest_file_bytes: int) -> None:
    """One worker until nothing waits, in a process in which files beyond the limit cannot be written, as on a full disk."""
    code = "import sys; from annotator.worker import main; sys.exit(main())"
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, 2 * ({largest_file_bytes},)); {code}"
    arguments = ["--data-dir", str(settings.data_dir), "--device", "cpu", "--idle-seconds", "0"]
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, check=True, capture_output=True)


def assert_failed_for_want_of_space(store: Store, job: Job) -> None:
    assert job.status is JobStatus.FAILED
    assert "space" in (job.error or "").lower() or "full" in (job.error or "").lower()
    active = store.active_model()
    assert active is not None
    assert active.id == "base"
    assert [m.id for m in store.models()] == ["base"]


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounting a small file system needs root")
@pytest.mark.parametrize("at_saving", [False, True], ids=["at a checkpoint", "at saving the model"])
def test_a_full_disk_fails_the_training_with_its_reason_and_harms_nothing(
    project: tuple[Settings, Store, Jobs], at_saving: bool
) -> None:
    settings, store, jobs = project
    small = settings.models_dir / ".work"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        # the best weights have room once, and not a second time as a model
        config = QUICK.changed(save_steps=None, eval_steps=QUICK.max_steps, patience=1) if at_saving else QUICK
        job = enqueue_training(jobs, TrainingWish(config, rule=RULE), by="ana")
        assert Worker(settings).run_one() is JobKind.TRAIN
        assert_failed_for_want_of_space(store, jobs.get(job.id))
        assert (small / f"job-{job.id}" / ".candidate.training" / "best").exists() is at_saving
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)  # weights that are mapped hold it for a moment


def test_a_model_too_large_for_the_disk_is_never_put_in_service_and_trains_once_there_is_room(
    project: tuple[Settings, Store, Jobs], tmp_path: Path
) -> None:
    settings, store, jobs = project
    large = a_base(tmp_path, wide_buckets=1 << 20)  # a table of 8 MB
    config = QUICK.changed(save_steps=None)
    job = enqueue_training(jobs, TrainingWish(config, base=str(large), rule=RULE), by="ana")
    run_a_limited_worker(settings, largest_file_bytes=4_000_000)
    assert_failed_for_want_of_space(store, jobs.get(job.id))
    again = resume_training(jobs, settings, job.id, by="ana")
    assert Worker(settings).run_one() is JobKind.TRAIN
    assert jobs.get(again.id).status is JobStatus.DONE, jobs.get(again.id).error
    assert_whole(settings, store, jobs.get(again.id))


def test_of_several_workers_never_two_train_at_once(store: Store) -> None:
    jobs = Jobs(store)
    ids = [jobs.enqueue(JobKind.TRAIN, {"steps": 10, "seconds": 0.02}).id for _ in range(4)]
    command = [sys.executable, "-m", "tests.annotator.worker_of_steps", "--data-dir", str(store.path.parent)]
    workers = [subprocess.Popen([*command, "--idle-seconds", "1"], cwd=ROOT) for _ in range(3)]
    try:
        while any(jobs.get(i).status in (JobStatus.QUEUED, JobStatus.RUNNING) for i in ids):
            assert len(jobs.jobs(kind=JobKind.TRAIN, statuses=[JobStatus.RUNNING])) <= 1
            assert any(w.poll() is None for w in workers)
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait()
    done = sorted((job.claimed_at or "", job.finished_at or "") for job in map(jobs.get, ids))
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(done))
    for job in map(jobs.get, ids):
        written = (store.path.parent / "models" / ".work" / f"job-{job.id}" / "steps.txt").read_text().splitlines()
        assert [line.split()[1] for line in written] == [str(n) for n in range(10)]
