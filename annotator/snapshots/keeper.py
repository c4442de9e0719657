"""The keeper: a thread of the app that backs the project up while there are changes, and once more when the app stops.

Two kinds: scheduled copies of the database in `backups/`, and snapshots of the whole project at another place. Whether
anything changed is asked of SQLite (`data_version` of the thread's own connection), so that a quiet project writes nothing.
"""

from __future__ import annotations

import dataclasses
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from annotator.settings import Settings
from annotator.snapshots.archive import Restored, Snapshots, has_database
from annotator.snapshots.targets import open_target
from storage.backup import back_up, backups
from storage.files import is_over
from storage.jobs import Jobs
from storage.records import EvidenceError, JobKind, JobStatus, Reviewer, Role
from storage.store import Store

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
FIRST_RETRY_SECONDS = 15.0
SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True)
class SnapshotState:
    """at: when the last snapshot was taken, Unix seconds, None for never. failing: why there is no newer one, or empty.
    late: changes have waited for longer than promised."""

    place: str
    at: float | None = None
    failing: str = ""
    late: bool = False

    def to_dict(self, now: float) -> dict[str, Any]:
        age = None if self.at is None else max(0.0, now - self.at)
        return {"place": self.place, "age_seconds": age, "failing": self.failing, "late": self.late}


class SnapshotKeeper:
    """Backs one project up. `start()` it once; `finish()` takes a last snapshot. `clock` gives Unix seconds."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        jobs: Jobs,
        *,
        passphrase: str | None,
        poll_seconds: float = POLL_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._store, self._jobs = settings, store, jobs
        self._clock, self._poll_seconds = clock, poll_seconds
        self._snapshots = snapshots_of(settings, passphrase)
        self._started_at = clock()
        self._taken: int | None = None  # data_version of the last snapshot; None: not known
        self._backed_up: int | None = None
        self._changed_at: float | None = None
        self._retry_at, self._retry_seconds = 0.0, FIRST_RETRY_SECONDS
        self._seconds = 0.0  # that the last snapshot took
        self._backup_retry_at = 0.0
        self._trained = self._last_training()
        self._state = SnapshotState(settings.snapshot_to)
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)

    @property
    def state(self) -> SnapshotState:
        return self._state

    def start(self) -> None:
        if self._snapshots is not None or self._backs_up:
            self._thread.start()

    def finish(self, timeout_seconds: float) -> bool:
        """End the thread, after a last snapshot if there is a place for it and there are changes. False if it was not done in
        time, or failed."""
        self.ask_to_finish()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        if self._snapshots is None:
            return True
        if self._thread.is_alive():
            log.error("The last snapshot was not finished after %.0f seconds.", timeout_seconds)
            return False
        return not self._state.failing

    def ask_to_finish(self) -> None:
        self._stopping.set()
        self._wake.set()

    def _run(self) -> None:
        self._learn_age()
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception as error:  # the thread must outlive anything; the page shows that something is wrong
                self._failed(error)
            self._wake.wait(self._poll_seconds)
            self._wake.clear()
        if self._snapshots is not None and self._version() != self._taken:
            self._take(self._snapshots, "the app stops")
        self._store.close()

    def look(self) -> None:
        """Do what is due."""
        if self._snapshots is not None and (reason := self._due()):
            self._take(self._snapshots, reason)
        if self._backs_up and self._backup_due():
            self._back_up()

    # --- snapshots at the other place

    def _learn_age(self) -> None:
        if self._snapshots is None:
            return
        try:
            self._state = dataclasses.replace(self._state, at=self._snapshots.newest_time())
        except EvidenceError as error:
            self._failed(error)

    def _due(self) -> str:
        """Why a snapshot is due, or empty. A training is secured at once; decisions within the promised time."""
        now = self._clock()
        if self._version() == self._taken:
            self._changed_at = None
            return ""
        if self._changed_at is None:
            self._changed_at = now
        promised = self._settings.snapshot_minutes * 60
        waited = now - self._changed_at
        if waited > promised + self._poll_seconds + self._seconds and not self._state.late:
            self._state = dataclasses.replace(self._state, late=True)
        if now < self._retry_at:
            return ""
        if (trained := self._last_training()) != self._trained:
            self._trained = trained
            return "a training ended"
        return "changes" if waited >= promised - min(promised / 2, self._seconds + self._poll_seconds) else ""

    def _take(self, snapshots: Snapshots, reason: str) -> None:
        began, version = self._clock(), self._version()
        try:
            manifest = snapshots.write(self._store, reason=reason, keep=self._settings.snapshot_keep)
        except Exception as error:  # as above
            self._failed(error)
            return
        self._taken, self._changed_at = version, None
        self._seconds = self._clock() - began
        self._retry_at, self._retry_seconds = 0.0, FIRST_RETRY_SECONDS
        self._state = SnapshotState(self._settings.snapshot_to, manifest.at)
        log.info("Snapshot %s (%s) taken in %.1f s", manifest.name, reason, self._seconds)

    def _failed(self, error: Exception) -> None:
        known = isinstance(error, EvidenceError)
        reason = str(error) if known else f"{type(error).__name__} (see the log)"
        if self._state.failing != reason:
            log.warning("There is no new snapshot: %s", reason, exc_info=None if known else error)
        self._state = dataclasses.replace(self._state, failing=reason)
        self._retry_at = self._clock() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, self._settings.snapshot_minutes * 60)

    def _version(self) -> int:
        """Changes with every commit of any other connection."""
        with self._store.read() as db:
            return int(db.execute("PRAGMA data_version").fetchone()[0])

    def _last_training(self) -> int:
        done = self._jobs.jobs(kind=JobKind.TRAIN, statuses=[JobStatus.DONE], limit=1)
        return done[0].id if done else 0

    # --- scheduled backups here

    @property
    def _backs_up(self) -> bool:
        return self._settings.backup_hours > 0 and not self._settings.demo

    def _backup_due(self) -> bool:
        now = self._clock()
        if now < self._backup_retry_at or self._version() == self._backed_up:
            return False
        earlier = backups(self._settings.backups_dir, SCHEDULED)
        last = earlier[0].stat().st_mtime if earlier else self._started_at
        return is_over(last, self._settings.backup_hours * 3600, now=now)

    def _back_up(self) -> None:
        version = self._version()
        try:
            folder, keep = self._settings.backups_dir, self._settings.backup_keep
            back_up(self._store, folder, keep=keep, prefix=SCHEDULED)
            self._backed_up = version
        except (EvidenceError, OSError, sqlite3.Error) as error:
            self._backup_retry_at = self._clock() + 600
            log.warning("The scheduled backup failed: %s", error)


def snapshot_shown_to(
    person: Reviewer | None, settings: Settings, keeper: SnapshotKeeper | None
) -> dict[str, Any] | None:
    """How old the last snapshot is and what is wrong, for admins of a project that has a place for snapshots; else None."""
    if keeper is None or not settings.snapshot_to or settings.demo or person is None or person.role is not Role.ADMIN:
        return None
    return keeper.state.to_dict(time.time())


def snapshots_of(settings: Settings, passphrase: str | None) -> Snapshots | None:
    """The snapshots at the place that the settings name, None if they name none."""
    if not settings.snapshot_to:
        return None
    return Snapshots(open_target(settings.snapshot_to), settings, passphrase=passphrase)


def restore_if_empty(settings: Settings, passphrase: str | None) -> Restored | None:
    """Where the data directory has no database yet, bring back the newest snapshot, if there is a place with one.

    Raises SnapshotRefused, TargetUnavailable, StoreUnavailable: then nothing may be begun, because an empty project would
    take the place of the one that could not be read.
    """
    found = None if has_database(settings) else snapshots_of(settings, passphrase)
    if found is None:
        return None
    restored = found.restore_newest()
    if restored is not None:
        log.warning("Restored the project from snapshot %s in %s.", restored.manifest.name, settings.snapshot_to)
        for model_id in restored.missing:
            log.warning("Model %s came back without its files.", model_id)
    else:
        log.warning("There is no snapshot in %s yet: a new project begins.", settings.snapshot_to)
    return restored
