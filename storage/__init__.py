"""Durable state: records, the SQLite store, jobs, backups and exchange formats.

Knows no model and no user interface. Start with `storage.records`.
"""

from __future__ import annotations

import sys


def _import_database_alone() -> None:
    """Load sqlite-utils without pandas, which it imports where it is there, to know its timestamps: two thirds of the time that a
    command takes which only opens the store.
    """
    if "pandas" in sys.modules:
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]  # an import of it fails
    try:
        import sqlite_utils  # noqa: F401
    finally:
        del sys.modules["pandas"]


_import_database_alone()
