"""Opening the database: pragmas, migrations, and the two ways in, `read()` and `write()`.

One connection per thread (SQLite binds connections to threads). `write()` is BEGIN IMMEDIATE: a transaction that began by
reading and then wrote would fail at once with "database is locked" when another writer came between, whatever the timeout.
Threads of one process wait for each other at a lock of their own: SQLite's waiters ask again at growing intervals, so that
among thirty reviewers the unlucky one would wait for seconds.

An import is stored in many short transactions and becomes visible in one (`storage.imports`). Until then nobody may see its rows: in
every transaction that begins while an import is unfinished, the names `post`, `annotation`, ... are views of what is visible. Reading
needs no thought about it; **writing names the table itself, `main.post`** (a write to the view is refused by SQLite).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from storage import soundness
from storage.records import StoreUnavailable
from storage.sqlite import Database
from storage.trouble import StorageTrouble, Trouble, trouble_of
from storage.upgrade import upgrade

BUSY_TIMEOUT_SECONDS = 30
STUCK_SECONDS = 3.0
"""Whoever's turn it is waits for another program's lock for longer than this: those behind give up, so that their threads are free."""
TURN_SECONDS = 0.25  # between two looks at whether the one in front is stuck
DATABASE_NAME = "evidence.db"
PENDING = "SELECT id FROM main.import WHERE pending IS NOT NULL"
SETTING = "SELECT value FROM setting WHERE key = ?"
PROGRESS_STEPS = 20_000  # virtual machine steps between two looks at the clock: about a millisecond
_OF_VISIBLE_IMPORTS = ("post", "annotation", "annotation_head", "alignment", "reviewer")
_HIDE_PENDING = "".join(
    f"CREATE TEMP VIEW {name} AS SELECT * FROM main.{name} WHERE ifnull(import_id, 0) NOT IN ({PENDING});\n"
    for name in _OF_VISIBLE_IMPORTS
)
_HIDE_PENDING += (
    "CREATE TEMP VIEW prediction AS SELECT * FROM main.prediction"  # those of older posts have a model name of their own
    f" WHERE model_version NOT IN (SELECT 'import-' || id FROM ({PENDING}));\n"
)
_SHOW_ALL = "".join(f"DROP VIEW temp.{name};\n" for name in (*_OF_VISIBLE_IMPORTS, "prediction"))


class TooSlow(StoreUnavailable):
    """A read took longer than it may."""


class Handle(Database):
    """A connection. hides_pending: whether the views stand on it that pass over the rows of unfinished imports.
    asked: what was asked of this moment, with its first row; None outside of a read transaction, and once it writes.
    """

    hides_pending = False
    asked: dict[tuple[str, tuple[Any, ...]], Any] | None = None

    def once(self, sql: str, *params: Any) -> Any:
        """The first row of a question, None if there is none. Within one read transaction the same question is asked once."""
        if self.asked is None:
            return self.conn.execute(sql, params).fetchone()
        key = sql, params
        if key not in self.asked:
            self.asked[key] = self.conn.execute(sql, params).fetchone()
        return self.asked[key]

    def query(
        self, sql: str, params: Sequence[Any] | dict[str, Any] | None = None
    ) -> Generator[dict[str, Any], None, None]:
        """The rows of a question by column. As sqlite-utils has it, but for the savepoint that it sets around each in case it writes."""
        cursor = self.conn.execute(sql, () if params is None else params)
        names = [column[0] for column in cursor.description]
        return (dict(zip(names, row, strict=True)) for row in cursor)


class Connections:
    """Connections to one SQLite file, one per thread.

    Raises StoreUnavailable when the file cannot be opened or written, is empty, cut off or no database, or was made by a newer
    release; and StorageTrouble, which is one, when SQLite refuses later (full disk, lock, damage).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._one_writer = threading.Lock()
        self._waits_since: float | None = None  # the one whose turn it is, for another program's lock
        self.refused: StorageTrouble | None = None  # the last write, until one goes through
        self._open()

    def _open(self) -> None:
        """Make or upgrade the file."""
        try:
            if not self.path.exists():
                soundness.begin(self.path)
            soundness.refuse_unsound(self.path)
            upgrade(self._database(), self.path)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(_advice(self.path, error)) from error
        except UnicodeDecodeError:  # of SQLite's own message, which quotes what it could not read
            raise StoreUnavailable(f"{self.path} is damaged. {soundness.way_back(self.path)}") from None

    def _database(self) -> Handle:
        db: Handle | None = getattr(self._local, "db", None)
        if db is None:
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS)
            connection.isolation_level = None  # explicit transactions only
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",  # NORMAL may lose the last acknowledged saves in a power cut
                "foreign_keys=ON",
                "temp_store=MEMORY",
                "cache_size=-4000",  # per thread, and there are dozens; the pages are in the system's cache as well
            ):
                connection.execute(f"PRAGMA {pragma}")
            db = Handle(connection, execute_plugins=False)
            self._local.db = db
        return db

    def check_whole(self) -> None:
        """Raise StoreUnavailable unless every page can be read and every table is there; takes about 1 s per GB."""
        with self.read() as db:
            soundness.check_whole(db, self.path)

    def look_up(self, sql: str, params: Sequence[Any]) -> dict[str, Any] | None:
        """The first row of one question, which needs no transaction around it. It names `main.post` and the like, whatever is hidden.

        Raises StorageTrouble.
        """
        with _named_trouble():
            return next(self._database().query(sql, params), None)

    def read(self, *, seconds: float | None = None) -> AbstractContextManager[Handle]:
        """A read transaction: all queries inside see the same moment, whatever is written meanwhile. Calls inside join it.

        seconds: how long it may take in all. Raises TooSlow after that, and StorageTrouble.
        """
        db: Handle | None = getattr(self._local, "db", None)
        return _Joined(db) if db is not None and db.conn.in_transaction else self._in_one_moment(seconds)

    @contextmanager
    def _in_one_moment(self, seconds: float | None) -> Iterator[Handle]:
        with _named_trouble():
            yield from self._moment(self._database(), seconds)

    def _moment(self, db: Handle, seconds: float | None) -> Iterator[Handle]:
        if db.conn.in_transaction:  # of a store whose connection is not this thread's own
            yield db
            return
        if seconds is not None:
            _limit(db.conn, seconds)
        try:
            with _transaction(db, "BEGIN"):
                db.asked = {}
                yield db
        except sqlite3.OperationalError as error:
            # an error of Python's own driver has no code, such as text that is not UTF-8
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_INTERRUPT:
                raise
            raise TooSlow(f"The database did not answer within {seconds} seconds.") from error
        finally:
            db.asked = None
            if seconds is not None:
                db.conn.set_progress_handler(None, 0)

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Handle]:
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

    def _in_one_transaction(self, durable: bool) -> Iterator[Handle]:
        db = self._database()
        if db.conn.in_transaction:
            db.asked = None  # what was asked before may not be so any more
            yield db
            return
        self._take_turn()
        try:
            if not durable:
                db.conn.execute("PRAGMA synchronous=NORMAL")
            self._waits_since = time.monotonic()
            with _transaction(db, "BEGIN IMMEDIATE"):
                self._waits_since = None
                yield db
        finally:
            self._waits_since = None
            if not durable:
                db.conn.execute("PRAGMA synchronous=FULL")
            self._one_writer.release()

    def _take_turn(self) -> None:
        """Wait for the other writers of this process. Raises StorageTrouble if the one in front is stuck at another program's lock."""
        until = time.monotonic() + BUSY_TIMEOUT_SECONDS
        while not self._one_writer.acquire(timeout=min(TURN_SECONDS, BUSY_TIMEOUT_SECONDS)):
            now, since = time.monotonic(), self._waits_since
            if now > until or (since is not None and now - since > STUCK_SECONDS):
                raise StorageTrouble(Trouble.LOCKED)

    def close(self) -> None:
        """Close this thread's connection."""
        db: Database | None = getattr(self._local, "db", None)
        if db is not None:
            db.conn.close()
            del self._local.db


class _Joined:
    """A part of a transaction that is there: most reads are, so this is no generator, which costs five times as much."""

    __slots__ = ("_db",)

    def __init__(self, db: Handle) -> None:
        self._db = db

    def __enter__(self) -> Handle:
        return self._db

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.DatabaseError | UnicodeDecodeError):
            with _named_trouble():
                raise error


@contextmanager
def _transaction(db: Handle, how: str) -> Iterator[None]:
    """A transaction in which the unqualified names are what is visible at its beginning."""
    while True:
        db.conn.execute(how)
        pending = bool(db.conn.execute(f"SELECT EXISTS ({PENDING})").fetchone()[0])
        if pending == db.hides_pending:
            break
        db.conn.execute("ROLLBACK")
        db.conn.executescript(_HIDE_PENDING if pending else _SHOW_ALL)
        db.hides_pending = pending
    try:
        yield
        db.conn.execute("COMMIT")
    except BaseException:
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK")
        raise


def _limit(connection: sqlite3.Connection, seconds: float) -> None:
    until = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > until, PROGRESS_STEPS)


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
    except UnicodeDecodeError:  # of SQLite's own message
        raise StorageTrouble(Trouble.DAMAGED) from None


def _advice(path: Path, error: Exception) -> str:
    trouble = trouble_of(error)
    kind = None if trouble is None else trouble.kind
    reason = str(error.__cause__ or error)
    if kind is Trouble.READ_ONLY or isinstance(error, PermissionError):
        return f"The data directory {path.parent} cannot be written ({reason}). Choose another with --data-dir, or change its permissions."
    if kind is Trouble.DAMAGED:
        return f"{path} is damaged ({reason}). {soundness.way_back(path)}"
    return f"The database {path} cannot be opened: {reason}." if trouble is None else str(trouble)
