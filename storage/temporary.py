"""A store in memory, for somebody whose decisions are not to be kept: a visitor of the public demo.

It begins with what everybody may see of another store (posts, criteria, models, predictions; no person, no decision), is bounded in
size, and is gone with `close`. What is copied is listed here by name, so that a table added later stays behind.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.connection import PENDING, Handle
from storage.migrations import migrations
from storage.records import StoreUnavailable
from storage.store import Store
from storage.trouble import StorageTrouble, Trouble

_POSTS = "SELECT id FROM post ORDER BY number LIMIT :most_posts"  # of the copy
_COPIED = (
    "INSERT OR IGNORE INTO main.post (number, id, text, text_sha256, split, source, posted_at, imported_at, shuffle, meta)"
    " SELECT number, id, text, text_sha256, split, source, posted_at, imported_at, shuffle, meta FROM public.post"
    f" WHERE ifnull(import_id, 0) NOT IN ({PENDING.replace('main.', 'public.')}) ORDER BY number LIMIT :most_posts",
    "INSERT OR IGNORE INTO main.criterion (id, version, name, text, guideline, examples, counterexamples, position, active,"
    " created_at) SELECT id, version, name, text, guideline, examples, counterexamples, position, active, created_at"
    " FROM public.criterion",
    "INSERT OR REPLACE INTO main.setting (key, value) SELECT key, value FROM public.setting WHERE key = 'attributes'",
    "INSERT OR IGNORE INTO main.model_version (id, path, status, parent, base, metrics, config, data_sha256, examples,"
    " size_bytes, note, created_at) SELECT id, path, status, parent, base, metrics, config, data_sha256, examples,"
    " size_bytes, note, created_at FROM public.model_version",
    "INSERT OR IGNORE INTO main.model_activation (id, model_version, activated_at, note)"
    " SELECT id, model_version, activated_at, note FROM public.model_activation",
    "INSERT OR REPLACE INTO main.prediction (post_id, criterion_id, model_version, spans, no_evidence_score, max_score, known,"
    " created_at) SELECT post_id, criterion_id, model_version, spans, no_evidence_score, max_score, known, created_at"
    f" FROM public.prediction WHERE model_version = :model AND post_id IN ({_POSTS})",
    "INSERT INTO main.post_score (post_id, model_version, uncertainty, evidence)"
    " SELECT post_id, model_version, uncertainty, evidence FROM public.post_score"
    f" WHERE model_version = :model AND post_id IN ({_POSTS}) ON CONFLICT (post_id, model_version)"
    " DO UPDATE SET uncertainty = excluded.uncertainty, evidence = excluded.evidence",
)


class TemporaryStore(Store):
    """One connection to a database in memory of at most `most_bytes`; callers wait for each other."""

    def __init__(self, *, most_bytes: int) -> None:
        self._lock = threading.RLock()
        self._most_bytes = most_bytes
        self._own: Handle | None = None
        super().__init__(Path(":memory:"))

    def _open(self) -> None:
        connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None, uri=True)
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(
            f"PRAGMA max_page_count={self._most_bytes // connection.execute('PRAGMA page_size').fetchone()[0]}"
        )
        self._own = Handle(connection, execute_plugins=False)
        migrations.apply(self._own)

    def copy_public(self, source: Store, *, model_version: str | None, most_posts: int) -> None:
        """Take over what everybody may see: the first `most_posts` posts, and what this model predicted for them.

        Again later it adds what is new there. Raises StoreUnavailable when there is no room.
        """
        values = {"model": model_version or "", "most_posts": most_posts}
        with self._lock:
            connection = self._database().conn
            connection.execute("ATTACH DATABASE ? AS public", [f"{source.path.absolute().as_uri()}?mode=ro"])
            try:
                with self.write() as db:
                    for statement in _COPIED:
                        db.conn.execute(statement, values)
            finally:
                connection.execute("DETACH DATABASE public")

    @property
    def bytes(self) -> int:
        """How large the database is."""
        with self.read() as db:
            pages, size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
            return int(pages * size)

    def _database(self) -> Handle:
        if self._own is None:
            raise StoreUnavailable("Your visit has ended and what you marked is forgotten. Load the page again.")
        return self._own

    @contextmanager
    def read(self, *, seconds: float | None = None) -> Iterator[Handle]:
        with self._lock, super().read(seconds=seconds) as db:
            yield db

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Handle]:
        try:
            with self._lock, super().write(durable=durable) as db:
                yield db
        except StorageTrouble as error:
            if error.kind is not Trouble.FULL:
                raise
            raise StoreUnavailable("There is no more room in this visit. Start the tour anew.") from error

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            if self._own is not None:
                self._own.conn.close()
                self._own = None
