"""Evidence from imports whose place in the post is uncertain: one after the other, decided by a person."""

from __future__ import annotations

from dataclasses import dataclass, replace

from storage.records import AnnotatedSpan, Annotation, InvalidRecord, NotFound, Verdict
from storage.store import Store

CONTEXT_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class Place:
    """Where the evidence may stand: the passage with what is around it, and its likeness in [0, 1]."""

    start: int
    end: int
    likeness: float
    before: str
    quote: str
    after: str


@dataclass(frozen=True, slots=True)
class Uncertain:
    """One piece of evidence that waits for a decision."""

    id: int
    post_id: str
    criterion_id: str
    reviewer: str
    evidence: str
    places: tuple[Place, ...]


def waiting(store: Store, *, limit: int = 50) -> list[Uncertain]:
    """The evidence that waits, oldest first."""
    rows = store.waiting_alignments(limit=limit)
    texts = {p.id: p.text for p in store.posts([row["post_id"] for row in rows])}
    return [
        Uncertain(
            id=row["id"],
            post_id=row["post_id"],
            criterion_id=row["criterion_id"],
            reviewer=row["reviewer"],
            evidence=row["evidence"],
            places=tuple(_place(texts[row["post_id"]], *candidate) for candidate in row["candidates"]),
        )
        for row in rows
    ]


def confirm(store: Store, alignment_id: int, choice: int | None, *, by: str) -> Annotation | None:
    """Settle one piece: `choice` is the number of the place (0-based), None if none is right.

    The span joins the latest answer of the reviewer whose evidence it is, as a new revision, which is returned.
    Raises NotFound if it does not wait any more, InvalidRecord for a place that was not offered.
    """
    with store.write():
        found = next((u for u in waiting(store, limit=-1) if u.id == alignment_id), None)
        if found is None:
            raise NotFound("This evidence was decided already, or its import was undone.")
        if choice is None:
            store.decide_alignment(alignment_id, None, by=by)
            return None
        if not 0 <= choice < len(found.places):
            raise InvalidRecord(f"Place {choice + 1} was not offered; there are {len(found.places)}.")
        span = AnnotatedSpan(found.places[choice].start, found.places[choice].end)
        store.decide_alignment(alignment_id, span.span, by=by)
        return _with_span(store, found, span, by)


def _with_span(store: Store, found: Uncertain, span: AnnotatedSpan, by: str) -> Annotation:
    latest = store.annotations_of(found.post_id, found.reviewer).get(found.criterion_id)
    note = f"Place of imported evidence confirmed by {by}."
    if latest is None:
        version = next((c.version for c in store.criteria(with_inactive=True) if c.id == found.criterion_id), 1)
        new = Annotation(
            found.post_id,
            found.criterion_id,
            found.reviewer,
            Verdict.EVIDENCE,
            (span,),
            criterion_version=version,
            note=note,
        )
        return store.add_annotation(new, expected_revision=0)
    if any((s.start, s.end) == (span.start, span.end) for s in latest.spans):
        return latest
    new = replace(
        latest,
        verdict=latest.verdict if latest.undecided else Verdict.EVIDENCE,
        spans=tuple(sorted((*latest.spans, span), key=lambda s: (s.start, s.end))),
        note="\n".join(filter(None, (latest.note, note))),
        seconds=None,
        op_id=None,
        created_at=None,
        id=None,
    )
    return store.add_annotation(new, expected_revision=latest.revision)


def _place(text: str, start: int, end: int, likeness: float) -> Place:
    return Place(
        start,
        end,
        likeness,
        before=text[max(0, start - CONTEXT_CHARACTERS) : start],
        quote=text[start:end],
        after=text[end : end + CONTEXT_CHARACTERS],
    )
