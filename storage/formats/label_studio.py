"""Label Studio JSON tasks, both ways; out with the labelling configuration beside them.

Spans are `labels` results; "no evidence" and "unsure" are two multiple-choice fields, because an empty result alone cannot be
told from a task that nobody looked at.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from storage.formats.answers import quoted
from storage.formats.items import rows_of_items
from storage.formats.json_text import iter_items
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Label, LabelKind, Passage, Row, Written
from storage.formats.spans import NO_EVIDENCE, UNSURE, labels_by_criterion, post_fields
from storage.records import Annotation, Post, Prediction, Span, Verdict

CONFIG_SUFFIX = ".config.xml"
LABELS, TEXT = "label", "text"
CANNOT_CARRY = (
    "earlier revisions, rejected predictions and where a span came from",
    "notes of the reviewers",
)


def write(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    """Write the tasks to `path` and the labelling configuration to `<path without .json>.config.xml`."""
    written = Written()
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("[")
        for number, item in enumerate(posts):
            written.count(item)
            file.write(",\n" if number else "\n")
            file.write(json.dumps(_task(item), ensure_ascii=False, separators=(",", ":")))
        file.write("\n]\n")
    path.with_suffix(CONFIG_SUFFIX).write_text(config([c.id for c in context.criteria]), "utf-8")
    return written


def config(criteria: Sequence[str]) -> str:
    """The labelling configuration for these criteria."""
    labels = "\n".join(f"    <Label value={quoteattr(c)}/>" for c in criteria)
    choices = "\n".join(f"    <Choice value={quoteattr(c)}/>" for c in criteria)
    fields = "".join(
        f'  <Header value="{title}"/>\n  <Choices name="{name}" toName="{TEXT}" choice="multiple">\n{choices}\n  </Choices>\n'
        for name, title in ((NO_EVIDENCE, "Reviewed, no evidence"), (UNSURE, "Unsure"))
    )
    return (
        f'<View>\n  <Labels name="{LABELS}" toName="{TEXT}">\n{labels}\n  </Labels>\n'
        f'  <Text name="{TEXT}" value="$text" granularity="symbol"/>\n{fields}</View>\n'
    )


def _task(item: ExportPost) -> dict[str, Any]:
    post = item.post
    reviewers = sorted({a.reviewer for a in item.answers})
    data: dict[str, Any] = {"text": post.text, "post_id": post.id, "split": post.split and str(post.split)}
    for name in ("author", "source", "posted_at"):
        data[name] = getattr(post, name)
    data |= {
        "meta": dict(sorted(post.meta.items())),
        "reviewers": {str(n): r for n, r in enumerate(reviewers, start=1)},
    }
    annotations = [
        _annotation(post, number, [a for a in item.answers if a.reviewer == name])
        for number, name in enumerate(reviewers, start=1)
    ]
    by_model = itertools.groupby(sorted(item.predictions, key=lambda p: p.model_version), key=lambda p: p.model_version)
    predictions = [_prediction(post, model, list(group)) for model, group in by_model]
    return {
        "data": {k: v for k, v in data.items() if v not in (None, {})},
        "annotations": annotations,
        "predictions": predictions,
    }


def _annotation(post: Post, number: int, answers: Sequence[Annotation]) -> dict[str, Any]:
    results = [_span_result(post, s.span, a.criterion_id) for a in answers for s in a.spans]
    for name, verdict in ((NO_EVIDENCE, Verdict.NO_EVIDENCE), (UNSURE, Verdict.UNSURE)):
        chosen = [a.criterion_id for a in answers if a.verdict is verdict]
        if chosen:
            value = {"choices": chosen}
            results.append(
                {"id": _id(post, name), "from_name": name, "to_name": TEXT, "type": "choices", "value": value}
            )
    return {
        "completed_by": number,
        "was_cancelled": False,
        "ground_truth": False,
        "lead_time": sum(a.seconds or 0.0 for a in answers) or None,
        "created_at": max((a.created_at or "" for a in answers), default="") or None,
        "result": results,
    }


def _prediction(post: Post, model: str, predictions: Sequence[Prediction]) -> dict[str, Any]:
    results = [_span_result(post, s, p.criterion_id) for p in predictions for s in p.spans]
    return {"model_version": model, "score": max((p.max_score for p in predictions), default=0.0), "result": results}


def _span_result(post: Post, span: Span, criterion: str) -> dict[str, Any]:
    value = {"start": span.start, "end": span.end, "text": quoted(post, span.start, span.end), "labels": [criterion]}
    found: dict[str, Any] = {
        "id": _id(post, f"{criterion}:{span.start}:{span.end}"),
        "from_name": LABELS,
        "to_name": TEXT,
    }
    found |= {"type": "labels", "value": value}
    return found if span.score is None else found | {"score": span.score}


def _id(post: Post, what: str) -> str:
    return hashlib.sha256(f"{post.id}\x1f{what}".encode()).hexdigest()[:10]


# --- in


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """A post per task; each person's annotation and each model's prediction become labels of their own."""
    return rows_of_items(iter_items(path, encoding), _row, "Label Studio task")


def _row(number: int, task: Mapping[str, Any]) -> ImportRow:
    data = dict(task["data"])
    text = data.pop("text", None)
    if text is None:  # the text may have any name: the longest value is it
        name = max((k for k, v in data.items() if isinstance(v, str)), key=lambda k: len(data[k]))
        text = data.pop(name)
    names = data.pop("reviewers", {}) if isinstance(data.get("reviewers"), Mapping) else {}
    fields = post_fields(data)
    if "post_id" not in fields:
        given = data.get("id", task.get("id"))
        fields["post_id"] = None if given is None else str(given)
    labels: list[Label] = []
    for annotation in task.get("annotations") or task.get("completions") or []:
        if not annotation.get("was_cancelled"):
            labels += _labels(annotation, annotator=_annotator(annotation, names))
    for prediction in task.get("predictions") or []:
        labels += _labels(prediction, model=str(prediction.get("model_version") or "") or None)
    return ImportRow(number=number, text=text, labels=tuple(labels), **fields)


def _annotator(annotation: Mapping[str, Any], names: Mapping[str, str]) -> str | None:
    by = annotation.get("completed_by")
    if isinstance(by, Mapping):
        by = by.get("email") or by.get("username") or by.get("id")
    if by is None:
        return None
    return names.get(str(by)) or (f"annotator {by}" if str(by).isdigit() else str(by))


def _labels(item: Mapping[str, Any], *, annotator: str | None = None, model: str | None = None) -> tuple[Label, ...]:
    spans: list[tuple[str, Passage]] = []
    chosen: dict[str, list[str]] = {NO_EVIDENCE: [], UNSURE: []}
    for result in item.get("result") or []:
        value = result.get("value") or {}
        if result.get("from_name") in chosen:
            chosen[result["from_name"]] += value.get("choices") or []
        for label in value.get("labels") or value.get("hypertextlabels") or []:
            passage = Passage(int(value["start"]), int(value["end"]), value.get("text"), result.get("score"))
            spans.append((str(label), passage))
    return labels_by_criterion(
        spans,
        no_evidence=chosen[NO_EVIDENCE],
        unsure=chosen[UNSURE],
        kind=LabelKind.PREDICTION if annotator is None and "completed_by" not in item else LabelKind.ANSWER,
        annotator=annotator,
        created_at=item.get("created_at") if annotator else None,
        model_version=model,
    )
