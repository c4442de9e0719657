"""Changing an open round beside who is in it: posts that change hands, readers that are missing, its deadline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from annotator.teams.naming import called_before
from annotator.teams.rounds import (
    can_read,
    check_deadline,
    give_out,
    left_behind,
    missing_readers,
    open_round,
    reserved_since,
)
from storage.records import InvalidRecord, Reviewer
from storage.store import Store
from storage.team_records import Assigned, Round, RoundChange, RoundPost


@dataclass(frozen=True, slots=True)
class Move:
    """Posts that change hands. to: None: they wait for a reader. posts: at most so many; None for all that can."""

    taken_from: str
    to: str | None = None
    posts: int | None = None


def move(store: Store, round_id: int, wanted: Move, *, expected_revision: int, by: Reviewer) -> dict[str, Any]:
    """Take posts from a person, the last of their queue first, and give them to another one.

    What is begun stays, unless the person has left the round; what is open on their screen stays until it is theirs no longer.
    Returns {"moved", "begun", "open", "known"}: how many changed hands, and why others did not.
    Raises NotAllowed, InvalidRecord, Conflict.
    """
    taken_from, to, posts = wanted.taken_from, wanted.to, wanted.posts
    if posts is not None and posts < 1:
        raise InvalidRecord("Say how many posts, at least one.")
    with store.write():
        known = open_round(store, round_id, by)
        if to is not None and (to not in known.people or to == taken_from):
            raise InvalidRecord(
                f"{called_before(store, by)(to)!r} is not another reader of this round. Add them to it first."
            )
        if to is not None and to not in can_read(store):
            raise InvalidRecord(f"{called_before(store, by)(to)!r} cannot sign in any more. Choose another reader.")
        theirs = store.assigned(round_id=round_id, reviewer=taken_from)
        free, kept = _free(store, known, theirs, taken_from)
        readers = store.readers_of([a.post_id for a in free])
        fit = [a for a in free if to is None or to not in readers.get(a.post_id, set())]
        chosen = fit[::-1][:posts] if posts else fit[::-1]
        given = [] if to is None else _given(chosen, to, known)
        change = RoundChange(
            what="moved" if to else "taken",
            detail={"from": taken_from, "to": to, "posts": len(chosen)},
            taken=[(a.post_id, a.reviewer) for a in chosen],
            given=given,
        )
        store.change_round(round_id, change, expected_revision=expected_revision, by=by.name)
    return {"moved": len(chosen), **kept, "known": len(free) - len(fit)}


def fill(store: Store, round_id: int, *, expected_revision: int, by: Reviewer) -> dict[str, Any]:
    """Give the round's posts the readers that they lack, those too that somebody who left had open and whose time is over.

    Returns {"given": how many}. Raises NotAllowed, InvalidRecord, Conflict.
    """
    with store.write():
        known = open_round(store, round_id, by)
        taken = left_behind(store, known)
        given = missing_readers(store, known, known.people, without=taken)
        change = RoundChange(what="given", detail={"posts": len(given)}, taken=sorted(taken), given=given)
        store.change_round(round_id, change, expected_revision=expected_revision, by=by.name)
    return {"given": len(given)}


def set_deadline(store: Store, round_id: int, deadline: str, *, expected_revision: int, by: Reviewer) -> Round:
    """deadline: a day as 2026-12-31, or "" for none. Raises NotAllowed, InvalidRecord, Conflict."""
    check_deadline(deadline)
    open_round(store, round_id, by)
    change = RoundChange(what="deadline", detail={"deadline": deadline}, deadline=deadline)
    return store.change_round(round_id, change, expected_revision=expected_revision, by=by.name)


def _free(store: Store, known: Round, theirs: Sequence[Assigned], person: str) -> tuple[list[Assigned], dict[str, int]]:
    """What can be taken from a person, and how many posts cannot, by why."""
    on_screen = {
        post_id for post_id, name in store.open_on_screens(known.id, since=reserved_since(store)) if name == person
    }
    gone = person not in known.people
    why = {a.post_id: _why_kept(a, gone=gone, on_screen=a.post_id in on_screen) for a in theirs if not a.done}
    counts = Counter(why.values())
    return [a for a in theirs if why.get(a.post_id) == ""], {"begun": counts["begun"], "open": counts["open"]}


def _why_kept(a: Assigned, *, gone: bool, on_screen: bool) -> str:
    if a.decided and not gone:
        return "begun"
    return "open" if on_screen else ""


def _given(chosen: Sequence[Assigned], to: str, known: Round) -> list[Assigned]:
    """The posts as the other person gets them: which of them show the model's marks is drawn anew."""
    posts = [RoundPost(a.post_id, 1) for a in chosen]
    return give_out(posts, [to], {}, known.suggestions, seed=known.seed + known.revision)
