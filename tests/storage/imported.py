"""An import as the store gets it: staged, then published."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from storage.records import Annotation, Post, Role
from storage.staging import Staging, import_folder
from storage.store import Store


def import_into(
    store: Store,
    posts: Sequence[Post],
    answers: Sequence[Annotation],
    *,
    on_step: Callable[[float], None] | None = None,
) -> int:
    """Import posts, and answers to them or to others that are there; returns the import's number."""
    with import_folder(store.path.parent) as folder:
        staging = Staging(folder / "staging.db")
        for post in posts:
            staging.add_post(post, post.text_sha256)
        for known in store.posts([answer.post_id for answer in answers]):
            staging.add_known_post(known.id, known.text_sha256)
        for answer in answers:
            staging.add_reviewer(answer.reviewer, Role.REVIEWER)
            staging.add_annotation(answer)
        staging.close()
        return store.publish(folder / "staging.db", file_name="f.csv", format_name="csv", on_step=on_step)


def begin_import(store: Store) -> int:
    """An import of another program that is not finished, and brings nothing of its own; returns its number."""
    with store.write() as db:
        cursor = db.conn.execute(
            "INSERT INTO import (file_name, format, created_at, pending) VALUES ('a', 'csv', '2026', 'storing x')"
        )
        return int(cursor.lastrowid or 0)


def show_imports(store: Store) -> None:
    with store.write() as db:
        db.conn.execute("UPDATE import SET pending = NULL")
