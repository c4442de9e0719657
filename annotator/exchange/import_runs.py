"""Imports that the page starts: each in a thread of the app, or as a job of the worker when the file is large.

A person has one at a time; where it stands can be asked from any of their pages, so a reload loses nothing.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

from annotator.exchange.importing import check_import, run_import
from annotator.exchange.options import ImportOptions, ImportReport
from annotator.exchange.uploads import keep_copy
from annotator.exchange.watch import Watch
from annotator.settings import Settings
from storage.jobs import Jobs
from storage.records import EvidenceError, InvalidRecord, Job, JobKind, JobStatus
from storage.store import Store

log = logging.getLogger(__name__)
JOB_FROM_BYTES = 16 << 20  # beyond this, reading would slow the pages down


@dataclass
class Run:
    """One import or dry run. `report` or `error` is set when it is over."""

    dry_run: bool
    fraction: float = 0.0
    message: str = "starting"
    report: ImportReport | None = None
    error: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    job_id: int | None = None


class ImportRuns:
    """The imports of all people in this process."""

    def __init__(self, settings: Settings, store: Store, jobs: Jobs) -> None:
        self._settings, self._store, self._jobs = settings, store, jobs
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()

    def start(self, path: Path, options: ImportOptions, *, by: str, file_name: str, dry_run: bool) -> Run:
        """Begin. Raises InvalidRecord while the person's last one is still running."""
        run = Run(dry_run)
        with self._lock:
            last = self._runs.get(by)
            if last is not None and not last.finished.is_set():
                raise InvalidRecord("Your last import is still running. Wait for it, or cancel it.")
            self._runs[by] = run
        target, arguments = self._work, (run, path, options, by, file_name)
        try:
            if not dry_run and path.stat().st_size >= JOB_FROM_BYTES:
                run.job_id = self._enqueue(path, options, by=by, file_name=file_name).id
                target, arguments = self._follow, (run,)  # type: ignore[assignment]
        except BaseException:  # the upload is gone, or there is no room for a copy: not in the way of the next try
            run.finished.set()
            raise
        threading.Thread(target=target, args=arguments, daemon=True, name=f"import by {by}").start()
        return run

    def current(self, by: str) -> Run | None:
        return self._runs.get(by)

    def cancel(self, by: str) -> None:
        run = self._runs.get(by)
        if run is not None:
            run.cancelled.set()
            if run.job_id is not None:
                self._jobs.request_cancel(run.job_id)

    def _enqueue(self, path: Path, options: ImportOptions, *, by: str, file_name: str) -> Job:
        kept = keep_copy(self._settings, path)
        payload = {"path": str(kept), "file_name": file_name, "options": options.to_dict(), "remove": True}
        return self._jobs.enqueue(JobKind.IMPORT, payload, by=by)

    def _work(self, run: Run, path: Path, options: ImportOptions, by: str, file_name: str) -> None:
        def tell(fraction: float, message: str) -> None:
            run.fraction, run.message = fraction, message

        watch = Watch(tell, run.cancelled.is_set)
        try:
            if run.dry_run:
                run.report = check_import(self._store, path, options, watch=watch)
            else:
                run.report = run_import(
                    self._store,
                    path,
                    options,
                    by=by,
                    file_name=file_name,
                    watch=watch,
                )
        except EvidenceError as error:
            run.error = str(error)
        except Exception as error:  # the thread's last resort: the page must hear of it, without post text
            log.error("An import failed: %s", type(error).__name__)
            run.error = f"The import failed unexpectedly ({type(error).__name__}). Nothing was imported."
        finally:
            self._store.close()
            run.finished.set()

    def _follow(self, run: Run) -> None:
        """Watch a job of the worker until it ends."""
        try:
            while not run.finished.wait(0.5):
                job = self._jobs.get(run.job_id or 0)
                waiting = job.status is JobStatus.QUEUED
                run.fraction, run.message = (
                    job.progress,
                    "waiting for the background worker" if waiting else job.message,
                )
                if job.finished_at is not None:
                    run.report = ImportReport(**job.result) if job.status is JobStatus.DONE and job.result else None
                    cancelled = job.status is JobStatus.CANCELLED
                    run.error = job.error or ("The import was cancelled. Nothing was imported." if cancelled else None)
                    Path(str(job.payload["path"])).unlink(missing_ok=True)  # no worker saw a job cancelled in the queue
                    run.finished.set()
        finally:
            self._store.close()
            run.finished.set()
