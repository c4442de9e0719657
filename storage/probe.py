"""Can the project be written now? Asked without leaving a trace in the database."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path

from storage.trouble import StorageTrouble, trouble_of

LOCK_SECONDS = 2.0
_ROOM = b"\x00" * 65536


def trouble_now(path: Path) -> StorageTrouble | None:
    """What keeps the database at `path` from being written: no room, a disk or a file that is read-only, a lock of more than
    LOCK_SECONDS, damage at its beginning. None if nothing does. Writes and removes a file of 64 kB beside it.
    """
    try:
        _write_beside(path)
        _take_lock(path)
    except (OSError, sqlite3.Error) as error:
        found = trouble_of(error)
        if found is None:
            raise
        return found
    return None


def _write_beside(path: Path) -> None:
    probe = path.with_name(f".probe-{os.getpid()}-{secrets.token_hex(3)}")
    try:
        with probe.open("xb", buffering=0) as file:
            file.write(_ROOM)
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)


def _take_lock(path: Path) -> None:
    address = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(address, uri=True, timeout=LOCK_SECONDS, isolation_level=None)
    with contextlib.closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT 1 FROM post LIMIT 1").fetchone()
        connection.execute("ROLLBACK")
