"""The worker: a process of its own that claims jobs and runs them one at a time (`python -m annotator.worker`).

It runs at low priority, says every two seconds that it is alive, ends with the app that started it, and leaves after a
training so that its memory is really returned. It may be killed at any instant: the job's row and folder are the truth.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import logging
import os
import secrets
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from annotator.job_context import BEAT_SECONDS, JobContext, JobMonitor, WorkerStopping
from annotator.problems import readable
from annotator.settings import Settings, from_environment, prepare_process
from annotator.stop_signals import on_stop_signal
from storage.jobs import JobCancelled, JobLost, Jobs
from storage.records import EvidenceError, JobKind
from storage.store import open_store

log = logging.getLogger(__name__)

Handler = Callable[[JobContext], Mapping[str, Any] | None]

NICENESS = 10
POLL_SECONDS = 0.5
STOP_GRACE_SECONDS = 30.0  # between being told to stop and being ended by force: time to write a checkpoint
STALLED_AFTER_SECONDS = 900.0  # without a word from the job's own thread; loading a large model takes minutes
EXIT_FORCED = 75


class Busy(EvidenceError):
    """Another process still works in the job's folder."""


def handlers() -> dict[JobKind, Handler]:
    """What runs each kind of job."""
    from annotator.exchange.use_cases import run_import_job
    from annotator.training import calibration, model_jobs
    from annotator.training import run as training

    return {
        JobKind.TRAIN: training.run_train_job,
        JobKind.PREDICT: model_jobs.run_predict_job,
        JobKind.EVALUATE: lambda context: (
            calibration.run_calibration_job(context)
            if calibration.CALIBRATE in context.job.payload
            else model_jobs.run_evaluate_job(context)
        ),
        JobKind.IMPORT: run_import_job,
    }


class Worker:
    """Claims and runs jobs until told to stop. `token` makes the name unique: host:pid:token."""

    def __init__(
        self,
        settings: Settings,
        *,
        token: str | None = None,
        handlers_by_kind: Mapping[JobKind, Handler] | None = None,
        parent_pid: int | None = None,
    ) -> None:
        self.settings = settings
        self.store = open_store(settings.data_dir)
        self.jobs = Jobs(self.store)
        self.name = worker_name(os.getpid(), token or secrets.token_hex(4))
        self._handlers = handlers_by_kind
        self._parent_pid = parent_pid
        self.stopping = threading.Event()

    def run(self, *, idle_seconds: float | None = None, exit_after_training: bool = False) -> None:
        """Work until stopped, idle for `idle_seconds` (None: for ever), or a training has ended if so asked."""
        idle_since = time.monotonic()
        while not self.stopping.is_set():
            if self._parent_gone():
                return
            kind = self.run_one()
            if kind is JobKind.TRAIN and exit_after_training:
                return
            if kind is not None:
                idle_since = time.monotonic()
            elif idle_seconds is not None and time.monotonic() - idle_since >= idle_seconds:
                return
            else:
                self.stopping.wait(POLL_SECONDS)

    def run_one(self) -> JobKind | None:
        """Claim the oldest waiting job and run it to its end. Returns its kind, or None if none waited."""
        if self._handlers is None:
            self._handlers = handlers()
        job = self.jobs.claim(self.name, kinds=tuple(self._handlers))
        if job is None:
            return None
        monitor = JobMonitor(self.jobs, job)
        context = JobContext(self.settings, self.store, self.jobs, job, monitor)
        with Pulse(context, stopping=self.stopping, parent_gone=self._parent_gone):
            self._run(context, self._handlers[job.kind])
        return job.kind

    def _run(self, context: JobContext, handler: Handler) -> None:
        jobs, job, monitor = context.jobs, context.job, context.monitor
        try:
            with folder_lock(context.work_dir):
                result = handler(context)
            monitor.flush()
            if result is not None:
                jobs.finish(job, result)
        except JobLost as error:
            log.warning("%s", error)
        except JobCancelled:
            self._ending(monitor.flush)
            self._ending(lambda: jobs.acknowledge_cancel(job, kept(context)))
        except WorkerStopping as error:
            message = str(error)
            self._ending(monitor.flush)
            self._ending(lambda: jobs.release(job, message))
        except Exception as error:
            reason = readable(error)
            self._ending(monitor.flush)
            self._ending(lambda: jobs.fail(job, reason))

    def _ending(self, change: Callable[[], None]) -> None:
        """Make the last change of a job; that it was lost in the meantime is no news."""
        try:
            change()
        except JobLost as error:
            log.warning("%s", error)

    def _parent_gone(self) -> bool:
        return self._parent_pid is not None and os.getppid() != self._parent_pid


class Pulse:
    """The thread beside a job: heartbeats, carries the wish to stop into the job, and ends the process if it hangs."""

    def __init__(self, context: JobContext, *, stopping: threading.Event, parent_gone: Callable[[], bool]) -> None:
        self._context, self._stopping, self._parent_gone = context, stopping, parent_gone
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"pulse-{context.job.id}", daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        monitor = self._context.monitor
        beat_at = 0.0
        while not self._over.wait(0.25):
            if self._stopping.is_set():
                monitor.stop(WorkerStopping("Waits: the app was stopped. Goes on when it runs again."))
            elif self._parent_gone():
                monitor.stop(WorkerStopping("Waits: the app ended unexpectedly. Goes on when it runs again."))
            if time.monotonic() - max(beat_at, monitor.written_at) >= BEAT_SECONDS:
                self._heartbeat()
                beat_at = time.monotonic()
            self._end_by_force_if_stuck()
        self._context.store.close()

    def _heartbeat(self) -> None:
        try:
            self._context.jobs.heartbeat(self._context.job)
        except (JobCancelled, JobLost) as error:
            self._context.monitor.stop(error)
        except sqlite3.Error as error:  # a full disk or a long lock: the next beat may get through
            log.warning("No heartbeat: %s", error)

    def _end_by_force_if_stuck(self) -> None:
        monitor, job, jobs = self._context.monitor, self._context.job, self._context.jobs
        if monitor.stop_reason is not None and monitor.seconds_since_stop > STOP_GRACE_SECONDS:
            with contextlib.suppress(EvidenceError, sqlite3.Error):
                if isinstance(monitor.stop_reason, JobCancelled):
                    jobs.acknowledge_cancel(job, kept(self._context))
                elif isinstance(monitor.stop_reason, WorkerStopping):
                    jobs.release(job, str(monitor.stop_reason))
            os._exit(EXIT_FORCED)
        if time.monotonic() - monitor.alive_at > STALLED_AFTER_SECONDS:
            with contextlib.suppress(EvidenceError, sqlite3.Error):
                jobs.log(job, f"No progress for {STALLED_AFTER_SECONDS / 60:.0f} minutes; the worker restarts.")
            os._exit(EXIT_FORCED)  # the supervisor puts the job back in the queue


@contextlib.contextmanager
def folder_lock(folder: Path, *, wait_seconds: float = 30.0) -> Iterator[None]:
    """Hold `folder` for this process alone. The lock ends with the process, however that ends. Raises Busy.

    A worker that was taken for dead may still be writing there; its successor waits for it instead of mixing in.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as handle:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise Busy(
                        f"Another worker is still busy in {folder.name}. End it, then resume the job."
                    ) from error
                time.sleep(0.2)
        yield


def kept(context: JobContext) -> dict[str, Any]:
    """What a job that was stopped left for whoever resumes it."""
    return {"work": context.work_dir.name, "resumable": context.work_dir.is_dir()}


def worker_name(pid: int, token: str) -> str:
    return f"{socket.gethostname()}:{pid}:{token}"


def be_modest() -> None:
    """Leave the processor to whoever answers a person."""
    os.nice(NICENESS)
    with contextlib.suppress(AttributeError, OSError):  # Linux only
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="annotator.worker", description="Run the jobs of a project.")
    arguments.add_argument("--data-dir", type=Path)
    arguments.add_argument("--device")
    arguments.add_argument("--dtype")
    arguments.add_argument("--attention")
    arguments.add_argument("--threads", type=int)
    arguments.add_argument("--serving-while-training")
    arguments.add_argument("--token", help=argparse.SUPPRESS)
    arguments.add_argument("--parent-pid", type=int, help="end when this process is gone")
    arguments.add_argument("--idle-seconds", type=float, help="end after so long without a job; unset: never")
    arguments.add_argument("--exit-after-training", action="store_true", help="return all memory after a training")
    return arguments


def main(argv: Sequence[str] | None = None, *, handlers_by_kind: Mapping[JobKind, Handler] | None = None) -> int:
    """Run a worker until it is told to stop. Returns the exit code: 0, or 1 if the project cannot be opened."""
    given = parser().parse_args(argv)
    try:
        chosen = ("data_dir", "device", "dtype", "attention", "threads", "serving_while_training")
        settings = from_environment({name: getattr(given, name) for name in chosen})
        prepare_process(settings)
        worker = Worker(settings, token=given.token, parent_pid=given.parent_pid, handlers_by_kind=handlers_by_kind)
    except EvidenceError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    be_modest()
    on_stop_signal(worker.stopping.set)
    worker.run(idle_seconds=given.idle_seconds, exit_after_training=given.exit_after_training)
    return 0


if __name__ == "__main__":
    sys.exit(main())
