"""Jobs: units of background work as rows that outlive a crash. One method per change of state.

queued → running → done | failed | cancelled; a running job whose worker fell silent goes back to queued, and fails after
MAX_ATTEMPTS. Only the worker that holds a job may change it: every event checks the name that claimed it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from storage.records import EvidenceError, Job, JobKind, JobStatus, NotFound, utc_now
from storage.rows import job_from_row, to_json
from storage.store import Store

MAX_ATTEMPTS = 3
ABANDONED_AFTER_SECONDS = 60.0


class JobLost(EvidenceError):
    """The job is no longer this worker's: it was taken over or ended. Stop working on it."""


class JobCancelled(EvidenceError):
    """Somebody asked for the job to stop."""


class Jobs:
    """The job table of a store. `clock` gives Unix seconds."""

    def __init__(self, store: Store, *, clock: Any = time.time) -> None:
        self.store = store
        self._clock = clock

    def enqueue(self, kind: JobKind, payload: Mapping[str, Any], *, by: str | None = None) -> Job:
        with self.store.write() as db:
            cursor = db.conn.execute(
                "INSERT INTO job (kind, status, payload, created_by, created_at) VALUES (?, 'queued', ?, ?, ?)",
                [str(kind), to_json(dict(payload)), by, utc_now()],
            )
            return self.get(int(cursor.lastrowid or 0))

    def get(self, job_id: int) -> Job:
        with self.store.read() as db:
            for row in db.query("SELECT * FROM job WHERE id = ?", [job_id]):
                return job_from_row(row)
        raise NotFound(f"There is no job {job_id}.")

    def jobs(
        self, *, kind: JobKind | None = None, statuses: Sequence[JobStatus] = (), limit: int = 50, offset: int = 0
    ) -> list[Job]:
        """A page of the jobs, newest first."""
        with self.store.read() as db:
            rows = db.query(
                "SELECT * FROM job WHERE (:kind IS NULL OR kind = :kind) AND (:all OR status IN"
                " (SELECT value FROM json_each(:statuses))) ORDER BY id DESC LIMIT :limit OFFSET :offset",
                {
                    "kind": kind and str(kind),
                    "all": not statuses,
                    "statuses": json.dumps([str(s) for s in statuses]),
                    "limit": limit,
                    "offset": offset,
                },
            )
            return [job_from_row(row) for row in rows]

    def claim(self, worker: str, *, kinds: Sequence[JobKind] = tuple(JobKind)) -> Job | None:
        """Take the oldest queued job, or None. Never a second training while one is running."""
        with self.store.write() as db:
            rows = list(
                db.query(
                    "SELECT id FROM job WHERE status = 'queued' AND kind IN (SELECT value FROM json_each(?)) AND (kind != 'train'"
                    " OR NOT EXISTS (SELECT 1 FROM job WHERE status = 'running' AND kind = 'train')) ORDER BY id LIMIT 1",
                    [json.dumps([str(k) for k in kinds])],
                )
            )
            if not rows:
                return None
            db.conn.execute(
                "UPDATE job SET status = 'running', worker = ?, claimed_at = ?, heartbeat_at = ?, attempt = attempt + 1,"
                " error = NULL WHERE id = ?",
                [worker, utc_now(), self._clock(), rows[0]["id"]],
            )
            return self.get(rows[0]["id"])

    def heartbeat(self, job: Job) -> None:
        """Say that the worker is alive. Raises JobLost, or JobCancelled if somebody asked to stop."""
        self._report(job, "", [], ())

    def progress(
        self,
        job: Job,
        fraction: float,
        *,
        stage: str | None = None,
        message: str | None = None,
        points: Sequence[tuple[int, Mapping[str, float]]] = (),
    ) -> None:
        """Set progress in [0, 1] and add points (step, values) to the curves; also a heartbeat, with its errors."""
        change = "progress = ?, stage = coalesce(?, stage), message = coalesce(?, message), "
        self._report(job, change, [min(1.0, max(0.0, fraction)), stage, message], points)

    def _report(
        self, job: Job, change: str, values: list[Any], points: Sequence[tuple[int, Mapping[str, float]]]
    ) -> None:
        with self.store.write(durable=False) as db:
            self._change(db, job, f"{change}heartbeat_at = ?", [*values, self._clock()])
            for step, found in points:
                self.add_metrics(job, step, found)
            cancelled = db.execute("SELECT cancel_requested FROM job WHERE id = ?", [job.id]).fetchone()[0]
        if cancelled:
            raise JobCancelled(f"Job {job.id} was cancelled.")

    def finish(self, job: Job, result: Mapping[str, Any]) -> None:
        """Mark as done. Call inside `store.write()` with what the job made, so that both happen or neither."""
        with self.store.write() as db:
            self._end(db, job, JobStatus.DONE, result=to_json(dict(result)))

    def fail(self, job: Job, reason: str) -> None:
        with self.store.write() as db:
            self._end(db, job, JobStatus.FAILED, error=reason)

    def acknowledge_cancel(self, job: Job, result: Mapping[str, Any] | None = None) -> None:
        """The worker has stopped as asked; `result` says what it kept."""
        with self.store.write() as db:
            self._end(db, job, JobStatus.CANCELLED, result=None if result is None else to_json(dict(result)))

    def release(self, job: Job, message: str) -> None:
        """Put the job back in the queue because its worker was told to stop; the attempt does not count."""
        with self.store.write() as db:
            self._change(
                db,
                job,
                "status = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'queued' END, worker = NULL, message = ?,"
                " attempt = attempt - 1, finished_at = CASE WHEN cancel_requested THEN ? END",
                [message, utc_now()],
            )

    def request_cancel(self, job_id: int) -> Job:
        """Ask a job to stop: a queued one ends here, a running one is told at its next heartbeat."""
        with self.store.write() as db:
            self.get(job_id)
            db.conn.execute(
                "UPDATE job SET status = 'cancelled', finished_at = ? WHERE id = ? AND status = 'queued'",
                [utc_now(), job_id],
            )
            db.conn.execute("UPDATE job SET cancel_requested = 1 WHERE id = ? AND status = 'running'", [job_id])
            return self.get(job_id)

    def requeue_abandoned(
        self, *, silent_seconds: float = ABANDONED_AFTER_SECONDS, worker: str | None = None
    ) -> list[Job]:
        """Put running jobs whose worker fell silent back in the queue, or fail them after MAX_ATTEMPTS.

        worker: the jobs of this worker, known to be dead, whatever their heartbeat. Returns the jobs as they are now.
        """
        with self.store.write() as db:
            rows = list(
                db.query(
                    "SELECT id, attempt, cancel_requested FROM job WHERE status = 'running'"
                    " AND ((:worker IS NULL AND heartbeat_at < :old) OR worker = :worker)",
                    {"old": self._clock() - silent_seconds, "worker": worker},
                )
            )
            for row in rows:
                if row["cancel_requested"]:
                    change, values = "status = 'cancelled', finished_at = ?", [utc_now()]
                elif row["attempt"] >= MAX_ATTEMPTS:
                    reason = f"The worker stopped unexpectedly {row['attempt']} times while running this job."
                    change, values = "status = 'failed', finished_at = ?, error = ?", [utc_now(), reason]
                else:
                    change, values = (
                        "status = 'queued', worker = NULL, message = ?",
                        ["Resumed after the worker stopped."],
                    )
                db.conn.execute(f"UPDATE job SET {change} WHERE id = ?", [*values, row["id"]])
            return [self.get(row["id"]) for row in rows]

    # --- curves and log

    def add_metrics(self, job: Job, step: int, values: Mapping[str, float]) -> None:
        """Points of the live curves; a repeated (name, step), as after a resume, replaces the earlier one."""
        with self.store.write(durable=False) as db:
            db.conn.executemany(
                "INSERT OR REPLACE INTO job_metric (job_id, step, name, value) VALUES (?, ?, ?, ?)",
                [(job.id, step, name, float(value)) for name, value in values.items()],
            )

    def metrics(self, job_id: int) -> list[dict[str, Any]]:
        """Rows {"step", "name", "value"} in order of step."""
        with self.store.read() as db:
            return list(
                db.query("SELECT step, name, value FROM job_metric WHERE job_id = ? ORDER BY step, name", [job_id])
            )

    def log(self, job: Job, line: str) -> None:
        """Add a line to the job's log. Never post text."""
        with self.store.write(durable=False) as db:
            db.conn.execute("INSERT INTO job_log (job_id, at, line) VALUES (?, ?, ?)", [job.id, utc_now(), line[:2000]])

    def log_tail(self, job_id: int, *, lines: int = 50) -> list[str]:
        with self.store.read() as db:
            rows = db.query("SELECT at, line FROM job_log WHERE job_id = ? ORDER BY id DESC LIMIT ?", [job_id, lines])
            return [f"{row['at'][11:19]} {row['line']}" for row in rows][::-1]

    def _change(self, db: Any, job: Job, assignments: str, values: list[Any]) -> None:
        cursor = db.conn.execute(
            f"UPDATE job SET {assignments} WHERE id = ? AND status = 'running' AND worker = ? AND attempt = ?",
            [*values, job.id, job.worker, job.attempt],
        )
        if cursor.rowcount == 0:
            raise JobLost(f"Job {job.id} is no longer run by {job.worker}.")

    def _end(
        self, db: Any, job: Job, status: JobStatus, *, result: str | None = None, error: str | None = None
    ) -> None:
        self._change(
            db,
            job,
            "status = ?, result = ?, error = ?, finished_at = ?, progress = CASE WHEN ? = 'done' THEN 1 ELSE progress END",
            [str(status), result, error, utc_now(), str(status)],
        )
