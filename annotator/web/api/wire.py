"""Records as the API shows them, and a program's spans as a decision of the review: spans are objects with names."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from annotator.models.quality import dev_learned_by, figures, quality_of
from annotator.teams.naming import Called
from storage.attributes import said_from, said_wire
from storage.records import InvalidRecord, Job, ModelVersion, Prediction, Reviewer, Span, SpanOrigin, Verdict

Wire = dict[str, Any]
LONGEST_KEY = 200


def prediction(found: Prediction, text: str) -> Wire:
    return {
        "criterion": found.criterion_id,
        "known": found.known,
        "no_evidence_score": round(found.no_evidence_score, 6),
        "spans": [
            _span(text, s.start, s.end, s.score) | ({"attributes": said_wire(s.attributes)} if s.attributes else {})
            for s in found.spans
        ],
    }


def item(shown: Mapping[str, Any]) -> Wire:
    """A post as `review.load_item` gives it, in names instead of positions."""
    text = shown["post"]["text"]
    return {
        "post": shown["post"],
        "criteria": [
            {
                **{k: c[k] for k in ("id", "name", "guideline", "version", "known", "no_evidence_score", "hint")},
                **answer(c, text),
                "others": [
                    {**other, "spans": [_span(text, start, end) for start, end in other["spans"]]}
                    for other in c["others"]
                ],
            }
            for c in shown["criteria"]
        ],
        "model": shown["model"],
        "labels": shown["whole"]["labels"],
        "labels_revision": shown["whole"]["revision"],
    }


def answer(shown: Mapping[str, Any], text: str) -> Wire:
    """An answer as `review.answer_wire` gives it; `proposed` are the model's spans that nobody has decided yet."""
    return {
        "verdict": shown["verdict"],
        "revision": shown["revision"],
        "spans": [{**_span(text, s[0], s[1]), "origin": s[2], **_said(s[4:])} for s in shown["spans"]],
        "rejected": [_span(text, s[0], s[1], s[2]) for s in shown["rejected"]],
        "proposed": [{**_span(text, s[0], s[1], s[2]), **_said(s[5:])} for s in shown["undecided"]],
        **({"labels": shown["labels"]} if shown.get("labels") else {}),
        "note": shown["note"],
        "model_version": shown["model_version"],
        "saved_at": shown["saved_at"],
    }


def _said(rest: Sequence[Mapping[str, Any]]) -> Wire:
    return {"attributes": dict(rest[0])} if rest else {}


def job(found: Job, called: Called) -> Wire:
    names = ("id", "progress", "stage", "message", "error", "created_by", "created_at", "claimed_at", "finished_at")
    row = {name: getattr(found, name) for name in names} | {"created_by": called(found.created_by or "") or None}
    return {"kind": str(found.kind), "status": str(found.status), **row}


def model(found: ModelVersion, called: Called) -> Wire:
    names = ("id", "parent", "base", "examples", "size_bytes", "job_id", "note", "created_by", "created_at")
    quality = quality_of(found)
    measured = None if quality is None else {"posts_of": quality.set_name, **figures(quality.own)}
    row = {name: getattr(found, name) for name in names} | {"created_by": called(found.created_by or "") or None}
    return {"status": str(found.status), "measured": measured, **row, "dev_examples": dev_learned_by(found)}


def read_spans(given: Sequence[Any], *, most: int) -> list[tuple[int, int]]:
    """(start, end) of each span, which may be {"start", "end", ...} or [start, end]. Raises InvalidRecord."""
    if len(given) > most:
        raise InvalidRecord(f"There are {len(given)} spans; up to {most} can be saved for a criterion.")
    return sorted({_read_span(number, each) for number, each in enumerate(given)})


def check_words(text: str, given: Sequence[Any]) -> None:
    """Raises InvalidRecord for a span whose own words (`text`) are not those at its offsets, which then count something else."""
    for number, each in enumerate(given):
        words = each.get("text") if isinstance(each, Mapping) else None
        if words is None:
            continue
        start, end = _read_span(number, each)
        there = text[start:end]
        if words == there:
            continue
        places = [m.start() for m in re.finditer(re.escape(words), text)] if isinstance(words, str) and words else []
        where = f" Its text stands at {', '.join(f'{at}:{at + len(words)}' for at in places[:3])}." if places else ""
        raise InvalidRecord(
            f"spans[{number}]: at {start}:{end} stands {_shown(there)}, which is not its text; start and end count code points.{where}"
        )


def _shown(words: str) -> str:
    return json.dumps(words if len(words) <= 80 else words[:80] + "…", ensure_ascii=False)


def read_said(given: Sequence[Any]) -> dict[tuple[int, int], Wire]:
    """What is said of the spans that say something, by their place: under `attributes`, or beside the offsets as exports write it.

    Raises InvalidRecord.
    """
    found = {}
    for number, each in enumerate(given):
        beside = (
            {k: each[k] for k in ("severity", "flags", "rationale") if each.get(k)} if isinstance(each, Mapping) else {}
        )
        if isinstance(each, Mapping) and (each.get("attributes") or beside):
            try:
                found[_read_span(number, each)] = said_wire(said_from(each.get("attributes") or beside))
            except (TypeError, ValueError) as error:
                raise InvalidRecord(f"spans[{number}].attributes: {error}.") from None
    return found


def of_post(labels: Sequence[str]) -> Wire:
    """An answer about the whole post, of labels as name=level. Raises InvalidRecord."""
    if bad := next((label for label in labels if "=" not in label), None):
        raise InvalidRecord(f"labels: {bad[:40]!r} is no name=level.")
    found = dict(label.split("=", 1) for label in labels)
    return {"verdict": None, "spans": [], "rejected": [], "undecided": [], "labels": found}


def placed(
    chosen: Sequence[tuple[int, int]],
    shown: Mapping[str, Any],
    verdict: Verdict,
    said: Mapping[tuple[int, int], Wire],
) -> Wire:
    """The chosen spans against what the model proposed: {"spans", "rejected", "undecided"} as `review.save` takes them.

    said: what is said of the spans, by their place; of an accepted one that is not among them, what the model said of it.

    A span equal to a proposed one is accepted, one that overlaps a proposed one is adjusted from it, any other is added. What is
    left over is rejected; with the verdict `unsure` it stays as it was.
    """
    before = [s[3] for s in shown["spans"] if s[3] is not None]
    proposed = {(s[0], s[1]): s for s in (*shown["undecided"], *shown["rejected"], *before)}
    free = {place: s for place, s in proposed.items() if place not in set(chosen)}
    spans = []
    for start, end in chosen:
        if (start, end) in proposed:
            spans.append([start, end, str(SpanOrigin.ACCEPTED), proposed[start, end]])
        elif near := _nearest(start, end, list(free)):
            spans.append([start, end, str(SpanOrigin.ADJUSTED), free.pop(near)])
        else:
            spans.append([start, end, str(SpanOrigin.ADDED), None])
        own = said.get((start, end)) or next(iter(proposed.get((start, end), ())[5:]), None)
        if own:
            spans[-1].append(own)
    left = [free[place] for place in sorted(free)]
    open_still = [s for s in left if s not in shown["rejected"]] if verdict is Verdict.UNSURE else []
    return {"spans": spans, "rejected": [s for s in left if s not in open_still], "undecided": open_still}


def _nearest(start: int, end: int, places: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    wanted = Span(start, end)
    overlapping = [place for place in places if wanted.overlaps(Span(*place))]
    return max(overlapping, key=lambda place: wanted.iou(Span(*place)), default=None)


def _read_span(number: int, each: Any) -> tuple[int, int]:
    pair = (each.get("start"), each.get("end")) if isinstance(each, Mapping) else each
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(type(edge) is int for edge in pair):
        raise InvalidRecord(f"spans[{number}] must be an object with the whole numbers start and end.")
    span = Span(*pair)
    return span.start, span.end


def _span(text: str, start: int, end: int, score: float | None = None) -> Wire:
    shown: Wire = {"start": start, "end": end, "text": text[start:end]}
    return shown if score is None else {**shown, "score": round(score, 6)}


def op_id_of(person: Reviewer, post_id: str, criterion: str, given: str | None) -> str:
    """A key that no other decision can have: what stands before the last dot is the gesture that undo takes back."""
    if given is not None and not 1 <= len(given) <= LONGEST_KEY:
        raise InvalidRecord(f"op_id has {len(given)} characters; it may have 1 to {LONGEST_KEY}.")
    key = given or uuid.uuid4().hex
    return f"api/{person.name}/{post_id}/{criterion}/{key}.0"
