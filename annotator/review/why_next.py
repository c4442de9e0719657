"""Why a post is the next one, in words for the page."""

from __future__ import annotations

from collections.abc import Mapping

from storage.queue import QueueFilter, QueueOrder
from storage.records import Prediction

NO_SCORE = "Next by chance: the model has not read it yet."
FIXED = {
    QueueOrder.RANDOM: "Next by chance, so that what you decide is a fair sample.",
    QueueOrder.NEWEST: "Next because it was imported last.",
    QueueOrder.ROUND: "Next in the order of your round.",
    QueueOrder.DOUBTS: "Next because the model doubts an answer here.",
}
"""Orders whose reason is the same for every post."""


def why_next(
    wanted: QueueFilter, names: Mapping[str, str], predictions: Mapping[str, Prediction], *, hidden: bool
) -> str:
    """names: of the criteria in use, by id. predictions: the model's, by criterion id.

    hidden: the person reads the post without the model's marks, so that nothing of them is said.
    """
    if wanted.order in FIXED:
        return FIXED[wanted.order]
    if hidden:
        return "Next in the order of the queue."
    scored = [(p, name) for key, name in names.items() if (p := predictions.get(key)) is not None]
    if not scored:
        return NO_SCORE
    if wanted.order is QueueOrder.UNCERTAIN:
        best, name = max(scored, key=lambda pair: pair[0].uncertainty)
        return f"Next because the model is unsure here, most of all about {name}." if best.uncertainty else NO_SCORE
    best, name = max(scored, key=lambda pair: pair[0].max_score)
    if not best.max_score:
        return "Next because the model expects no more evidence in any other post than in this one."
    return f"Next because the model expects evidence here, most of all for {name}."
