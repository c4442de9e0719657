"""The supervisor: a thread of the app that starts the worker when there is work, and looks after it.

The worker is started when a job waits, and ends by itself when there is nothing to do: an idle app holds no second
process. A worker that dies has its jobs put back in the queue at once; one that fails again and again is started ever
more slowly. Stopping the app stops the worker, and a worker whose app was killed ends by itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.settings import Settings
from annotator.worker import STOP_GRACE_SECONDS, worker_name
from storage.jobs import ABANDONED_AFTER_SECONDS, Jobs
from storage.records import EvidenceError, Job, JobStatus

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
CHORES_EVERY_SECONDS = 30.0
IDLE_SECONDS = 20.0
LONGEST_BACKOFF_SECONDS = 60.0
LOG_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class SupervisorState:
    """pid: of the worker, None while none runs. failures: ends in a row that were no clean exit."""

    pid: int | None
    failures: int
    last_exit: int | None


class Supervisor:
    """Keeps one worker process for the jobs of a project.

    chores: called every half minute in the supervisor's thread; what they raise is logged and they are called again. None
        for the standard ones: automatic retraining, and sweeping up what crashes left.
    """

    def __init__(
        self,
        settings: Settings,
        jobs: Jobs,
        *,
        chores: Sequence[Callable[[], object]] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "annotator.worker"),
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._settings, self._jobs = settings, jobs
        self._chores = standard_chores(settings, jobs) if chores is None else tuple(chores)
        self._command, self._poll_seconds = list(command), poll_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._name = ""
        self._failures, self._not_before = 0, 0.0
        self._last_exit: int | None = None
        self._chores_at = 0.0
        self._trouble: dict[int, str] = {}
        self._silent_before: set[tuple[int, int, str | None]] = set()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    @property
    def state(self) -> SupervisorState:
        process = self._process
        return SupervisorState(process.pid if process else None, self._failures, self._last_exit)

    def start(self) -> None:
        """Take back the jobs of workers that died with an earlier app, and begin to look after this one's."""
        requeue_dead_workers(self._jobs)
        self._thread.start()

    def stop(self, *, timeout_seconds: float = STOP_GRACE_SECONDS + 5) -> None:
        """End the worker, giving it time for a checkpoint; its job waits in the queue for the next start."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._kill(process)
        self._reap()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step()
            except (EvidenceError, sqlite3.Error, OSError) as error:
                log.warning("The supervisor goes on after: %s", error)
            self._wake.wait(self._poll_seconds)
            self._wake.clear()
        self._jobs.store.close()

    def step(self) -> None:
        """One look: at the worker, at silent jobs, at waiting jobs, at the chores."""
        if self._process is not None and self._process.poll() is not None:
            self._reap()
        if time.monotonic() - self._chores_at >= CHORES_EVERY_SECONDS:
            self._chores_at = time.monotonic()
            self._take_back_silent_jobs()
            requeue_dead_workers(self._jobs)
            self._do_chores()
        if self._process is None and time.monotonic() >= self._not_before and self._work_waits():
            self._spawn()

    def _do_chores(self) -> None:
        """Each by itself: what keeps one from being done keeps no other, and is logged once while it stays the same."""
        for number, chore in enumerate(self._chores):
            trouble = ""
            try:
                chore()
            except (EvidenceError, sqlite3.Error, OSError) as error:
                trouble = f"{type(error).__name__}: {error}"
            if trouble and trouble != self._trouble.get(number):
                log.warning("A chore could not be done and is tried again every half minute. %s", trouble)
            self._trouble[number] = trouble

    def _work_waits(self) -> bool:
        return bool(self._jobs.jobs(statuses=[JobStatus.QUEUED], limit=1))

    def _spawn(self) -> None:
        token = secrets.token_hex(4)
        arguments = ["--token", token, "--parent-pid", str(os.getpid()), "--idle-seconds", str(IDLE_SECONDS)]
        arguments += [*settings_arguments(self._settings), "--exit-after-training"]
        with self._log_file().open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*self._command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl+C in the terminal reaches the app only, which then ends the worker
                cwd=Path(__file__).resolve().parent.parent,
            )
        self._name = worker_name(self._process.pid, token)

    def _reap(self) -> None:
        """Note how the worker ended and put the jobs that it held back in the queue."""
        process = self._process
        if process is None:
            return
        self._last_exit = process.wait()
        self._process = None
        taken_back = self._jobs.requeue_abandoned(worker=self._name)
        if self._last_exit == 0:
            self._failures = 0
            return
        self._failures += 1
        pause = min(LONGEST_BACKOFF_SECONDS, 2.0 ** (self._failures - 1))
        self._not_before = time.monotonic() + pause
        for job in taken_back:
            log.warning("The worker ended with %s in job %s, which is now %s.", self._last_exit, job.id, job.status)

    def _take_back_silent_jobs(self) -> None:
        """Give on the jobs of workers that live but have stopped beating (a stopped process, a dead disk).

        Only when silent at two looks: after a machine slept, every heartbeat is old for a moment. Our own worker is
        killed first; another one is kept out by the lock on the job's folder.
        """
        silent = {(j.id, j.attempt, j.worker) for j in silent_jobs(self._jobs)}
        again, self._silent_before = silent & self._silent_before, silent
        if not again:
            return
        if self._process is not None and any(worker == self._name for _, _, worker in again):
            self._kill(self._process)
            self._reap()
        self._jobs.requeue_abandoned()

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its own session: children go too
        process.wait()

    def _log_file(self) -> Path:
        path = self._settings.data_dir / "worker.log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path


def standard_chores(settings: Settings, jobs: Jobs) -> tuple[Callable[[], object], ...]:
    from annotator.models import registry as training_registry
    from annotator.training import auto as training_auto
    from annotator.training import calibration as training_calibration

    return (
        lambda: training_auto.enqueue_if_due(jobs.store, jobs, settings),
        lambda: training_calibration.enqueue_calibration_if_due(jobs.store, jobs),
        lambda: training_registry.sweep(jobs.store, jobs, settings),
    )


def settings_arguments(settings: Settings) -> list[str]:
    """What the worker must know of this app's settings, as its command line; the environment it inherits."""
    chosen = {"data-dir": settings.data_dir, "device": settings.device, "dtype": settings.dtype}
    chosen |= {"attention": settings.attention, "threads": settings.threads}
    chosen |= {"serving-while-training": settings.serving_while_training}
    return [part for name, value in chosen.items() if value is not None for part in (f"--{name}", str(value))]


def silent_jobs(jobs: Jobs, *, silent_seconds: float = ABANDONED_AFTER_SECONDS) -> list[Job]:
    """Running jobs whose last heartbeat is older than that."""
    old = time.time() - silent_seconds
    return [j for j in jobs.jobs(statuses=[JobStatus.RUNNING]) if (j.heartbeat_at or 0.0) < old]


def requeue_dead_workers(jobs: Jobs) -> list[Job]:
    """Put back the running jobs of workers of this machine whose process is gone, without waiting for silence."""
    taken_back: list[Job] = []
    for name in {j.worker for j in jobs.jobs(statuses=[JobStatus.RUNNING]) if j.worker}:
        host, pid, _ = name.rsplit(":", 2)
        if host == socket.gethostname() and not is_worker_process(int(pid)):
            taken_back += jobs.requeue_abandoned(worker=name)
    return taken_back


def is_worker_process(pid: int) -> bool:
    """True if a worker runs under that process id. Where `/proc` is missing, any living process counts as one."""
    command_line = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            words = command_line.read_bytes()
        except OSError:
            return False
        return b"annotator.worker" in words or b"evidence" in words
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
