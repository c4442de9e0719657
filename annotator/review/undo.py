"""What undo and redo apply to: a walk over a reviewer's saves, across posts and sessions. Pure functions.

Nothing is ever taken out. An undo is a new revision that brings back the answer before the one it undoes; a redo is an undo
of that undo. So the saves themselves say what can be undone now, whoever asks, in whichever tab, today or next week.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.records import Annotation

UNDO_DEPTH = 500
"""How many of a person's saves are looked at."""


def gesture_of(annotation: Annotation) -> str:
    """The gesture that a save belongs to: its op_id up to the last dot. One gesture may decide several criteria."""
    if annotation.op_id is None:
        return f"row {annotation.id}"
    return annotation.op_id.rpartition(".")[0] or annotation.op_id


def stacks(newest_first: Sequence[Annotation]) -> tuple[list[Annotation], list[Annotation]]:
    """(what undo would take back, what redo would take back), each with the next one last.

    newest_first: one reviewer's saves, as `Store.recent_annotations` gives them.
    """
    undo: dict[int, Annotation] = {}
    redo: dict[int, Annotation] = {}
    for row in reversed(newest_first):
        if row.id is None:
            continue
        if row.undoes is None:
            redo.clear()
            undo[row.id] = row
        elif row.undoes in redo:
            del redo[row.undoes]
            undo[row.id] = row
        else:
            undo.pop(row.undoes, None)
            redo[row.id] = row
    return list(undo.values()), list(redo.values())


def last_gesture(stack: Sequence[Annotation]) -> list[Annotation]:
    """The saves of the gesture at the end of the stack, in the order in which they were made."""
    if not stack:
        return []
    gesture = gesture_of(stack[-1])
    taken: list[Annotation] = []
    for row in reversed(stack):
        if gesture_of(row) != gesture:
            break
        taken.append(row)
    return taken[::-1]
