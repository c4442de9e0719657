"""Clearing up while the app runs: what was promised to go after an hour, and what killed programs left lying."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import threading
from pathlib import Path

from annotator.exchange.downloads import KEEP_SECONDS, remove_old_exports
from annotator.exchange.uploads import sweep_uploads
from annotator.settings import Settings
from storage.files import is_over
from storage.jobs import Jobs
from storage.records import EvidenceError
from storage.staging import remove_abandoned

log = logging.getLogger(__name__)

EVERY_SECONDS = 300.0
UPLOADS_KEPT_SECONDS = 3600.0
LEFT_SECONDS = 7200.0
_LEFT_IN_MODELS = (".download-*", ".import-*", ".push-*", ".pull-*")
"""What is made and removed within one request or job; older ones were left by a process that was killed."""


class Housekeeper:
    """A thread that clears one project up: at the start, then every few minutes."""

    def __init__(self, settings: Settings, jobs: Jobs) -> None:
        self._settings, self._jobs = settings, jobs
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        while True:
            try:
                clear_up(self._settings, self._jobs)
            except (EvidenceError, OSError, sqlite3.Error) as error:
                log.warning("Clearing up goes on later after: %s", error)
            if self._stopping.wait(EVERY_SECONDS):
                break
        self._jobs.store.close()


def clear_up(settings: Settings, jobs: Jobs) -> None:
    """Remove exports and uploads that are over their time, and the folders of imports and transfers that were killed."""
    remove_old_exports(settings, older_than=KEEP_SECONDS)
    sweep_uploads(settings, jobs, older_than=UPLOADS_KEPT_SECONDS)
    remove_abandoned(settings.data_dir)
    for left in settings.data_dir.glob(".probe-*"):
        _remove_old(left)
    for pattern in _LEFT_IN_MODELS:
        for left in settings.models_dir.glob(pattern):
            _remove_old(left)


def _remove_old(path: Path) -> None:
    with contextlib.suppress(OSError):
        if is_over(path.lstat().st_mtime, LEFT_SECONDS):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
