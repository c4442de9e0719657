"""Training rounds: whoever has answered is told what gold says, at once and by criterion."""

from __future__ import annotations

from storage.records import Annotation, Reviewer
from storage.store import Store


def gold_of_training(store: Store, post_id: str, reviewer: Reviewer) -> list[Annotation]:
    """Gold for the criteria that the person has decided in a training round, its note being the reason; nothing elsewhere."""
    if not store.trains(post_id, reviewer.name):
        return []
    decided = {key for key, mine in store.annotations_of(post_id, reviewer.name).items() if mine.decided}
    return [gold.annotation for gold in store.gold(post_ids=[post_id]) if gold.criterion_id in decided]
