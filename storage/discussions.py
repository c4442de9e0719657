"""Discussions in the store: messages about a post or a criterion, who is spoken to in them, and how far each person has read.

A thread is all messages about one post, or about one criterion. Who sees which of them is `storage.visibility.VISIBLE_MESSAGE`'s alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from storage.connection import Connections
from storage.records import InvalidRecord, NotFound, utc_now
from storage.rows import Row, stored
from storage.visibility import VISIBLE_MESSAGE

_THREAD = "CASE WHEN m.post_id IS NULL THEN 'criterion ' || m.criterion_id ELSE 'post ' || m.post_id END"


class Said(StrEnum):
    """What a message does beside saying something. The last message of a thread says whether it is resolved."""

    SAID = "said"
    FLAGGED = "flagged"  # for the lead
    RESOLVED = "resolved"
    REOPENED = "reopened"


class Wanted(StrEnum):
    """Which threads are listed: all that are open, the flagged ones among them, those that speak to a person, the resolved ones."""

    OPEN = "open"
    FLAGGED = "flagged"
    MINE = "mine"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody says about a post (for a criterion, or none), or about a criterion (post_id None)."""

    author: str
    text: str
    post_id: str | None = None
    criterion_id: str | None = None
    what: Said = Said.SAID
    mentions: tuple[str, ...] = ()
    op_id: str | None = None
    at: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread as somebody may see it. last: its newest message. new: it speaks to them since they looked."""

    post_id: str | None
    criterion_id: str | None
    messages: int
    last: Message
    flagged: bool
    resolved: bool
    new: bool


class DiscussionStore(Connections):
    """Questions and events about discussions."""

    def add_message(self, message: Message) -> None:
        """Append a message; repeated with the same `op_id` it is stored once. Raises NotFound, InvalidRecord."""
        with self.write() as db:
            if message.op_id is not None:
                for row in db.query("SELECT author FROM message WHERE op_id = ?", [message.op_id]):
                    if row["author"] != message.author:
                        raise InvalidRecord("This message was sent by somebody else before.")
                    return
            if message.post_id is not None and not any(db.query("SELECT 1 FROM post WHERE id = ?", [message.post_id])):
                raise NotFound(f"There is no post {message.post_id!r}.")
            cursor = db.conn.execute(
                "INSERT INTO message (op_id, post_id, criterion_id, author, what, text, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    message.op_id,
                    message.post_id,
                    message.criterion_id,
                    message.author,
                    str(message.what),
                    message.text,
                    utc_now(),
                ],
            )
            db.conn.executemany(
                "INSERT INTO mention (message_id, reviewer) VALUES (?, ?)",
                [[cursor.lastrowid, m] for m in message.mentions],
            )

    def messages(self, me: str, *, post_id: str | None = None, criterion_id: str | None = None) -> list[Message]:
        """The thread of a post, else of a criterion, as far as `me` may see it, oldest first."""
        chosen = "m.post_id = :post" if post_id is not None else "m.post_id IS NULL AND m.criterion_id = :criterion"
        return self._messages(
            f"{chosen} AND {VISIBLE_MESSAGE.format(m='m')}", {"post": post_id, "criterion": criterion_id, "me": me}
        )

    def messages_to_export(self, reader: str | None, post_ids: Sequence[str] | None) -> list[Message]:
        """Messages about the posts, or (None) those about criteria, oldest first. reader: who exports; None sees all."""
        chosen = "m.post_id IS NULL" if post_ids is None else "m.post_id IN (SELECT value FROM json_each(:ids))"
        seen = f" AND {VISIBLE_MESSAGE.format(m='m')}" if reader else ""
        return self._messages(chosen + seen, {"ids": json.dumps(list(post_ids or ())), "me": reader})

    def threads(self, me: str, wanted: Wanted = Wanted.OPEN, *, limit: int = 100) -> list[Thread]:
        """Threads of which `me` may see something, the last spoken in first."""
        where = {
            Wanted.OPEN: "NOT t.resolved",
            Wanted.FLAGGED: "t.flagged",
            Wanted.MINE: "t.mine",
            Wanted.RESOLVED: "t.resolved",
        }[wanted]
        with self.read() as db:
            rows = list(
                db.query(
                    f"SELECT * FROM ({_THREADS}) t WHERE {where} ORDER BY t.last DESC LIMIT :limit",
                    {"me": me, "limit": limit},
                )
            )
            last = {
                m.id: m
                for m in self._messages(
                    "m.id IN (SELECT value FROM json_each(:ids))", {"ids": json.dumps([r["last"] for r in rows])}
                )
            }
        return [
            Thread(
                row["post_id"],
                None if row["post_id"] is not None else row["criterion_id"],
                row["messages"],
                last[row["last"]],
                bool(row["flagged"]),
                bool(row["resolved"]),
                bool(row["new"]),
            )
            for row in rows
        ]

    def count_threads(self, me: str) -> dict[str, int]:
        """How many threads each choice lists, and as "new" those that speak to `me` since they looked."""
        with self.read() as db:
            row = db.execute(
                "SELECT total(NOT resolved), total(flagged), total(mine), total(resolved), total(new)"
                f" FROM ({_THREADS})",
                {"me": me},
            ).fetchone()
            return {str(name): int(n) for name, n in zip((*Wanted, "new"), row, strict=True)}

    def see_messages(self, me: str, messages: Sequence[Message]) -> None:
        """Note that `me` has read these, as far as they speak to them."""
        unseen = "SELECT message_id FROM mention WHERE reviewer = :me AND seen = 0 AND message_id IN (SELECT value FROM json_each(:ids))"
        values = {"me": me, "ids": json.dumps([m.id for m in messages])}
        with self.read() as db:
            if db.execute(unseen, values).fetchone() is None:
                return
        with self.write(durable=False) as db:
            db.conn.execute(f"UPDATE mention SET seen = 1 WHERE reviewer = :me AND message_id IN ({unseen})", values)

    def _messages(self, where: str, values: dict[str, Any]) -> list[Message]:
        with self.read() as db:
            rows = db.query(
                "SELECT m.*, (SELECT json_group_array(n.reviewer) FROM mention n WHERE n.message_id = m.id) AS spoken_to"
                f" FROM message m WHERE {where} ORDER BY m.id",
                values,
            )
            return [message_from_row(row) for row in rows]


_THREADS = (
    "SELECT min(s.post_id) AS post_id, min(s.criterion_id) AS criterion_id, count(*) AS messages, max(s.id) AS last,"
    " max(s.id) = ifnull(max(CASE WHEN s.what = 'resolved' THEN s.id END), 0) AS resolved,"
    " ifnull(max(CASE WHEN s.what = 'flagged' THEN s.id END), 0) > ifnull(max(CASE WHEN s.what = 'resolved' THEN s.id END), 0) AS flagged,"
    " max(s.author = :me OR s.to_me) AS mine,"
    " max(s.new_to_me) AS new FROM"
    f" (SELECT m.*, {_THREAD} AS thread, EXISTS (SELECT 1 FROM mention n WHERE n.message_id = m.id AND n.reviewer = :me) AS to_me,"
    " EXISTS (SELECT 1 FROM mention n WHERE n.message_id = m.id AND n.reviewer = :me AND n.seen = 0) AS new_to_me"
    f" FROM message m WHERE {VISIBLE_MESSAGE.format(m='m')}) s GROUP BY s.thread"
)


@stored
def message_from_row(row: Row) -> Message:
    return Message(
        author=row["author"],
        text=row["text"],
        post_id=row["post_id"],
        criterion_id=row["criterion_id"],
        what=Said(row["what"]),
        mentions=tuple(json.loads(row["spoken_to"] or "[]")),
        op_id=row["op_id"],
        at=row["at"],
        id=row["id"],
    )


def message_object(message: Message) -> dict[str, Any]:
    """A message as an export writes it."""
    found = {
        "author": message.author,
        "criterion": message.criterion_id,
        "what": str(message.what),
        "text": message.text,
        "at": message.at,
    }
    return {key: value for key, value in found.items() if value is not None}
