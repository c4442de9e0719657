"""What SQLite or the disk refuses, as one clear line: full, read-only, locked, damaged, or not answering.

Every connection raises it in place of SQLite's own error (`storage.connection`), so that no caller has to know the codes.
"""

from __future__ import annotations

import errno
import sqlite3
from enum import StrEnum

from storage.records import StoreUnavailable


class Trouble(StrEnum):
    """What is wrong with the storage. FULL needs room, the others need somebody to look."""

    FULL = "full"
    READ_ONLY = "read-only"
    LOCKED = "locked"
    DAMAGED = "damaged"
    BROKEN = "broken"


_LINES = {
    Trouble.FULL: "The disk is full: nothing more can be stored. Make room on the disk that holds the project; what waits here"
    " is stored then.",
    Trouble.READ_ONLY: "The project can only be read: its disk or its database may not be written. Mend the permissions, or"
    " mount the disk for writing.",
    Trouble.LOCKED: "Another program holds the database. Close it (a database browser, a copying backup); this is tried again.",
    Trouble.DAMAGED: "The database is damaged. Stop the app, look with `evidence check`, and bring a backup back with"
    " `evidence restore`.",
    Trouble.BROKEN: "The disk does not answer as it should. Look at the disk that holds the project.",
}
_RETRY_SECONDS = {Trouble.LOCKED: 5.0, Trouble.FULL: 60.0}
_CODES = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.READ_ONLY,
    sqlite3.SQLITE_BUSY: Trouble.LOCKED,
    sqlite3.SQLITE_LOCKED: Trouble.LOCKED,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
    sqlite3.SQLITE_IOERR: Trouble.BROKEN,
}
_NUMBERS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), Trouble.FULL),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), Trouble.READ_ONLY),
    errno.EIO: Trouble.BROKEN,
}
_FULL_WHILE_WRITING = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)  # a quota or a file-size limit


class StorageTrouble(StoreUnavailable, sqlite3.OperationalError):
    """The storage refuses. kind: what is wrong. retry_after: seconds after which trying again makes sense.

    It is SQLite's error still, for callers that let a locked database be.
    """

    def __init__(self, kind: Trouble) -> None:
        super().__init__(_LINES[kind])
        self.kind = kind
        self.retry_after = _RETRY_SECONDS.get(kind, 30.0)


def trouble_of(error: BaseException) -> StorageTrouble | None:
    """The trouble that an error of SQLite or of the system means, None if it is something else (a wrong statement)."""
    if isinstance(error, StorageTrouble):
        return error
    if isinstance(error, sqlite3.DatabaseError):
        kind = _kind_of(error)
    elif isinstance(error, OSError):
        kind = _NUMBERS.get(error.errno or 0)
    else:
        return None
    return None if kind is None else StorageTrouble(kind)


def _kind_of(error: sqlite3.DatabaseError) -> Trouble | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by Python's module: a text that is no text any more has no code
        return Trouble.DAMAGED if "Could not decode to UTF-8" in str(error) else None
    return Trouble.FULL if code in _FULL_WHILE_WRITING else _CODES.get(code & 0xFF)
