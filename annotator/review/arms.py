"""What the model's marks do to people, and what the model misses: answers given with and without suggestions. No gradio, no torch."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from encoder.measure.metrics import wilson
from storage.arms import ArmAnswer
from storage.records import InvalidRecord, Verdict
from storage.rounds import UNSUGGESTED
from storage.store import Store

Wire = dict[str, Any]


def share_of(store: Store) -> float:
    """The share of posts, 0 to 1, that are shown without suggestions outside of rounds."""
    return float(store.setting(UNSUGGESTED) or 0.0)


def set_share(store: Store, share: float) -> None:
    """Raises InvalidRecord for a share outside of [0, 1]."""
    if not 0.0 <= share <= 1.0:
        raise InvalidRecord("The share of posts without suggestions lies between 0 and 100 %.")
    store.set_setting(UNSUGGESTED, share)


def arms_of(store: Store, version: str | None, *, of: str | None = None) -> Wire | None:
    """The two arms side by side, and the recall of the model where nobody saw its marks; None while nothing was answered without.

    of: from that person's answers alone.
    """
    answers = store.arm_answers(of=of)
    rows = compared(answers)
    return {"rows": rows, "recall": recall(store, answers, version)} if rows else None


def compared(answers: Sequence[ArmAnswer]) -> list[dict[str, Any]]:
    """What people did with and without the model's marks; empty while nothing was answered without.

    missed: of the passages that others marked for the same, how many the person did not touch; with a 95 % interval (Wilson).
    """
    rows = []
    for suggested in (True, False):
        some = [a for a in answers if a.suggested is suggested]
        if not some:
            return []
        seconds = [a.seconds for a in some if a.seconds is not None]
        marked = [any(s.overlaps(o) for s in a.spans) for a in some for o in a.others]
        missed = marked.count(False)
        rows.append(
            {
                "name": "with suggestions" if suggested else "without",
                "decisions": len(some),
                "evidence": sum(a.verdict is Verdict.EVIDENCE for a in some) / len(some),
                "passages": sum(len(a.spans) for a in some) / len(some),
                "seconds": statistics.median(seconds) if seconds else None,
                "missed": missed,
                "of": len(marked),
                "interval": wilson(missed, len(marked)),
            }
        )
    return rows


def recall(store: Store, answers: Sequence[ArmAnswer], version: str | None) -> Wire | None:
    """Of the passages that people marked without seeing the model's marks, those that it marks too, with a 95 % interval (Wilson).

    None where it has read none of these posts. Passages of one post are counted as if they were independent.
    """
    found = []
    for answer in answers:
        if answer.suggested or not answer.spans or version is None:
            continue
        prediction = store.predictions(answer.post_id, version).get(answer.criterion_id)
        if prediction is not None and prediction.known:
            found += [any(span.overlaps(p) for p in prediction.spans) for span in answer.spans]
    if not found:
        return None
    return {"found": sum(found), "of": len(found), "interval": wilson(sum(found), len(found))}
