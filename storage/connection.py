"""Opening the database: pragmas, migrations, and the two ways in, `read()` and `write()`.

One connection per thread (SQLite binds connections to threads). `write()` is BEGIN IMMEDIATE: a transaction that began by
reading and then wrote would fail at once with "database is locked" when another writer came between, whatever the timeout.

An import is stored in many short transactions and becomes visible in one (`storage.imports`). Until then nobody may see its rows: on
every connection the names `post`, `annotation`, ... are views of what is visible. Reading needs no thought about it; **writing names the
table itself, `main.post`** (a write to the view is refused by SQLite).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from storage.migrations import migrations
from storage.records import StoreUnavailable

BUSY_TIMEOUT_SECONDS = 30
DATABASE_NAME = "evidence.db"
PENDING = "SELECT id FROM main.import WHERE pending IS NOT NULL"
_OF_VISIBLE_IMPORTS = ("post", "annotation", "annotation_head", "alignment", "reviewer")
_VISIBLE_ONLY = "".join(
    f"CREATE TEMP VIEW {name} AS SELECT * FROM main.{name} WHERE ifnull(import_id, 0) NOT IN ({PENDING});\n"
    for name in _OF_VISIBLE_IMPORTS
)
_VISIBLE_ONLY += (
    "CREATE TEMP VIEW prediction AS SELECT * FROM main.prediction"  # those of older posts have a model name of their own
    f" WHERE model_version NOT IN (SELECT 'import-' || id FROM ({PENDING}));\n"
)


class Connections:
    """Connections to one SQLite file, one per thread.

    Raises StoreUnavailable when the file cannot be opened or written, is not a database, or was made by a newer release.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._migrated = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            db = self._database()
            _refuse_newer(db, path)
            with (
                self.write()
            ):  # the lock keeps a second process from migrating at the same time; and proves we can write
                migrations.apply(db)
            db.conn.executescript(_VISIBLE_ONLY)
            self._migrated = True
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(_advice(path, error)) from error

    def _database(self) -> Database:
        db: Database | None = getattr(self._local, "db", None)
        if db is None:
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS)
            connection.isolation_level = None  # explicit transactions only
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",  # NORMAL may lose the last acknowledged saves in a power cut
                "foreign_keys=ON",
                "temp_store=MEMORY",
                "cache_size=-16000",
            ):
                connection.execute(f"PRAGMA {pragma}")
            if self._migrated:
                connection.executescript(_VISIBLE_ONLY)
            db = Database(connection, execute_plugins=False)
            self._local.db = db
        return db

    @contextmanager
    def read(self) -> Iterator[Database]:
        """A database handle for queries of one consistent moment each."""
        yield self._database()

    @contextmanager
    def snapshot(self) -> Iterator[Database]:
        """A read transaction: all queries inside see the same moment, whatever is written meanwhile."""
        db = self._database()
        db.conn.execute("BEGIN")
        try:
            yield db
        finally:
            db.conn.execute("COMMIT")

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Database]:
        """One transaction: all of it is stored, or nothing. Nested calls join the outer transaction.

        durable=False: does not wait for the disk, so a power cut (not a crash) may take it back, and nobody else's commit waits
        for it. For what is written anew all the time, such as a job's progress.
        """
        db = self._database()
        if db.conn.in_transaction:
            yield db
            return
        if not durable:
            db.conn.execute("PRAGMA synchronous=NORMAL")
        try:
            db.conn.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.conn.execute("COMMIT")
            except BaseException:
                if db.conn.in_transaction:
                    db.conn.execute("ROLLBACK")
                raise
        finally:
            if not durable:
                db.conn.execute("PRAGMA synchronous=FULL")

    def close(self) -> None:
        """Close this thread's connection."""
        db: Database | None = getattr(self._local, "db", None)
        if db is not None:
            db.conn.close()
            del self._local.db


def _refuse_newer(db: Database, path: Path) -> None:
    if "_sqlite_migrations" not in db.table_names():
        if "post" in db.table_names():
            raise StoreUnavailable(f"{path} is a database of another program. Choose another data directory.")
        return
    ours = {migration.name for migration in migrations.pending(Database(memory=True))}
    newer = sorted({migration.name for migration in migrations.applied(db)} - ours)
    if newer:
        raise StoreUnavailable(
            f"{path} was written by a newer release (it has {newer[-1]}). Update this program, or open another data directory."
        )


def _advice(path: Path, error: Exception) -> str:
    reason = str(error)
    if isinstance(error, PermissionError) or "readonly" in reason or "unable to open" in reason:
        return f"The data directory {path.parent} cannot be written ({reason}). Choose another with --data-dir, or change its permissions."
    if "not a database" in reason or "malformed" in reason:
        return f"{path} is not a readable database ({reason}). Restore a backup with `evidence restore`, or choose another data directory."
    return f"The database {path} cannot be opened: {reason}."
