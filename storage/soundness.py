"""Is a file a whole database of this program? Looked at before it is opened, because SQLite takes an empty file for a new one.

A database gets its name only when its tables are in it (`begin`), so an empty or cut file under that name is always a loss and
never a beginning: it is refused with the way back.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path

from storage.migrations import migrations
from storage.records import StoreUnavailable
from storage.sqlite import Database
from storage.trouble import Trouble, trouble_of

BACKUPS = "backups"
_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100


def private_file(path: Path) -> None:
    """Make an empty file that only its owner can read, for what others would make readable to everybody."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def begin(path: Path) -> None:
    """Make an empty database with all tables at `path`, which only its owner can read; nothing if another program was faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        private_file(temporary)
        with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            db = Database(connection, execute_plugins=False)
            connection.execute("BEGIN IMMEDIATE")
            migrations.apply(db)
            connection.execute("COMMIT")
        _give_name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _give_name(temporary: Path, path: Path) -> None:
    """A link instead of a rename, which would take the place of a database that another program has begun meanwhile."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not path.exists():
            temporary.rename(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refuse_unsound(path: Path) -> None:
    """Raise StoreUnavailable if the file at `path` is empty, cut off or no database: seen from its size and header alone."""
    size = path.stat().st_size
    if size == 0:
        raise StoreUnavailable(f"{path} is empty, which a project's database never is. {way_back(path)}")
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise StoreUnavailable(f"{path} is no database, or its beginning was overwritten. {way_back(path)}")
    journal = path.with_name(path.name + "-wal")
    if journal.exists() and journal.stat().st_size:
        return  # the pages that are missing here may be there
    page = int.from_bytes(header[16:18], "big")
    pages, is_current = int.from_bytes(header[28:32], "big"), header[24:28] == header[92:96]
    if is_current and pages * (65536 if page == 1 else page) > size:
        raise StoreUnavailable(f"{path} is cut off: its last pages are missing. {way_back(path)}")


def refuse_lost(path: Path) -> None:
    """Raise StoreUnavailable if there is no database at `path` but there was one: a new project must not take its place."""
    if path.exists():
        return
    journal = path.with_name(path.name + "-wal")
    set_aside = any(path.parent.glob(f"{path.name}.empty-*"))
    if not (newest_backup(path.parent) or set_aside or (journal.exists() and journal.stat().st_size)):
        return
    raise StoreUnavailable(f"{path} is missing, and there was a project here. {way_back(path)}")


def check_whole(db: Database, path: Path) -> None:
    """Raise StoreUnavailable unless every page can be read and every table is there. Reads the whole file: about 1 s per GB."""
    try:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        there = {(kind, name) for kind, name in db.execute("SELECT type, name FROM main.sqlite_master")}
    except sqlite3.DatabaseError as error:
        trouble = trouble_of(error)
        if trouble is None or trouble.kind is not Trouble.DAMAGED:
            raise
        found, there = str(error), set()
    if found != "ok":
        raise StoreUnavailable(f"{path} is damaged ({found.splitlines()[-1]}). {way_back(path)}")
    missing = sorted(name for kind, name in _expected() - there)
    if missing:
        raise StoreUnavailable(f"{path} is damaged: {missing[0]} is missing in it. {way_back(path)}")


def _expected() -> set[tuple[str, str]]:
    """(kind, name) of everything that the migrations make."""
    fresh = Database(memory=True)
    migrations.apply(fresh)
    rows = set(fresh.execute("SELECT type, name FROM sqlite_master").fetchall())
    fresh.close()
    return rows


def newest_backup(data_dir: Path) -> Path | None:
    """The newest backup of the data directory, None if it has none."""
    found = [p for p in (data_dir / BACKUPS).glob("*.db") if p.stat().st_size]
    return max(found, key=lambda p: p.stat().st_mtime, default=None)


def way_back(path: Path) -> str:
    """What somebody can do whose database cannot be used."""
    backup = newest_backup(path.parent)
    aside = f"To begin a new project here, move {path.name} and {BACKUPS}/ away first."
    if backup is None:
        return f"There is no backup in {path.parent / BACKUPS}: bring one back with `evidence restore FILE`. {aside}"
    command = f"evidence restore {backup} --data-dir {path.parent} --overwrite"
    return f"The newest backup is brought back with `{command}`. {aside}"
