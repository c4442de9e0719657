"""Predictions as pieces of text that can be drawn without any offsets: the text cut at every edge of a span. No gradio."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from storage.records import Criterion, Prediction

Wire = dict[str, Any]


def pieces(text: str, predictions: Sequence[Prediction]) -> list[list[Any]]:
    """The text in order as [piece, [[prediction index, span index], ...]]; the pieces together are the text."""
    edges = {0, len(text)} | {edge for p in predictions for s in p.spans for edge in (s.start, s.end)}
    cuts = sorted(edges)
    result: list[list[Any]] = []
    for start, end in itertools.pairwise(cuts):
        over = [
            [number, n]
            for number, p in enumerate(predictions)
            for n, s in enumerate(p.spans)
            if s.start < end and start < s.end
        ]
        result.append([text[start:end], over])
    return result


def highlighted(
    text: str, criteria: Sequence[Criterion], predictions: Sequence[Prediction], thresholds: Mapping[str, float]
) -> Wire:
    """What the page draws: pieces of text, and per criterion its scores and passages.

    thresholds: by criterion id, the score from which the model itself would show a passage.
    """
    by_id = {p.criterion_id: p for p in predictions}
    ordered = [by_id[c.id] for c in criteria]
    return {
        "pieces": pieces(text, ordered),
        "criteria": [
            {
                "id": c.id,
                "name": c.name,
                "known": p.known,
                "score": round(1.0 - p.no_evidence_score, 4),
                "threshold": thresholds.get(c.id, 0.0),
                "spans": [{"score": round(s.score or 0.0, 4), "quote": s.quote(text)} for s in p.spans],
            }
            for c, p in zip(criteria, ordered, strict=True)
        ],
    }
