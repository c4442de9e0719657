"""Imports in the store: published in short steps that nobody sees, shown in one, and undone the same way round.

While an import is being stored its row says `pending`, and every reader passes over its rows (`storage.connection`). One short
transaction shows it whole. So a reviewer's save never waits for more than one step, and a crash leaves rows that nobody sees, which
`recover_imports` removes. Undoing hides the import in one transaction and removes it in steps afterwards.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.connection import Connections
from storage.import_statements import CLASH, COPIES, HEADS_OF_OLDER_POSTS, LATEST_HEAD, OF_IMPORT, ON_POSTS, REVIEWERS
from storage.records import Conflict, InvalidRecord, NotFound, utc_now
from storage.rows import json_cell, to_json
from storage.serving import is_served
from storage.staging import Issue, is_abandoned, remove_abandoned

STEP_SECONDS = 0.008  # processor time of one transaction: how long it holds the database on a machine that is not busy
MAX_PAUSE_SECONDS = 0.1
UNSERVED_STEP_SECONDS = 0.1  # the same while no app serves the project, so that nobody waits for a page
UNSERVED_PAUSE = 0.1  # part of the step for which the database is then left to other commands
LOOK_SECONDS = 1.0  # between two looks for an app
FIRST_STEP_ROWS, MIN_STEP_ROWS, MAX_STEP_ROWS = 50, 10, 5000
REMOVING = "removing"
_IMPORT_NAME = re.compile(r"import-[0-9]+(?:/.*)?", re.DOTALL)


class ImportStore(Connections):
    """Questions and events about imports."""

    # --- the list of imports

    def start_import(self, file_name: str, format_name: str, *, by: str | None = None) -> int:
        """A new import whose posts are stored one by one, and seen at once."""
        with self.write() as db:
            return _new_import(db.conn, file_name, format_name, by)

    def finish_import(self, import_id: int, report: Mapping[str, Any]) -> None:
        with self.write() as db:
            db.conn.execute("UPDATE import SET report = ? WHERE id = ?", [to_json(report), import_id])

    def imports(self) -> list[dict[str, Any]]:
        """All imports that can be seen, newest first, `report` decoded; undone ones have `undone_at`."""
        with self.read() as db:
            rows = db.query("SELECT * FROM import WHERE pending IS NULL OR undone_at IS NOT NULL ORDER BY id DESC")
            return [{**row, "report": json_cell(row["report"])} for row in rows]

    def import_issues(self, import_id: int, *, batch_size: int = 1000) -> Iterator[Issue]:
        """The report of an import, line by line, in constant memory."""
        last = 0
        while True:
            with self.read() as db:
                rows = list(
                    db.query(
                        "SELECT * FROM import_issue WHERE import_id = ? AND id > ? ORDER BY id LIMIT ?",
                        [import_id, last, batch_size],
                    )
                )
            if not rows:
                return
            for row in rows:
                yield Issue(row["row"], row["post_id"], row["kind"], row["reason"], row["evidence"])
            last = rows[-1]["id"]

    def text_hashes(self, ids: Iterable[str]) -> dict[str, str]:
        """Text hash by post id, for those of the ids that are stored already."""
        with self.read() as db:
            rows = db.query(
                "SELECT id, text_sha256 FROM post WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(list(ids))]
            )
            return {row["id"]: row["text_sha256"] for row in rows}

    # --- in

    def publish(
        self,
        staging: Path,
        *,
        file_name: str,
        format_name: str,
        by: str | None = None,
        on_step: Callable[[float], None] | None = None,
        also: Callable[[int], None] | None = None,
    ) -> int:
        """Store all that was staged, out of sight, and show it in one transaction. Returns the number of the import.

        on_step: called between the steps with the part that is done, in [0, 1]; what it raises gives the import up.
        also: called with the number inside the transaction that shows the import, e.g. to end the job.
        Raises Conflict if a post of the same id was stored in the meantime; nothing is left then.
        """
        db = self._database()
        db.conn.execute("ATTACH DATABASE ? AS staged", [str(staging)])
        try:
            with self.read():
                undone = _undone(db.conn)
                _refuse_clash(db.conn)
            values = self._begin(file_name, format_name, by, staging)
            try:
                self._store(values, on_step)
                with self.write():
                    _show(db.conn, values, check=_undone(db.conn) != undone)
                    if also is not None:
                        also(values["import_id"])
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # on a full disk it stays, unseen, until there is room
                    self._remove(values["import_id"])
                raise
        finally:
            db.conn.execute("DETACH DATABASE staged")
        return int(values["import_id"])

    def _begin(self, file_name: str, format_name: str, by: str | None, staging: Path) -> dict[str, Any]:
        """The import's row and its people, unseen. Returns the values that the statements need."""
        with self.write() as db:
            pending = f"storing {staging.parent.name}"
            import_id = _new_import(db.conn, file_name, format_name, by, pending)
            values = {"import_id": import_id, "now": utc_now(), "model": _model_name(import_id)}
            db.conn.execute(REVIEWERS, values)
        return values

    def _store(self, values: Mapping[str, Any], on_step: Callable[[float], None] | None) -> None:
        db = self._database()
        sizes = {t: db.execute(f"SELECT coalesce(max(rowid), 0) FROM staged.{t}").fetchone()[0] for t, _ in COPIES}
        total, before = max(1, sum(sizes.values())), 0
        for table, statements in COPIES:
            done = 0

            def step(connection: sqlite3.Connection, rows: int) -> int:
                last = connection.execute("SELECT coalesce(max(id), 0) FROM main.annotation").fetchone()[0]
                bounds = {"after": done, "upto": done + rows, "before": last}  # noqa: B023 (called at once)
                for statement in statements:  # noqa: B023
                    connection.execute(statement, {**values, **bounds})
                return rows

            for rows in self._steps(step, until=lambda: done >= sizes[table]):  # noqa: B023
                done += rows
                if on_step is not None:
                    on_step((before + min(done, sizes[table])) / total)
            before += sizes[table]

    def _steps(
        self, step: Callable[[sqlite3.Connection, int], int], *, until: Callable[[], bool] = lambda: False
    ) -> Iterator[int]:
        """Do `step(connection, rows)` again and again, each in a transaction of about STEP_SECONDS, until it does nothing.

        Yields what it returns. After each transaction the database is left to others for as long as it was held: whoever
        waits asks again at growing intervals, and would miss every shorter gap. Without an app that serves the project,
        steps are longer and gaps shorter.
        """
        rows, served, looked = FIRST_STEP_ROWS, True, -LOOK_SECONDS
        while not until():
            if time.monotonic() - looked > LOOK_SECONDS:
                served, looked = is_served(self.path.parent), time.monotonic()
            began, worked = time.monotonic(), time.thread_time()
            try:
                with self.write(durable=False) as db:  # on the disk with the transaction that shows or hides it
                    done = step(db.conn, rows)
            except sqlite3.IntegrityError as error:
                raise Conflict(f"{_CHANGED} ({error})", current_revision=0) from error
            if not done:
                return
            took, worked = time.monotonic() - began, time.thread_time() - worked
            yield done
            if not db.conn.in_transaction:
                time.sleep(min(took if served else UNSERVED_PAUSE * took, MAX_PAUSE_SECONDS))
            fitting = int(rows * (STEP_SECONDS if served else UNSERVED_STEP_SECONDS) / max(worked, 1e-6))
            rows = max(MIN_STEP_ROWS, min(MAX_STEP_ROWS, 2 * rows, fitting))

    def index_posts(self, *, on_step: Callable[[int], None] | None = None) -> int:
        """Put posts of imports into the full-text index, in small steps, until none is left. Returns how many."""

        def step(connection: sqlite3.Connection, rows: int) -> int:
            wanted = "SELECT number FROM post WHERE indexed = 0 LIMIT ?"
            return connection.execute(f"UPDATE main.post SET indexed = 1 WHERE number IN ({wanted})", [rows]).rowcount

        total = 0
        for done in self._steps(step):
            total += done
            if on_step is not None:
                on_step(total)
        return total

    # --- out

    def undo_import(self, import_id: int, *, on_step: Callable[[int], None] | None = None) -> dict[str, int]:
        """Take an import back: its posts with everything that hangs on them, and its annotations of other posts.

        They are out of sight at once and removed in steps; on_step is called with the number of rows gone.
        Returns {"posts": n, "annotations": m}. Raises NotFound, and InvalidRecord if it was undone before.
        """
        with self.read() as db:
            held = _hold(db.conn, import_id)
        with self.write() as db:
            removed = _hide(db.conn, import_id, held)
        self._remove(import_id, on_step=on_step)
        return removed

    def work_on_import(self, import_id: int) -> tuple[int, int, int]:
        """What undoing an import takes along beside what it brought: latest answers to its posts, adjudications of them made since, and
        how many people's they are.
        """
        with self.read() as db:
            row = db.execute(
                "SELECT total(answers), total(NOT answers), count(DISTINCT person) FROM (SELECT 1 AS answers, h.reviewer AS person FROM"
                " main.post p CROSS JOIN main.annotation_head h ON h.post_id = p.id WHERE p.import_id = :id AND h.verdict IS NOT NULL"
                " AND h.import_id IS NOT :id UNION ALL SELECT 0, d.adjudicator FROM main.post p CROSS JOIN main.adjudication d ON"
                " d.post_id = p.id WHERE p.import_id = :id AND d.created_at >= (SELECT created_at FROM import WHERE id = :id))",
                {"id": import_id},
            ).fetchone()
            return int(row[0]), int(row[1]), int(row[2])

    def recover_imports(self) -> int:
        """Remove what imports have left that were killed, and index what they left out. Returns how many imports."""
        with self.read() as db:
            waiting = list(db.query("SELECT id, pending FROM import WHERE pending IS NOT NULL"))
        found = [row["id"] for row in waiting if self._is_left(row["pending"])]
        for import_id in found:
            self._remove(import_id)
        remove_abandoned(self.path.parent)
        self.index_posts()
        return len(found)

    def _is_left(self, pending: str) -> bool:
        return pending == REMOVING or is_abandoned(self.path.parent / pending.removeprefix("storing "))

    def _remove(self, import_id: int, *, on_step: Callable[[int], None] | None = None) -> None:
        """Remove a hidden import's rows in steps; at last its own row, unless it stays in the list as undone."""
        values = {"import_id": import_id, "model": _model_name(import_id)}

        def post_step(connection: sqlite3.Connection, rows: int) -> int:
            return _remove_posts(connection, import_id, rows)

        total = 0
        for step in (*(_deletion(statement, values) for statement in OF_IMPORT), post_step):
            for done in self._steps(step):
                total += done
                if on_step is not None:
                    on_step(total)
        with self.write() as db:
            unused = "NOT EXISTS (SELECT 1 FROM main.annotation WHERE reviewer = name)"
            unused += " AND NOT EXISTS (SELECT 1 FROM main.alignment WHERE reviewer = name)"
            db.conn.execute(f"DELETE FROM main.reviewer WHERE import_id = ? AND {unused}", [import_id])
            db.conn.execute("UPDATE main.reviewer SET import_id = NULL WHERE import_id = ?", [import_id])
            db.conn.execute("DELETE FROM import WHERE id = ? AND undone_at IS NULL", [import_id])
            db.conn.execute("UPDATE import SET pending = NULL WHERE id = ?", [import_id])


_CHANGED = "A post was added or removed by somebody else during the import. Nothing was imported; try again."


def _new_import(
    connection: sqlite3.Connection, file_name: str, format_name: str, by: str | None, pending: str | None = None
) -> int:
    cursor = connection.execute(
        "INSERT INTO import (file_name, format, created_at, created_by, pending) VALUES (?, ?, ?, ?, ?)",
        [file_name, format_name, utc_now(), by, pending],
    )
    return int(cursor.lastrowid or 0)


def _model_name(import_id: int) -> str:
    return f"import-{import_id}"


def is_import_name(model_version: str | None) -> bool:
    """True for a name of the form that the store gives to predictions whose file names no model; no other may have it."""
    return model_version is not None and _IMPORT_NAME.fullmatch(model_version) is not None


def _undone(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(undone_at) FROM import").fetchone()[0])


def _refuse_clash(connection: sqlite3.Connection, *, with_new: bool = True) -> None:
    """Raise Conflict if a new post is there by now, or one that was there is gone."""
    taken = connection.execute(CLASH, {"with_new": with_new}).fetchone()
    if taken:
        raise Conflict(
            f"Post {taken[0]} was added or removed by somebody else during the import. Nothing was imported; try again.",
            current_revision=0,
        )


def _show(connection: sqlite3.Connection, values: Mapping[str, Any], *, check: bool) -> None:
    """Make the import visible. check: look again whether the posts that it adds to are still there."""
    if check:
        _refuse_clash(connection, with_new=False)
    shown = connection.execute(
        "UPDATE import SET pending = NULL, created_at = ? WHERE id = ? AND pending IS NOT NULL",
        [utc_now(), values["import_id"]],
    )
    if not shown.rowcount:
        raise Conflict(_CHANGED, current_revision=0)
    connection.execute("UPDATE main.reviewer SET import_id = NULL WHERE name IN (SELECT name FROM staged.reviewer)")
    connection.execute(HEADS_OF_OLDER_POSTS, values)


@dataclass(frozen=True, slots=True)
class _Hold:
    """What an import holds on to, gathered before it is hidden, so that the database is not locked for the search.

    others: ids of people's annotations on its posts. touched: (post, criterion, reviewer) of its annotations of other posts.
    last: the newest annotation that was looked at.
    """

    posts: int
    annotations: int
    others: list[tuple[int]]
    touched: list[tuple[str, str, str]]
    last: int


def _hold(connection: sqlite3.Connection, import_id: int) -> _Hold:
    def rows(query: str) -> list[Any]:
        return connection.execute(query, {"import_id": import_id}).fetchall()

    last = rows("SELECT coalesce(max(id), 0) FROM main.annotation")[0][0]
    return _Hold(
        posts=rows("SELECT count(*) FROM main.post WHERE import_id = :import_id")[0][0],
        annotations=rows("SELECT count(*) FROM main.annotation WHERE import_id = :import_id")[0][0],
        others=rows(
            "SELECT a.id FROM main.post p CROSS JOIN main.annotation a ON a.post_id = p.id WHERE p.import_id = :import_id"
            " AND a.import_id IS NOT :import_id"
        ),
        touched=rows(
            "SELECT DISTINCT a.post_id, a.criterion_id, a.reviewer FROM main.annotation a JOIN main.post p ON p.id = a.post_id"
            " WHERE a.import_id = :import_id AND p.import_id IS NOT :import_id"
        ),
        last=last,
    )


def _hide(connection: sqlite3.Connection, import_id: int, held: _Hold) -> dict[str, int]:
    """Put an import out of sight for good; the heads of other posts' annotations are worked out again."""
    marked = connection.execute(
        f"UPDATE import SET undone_at = ?, pending = '{REMOVING}' WHERE id = ? AND undone_at IS NULL AND pending IS NULL",
        [utc_now(), import_id],
    )
    if marked.rowcount == 0:
        if connection.execute("SELECT 1 FROM import WHERE id = ? AND undone_at IS NOT NULL", [import_id]).fetchone():
            raise InvalidRecord(f"Import {import_id} was undone before.")
        raise NotFound(f"There is no import {import_id}.")
    newer = connection.execute(
        "SELECT a.id FROM main.annotation a JOIN main.post p ON p.id = a.post_id WHERE a.id > ? AND p.import_id = ?",
        [held.last, import_id],
    ).fetchall()
    connection.executemany("DELETE FROM main.annotation WHERE id = ?", [*held.others, *newer])
    connection.executemany(
        "DELETE FROM main.annotation_head WHERE post_id = ? AND criterion_id = ? AND reviewer = ?", held.touched
    )
    connection.executemany(LATEST_HEAD, held.touched)
    return {"posts": held.posts, "annotations": held.annotations + len(held.others) + len(newer)}


def _deletion(statement: str, values: Mapping[str, Any]) -> Callable[[sqlite3.Connection, int], int]:
    return lambda connection, rows: connection.execute(statement, {**values, "rows": rows}).rowcount


def _remove_posts(connection: sqlite3.Connection, import_id: int, rows: int) -> int:
    """Remove the next posts of the import with whatever hangs on them."""
    found = connection.execute("SELECT id FROM main.post WHERE import_id = ? LIMIT ?", [import_id, rows]).fetchall()
    ids = json.dumps([post_id for (post_id,) in found])
    for table in ON_POSTS:
        connection.execute(f"DELETE FROM {table} WHERE post_id IN (SELECT value FROM json_each(?))", [ids])
    return connection.execute("DELETE FROM main.post WHERE id IN (SELECT value FROM json_each(?))", [ids]).rowcount
