"""What is shown of others' answers to a post, as the page takes it."""

from __future__ import annotations

from typing import Any

from annotator.teams.naming import called_before
from annotator.teams.training import gold_of_training
from storage.records import Reviewer
from storage.rows import ranges_to_list
from storage.store import Store

Wire = dict[str, Any]
GOLD = "Gold (training)"
"""Under this name gold stands among the answers of others."""


def others_wire(
    store: Store, post_id: str, reviewer: Reviewer, *, criterion_id: str | None = None
) -> dict[str, list[Wire]]:
    """By criterion id, what others decided, as far as `reviewer` may see it: see `storage.visibility.VISIBLE_HEAD`.

    criterion_id: of this criterion only.
    """
    answers = store.answers_of_others(post_id, reviewer.name, criterion_id=criterion_id)
    called = called_before(store, reviewer) if answers else str
    found: dict[str, list[Wire]] = {}
    for answer in answers:
        told = {"reviewer": called(answer.reviewer), "verdict": answer.verdict, "spans": answer.places}
        found.setdefault(answer.criterion_id, []).append({**told, "note": answer.note})
    for of_criterion in found.values():
        of_criterion.sort(key=lambda told: str(told["reviewer"]))
    for gold in gold_of_training(store, post_id, reviewer):
        if criterion_id in (None, gold.criterion_id):
            said = {"verdict": str(gold.verdict), "spans": ranges_to_list(gold.spans), "note": gold.note, "gold": True}
            found.setdefault(gold.criterion_id, []).insert(0, {"reviewer": GOLD, **said})
    return found
