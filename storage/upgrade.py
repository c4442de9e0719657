"""Bringing a database up to this release: a copy of it as it was, then the migrations that it lacks."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from pathlib import Path

from storage.migrations import migrations
from storage.records import StoreUnavailable, utc_now
from storage.soundness import way_back
from storage.sqlite import Database

log = logging.getLogger(__name__)

BACKUPS = "backups"
SECONDS_PER_MILLION_POSTS = 60
"""For the line that is logged: an estimate, not a measurement."""


def upgrade(db: Database, path: Path) -> None:
    """Apply what is missing, in one transaction, after a copy of the file if it holds posts.

    A program that is killed on the way leaves the file as it was; the next start begins again.
    Raises StoreUnavailable if a newer release wrote the file, or if there is no room for the copy.
    """
    _refuse_newer(db, path)
    db.conn.execute(
        "BEGIN IMMEDIATE"
    )  # keeps a second process from migrating at the same time; and proves we can write
    try:
        posts = db.execute("SELECT count(*) FROM post").fetchone()[0] if db.table("post").exists() else 0
        if posts and migrations.pending(db):
            copy = _copy_as_it_was(path)
            log.warning(
                "Bringing %s up to this release: %d posts, about %d seconds. As it was, it is kept as %s.",
                path.name,
                posts,
                1 + posts * SECONDS_PER_MILLION_POSTS // 1_000_000,
                copy,
            )
        migrations.apply(db)
        db.conn.execute("COMMIT")
    except BaseException:
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK")
        raise


def _copy_as_it_was(path: Path) -> Path:
    """A copy in the folder of the backups, through a connection of its own, while nobody can write."""
    folder = path.parent / BACKUPS
    folder.mkdir(exist_ok=True)
    if shutil.disk_usage(folder).free < 2 * path.stat().st_size:
        raise StoreUnavailable(
            f"{path} has to be brought up to this release, and there is no room for a copy of it first"
            f" ({2 * path.stat().st_size / 1e9:.1f} GB). Make room, or move the data directory to a larger disk."
        )
    target = folder / f"before-upgrade-{utc_now().replace(':', '')}.db"
    partial = target.with_suffix(".partial")
    try:
        with (
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(partial)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _refuse_newer(db: Database, path: Path) -> None:
    if "_sqlite_migrations" not in db.table_names():  # a new one gets its name only when its tables are in it
        raise StoreUnavailable(f"{path} is a database of another program, or its tables are gone. {way_back(path)}")
    ours = {migration.name for migration in migrations.pending(Database(memory=True))}
    newer = sorted({migration.name for migration in migrations.applied(db)} - ours)
    if newer:
        raise StoreUnavailable(
            f"{path} was written by a newer release (it has {newer[-1]}). Update this program, or open another data directory."
        )
