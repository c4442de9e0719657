"""The review queue: which post comes next, which fit a filter, and the events of opening and skipping.

How the questions are put to SQLite, and why none of them reads the whole corpus, is in `storage.queue_plan`.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storage.connection import Connections, Handle
from storage.fulltext import fts_query
from storage.progress import count_criteria, count_plainly, posts_not_read
from storage.queue_plan import NOT_READ, QueueFilter, QueueOrder, QueuePlan, ReviewState, Start, Walk, plan
from storage.records import InvalidRecord, Split, utc_now

__all__ = ["QueueCount", "QueueFilter", "QueueItem", "QueueOrder", "QueueStore", "ReviewState", "fts_query"]

FEW_POSTS = 2000
"""A filter that finds up to here has its posts looked up and sorted; with more of them, a walk meets one soon."""
QUEUE_SECONDS = 5.0
COUNTED = 1000
ANSWERS_KEPT_SECONDS = 20.0
_PAGE = 50  # posts that are looked up at once for a reviewer's next ones
_CHECKED = 16  # of them are looked at again at once, before one is given out
_KEPT_QUEUES = 500
_CHANGES = (
    "SELECT total(number) FROM queue_change WHERE subject IN"
    " ('posts', 'predictions', 'forgotten', 'criteria', 'assignment', 'reopened ' || ?)"
)


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One line of the list of posts. excerpt: the start of its text. place: where it stands, to list what comes after."""

    post_id: str
    excerpt: str
    split: Split
    source: str | None
    uncertainty: float | None
    evidence: float | None
    decided: int
    criteria: int
    skipped: bool
    assigned: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class QueueCount:
    """How many posts fit; at_least: they were only counted so far."""

    posts: int
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a post stands in an order: in which of its walks, and at which values of the walk's columns."""

    walk: int
    at: tuple[Any, Any]

    def is_beyond(self, other: _Place | None, walks: Sequence[Walk]) -> bool:
        if other is None or self.walk != other.walk:
            return other is None or self.walk > other.walk
        return self.at < other.at if walks[self.walk].descending else self.at > other.at

    def to_text(self) -> str:
        return json.dumps([self.walk, *self.at])


@dataclass(frozen=True, slots=True)
class _Found:
    post_id: str
    place: _Place


@dataclass(frozen=True, slots=True)
class _Upcoming:
    """What was found to come next for a reviewer. Each post is looked at again before it is given out; what came into the
    queue since is seen by `changes`, but for others' answers: what was found by these is kept for ANSWERS_KEPT_SECONDS only.
    place: how far the walk went. ended: there was nothing more. since: when it was begun, of `time.monotonic`.
    """

    changes: float
    since: float
    post_ids: tuple[str, ...] = ()
    place: _Place | None = None
    ended: bool = False

    @property
    def is_old(self) -> bool:
        """Whether posts that others have answered meanwhile are to be looked for."""
        return self.ended or time.monotonic() - self.since > ANSWERS_KEPT_SECONDS


class QueueStore(Connections):
    """Questions about what to review next, and events of opening and skipping."""

    def __init__(self, path: Path) -> None:
        self._upcoming: OrderedDict[tuple[Any, ...], _Upcoming] = OrderedDict()
        self._upcoming_lock = threading.Lock()
        super().__init__(path)

    def queue(
        self,
        wanted: QueueFilter,
        *,
        me: str,
        model_version: str | None,
        limit: int = 50,
        offset: int = 0,
        after: str = "",
    ) -> list[QueueItem]:
        """A page of the posts that fit `wanted`, in its order, as seen by reviewer `me`.

        after: `place` of the last post of the page before, which costs less than to count up to an `offset`.
        Raises InvalidRecord if that is no place, TooSlow if it takes longer than QUEUE_SECONDS.
        """
        with self.read(seconds=QUEUE_SECONDS) as db:
            asked = _plan(db, wanted, me, model_version)
            found = _find(db, asked, limit=limit + offset, after=_read_place(after, asked))[offset:]
            return _items(db, found, asked)

    def queue_ids(self, wanted: QueueFilter, *, me: str, model_version: str | None, limit: int) -> list[str]:
        """Ids of the posts that fit, best first."""
        with self.read(seconds=QUEUE_SECONDS) as db:
            asked = _plan(db, wanted, me, model_version)
            return [found.post_id for found in _find(db, asked, limit=limit)]

    def next_in_queue(
        self, wanted: QueueFilter, *, me: str, model_version: str | None, exclude: Collection[str] = ()
    ) -> str | None:
        """The best post that fits and is not among `exclude`; None if there is none.

        What a walk found beyond it is kept for the next call, so that the posts that the reviewer has done are passed over once.
        """
        key = (wanted, me, model_version)
        lasting = wanted.state in (ReviewState.TODO, ReviewState.ANY)
        with self.read(seconds=QUEUE_SECONDS) as db:
            asked = _plan(db, wanted, me, model_version)
            changes = db.execute(_CHANGES, [me]).fetchone()[0]
            kept = self._upcoming.get(key) if lasting else None
            if kept is None or kept.changes != changes or ((wanted.verdict or wanted.reviewer) and kept.is_old):
                kept = _Upcoming(changes, time.monotonic())
            post_id, kept = _next(db, asked, kept, set(exclude))
        if lasting:
            with self._upcoming_lock:
                self._upcoming[key] = kept
                self._upcoming.move_to_end(key)
                while len(self._upcoming) > _KEPT_QUEUES:
                    self._upcoming.popitem(last=False)
        return post_id

    def count_queue(
        self, wanted: QueueFilter, *, me: str, model_version: str | None, most: int = COUNTED
    ) -> QueueCount:
        """How many posts fit `wanted`: exactly without filters, else counted up to `most`."""
        with self.read(seconds=QUEUE_SECONDS) as db:
            asked = _plan(db, wanted, me, model_version)
            if _is_plain(wanted) and wanted.state is not ReviewState.OUTDATED and not db.hides_pending:
                return QueueCount(count_plainly(db, wanted.state, me=me, criteria=asked.values["needed"]))
            start = _small_start(db, asked)
            if start is not None:
                rows = db.execute(asked.collect_sql(start), asked.values)
                return QueueCount(len({row[0] for row in rows}))
            once = next((s for s in asked.starts if not s.repeats), None)
            if once is not None:
                count = db.execute(asked.count_from_sql(once), {**asked.values, "limit": most}).fetchone()[0]
                return QueueCount(count, at_least=count >= most)
            count = 0
            for walk in asked.walks:
                if count < most and (walk is not NOT_READ or posts_not_read(db, asked.values["model"])):
                    found = db.execute(asked.count_sql(walk), {**asked.values, "limit": most - count})
                    count += found.fetchone()[0]
            return QueueCount(count, at_least=count >= most)

    # --- visits

    def open_post(self, post_id: str, reviewer: str) -> None:
        """Remember where the reviewer is; opening a post again takes it off the skipped ones. Nothing where the post is gone.

        A power cut may take it back: it is written with every post, and no answer is lost with it.
        """
        with self.write(durable=False) as db:
            db.conn.execute(
                "INSERT INTO post_visit (reviewer, post_id, opened_at) SELECT :reviewer, id, :now FROM post WHERE id = :post"
                " ON CONFLICT (reviewer, post_id) DO UPDATE SET opened_at = excluded.opened_at, skipped_at = NULL",
                {"reviewer": reviewer, "now": _precise_now(), "post": post_id},
            )

    def skip_post(self, post_id: str, reviewer: str) -> None:
        with self.write() as db:
            db.conn.execute(
                "INSERT INTO post_visit (reviewer, post_id, opened_at, skipped_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (reviewer, post_id) DO UPDATE SET skipped_at = excluded.skipped_at",
                [reviewer, post_id, _precise_now(), utc_now()],
            )

    def is_skipped(self, post_id: str, reviewer: str) -> bool:
        with self.read() as db:
            return any(
                db.query(
                    "SELECT 1 FROM post_visit WHERE reviewer = ? AND post_id = ? AND skipped_at IS NOT NULL",
                    [reviewer, post_id],
                )
            )

    def visited_posts(self, reviewer: str, *, limit: int = 50) -> list[str]:
        """The posts that the reviewer opened, latest first: where to resume, and what 'previous' walks through."""
        with self.read() as db:
            rows = db.query(
                "SELECT post_id FROM post_visit WHERE reviewer = ? AND EXISTS (SELECT 1 FROM post WHERE post.id = post_id)"
                " ORDER BY opened_at DESC LIMIT ?",
                [reviewer, limit],
            )
            return [row["post_id"] for row in rows]

    def assign(self, post_ids: list[str], reviewer: str, *, by: str | None) -> int:
        """Give posts to a reviewer; those they have already are left. Returns how many are new."""
        with self.write() as db:
            cursor = db.conn.execute(
                "INSERT INTO assignment (post_id, reviewer, assigned_by, assigned_at)"
                " SELECT value, ?, ?, ? FROM json_each(?) WHERE true ON CONFLICT DO NOTHING",
                [reviewer, by, utc_now(), json.dumps(post_ids)],
            )
            return cursor.rowcount

    def unassign(self, post_ids: list[str], reviewer: str) -> int:
        """Take posts from a reviewer, except those of a round that they have begun. Returns how many were taken."""
        with self.write() as db:
            cursor = db.conn.execute(
                "DELETE FROM assignment WHERE reviewer = ? AND post_id IN (SELECT value FROM json_each(?)) AND NOT (round_id IS NOT NULL"
                " AND EXISTS (SELECT 1 FROM annotation_head h WHERE h.post_id = assignment.post_id AND h.reviewer = assignment.reviewer))",
                [reviewer, json.dumps(post_ids)],
            )
            return cursor.rowcount


def _plan(db: Handle, wanted: QueueFilter, me: str, model_version: str | None) -> QueuePlan:
    criteria = count_criteria(db)
    return plan(wanted, me=me, model_version=model_version, criteria=criteria, hides_pending=db.hides_pending)


def _is_plain(wanted: QueueFilter) -> bool:
    """True without any filter but the state."""
    return wanted.order is not QueueOrder.DOUBTS and (
        wanted == QueueFilter(order=wanted.order, state=wanted.state, query=wanted.query) and not wanted.query.strip()
    )


def _small_start(db: Handle, asked: QueuePlan) -> Start | None:
    """The filter that finds the fewest posts, if they are few."""
    best, fewest = None, FEW_POSTS + 1
    for start in asked.starts:
        size = db.execute(asked.start_sql(start), {**asked.values, "limit": fewest}).fetchone()[0]
        if size < fewest:
            best, fewest = start, size
    return best


def _find(db: Handle, asked: QueuePlan, *, limit: int, after: _Place | None = None) -> list[_Found]:
    """The first posts that fit, in order, beyond a place."""
    start = _small_start(db, asked)
    if start is not None:
        rows = db.execute(asked.collect_sql(start), asked.values)
        return [found for found in _sorted(rows, asked.walks) if found.place.is_beyond(after, asked.walks)][:limit]
    found: list[_Found] = []
    for number, walk in enumerate(asked.walks):
        if len(found) >= limit or (after is not None and number < after.walk):
            continue
        if walk is NOT_READ and not posts_not_read(db, asked.values["model"]):
            continue
        values = dict(asked.values)
        parts: tuple[str, ...] = ("1",)
        if after is not None and number == after.walk:
            values |= {"at_0": after.at[0], "at_1": after.at[1]}
            parts = walk.beyond
        for part in parts:
            values["limit"] = limit - len(found)
            for post_id, *at in db.execute(asked.walk_sql(walk, part=part), values):
                found.append(_Found(post_id, _Place(number, (at[0], at[1]))))
    return found


def _sorted(rows: Any, walks: Sequence[Walk]) -> list[_Found]:
    """Collected posts in the order's own order, each once."""
    by_walk: list[list[tuple[tuple[Any, Any], str]]] = [[] for _ in walks]
    for post_id, *columns in {row[0]: row for row in rows}.values():
        number = next(n for n in range(len(walks)) if columns[2 * n] is not None)
        by_walk[number].append(((columns[2 * number], columns[2 * number + 1]), post_id))
    return [
        _Found(post_id, _Place(number, at))
        for number, walk in enumerate(walks)
        for at, post_id in sorted(by_walk[number], reverse=walk.descending)
    ]


def _next(db: Handle, asked: QueuePlan, kept: _Upcoming, exclude: set[str]) -> tuple[str | None, _Upcoming]:
    """The next post that fits, and what is known to come after it; posts among `exclude` stay in it."""
    gone: set[str] = set()
    post_ids = list(kept.post_ids)
    place, ended = kept.place, kept.ended
    while True:
        waiting = [i for i in post_ids if i not in exclude and i not in gone]
        for at in range(0, len(waiting), _CHECKED):
            some = waiting[at : at + _CHECKED]
            fit = {row[0] for row in db.execute(asked.check_sql(), {**asked.values, "ids": json.dumps(some)})}
            gone |= set(some) - fit
            if fit:
                left = tuple(i for i in post_ids if i not in gone) if gone else tuple(post_ids)
                return next(i for i in some if i in fit), replace(kept, post_ids=left, place=place, ended=ended)
        if ended:
            left = tuple(i for i in post_ids if i not in gone)
            return None, replace(kept, post_ids=left, place=place, ended=ended)
        more = _find(db, asked, limit=_PAGE, after=place)
        ended = len(more) < _PAGE
        place = more[-1].place if more else place
        post_ids += [found.post_id for found in more]


def _read_place(text: str, asked: QueuePlan) -> _Place | None:
    if not text:
        return None
    try:
        number, *at = json.loads(text)
        is_place = number in range(len(asked.walks)) and len(at) == 2
        if is_place and all(isinstance(v, str | float) or (isinstance(v, int) and abs(v) < 2**63) for v in at):
            return _Place(int(number), (at[0], at[1]))
    except (ValueError, TypeError, RecursionError):
        pass
    raise InvalidRecord("The list cannot go on from there. Load its first page again.")


def _items(db: Handle, found: Sequence[_Found], asked: QueuePlan) -> list[QueueItem]:
    rows = db.query(
        "SELECT post.id, substr(post.text, 1, 160) AS excerpt, post.split, post.source, s.uncertainty, s.evidence,"
        " ifnull(r.decided, 0) AS decided, v.skipped_at, (SELECT group_concat(reviewer, char(10)) FROM assignment"
        " WHERE post_id = post.id) AS assigned FROM json_each(:ids) AS given CROSS JOIN main.post AS post ON post.id = given.value"
        " LEFT JOIN post_score AS s ON s.post_id = post.id AND s.model_version = :model"
        " LEFT JOIN post_review AS r ON r.reviewer = :me AND r.post_id = post.id"
        " LEFT JOIN post_visit AS v ON v.reviewer = :me AND v.post_id = post.id",
        {**asked.values, "ids": json.dumps([f.post_id for f in found])},
    )
    by_id = {row["id"]: row for row in rows}
    return [_item(by_id[f.post_id], asked.values["needed"], f.place) for f in found]


def _item(row: dict[str, Any], criteria: int, place: _Place) -> QueueItem:
    return QueueItem(
        post_id=row["id"],
        excerpt=row["excerpt"],
        split=Split(row["split"]),
        source=row["source"],
        uncertainty=row["uncertainty"],
        evidence=row["evidence"],
        decided=row["decided"],
        criteria=criteria,
        skipped=row["skipped_at"] is not None,
        assigned=tuple((row["assigned"] or "").split("\n")) if row["assigned"] else (),
        place=place.to_text(),
    )


def _precise_now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
