"""Adjudications of our own export → decisions to be staged. Pure but for what it counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotator.exchange.matching import CriteriaMatcher
from storage.records import InvalidRecord, Span
from storage.team_records import Adjudication, Outcome


def decision_of(item: Mapping[str, Any], post_id: str, text: str, matcher: CriteriaMatcher) -> Adjudication:
    """The decision that the object says, about the post of that id and text. Raises InvalidRecord."""
    criterion = matcher.find(str(item.get("criterion") or ""))
    if criterion is None:
        raise InvalidRecord(f"the project has no criterion {item.get('criterion')!r}")
    name = str(item.get("adjudicator") or "").strip()
    if not name:
        raise InvalidRecord(f"{criterion.id}: an adjudication names no adjudicator")
    try:
        outcome = Outcome(str(item.get("outcome")))
        spans = tuple(Span(int(s["start"]), int(s["end"])) for s in item.get("spans") or ())
        version = min(int(item.get("criterion_version") or criterion.version), criterion.version)
        seconds = None if item.get("seconds") is None else float(item["seconds"])
    except (ValueError, TypeError, KeyError):
        raise InvalidRecord(f"{criterion.id}: an adjudication cannot be read") from None
    for span in spans:
        span.check(text, where=f"post {post_id}")
    return Adjudication(
        post_id=post_id,
        criterion_id=criterion.id,
        adjudicator=name,
        outcome=outcome,
        spans=spans,
        reason=str(item.get("reason") or ""),
        error_kind=None if item.get("error_kind") is None else str(item["error_kind"]),
        criterion_version=version,
        seconds=seconds,
        created_at=None if item.get("created_at") is None else str(item["created_at"]),
    )
