"""The posts of an author around one of theirs, in order of time: context to read, never an answer and never a name."""

from __future__ import annotations

from typing import Any

from storage.records import Post
from storage.store import Store

Wire = dict[str, Any]
MOST = 3  # to each side
MOST_CHARACTERS = 6000


def place_by_author(store: Store, post: Post) -> Wire | None:
    """Which of how many of its author's posts it is; None where the author is not known or has no other."""
    if post.author is None:
        return None
    at, of = store.place_by_author(post.id)
    return {"at": at, "of": of} if of > 1 else None


def neighbours(store: Store, post_id: str) -> Wire:
    """The author's posts before and after it, the oldest first, as text alone. Raises NotFound."""
    post = store.post(post_id)
    earlier, later = store.posts_around(post.id, most=MOST) if post.author is not None else ([], [])
    return {
        "place": place_by_author(store, post),
        "earlier": [_wire(other) for other in earlier],
        "later": [_wire(other) for other in later],
    }


def _wire(post: Post) -> Wire:
    return {
        "id": post.id,
        "posted_at": post.posted_at,
        "text": post.text[:MOST_CHARACTERS],
        "cut": len(post.text) > MOST_CHARACTERS,
    }
