"""What a running job is given: its store, its folder, and the monitor through which it reports and is told to stop.

Knows no kind of job. The monitor writes little and seldom, because every write waits for the disk, and so does a
reviewer's save that comes at the same moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from annotator.settings import Settings
from storage.jobs import JobLost, Jobs
from storage.records import EvidenceError, Job
from storage.store import Store

PROGRESS_EVERY_SECONDS = 1.0
BEAT_SECONDS = 2.0


class WorkerStopping(EvidenceError):
    """The worker was told to end, or the app that started it is gone: keep what there is and stop."""


class JobMonitor:
    """Takes a job's progress, curves and log lines, and raises in the job's own thread when it must stop.

    progress(fraction, stage, message), metrics(step, values), log(line): the encoder's `Monitor`.
    Each raises JobCancelled, JobLost or WorkerStopping once that is known; `check` does only that.
    """

    def __init__(self, jobs: Jobs, job: Job) -> None:
        self._jobs, self._job = jobs, job
        self._lock = threading.Lock()
        self._stop: EvidenceError | None = None
        self._stopped_at: float | None = None
        self._points: list[tuple[int, dict[str, float]]] = []
        self._stage = ""
        self.written_at = 0.0  # of the last progress, which is a heartbeat too
        self.alive_at = time.monotonic()

    def stop(self, reason: EvidenceError) -> None:
        """Make the next report of the job raise `reason`. May be called from any thread; the first reason counts."""
        with self._lock:
            if self._stop is None:
                self._stop, self._stopped_at = reason, time.monotonic()

    @property
    def stop_reason(self) -> EvidenceError | None:
        return self._stop

    @property
    def seconds_since_stop(self) -> float:
        return 0.0 if self._stopped_at is None else time.monotonic() - self._stopped_at

    def check(self) -> None:
        self.alive_at = time.monotonic()
        self.raise_if_stopped()

    def raise_if_stopped(self) -> None:
        """`check`, but no sign of life: for a job that waits for another process, which may hang."""
        if self._stop is not None:
            raise self._stop

    def progress(self, fraction: float, stage: str = "", message: str = "") -> None:
        self.check()
        if stage == self._stage and time.monotonic() - self.written_at < PROGRESS_EVERY_SECONDS:
            return
        points, self._points = self._points, []
        self._stage, self.written_at = stage, time.monotonic()
        self._jobs.progress(self._job, fraction, stage=stage or None, message=message or None, points=points)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """The points are written together with the next progress."""
        self.check()
        self._points.append((step, {name: float(value) for name, value in values.items()}))

    def log(self, line: str) -> None:
        self.check()
        self._flush()
        self._jobs.log(self._job, line)

    def flush(self) -> None:
        """Write the points that wait. Call when the job ends, however it ends."""
        self._flush()

    def _flush(self) -> None:
        points, self._points = self._points, []
        if points:
            with self._jobs.store.write(durable=False):
                for step, values in points:
                    self._jobs.add_metrics(self._job, step, values)


class Part:
    """A monitor for one part of a job: its 0..1 is the job's low..high, its stage has a fixed name."""

    def __init__(self, monitor: JobMonitor, low: float, high: float, stage: str) -> None:
        self._monitor, self._low, self._high, self._stage = monitor, low, high, stage

    def check(self) -> None:
        self._monitor.check()

    def raise_if_stopped(self) -> None:
        self._monitor.raise_if_stopped()

    def progress(self, fraction: float, stage: str = "", message: str = "") -> None:
        fraction = min(1.0, max(0.0, fraction))
        self._monitor.progress(self._low + (self._high - self._low) * fraction, self._stage, message or stage)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self._monitor.metrics(step, values)

    def log(self, line: str) -> None:
        self._monitor.log(line)


@dataclass(frozen=True, slots=True)
class JobContext:
    """Everything that a job's code may use."""

    settings: Settings
    store: Store
    jobs: Jobs
    job: Job
    monitor: JobMonitor

    @property
    def work_dir(self) -> Path:
        """The job's own folder, kept until the job is over, so that a resumed job finds what it had.

        A job that continues a cancelled or failed one uses the folder of that one.
        """
        return self.settings.models_dir / ".work" / str(self.job.payload.get("work") or f"job-{self.job.id}")

    def still_mine(self) -> None:
        """Raise JobLost or JobCancelled unless this worker holds the job at this very moment."""
        current = self.jobs.get(self.job.id)
        if current.worker != self.job.worker or current.attempt != self.job.attempt:
            raise JobLost(f"Job {self.job.id} is no longer run by {self.job.worker}.")
        self.jobs.heartbeat(self.job)
