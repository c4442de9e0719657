"""Label Studio JSON tasks, both ways; out with the labelling configuration beside them.

Spans are `labels` results; "no evidence" and "unsure" are two multiple-choice fields, because an empty result alone cannot be
told from a task that nobody looked at.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from storage.attributes import Attributes
from storage.formats.answers import is_verdict, quoted, verdict_of
from storage.formats.fields import Fields
from storage.formats.html_places import placed_in_source
from storage.formats.items import lines_or_list, rows_of_items
from storage.formats.label_studio_said import Said, controls, results_of, results_of_post
from storage.formats.labels import Given
from storage.formats.ledger import OF_TOOL
from storage.formats.passages import passage_or_reason
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Label, LabelKind, Row, Source, Units, Written
from storage.formats.spans import NO_EVIDENCE, UNSURE, names_of, post_fields
from storage.formats.synonyms import SYNONYMS
from storage.formats.values import is_address, plain, shortened, string
from storage.formats.vocabulary import NEGATING, QUALIFIERS
from storage.records import OF_POST, Annotation, InvalidRecord, Post, Prediction, Span, SpanAttributes, Verdict

CONFIG_SUFFIX = ".config.xml"
LABELS, TEXT = "label", "text"
_LABEL_KEYS = ("labels", "hypertextlabels", "paragraphlabels", "timeserieslabels")
_TOOLS_KEYS = ("file_upload", "updated_at", "created_at", "inner_id", "total_annotations", "cancelled_annotations",
            "total_predictions", "comment_count", "unresolved_comment_count", "last_comment_updated_at", "project", "updated_by",
            "comment_authors", "is_labeled")  # fmt: skip
_OF_ANNOTATIONS = ("id", "unique_id", "task", "project", "import_id", "result_count", "last_action", "last_created_by", "bulk_created",
            "updated_at", "draft_created_at", "updated_by", "created_ago", "created_username", "lead_time", "prediction",
            "parent_annotation", "parent_prediction")  # fmt: skip
_OF_REGIONS = ("from_name", "to_name", "type", "id", "origin", "hidden", "readonly", "image_rotation", "original_width",
            "original_height")  # fmt: skip
_PLACES = ("start", "globalOffsets")
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
    path.with_suffix(CONFIG_SUFFIX).write_text(config([c.id for c in context.criteria], context.attributes), "utf-8")
    return written


def config(criteria: Sequence[str], attributes: Attributes | None = None) -> str:
    """The labelling configuration for these criteria, and for what can be said of spans and posts."""
    labels = "\n".join(f"    <Label value={quoteattr(c)}/>" for c in criteria)
    choices = "\n".join(f"    <Choice value={quoteattr(c)}/>" for c in criteria)
    fields = "".join(
        f'  <Header value="{title}"/>\n  <Choices name="{name}" toName="{TEXT}" choice="multiple">\n{choices}\n  </Choices>\n'
        for name, title in ((NO_EVIDENCE, "Reviewed, no evidence"), (UNSURE, "Unsure"))
    )
    return (
        f'<View>\n  <Labels name="{LABELS}" toName="{TEXT}">\n{labels}\n  </Labels>\n'
        f'  <Text name="{TEXT}" value="$text" granularity="symbol"/>\n{fields}{controls(attributes or Attributes(), TEXT)}</View>\n'
    )


def _task(item: ExportPost) -> dict[str, Any]:
    post = item.post
    reviewers = sorted({a.reviewer for a in (*item.answers, *item.labels)})
    data: dict[str, Any] = {"text": post.text, "post_id": post.id, "split": post.split and str(post.split)}
    for name in ("author", "source", "posted_at"):
        data[name] = getattr(post, name)
    data |= {
        "meta": dict(sorted(post.meta.items())),
        "reviewers": {str(n): r for n, r in enumerate(reviewers, start=1)},
    }
    annotations = [
        _annotation(post, number, [a for a in (*item.answers, *item.labels) if a.reviewer == name])
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
    spans = [(a.criterion_id, replace(s.span, attributes=s.attributes)) for a in answers for s in a.spans]
    results = [result for criterion, span in spans for result in _span_results(post, span, criterion)]
    results += [result for a in answers for result in results_of_post(a.labels, TEXT)]
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
    results = [result for p in predictions for s in p.spans for result in _span_results(post, s, p.criterion_id)]
    return {"model_version": model, "score": max((p.max_score for p in predictions), default=0.0), "result": results}


def _span_results(post: Post, span: Span, criterion: str) -> list[dict[str, Any]]:
    """The labelled region, and what is said of it."""
    region = _span_result(post, span, criterion)
    return [region, *results_of(span.attributes, region)]


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


def read(source: Source) -> Iterator[Row]:
    """A post per task; each person's annotation and each model's prediction become labels of their own."""
    row = functools.partial(_row, attributes=source.attributes)
    yield from rows_of_items(lines_or_list(source), row, "Label Studio task", source)


def _row(number: int, task: Fields, *, attributes: Attributes) -> ImportRow:
    data = task.inner("data")
    if data is None:
        raise InvalidRecord("has no data")
    annotations = [*task.each("annotations"), *task.each("completions")]
    predictions = task.each("predictions")
    regions = [(a, a.each("result")) for a in (*annotations, *predictions)]
    key = _text_key(task, data, [r for _, found in regions for r in found])
    turns = next((k for k in data if isinstance(data.peek(k), list)), None)
    if key is None and turns is not None:
        raise InvalidRecord(
            f"{turns}: its text is a list (a dialogue of turns), which is not read; export it as one text"
        )
    if key is None and any(isinstance(data.peek(k), str) for k in data):
        raise InvalidRecord("holds no text: its data are addresses of files alone")
    text = data.take(key, "text")
    names = data.take("reviewers", "annotator") if isinstance(data.peek("reviewers"), Mapping) else {}
    known = post_fields(data)
    if "post_id" not in known:
        known["post_id"] = string(data.take("id", "post_id") if "id" in data else task.take("id", "post_id"))
    known["meta"] |= data.rest()
    reader = _Regions(known["meta"], attributes)
    for place, (item, found) in enumerate(regions):
        if place < len(annotations):
            cancelled = bool(item.take("was_cancelled", "answers") or item.take("skipped", "answers"))
            reader.read(
                found, _given(item, names), left_out="its annotation was cancelled (skipped)" if cancelled else ""
            )
        else:
            model = string(item.take("model_version", "model"))
            reader.read(
                found,
                Given(LabelKind.PREDICTION, model_version=model, units=Units.UNKNOWN),
                score=item.take("score", "score"),
            )
    for name in _TOOLS_KEYS:
        task.leave(name, OF_TOOL)
    task.leave("drafts", "drafts were not submitted")
    for item in (*annotations, *predictions):
        for name in _OF_ANNOTATIONS:
            item.leave(name, OF_TOOL)
        if item.peek("ground_truth") is False:
            item.take("ground_truth", "answers")
        elif item.keep("ground_truth", "whose answers are the truth"):
            known["meta"].setdefault("ground_truth", []).append(_given(item, names).annotator)
    labels = placed_in_source(reader.labels, text) if isinstance(text, str) else reader.labels
    return ImportRow(number=number, text=text, labels=tuple(labels), **known)


def _given(annotation: Fields, names: Mapping[str, str]) -> Given:
    by = annotation.peek("completed_by")  # asked for again where an annotation is the ground truth
    annotation.take("completed_by", "annotator")
    if isinstance(by, Mapping):
        by = by.get("email") or by.get("username") or by.get("id")
    name = None if by is None else names.get(str(by)) or (f"annotator {by}" if str(by).isdigit() else str(by))
    created = string(annotation.take("created_at", "time"))
    return Given(annotator=name, created_at=created if name else None, units=Units.UNKNOWN)


def _text_key(task: Fields, data: Fields, regions: Sequence[Fields]) -> str | None:
    """The key of `data` that holds the text: the chosen one, the one in which the regions' words stand, the one that they name.

    Else the one with a usual name, else the one with the most words. An address (of a sound, of a page) is no text.
    """
    words = {k: v for k in data if isinstance(v := data.peek(k), str) and not is_address(v)}
    chosen = task.chosen("text")
    if chosen in words:
        return chosen
    proof: Counter[str] = Counter()
    for region in regions:
        value = region.peek("value")
        if isinstance(value, Mapping) and isinstance(value.get("text"), str) and value["text"]:
            proof.update(k for k, v in words.items() if value["text"] in v)
    named = Counter(str(r.peek("to_name")) for r in regions if str(r.peek("to_name")) in words)
    usual = next((k for s in SYNONYMS["text"] for k in words if plain(k) == s), None)
    texts = SYNONYMS["text"]
    if (
        not proof
        and not named
        and usual is None
        and any(plain(k) in texts for k in data if isinstance(data.peek(k), str))
    ):
        return None  # its text is an address: what stands beside it is none
    if proof:
        best = max(proof.values())
        leading = [k for k in words if proof[k] == best]
        return max(leading, key=lambda k: (named[k], k == usual, len(words[k].split())))
    return (
        named.most_common(1)[0][0] if named else usual or max(words, key=lambda k: len(words[k].split()), default=None)
    )


def _of_control(label: Label, control: str) -> Label:
    """The label of a region; where it is a verdict's word (present, absent), it is one about what its control is called."""
    if not is_verdict(label.criterion) or plain(control) in ("", "label", "labels", "ner", "tag", "tags", "verdict"):
        return label
    denied = label.left_out or ("" if verdict_of(label.criterion) is Verdict.EVIDENCE else f"marked {label.criterion}")
    return replace(label, criterion=control, left_out=denied)


class _Regions:
    """The results of a task's annotations: labelled regions become labels, everything else is kept in meta and said."""

    def __init__(self, meta: dict[str, Any], attributes: Attributes) -> None:
        self._meta, self._from_data, self._attributes = meta, frozenset(meta), attributes
        self.labels: list[Label] = []

    def read(self, results: Sequence[Fields], given: Given, *, left_out: str = "", score: Any = None) -> None:
        labelled = {r.peek("id") for r in results if _label_key(r) in _LABEL_KEYS}
        more = Said(results, self._attributes, labelled)
        taken_back = self._taken_back([r for n, r in enumerate(results) if n not in more.taken])
        found: list[Label] = []
        if more.labels:
            of_post = given.a_label(OF_POST, None)
            found.append(replace(of_post, labels=tuple(sorted(more.labels.items()))))
        for number, result in enumerate(results):
            value = result.inner("value")
            if value is not None and number in more.taken:
                for name in list(value):
                    value.take(name, "severity, flags, rationale or a label of the post")
            elif value is None:
                self._keep(result, given)
            elif result.peek("from_name") in (NO_EVIDENCE, UNSURE):
                found += self._settled(str(result.take("from_name")), value, given)
            elif (key := _label_key(result)) in _LABEL_KEYS or (key and result.peek("id") not in labelled):
                back = taken_back.get(str(result.peek("id")), "")
                said = more.regions.get(str(result.peek("id")), SpanAttributes())
                control = str(result.peek("from_name") or "")
                labels = [_of_control(_with_said(la, said), control) for la in _region(result, value, str(key), given)]
                found += [replace(la, left_out=la.left_out or back) for la in labels]
            else:
                found += self._choice(result, value, given)
            for name in _OF_REGIONS:
                result.leave(name, OF_TOOL)
        self.labels += [replace(la, left_out=la.left_out or left_out) for la in found]

    def _taken_back(self, results: Sequence[Fields]) -> dict[str, str]:
        """By the id of a region: what says that it is not so, a choice beside it or the name of its control."""
        found = {}
        for result in results:
            value = result.peek("value")
            control = str(result.peek("from_name"))
            if _label_key(result) in _LABEL_KEYS and plain(control) in {*QUALIFIERS, *NEGATING}:
                found[str(result.peek("id"))] = f"marked {control}"
            chosen = value.get("choices") if isinstance(value, Mapping) else None
            if isinstance(chosen, list) and "start" in value and any(plain(str(c)) in NEGATING for c in chosen):
                found[str(result.peek("id"))] = f"marked {', '.join(map(str, chosen))}"
        return found

    def _settled(self, name: str, value: Fields, given: Given) -> tuple[Label, ...]:
        chosen = names_of(value.take("choices", f"answers: {name}"))
        return tuple(given.a_label(c, Verdict.NO_EVIDENCE if name == NO_EVIDENCE else Verdict.UNSURE) for c in chosen)

    def _choice(self, result: Fields, value: Fields, given: Given) -> tuple[Label, ...]:
        """A choice, a rating or a text: no region, so no answer; kept in meta."""
        field = str(result.peek("from_name") or result.peek("type") or "result")
        choices = names_of(value.peek("choices"))
        self._note(field, value.rest(f"{field}: no labelled region"))
        return tuple(
            given.a_label(c, None, left_out=f"a choice of {field!r}, without a passage; kept in meta") for c in choices
        )

    def _keep(self, result: Fields, given: Given) -> None:
        kind = str(result.peek("type") or "result")
        self._note(f"{kind}s", result.rest(f"a {kind} is not read"))

    def _note(self, name: str, content: Any) -> None:
        """Keep what was annotated in meta, beside a field of the task's own data that has the same name."""
        key = f"{name} (annotated)" if name in self._from_data else name
        self._meta.setdefault(key, []).append(content)


def _label_key(result: Fields) -> str | None:
    """Under which key a region has its labels: those of a labelling control, else a choice or a taxonomy that has a place in the text."""
    value = result.peek("value")
    if not isinstance(value, Mapping):
        return None
    given = [k for k, v in value.items() if isinstance(v, list) and v]
    own = next((k for k in _LABEL_KEYS if k in given), None)
    if own is not None or not any(k in value for k in _PLACES):
        return own
    if "taxonomy" in given:
        return "taxonomy"
    return "choices" if "choices" in given and not any(plain(str(c)) in NEGATING for c in value["choices"]) else None


def _with_said(label: Label, said: SpanAttributes) -> Label:
    return replace(label, passages=tuple(replace(p, attributes=said) for p in label.passages)) if said else label


def _region(result: Fields, value: Fields, key: str, given: Given) -> Iterator[Label]:
    """The labels of one region, by its offsets (of an HTML text: those of what is seen), by its words, or by both."""
    offsets = value.inner("globalOffsets")
    start, end = (value.take(n, n) for n in ("start", "end"))
    if offsets is not None:
        start, end = offsets.take("start"), offsets.take("end")
    words = value.take("text", "quote")
    for name in ("startOffset", "endOffset"):
        value.leave(name, "counts inside an HTML element")
    notes = result.peek("meta")
    note = " ".join(names_of(notes.get("text"))) if isinstance(notes, Mapping) else ""
    if note:
        result.take("meta", "note")
    score = result.take("score", "score")
    places = passage_or_reason(start, end, words if isinstance(words, str) else None, score)
    named = value.take(key, "label")
    if key == "taxonomy":  # each is the path to it
        named = [path[-1] if isinstance(path, list) and path else path for path in named]
    for label in names_of(named):
        if isinstance(places, str):
            yield given.a_label(label, None, left_out=f"its region {shortened(start)} to {shortened(end)}: {places}")
        else:
            verdict = Verdict.EVIDENCE if given.kind is LabelKind.ANSWER else None
            yield replace(given.a_label(label, verdict, places), note=note)
