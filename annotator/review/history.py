"""What was decided before: the history of a post, an earlier answer brought back, and the last gesture taken back."""

from __future__ import annotations

import dataclasses
from typing import Any

from annotator.review.decisions import Wire, conflict_wire, revision_before
from annotator.review.undo import UNDO_DEPTH, last_gesture, stacks
from annotator.teams.label_questions import title
from annotator.teams.naming import called_before
from storage.attributes import said_wire
from storage.records import OF_POST, Annotation, Conflict, NotFound, Reviewer
from storage.rows import annotated_to_list
from storage.store import Store

QUOTED = 200  # characters of a passage in the history


def history(store: Store, post_id: str, reviewer: Reviewer) -> list[Wire]:
    """Who decided what and when for the post, newest first, as far as the reviewer may see it."""
    visible = store.visible_heads(post_id, reviewer.name)
    names = store.criterion_names() | {OF_POST: "Whole post"}
    text, called = store.post(post_id).text, called_before(store, reviewer)
    shown = [
        a for a in store.history(post_id) if a.reviewer == reviewer.name or (a.criterion_id, a.reviewer) in visible
    ]
    return [
        {
            "id": a.id,
            "reviewer": called(a.reviewer),
            "criterion_id": a.criterion_id,
            "criterion": names.get(a.criterion_id, a.criterion_id),
            "criterion_version": a.criterion_version,
            "revision": a.revision,
            "verdict": str(a.verdict) if a.verdict else None,
            "spans": [annotated_to_list(s) for s in a.spans],
            "quotes": [s.span.quote(text)[:QUOTED] for s in a.spans],
            "said": [said_wire(s.attributes) for s in a.spans],
            "labels": dict(a.labels),
            "rejected": [s.quote(text)[:QUOTED] for s in a.rejected],
            "note": a.note,
            "seconds": a.seconds,
            "bulk": a.bulk,
            "model_version": a.model_version,
            "restored_from": a.restored_from,
            "undoes": a.undoes,
            "at": a.created_at,
        }
        for a in shown
    ]


def decisions_about(store: Store, post_id: str, reviewer: Reviewer) -> list[Wire]:
    """What was adjudicated about the post, the newest first, as far as the reviewer may see it."""
    visible = store.visible_decisions(post_id, reviewer.name)
    text, called = store.post(post_id).text, called_before(store, reviewer)
    names = store.criterion_names()
    return [
        {
            "criterion": title(d.criterion_id, names),
            "outcome": d.level or str(d.outcome),
            "quotes": [s.quote(text)[:QUOTED] for s in d.spans],
            "reason": d.reason,
            "error_kind": d.error_kind,
            "by": called(d.adjudicator),
            "at": d.created_at,
        }
        for d in reversed(store.adjudications(post_id))
        if d.id in visible
    ]


def restore(store: Store, reviewer: Reviewer, annotation_id: int, *, expected_revision: int, op_id: str) -> Wire:
    """Bring back a stored answer, one's own or one that the person is shown (`history`), as one's own next revision.

    Result as `save`. Raises NotFound for any other, as for one that is not there.
    """
    earlier = store.revision(annotation_id)
    if not any(shown["id"] == annotation_id for shown in history(store, earlier.post_id, reviewer)):
        raise NotFound(f"There is no revision {annotation_id}.")
    annotation = dataclasses.replace(
        earlier,
        id=None,
        reviewer=reviewer.name,
        op_id=op_id,
        undoes=None,
        restored_from=earlier.id,
        created_at=None,
        seconds=None,
    )
    try:
        stored = store.add_annotation(annotation, expected_revision=expected_revision)
    except Conflict as conflict:
        wire = {"post_id": earlier.post_id, "criterion_id": earlier.criterion_id}
        return {"ok": False, "conflict": conflict_wire(store, reviewer, wire, conflict)}
    return {"ok": True, "post_id": stored.post_id, "criterion_id": stored.criterion_id, "revision": stored.revision}


def undo(store: Store, reviewer: Reviewer, gesture: str, *, redo: bool = False) -> Wire:
    """Take back the reviewer's last gesture (or, with `redo`, the last undo), in whichever post and session it was.

    gesture: a key made for this call; repeating it changes nothing more.
    Returns {"ok": True, "post_id", "criteria": [ids]}; `post_id` is None when there is nothing to take back.
    """
    recent = store.recent_annotations(reviewer.name, limit=UNDO_DEPTH)
    done = [a for a in recent if (a.op_id or "").startswith(f"{gesture}.")]
    if done:
        return {"ok": True, "post_id": done[0].post_id, "criteria": [a.criterion_id for a in done]}
    taken = last_gesture(stacks(recent)[1 if redo else 0])
    if not taken:
        return {"ok": True, "post_id": None, "criteria": []}
    with store.write():  # a gesture is taken back as a whole or not at all
        for number, row in enumerate(reversed(taken)):
            _take_back(store, row, op_id=f"{gesture}.{number}")
    return {"ok": True, "post_id": taken[0].post_id, "criteria": [a.criterion_id for a in taken]}


def _take_back(store: Store, row: Annotation, *, op_id: str) -> None:
    before = revision_before(store, row)
    current = store.annotations_of(row.post_id, row.reviewer)[row.criterion_id]
    changes: dict[str, Any] = {"id": None, "op_id": op_id, "undoes": row.id, "created_at": None, "seconds": None}
    if before is None:
        predicted = [s.predicted for s in row.spans if s.predicted]
        open_again = tuple(sorted((*predicted, *row.rejected, *row.undecided)))
        changes |= {"verdict": None, "spans": (), "rejected": (), "undecided": open_again, "note": "", "labels": ()}
        answer = dataclasses.replace(row, **changes, restored_from=None)
    else:
        answer = dataclasses.replace(before, **changes, restored_from=before.id)
    store.add_annotation(answer, expected_revision=current.revision)
