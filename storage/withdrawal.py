"""Taking single posts out for good, with everything that people and models said of them: somebody's consent was withdrawn."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from storage.connection import Connections
from storage.import_statements import ON_POSTS
from storage.records import NotFound, utc_now
from storage.rows import to_json

NAME = "withdrawn posts"
_AMONG = "IN (SELECT value FROM json_each(:ids))"
_MERGED_PAGES = 500
_PAUSE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class OnPosts:
    """What is there of some posts. answers: revisions, of `people` persons. predictions: of all versions."""

    posts: int
    answers: int
    people: int
    adjudications: int
    predictions: int


class WithdrawalStore(Connections):
    """Withdrawing posts."""

    def posts_of_author(self, author: str) -> list[str]:
        """The ids of all that somebody wrote."""
        with self.read() as db:
            return [row[0] for row in db.execute("SELECT id FROM post WHERE author = ? ORDER BY number", [author])]

    def on_posts(self, ids: Sequence[str]) -> OnPosts:
        """What would go with these posts. Raises NotFound if one is not there."""
        with self.read() as db:
            return _counted(db.conn, ids)

    def withdraw_posts(self, ids: Sequence[str], *, by: str | None) -> OnPosts:
        """Remove the posts with everything that hangs on them, in one transaction, so that no page of the database holds their words, nor
        what was written ahead of it, unless somebody reads an earlier moment just then: that part goes with the next writing.

        It stays in the list of imports, as one that was undone, how many posts went, when and by whom. Copies of the database, exports
        and models that learned from the posts are elsewhere and stay as they are. Raises NotFound if a post is not there: none is
        removed then.
        """
        with self.write() as db:
            db.conn.execute("PRAGMA secure_delete = ON")
            found = _counted(db.conn, ids)
            _remove(db.conn, ids, found.posts, by)
        self._forget_words()
        return found

    def _forget_words(self) -> None:
        """Bring the full-text index to hold nothing of what was deleted, in small steps; then what was written ahead into the file."""
        step = -_MERGED_PAGES  # below zero: begin with all parts of the index
        while True:
            with self.write() as db:
                before = db.conn.total_changes
                db.conn.execute("INSERT INTO post_fts (post_fts, rank) VALUES ('merge', ?)", [step])
                merged = db.conn.total_changes - before >= 2  # as FTS5 says how it is seen that nothing is left to do
            if not merged:
                break
            step = _MERGED_PAGES
            time.sleep(_PAUSE_SECONDS)
        self._database().conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _counted(connection: sqlite3.Connection, ids: Sequence[str]) -> OnPosts:
    values = {"ids": json.dumps(list(ids))}
    there = {row[0] for row in connection.execute(f"SELECT id FROM post WHERE id {_AMONG}", values)}
    missing = [post_id for post_id in ids if post_id not in there]
    if missing:
        raise NotFound(f"There is no post {missing[0]}. Nothing was removed.")

    def count(what: str, table: str) -> int:
        return int(connection.execute(f"SELECT {what} FROM main.{table} WHERE post_id {_AMONG}", values).fetchone()[0])

    return OnPosts(
        posts=len(there),
        answers=count("count(*)", "annotation"),
        people=count("count(DISTINCT reviewer)", "annotation"),
        adjudications=count("count(*)", "adjudication"),
        predictions=count("count(*)", "prediction"),
    )


def _remove(connection: sqlite3.Connection, ids: Sequence[str], posts: int, by: str | None) -> None:
    """As an import of their own that is undone at once: what people said of a post goes with its import alone, and never by mistake."""
    values = {"ids": json.dumps(list(ids))}
    # counted off as of the imports that the posts came with, and so before they change to another one
    connection.execute(f"DELETE FROM post_score WHERE post_id {_AMONG}", values)
    for import_id, count in connection.execute(
        f"SELECT ifnull(import_id, 0), count(*) FROM main.post WHERE id {_AMONG} GROUP BY 1", values
    ).fetchall():
        connection.execute("UPDATE post_count SET posts = posts - ? WHERE import_id = ?", [count, import_id])
    now = utc_now()
    made = connection.execute(
        "INSERT INTO import (file_name, format, created_at, created_by, report, undone_at, pending) VALUES (?, '', ?, ?, ?, ?, 'removing')",
        [NAME, now, by, to_json({"imported": posts}), now],
    )
    values["import_id"] = str(made.lastrowid)
    connection.execute(f"UPDATE main.post SET import_id = :import_id WHERE id {_AMONG}", values)
    for table in (*ON_POSTS, "import_issue"):
        connection.execute(f"DELETE FROM {table} WHERE post_id {_AMONG}", values)
    connection.execute(f"DELETE FROM main.post WHERE id {_AMONG}", values)
    connection.execute("UPDATE import SET pending = NULL WHERE id = :import_id", values)
