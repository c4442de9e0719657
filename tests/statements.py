"""The SQL that a store sends, taken down while it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from storage.store import Store


@contextmanager
def taken_down(store: Store) -> Iterator[list[str]]:
    statements: list[str] = []
    with store.read() as db:
        db.conn.set_trace_callback(statements.append)
    try:
        yield statements
    finally:
        with store.read() as db:
            db.conn.set_trace_callback(None)
