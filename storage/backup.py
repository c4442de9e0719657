"""Backups of the database: online copy, verified before it counts; and back again."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from storage.connection import DATABASE_NAME, PENDING
from storage.files import replacing, sync, unused
from storage.records import EvidenceError, StoreUnavailable, utc_now
from storage.soundness import private_file
from storage.store import Store

_TIME_FORMAT = "%Y-%m-%dT%H%M%SZ"
_TIME = "2026-01-01T000000Z"


class BackupInvalid(EvidenceError):
    """A backup that cannot be trusted."""


def back_up(store: Store, folder: Path, *, keep: int = 10, prefix: str = "evidence") -> Path:
    """Copy the live database to `folder`, check the copy, and only then give it its name. Returns its path.

    Older backups of the same prefix beyond `keep` are removed. Raises BackupInvalid, and StoreUnavailable if the folder
    cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = unused(folder / f"{prefix}-{_new_time(backups(folder, prefix))}.db")
        with replacing(target) as temporary:
            copy_database(store, temporary)
        for old in backups(folder, prefix)[keep:]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"The backup could not be written to {folder}: {error}.") from error
    return target


def _new_time(there: list[Path]) -> str:
    """Now, or a second after the newest that is there: of a clock that was set back, the new backup would be taken for the oldest."""
    now, newest = utc_now().replace(":", ""), there[0].stem[-len(_TIME) :] if there else ""
    with contextlib.suppress(ValueError):  # of a name that is not ours
        if newest >= now:
            later = dt.datetime.strptime(newest, _TIME_FORMAT).replace(tzinfo=dt.UTC) + dt.timedelta(seconds=1)
            return later.strftime(_TIME_FORMAT)
    return now


def copy_database(store: Store, target: Path) -> None:
    """A verified copy of the live database of one moment, as a single file that is on the disk. Raises BackupInvalid."""
    try:
        private_file(target)
        with contextlib.closing(sqlite3.connect(target)) as copy:
            with store.read() as db:
                db.conn.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    except (OSError, sqlite3.Error) as error:  # the disk is full, as a rule
        raise StoreUnavailable(f"The database could not be copied to {target}: {error}.") from error
    verify(target)
    sync(target)


def backups(folder: Path, prefix: str = "evidence") -> list[Path]:
    """Finished backups, newest first."""
    return sorted(folder.glob(f"{prefix}-*.db"), key=lambda p: p.name, reverse=True)


def describe(path: Path) -> dict[str, Any]:
    """What can be seen in a verified copy: {"schema": names of migrations, "counts", "models": [{"id", "path"}], "active"}."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        seen = f"ifnull(import_id, 0) NOT IN ({PENDING})"
        counts = {
            name: db.execute(f"SELECT count(*) FROM {table} WHERE {seen}").fetchone()[0]
            for name, table in (("posts", "post"), ("decisions", "annotation"), ("reviewers", "reviewer"))
        }
        models = db.execute("SELECT id, path FROM model_version WHERE status != 'deleted' ORDER BY id").fetchall()
        active = db.execute("SELECT model_version FROM model_activation ORDER BY id DESC LIMIT 1").fetchone()
        schema = [name for (name,) in db.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
    return {
        "schema": schema,
        "counts": counts,
        "models": [{"id": model_id, "path": path} for model_id, path in models],
        "active": active and active[0],
    }


def verify(path: Path) -> None:
    """Raise BackupInvalid unless the file is a whole database of this program."""
    if not path.is_file():
        raise BackupInvalid(f"{path} is not there.")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            result = connection.execute("PRAGMA integrity_check").fetchone()[0]
            broken = connection.execute("PRAGMA foreign_key_check").fetchone()
            connection.execute("SELECT count(*) FROM post").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise BackupInvalid(f"{path} is not a usable backup: {error}.") from error
    if result != "ok" or broken is not None:
        raise BackupInvalid(f"{path} is damaged: {result if result != 'ok' else 'a reference leads nowhere'}.")


def restore(backup_path: Path, data_dir: Path, *, overwrite: bool = False) -> Path:
    """Put a verified backup in place as the data directory's database. Returns the database's path.

    An existing database is kept beside it as `evidence.db.before-restore-…`. The app must not be running on the directory.
    Raises BackupInvalid; StoreUnavailable if a database is there and `overwrite` is False.
    """
    verify(backup_path)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = data_dir / DATABASE_NAME
    if target.exists():
        if not overwrite:
            raise StoreUnavailable(
                f"{target} exists. Say explicitly that it may be replaced; it is kept beside the new one."
            )
        _fold_journal(target)
        target.replace(unused(target.with_name(f"{DATABASE_NAME}.before-restore-{utc_now().replace(':', '')}")))
    try:
        with replacing(target) as temporary:
            private_file(temporary)
            shutil.copyfile(backup_path, temporary)
            verify(temporary)
    except OSError as error:
        raise StoreUnavailable(
            f"{backup_path} could not be copied to {data_dir}: {error.strerror or error}."
        ) from error
    return target


def _fold_journal(database: Path) -> None:
    """Bring the write-ahead log into the file, so that a stale log is never applied to the restored one."""
    try:
        connection = sqlite3.connect(database)
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.close()
    except sqlite3.Error:  # the old file is damaged: that may be why one restores; keep its journal with it
        pass
    for suffix in ("-wal", "-shm"):
        journal = database.with_name(database.name + suffix)
        if journal.exists():
            journal.replace(unused(journal.with_name(journal.name + ".before-restore")))
