"""The list of posts: finding them by the queue's filters, and what can be done to many at once. No gradio, no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from annotator.accounts import allow
from annotator.review import Model, Wire
from storage.queue import QueueFilter, QueueItem
from storage.records import InvalidRecord, Reviewer, Role, Split
from storage.store import Store

MOST_AT_ONCE = 1000


def find_posts(
    store: Store, model: Model, reviewer: Reviewer, wanted: QueueFilter, *, limit: int = 30, offset: int = 0
) -> Wire:
    """A page of the posts that fit: {"total", "posts": [{"post_id", "excerpt", "split", "state", ...}]}."""
    items = store.queue(wanted, me=reviewer.name, model_version=model.version, limit=limit, offset=offset)
    total = store.count_queue(wanted, me=reviewer.name, model_version=model.version)
    return {"total": total, "posts": [_wire(item) for item in items]}


def all_ids(store: Store, model: Model, reviewer: Reviewer, wanted: QueueFilter) -> list[str]:
    """The ids of every post that fits, at most MOST_AT_ONCE."""
    return store.queue_ids(wanted, me=reviewer.name, model_version=model.version, limit=MOST_AT_ONCE)


def choices(store: Store) -> Wire:
    """What the filters can be set to."""
    return {
        "criteria": [{"id": c.id, "name": c.name} for c in store.criteria()],
        "sources": store.sources(),
        "reviewers": [r.name for r in store.reviewers() if r.disabled_at is None],
    }


def assign(store: Store, post_ids: Sequence[str], to: str, *, by: Reviewer) -> int:
    """Give posts to a reviewer; everybody may take posts, adjudicators and admins may give them to others.

    Returns how many are new to them. Raises NotAllowed, NotFound.
    """
    if to != by.name:
        allow(by, Role.ADJUDICATOR, Role.ADMIN)
    return store.assign(_checked(store, post_ids), store.reviewer(to).name, by=by.name)


def change_split(store: Store, post_ids: Sequence[str], split: str, *, by: Reviewer) -> int:
    """Move posts to another split: an admin's explicit decision. Returns how many. Raises NotAllowed, InvalidRecord."""
    allow(by, Role.ADMIN)
    if split not in {str(s) for s in Split}:
        raise InvalidRecord(f"{split!r} is no split; it is train, dev or test.")
    return store.set_split(_checked(store, post_ids), Split(split))


def _checked(store: Store, post_ids: Sequence[str]) -> list[str]:
    if not post_ids:
        raise InvalidRecord("Choose at least one post.")
    if len(post_ids) > MOST_AT_ONCE:
        raise InvalidRecord(f"Choose at most {MOST_AT_ONCE} posts at once, not {len(post_ids)}.")
    known = store.known_post_ids(post_ids)
    if missing := [post_id for post_id in post_ids if post_id not in known]:
        raise InvalidRecord(f"There is no post {missing[0]!r} (any more). Load the list again.")
    return list(post_ids)


def _wire(item: QueueItem) -> dict[str, Any]:
    given = dataclasses.asdict(item)
    return {**given, "split": str(item.split), "assigned": list(item.assigned), "state": _state(item)}


def _state(item: QueueItem) -> str:
    if item.decided >= item.criteria:
        return "reviewed"
    if item.skipped:
        return "skipped"
    return "started" if item.decided else "open"
