"""Span lists: what formats that keep one flat list of labelled spans per post share; and tokens that fit any span."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from storage.formats.fields import Fields
from storage.formats.rows import ExportPost, Label, Passage, Written
from storage.formats.texts import NOBODY
from storage.formats.values import string
from storage.records import Verdict

NO_EVIDENCE, UNSURE = "no_evidence", "unsure"
SEVERAL = "who gave which of several reviewers' answers to one criterion"
_PIECE = re.compile(r"\w+|\s+|[^\w\s]")


def labelled_spans(item: ExportPost, written: Written) -> list[tuple[int, int, str]]:
    """(start, end, criterion) of all answers in text order, each once; counts answers that are merged by that."""
    criteria = [a.criterion_id for a in item.answers]
    if len(set(criteria)) < len(criteria):
        written.leave_out(SEVERAL, len(criteria) - len(set(criteria)))
    return sorted({(s.start, s.end, a.criterion_id) for a in item.answers for s in a.spans})


def criteria_with(item: ExportPost, verdict: Verdict) -> list[str]:
    """Criteria that were answered like this."""
    return sorted({a.criterion_id for a in item.answers if a.verdict is verdict})


def labels_by_criterion(
    spans: Iterable[tuple[str, Passage]],
    *,
    no_evidence: Iterable[str] = (),
    unsure: Iterable[str] = (),
    annotator: str | None = None,
) -> tuple[Label, ...]:
    """One Label per criterion of a flat list of (criterion, passage)."""
    grouped: dict[str, list[Passage]] = {}
    for criterion, passage in spans:
        grouped.setdefault(criterion, []).append(passage)
    doubtful = list(unsure)
    verdicts: dict[str, Verdict | None] = dict.fromkeys(no_evidence, Verdict.NO_EVIDENCE)
    verdicts |= dict.fromkeys(grouped, Verdict.EVIDENCE) | dict.fromkeys(doubtful, Verdict.UNSURE)
    return tuple(
        Label(
            criterion=criterion,
            verdict=verdict,
            passages=tuple(grouped.get(criterion, ())),
            annotator=annotator,
        )
        for criterion, verdict in verdicts.items()
    )


def names_of(value: Any) -> list[str]:
    """A list of names from a cell that should hold one; anything else is none."""
    return [str(v) for v in value] if isinstance(value, list | tuple) else []


def own_meta(item: ExportPost) -> dict[str, Any]:
    """What is known of the post beside its text, for formats with free metadata; empty fields are left away."""
    post = item.post
    found: dict[str, Any] = {
        "post_id": post.id,
        "split": post.split and str(post.split),
        "author": post.author,
        "source": post.source,
        "posted_at": post.posted_at,
        "meta": dict(sorted(post.meta.items())) or None,
        NO_EVIDENCE: criteria_with(item, Verdict.NO_EVIDENCE) or None,
        UNSURE: criteria_with(item, Verdict.UNSURE) or None,
    }
    return {k: v for k, v in found.items() if v is not None}


def post_fields(fields: Fields) -> dict[str, Any]:
    """Arguments of ImportRow from metadata as `own_meta` wrote it, or anybody's; the rest of the metadata is the post's meta."""
    found: dict[str, Any] = {n: string(fields.take(n)) for n in ("post_id", "split", "author", "source", "posted_at")}
    if found["author"] in NOBODY:
        found["author"] = None
    inner = fields.take("meta") if isinstance(fields.peek("meta"), Mapping) else None
    return {k: v for k, v in found.items() if v} | {"meta": dict(inner or {})}


@dataclass(frozen=True, slots=True)
class Settled:
    """The criteria that a post's metadata lists as reviewed without evidence, and as unsure."""

    no_evidence: list[str]
    unsure: list[str]

    def labels(self, *, annotator: str | None = None) -> tuple[Label, ...]:
        return labels_by_criterion((), no_evidence=self.no_evidence, unsure=self.unsure, annotator=annotator)


def settled_answers(fields: Fields) -> Settled:
    """What `own_meta` says of answers without a passage."""
    return Settled(*(names_of(fields.take(name, f"answers: {name}")) for name in (NO_EVIDENCE, UNSURE)))


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text. `space`: one plain space follows that is no token of its own."""

    start: int
    end: int
    space: bool


def tokens(text: str, spans: Iterable[tuple[int, int]] = ()) -> list[Token]:
    """Words, signs and white space such that every span begins and ends with a token, and the tokens spell the text.

    A single space after a word belongs to the word's token (`space`); other white space is a token, as in spaCy.
    """
    starts, ends = {s for s, _ in spans}, {e for _, e in spans}
    cuts = sorted(starts | ends)
    found: list[Token] = []
    for match in _PIECE.finditer(text):
        for start, end in _cut(match.start(), match.end(), cuts):
            _append(found, text, start, end, starts, ends)
    return found


def _cut(start: int, end: int, cuts: list[int]) -> list[tuple[int, int]]:
    inside = [start, *(c for c in cuts if start < c < end), end]
    return list(itertools.pairwise(inside))


def _append(found: list[Token], text: str, start: int, end: int, starts: set[int], ends: set[int]) -> None:
    follows = bool(found) and not found[-1].space and not text[found[-1].start].isspace()
    if follows and text[start] == " " and start not in starts and start + 1 not in ends:
        found[-1] = Token(found[-1].start, found[-1].end, True)
        start += 1
    if start < end:
        found.append(Token(start, end, False))
