from __future__ import annotations

import pytest

from annotator.review.why_next import NO_SCORE, why_next
from storage.queue import QueueFilter, QueueOrder
from storage.records import Prediction, Span
from tests.builders import MOOD, SLEEP

READ = {
    SLEEP.id: Prediction("p1", SLEEP.id, "m1", (Span(0, 4, 0.9),), 0.05),
    MOOD.id: Prediction("p1", MOOD.id, "m1", (), 0.5),
}
NAMES = {c.id: c.name for c in (SLEEP, MOOD)}
UNKNOWN = {SLEEP.id: Prediction("p1", SLEEP.id, "m1", (), 0.5, known=False)}


@pytest.mark.parametrize(
    ("order", "predictions", "words"),
    [
        (QueueOrder.RANDOM, READ, "by chance"),
        (QueueOrder.NEWEST, READ, "imported last"),
        (QueueOrder.DOUBTS, READ, "doubts an answer"),
        (QueueOrder.UNCERTAIN, READ, "unsure here, most of all about Depressed mood"),
        (QueueOrder.UNCERTAIN, {}, NO_SCORE),
        (QueueOrder.UNCERTAIN, UNKNOWN, NO_SCORE),
        (QueueOrder.EVIDENCE, READ, "expects evidence here, most of all for Sleep problems"),
        (QueueOrder.EVIDENCE, UNKNOWN, "no more evidence"),
    ],
)
def test_why_a_post_is_next_is_said_in_words(order: QueueOrder, predictions: dict[str, Prediction], words: str) -> None:
    assert words in why_next(QueueFilter(order=order), NAMES, predictions, hidden=False)


def test_nothing_of_the_model_is_said_to_who_reads_without_it() -> None:
    said = why_next(QueueFilter(order=QueueOrder.EVIDENCE), NAMES, READ, hidden=True)
    assert said == "Next in the order of the queue."
