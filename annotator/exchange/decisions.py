"""Adjudications of our own export → decisions to be staged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotator.exchange.matching import CriteriaMatcher
from storage.attributes import Attributes
from storage.formats.fields import Fields
from storage.formats.ledger import COLUMN, Ledger, Outcome
from storage.formats.rows import ImportRow
from storage.formats.said import labels_from, said_of
from storage.records import Criterion, InvalidRecord, Span
from storage.team_records import Adjudication, label_asked, label_question
from storage.team_records import Outcome as Decided

_KEY = "adjudications[]"


def decisions_of(
    row: ImportRow, post_id: str, matcher: CriteriaMatcher, ledger: Ledger, attributes: Attributes
) -> tuple[list[Adjudication], list[str]]:
    """The adjudications that a row of a new post brings, and the reasons why others cannot be taken. All are counted."""
    found: list[Adjudication] = []
    bad: list[str] = []
    for item in row.adjudications:
        try:
            found.append(_decision_of(item, (post_id, row.text or ""), matcher, attributes))
        except InvalidRecord as error:
            bad.append(str(error))
            ledger.count(COLUMN, _KEY, Outcome.LEFT, "cannot be taken")
        else:
            ledger.count(COLUMN, _KEY, Outcome.TAKEN, "adjudications")
    return found, bad


def leave_decisions(row: ImportRow, ledger: Ledger, why: str) -> None:
    for _ in row.adjudications:
        ledger.count(COLUMN, _KEY, Outcome.LEFT, why)


def _decision_of(
    item: Mapping[str, Any], post: tuple[str, str], matcher: CriteriaMatcher, attributes: Attributes
) -> Adjudication:
    """The decision that the object says, about the post (its id and text). Raises InvalidRecord."""
    asked = str(item.get("criterion") or "")
    scale, name = label_asked(asked), str(item.get("adjudicator") or "").strip()
    found = (
        _of_criterion(item, post, matcher.find(asked), attributes)
        if scale is None
        else _of_label(item, scale, attributes)
    )
    if not name:
        raise InvalidRecord(f"{asked}: an adjudication names no adjudicator")
    try:
        outcome = Decided(str(item.get("outcome")))
        seconds = None if item.get("seconds") is None else float(item["seconds"])
    except (ValueError, TypeError):
        raise InvalidRecord(f"{asked}: an adjudication cannot be read") from None
    return Adjudication(
        post_id=post[0],
        adjudicator=name,
        outcome=outcome,
        reason=str(item.get("reason") or ""),
        error_kind=None if item.get("error_kind") is None else str(item["error_kind"]),
        seconds=seconds,
        created_at=None if item.get("created_at") is None else str(item["created_at"]),
        **found,
    )


def _of_criterion(
    item: Mapping[str, Any], post: tuple[str, str], criterion: Criterion | None, attributes: Attributes
) -> dict[str, Any]:
    """What a decision about a criterion has of its own. Raises InvalidRecord."""
    if criterion is None:
        raise InvalidRecord(f"the project has no criterion {item.get('criterion')!r}")
    try:
        spans = tuple(
            Span(int(s["start"]), int(s["end"]), attributes=said_of(Fields(s), attributes))
            for s in item.get("spans") or ()
        )
        version = max(1, min(int(item.get("criterion_version") or criterion.version), criterion.version))
    except (ValueError, TypeError, KeyError):
        raise InvalidRecord(f"{criterion.id}: an adjudication cannot be read") from None
    for span, given in zip(spans, item.get("spans") or (), strict=True):
        span.check(post[1], where=f"post {post[0]}")
        if given.get("text") not in (None, span.quote(post[1])):  # the text was mended or masked
            raise InvalidRecord(f"{criterion.id}: the words of an adjudication are not at their place in this text")
    return {"criterion_id": criterion.id, "spans": spans, "criterion_version": version}


def _of_label(item: Mapping[str, Any], scale: str, attributes: Attributes) -> dict[str, Any]:
    """What a decision about a label of the whole post has, by the project's own names of label and level. Raises InvalidRecord."""
    known, level = next((s.name for s in attributes.labels if s.name == scale), None), str(item.get("level") or "")
    if known is None:
        raise InvalidRecord(f"the project has no label of posts {scale!r}")
    found = labels_from({scale: level}, attributes) if level else ()
    if level and not found:
        raise InvalidRecord(f"{scale}: the project has no level {level!r}")
    return {"criterion_id": label_question(known), "level": found[0][1] if found else ""}
