"""Posts in the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from storage.connection import Connections
from storage.records import Conflict, NotFound, Post, Split, split_of, utc_now
from storage.rows import post_from_row, to_json, values_in_index

_TIME = "(ifnull({p}.posted_at, ''), {p}.number)"
PLACE_BY_AUTHOR = (
    f"SELECT count(*), total({_TIME.format(p='p')} <= {_TIME.format(p='me')}) FROM post me JOIN post p"
    " ON p.author = me.author WHERE me.id = ?"
)


class PostStore(Connections):
    """Questions and events about posts."""

    def add_posts(self, posts: Iterable[Post], *, import_id: int | None = None) -> tuple[int, list[str]]:
        """Store the posts whose id is new. Returns (number added, ids that were there already).

        A post without a split gets one from its author, else its id: fixed from then on.
        Raises Conflict if an import that is not finished brings a post of one of the ids; nothing is stored then.
        """
        added, known = 0, []
        with self.write() as db:
            for post in posts:
                cursor = db.conn.execute(
                    "INSERT INTO main.post (id, text, text_sha256, split, author, source, posted_at, import_id, imported_at,"
                    " shuffle, meta) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                    _post_values(post, import_id),
                )
                if cursor.rowcount:
                    added += 1
                elif any(db.query("SELECT 1 FROM post WHERE id = ?", [post.id])):
                    known.append(post.id)
                else:
                    raise Conflict(f"Post {post.id} is being imported right now. Try again later.", current_revision=0)
        return added, known

    def post(self, post_id: str) -> Post:
        """The post. Raises NotFound."""
        with self.read() as db:
            for row in db.query("SELECT * FROM post WHERE id = ?", [post_id]):
                return post_from_row(row)
        raise NotFound(f"There is no post {post_id!r}.")

    def posts(self, ids: Sequence[str]) -> list[Post]:
        """The posts with these ids that exist, in the order asked for."""
        with self.read() as db:
            rows = db.query("SELECT * FROM post WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(list(ids))])
            found = {row["id"]: post_from_row(row) for row in rows}
        return [found[post_id] for post_id in ids if post_id in found]

    def posts_at_random(self, limit: int) -> list[str]:
        """Ids of some posts, always the same ones until more are imported."""
        with self.read() as db:
            return [row[0] for row in db.execute("SELECT id FROM post ORDER BY shuffle LIMIT ?", [limit])]

    def iter_posts(self, *, batch_size: int = 500) -> Iterator[Post]:
        """Every post in order of storage, in constant memory; each batch is one read."""
        last = -1
        while True:
            with self.read() as db:
                rows = list(db.query("SELECT * FROM post WHERE number > ? ORDER BY number LIMIT ?", [last, batch_size]))
            if not rows:
                return
            yield from (post_from_row(row) for row in rows)
            last = rows[-1]["number"]

    def known_post_ids(self, ids: Sequence[str]) -> set[str]:
        with self.read() as db:
            rows = db.query("SELECT id FROM post WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(list(ids))])
            return {row["id"] for row in rows}

    def known_texts(self, text_sha256s: Sequence[str]) -> dict[str, str]:
        """Post id by text hash, for those of the hashes that are stored already."""
        with self.read() as db:
            rows = db.query(
                "SELECT text_sha256, min(id) AS id FROM post WHERE text_sha256 IN (SELECT value FROM json_each(?))"
                " GROUP BY text_sha256",
                [json.dumps(list(text_sha256s))],
            )
            return {row["text_sha256"]: row["id"] for row in rows}

    def set_split(self, post_ids: Sequence[str], split: Split) -> int:
        """Move posts to another split, by an explicit decision of an admin. Returns how many there were."""
        with self.write() as db:
            cursor = db.conn.execute(
                "UPDATE main.post SET split = ? WHERE id IN (SELECT value FROM json_each(?))",
                [str(split), json.dumps(list(post_ids))],
            )
            return cursor.rowcount

    def place_by_author(self, post_id: str) -> tuple[int, int]:
        """(which, of how many) of its author's posts it is, in order of time; (0, 0) where the author is not known."""
        with self.read() as db:
            of, at = db.execute(PLACE_BY_AUTHOR, [post_id]).fetchone()
        return int(at), int(of)

    def posts_around(self, post_id: str, *, most: int) -> tuple[list[Post], list[Post]]:
        """Up to `most` posts of the same author before it and as many after it, the oldest first.

        In order of their time as the corpus gives it, as text; those of one time, or without one, in order of storage.
        """
        found = []
        for side, order in (("<", "DESC"), (">", "")):
            with self.read() as db:
                rows = db.query(
                    f"SELECT p.* FROM post me JOIN post p ON p.author = me.author WHERE me.id = ? AND {_TIME.format(p='p')} {side}"
                    f" {_TIME.format(p='me')} ORDER BY ifnull(p.posted_at, '') {order}, p.number {order} LIMIT ?",
                    [post_id, most],
                )
                found.append([post_from_row(row) for row in rows])
        return found[0][::-1], found[1]

    def sources(self) -> list[str]:
        """Where the posts came from, each once."""
        with self.read() as db:
            return values_in_index(db, "post", "source")


def _post_values(post: Post, import_id: int | None) -> list[Any]:
    shuffle = int.from_bytes(hashlib.sha256(post.id.encode()).digest()[:4], "big") >> 1
    split = post.split or split_of(post.author or post.id)
    return [
        post.id,
        post.text,
        post.text_sha256,
        str(split),
        post.author,
        post.source,
        post.posted_at,
        import_id,
        utc_now(),
        shuffle,
        to_json(dict(post.meta)),
    ]
