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

from storage import soundness
from storage.migrations import migrations
from storage.records import StoreUnavailable
from storage.trouble import StorageTrouble, Trouble, trouble_of

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

    Raises StoreUnavailable when the file cannot be opened or written, is empty, cut off or no database, or was made by a newer
    release; and StorageTrouble, which is one, when SQLite refuses later (full disk, lock, damage).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._migrated = False
        self.refused: StorageTrouble | None = None  # the last write, until one goes through
        try:
            if not path.exists():
                soundness.begin(path)
            soundness.refuse_unsound(path)
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

    def check_whole(self) -> None:
        """Raise StoreUnavailable unless every page can be read and every table is there; takes about 1 s per GB."""
        with self.read() as db:
            soundness.check_whole(db, self.path)

    @contextmanager
    def read(self) -> Iterator[Database]:
        """A database handle for queries of one consistent moment each. Raises StorageTrouble."""
        with _named_trouble():
            yield self._database()

    @contextmanager
    def snapshot(self) -> Iterator[Database]:
        """A read transaction: all queries inside see the same moment, whatever is written meanwhile. Raises StorageTrouble."""
        with _named_trouble():
            yield from self._in_one_moment()

    def _in_one_moment(self) -> Iterator[Database]:
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
        for it. For what is written anew all the time, such as a job's progress. Raises StorageTrouble.
        """
        try:
            with _named_trouble():
                yield from self._in_one_transaction(durable)
        except StorageTrouble as trouble:
            self.refused = trouble
            raise
        self.refused = None

    def _in_one_transaction(self, durable: bool) -> Iterator[Database]:
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


@contextmanager
def _named_trouble() -> Iterator[None]:
    """SQLite's refusals (full, read-only, locked, damaged) leave as StorageTrouble; other errors as they are."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        trouble = trouble_of(error)
        if trouble is None or trouble is error:
            raise
        raise trouble from error


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
    trouble = trouble_of(error)
    kind = None if trouble is None else trouble.kind
    reason = str(error.__cause__ or error)
    if kind is Trouble.READ_ONLY or isinstance(error, PermissionError):
        return f"The data directory {path.parent} cannot be written ({reason}). Choose another with --data-dir, or change its permissions."
    if kind is Trouble.DAMAGED:
        return f"{path} is damaged ({reason}). {soundness.way_back(path)}"
    return f"The database {path} cannot be opened: {reason}." if trouble is None else str(trouble)
