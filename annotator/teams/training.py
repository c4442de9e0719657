"""What readers are told of their rounds; in training rounds, what gold says, at once and by criterion."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from storage.records import Annotation, Reviewer
from storage.store import Store
from storage.team_records import Round, RoundKind, Standing


def gold_of_training(store: Store, post_id: str, reviewer: Reviewer) -> list[Annotation]:
    """Gold for the criteria that the person has decided in a training round; nothing elsewhere. Its note is the reason of who
    adjudicated; what a reader has noted on an answer of their own that became gold stays between them and the leads.
    """
    if not store.trains(post_id, reviewer.name):
        return []
    decided = {key for key, mine in store.annotations_of(post_id, reviewer.name).items() if mine.decided}
    told = [gold for gold in store.gold(post_ids=[post_id]) if gold.criterion_id in decided]
    return [g.annotation if g.rule == Standing.ADJUDICATED else replace(g.annotation, note="") for g in told]


def round_wire(found: Round) -> dict[str, Any]:
    """A round as its readers see it: a gold check looks like any other."""
    trains = found.kind is RoundKind.TRAINING
    return {"name": found.name, "deadline": found.deadline, "late": is_late(found), "trains": trains}


def is_late(found: Round) -> bool:
    """Whether the round is open after its last day (UTC)."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return found.closed_at is None and bool(found.deadline) and str(found.deadline) < today
