"""SQuAD v2 out (one paragraph per post, one question per criterion), SQuAD v1 and v2 in.

`is_impossible` with no answers is "reviewed, no evidence"; a criterion without a question was not reviewed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.formats.answers import is_verdict, quoted, verdict_of
from storage.formats.fields import Fields
from storage.formats.items import lines_or_list_under, rows_of_items
from storage.formats.labels import Given
from storage.formats.ledger import COLUMN, ID_OF_QUESTION, Outcome
from storage.formats.passages import passages_of
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Label, Row, RowError, Source, Written
from storage.formats.values import decoded, plain_value, string
from storage.records import Annotation, InvalidRecord, Post, Verdict

VERSION = "v2.0"
SEPARATOR = "::"
PLAUSIBLE = "plausible_answers"
CANNOT_CARRY = (
    "answers that are unsure",
    "who decided, when, and earlier revisions",
    "rejected predictions and where a span came from",
    "split, author, source, date and further columns of a post",
    "predictions",
)


def write(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    written = Written()
    questions = {c.id: c.text for c in context.criteria}
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f'{{"version":"{VERSION}","data":[')
        for number, item in enumerate(posts):
            written.count(item)
            file.write(",\n" if number else "\n")
            file.write(json.dumps(_article(item, questions, written), ensure_ascii=False, separators=(",", ":")))
        file.write("\n]}\n")
    return written


def _article(item: ExportPost, questions: Mapping[str, str], written: Written) -> dict[str, Any]:
    qas: list[dict[str, Any]] = []
    for answer in item.answers:
        if answer.verdict is Verdict.UNSURE:
            written.leave_out("answers that are unsure")
        else:
            qas.append(_question(item.post, answer, questions.get(answer.criterion_id, answer.criterion_id), qas))
    return {"title": item.post.id, "paragraphs": [{"context": item.post.text, "qas": qas}]}


def _question(post: Post, answer: Annotation, question: str, before: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    answers = [{"text": quoted(post, s.start, s.end), "answer_start": s.start} for s in answer.spans]
    name = f"{post.id}{SEPARATOR}{answer.criterion_id}"
    if any(q["id"] == name for q in before):  # several reviewers' answers
        name += f"{SEPARATOR}{answer.reviewer}"
    return {"id": name, "question": question, "answers": answers, "is_impossible": not answers}


def read(source: Source) -> Iterator[Row]:
    """A post per paragraph. The criterion is what the question's id says after `::`, else the question itself."""
    seen: dict[str, int] = {}
    places: dict[int, int] = {}
    items = _paragraphs(source, places)
    yield from rows_of_items(items, lambda n, f: _row(n, f, seen, places.pop(n, None)), "paragraph of SQuAD", source)


def _paragraphs(source: Source, places: dict[int, int]) -> Iterator[tuple[int, Any]]:
    """Numbered paragraphs, each with its article's title. places: by number, where the paragraph stands in an article of several."""
    number = 0
    for _, article in lines_or_list_under(source, ("data",)):
        if isinstance(article, RowError):
            number += 1
            yield number, article
            continue
        paragraphs = article.get("paragraphs") if isinstance(article, Mapping) else None
        if not isinstance(article, Mapping) or not isinstance(paragraphs, list):
            number += 1
            yield number, article
            continue
        for key in article:
            if key not in ("title", "paragraphs"):
                source.ledger.count(COLUMN, str(key), Outcome.LEFT, "belongs to an article, not to a post")
        for place, paragraph in enumerate(paragraphs):
            number += 1
            if isinstance(paragraph, Mapping):
                title = {"title": article["title"]} if article.get("title") else {}
                if len(paragraphs) > 1:
                    places[number] = place
                yield number, {**paragraph, **title}
            else:
                yield number, paragraph


def _row(number: int, fields: Fields, seen: dict[str, int], place: int | None) -> ImportRow:
    if "context" not in fields:
        raise InvalidRecord("is neither an article with paragraphs nor a paragraph with a context")
    questions = fields.each("qas", "labels")
    title = string(fields.take("title", "post_id"))
    ids = [string(q.peek("id")) or "" for q in questions]
    own = {i.rsplit(SEPARATOR, 1)[0] for i in ids if SEPARATOR in i}
    if title is not None and all(i.startswith(title + SEPARATOR) for i in ids):
        own = {title}
    post_id = own.pop() if len(own) == 1 else title
    if post_id is not None and post_id == title:
        post_id = post_id if place is None else f"{post_id}-{place}"
        seen[post_id] = seen.get(post_id, 0) + 1
        if seen[post_id] > 1:  # another article of the same title
            post_id = f"{post_id}-{seen[post_id]}"
    plausible = [
        {"question": q.peek("question"), PLAUSIBLE: plain_value(q.peek(PLAUSIBLE))} for q in questions if PLAUSIBLE in q
    ]
    labels = [la for q in questions for la in answers_of_question(q, own_prefix=f"{post_id}{SEPARATOR}")]
    text = fields.take("context", "text")
    meta = {PLAUSIBLE: plausible} if plausible else {}
    return ImportRow(number=number, post_id=post_id, text=text, labels=tuple(labels), meta=meta)


def answers_of_question(fields: Fields, *, own_prefix: str | None = None, whole: bool = True) -> tuple[Label, ...]:
    """What a question says: passages; "no evidence" only where it is marked as impossible; nothing where nobody answered.

    own_prefix: what the id of a question of ours begins with; the criterion follows, then the reviewer if there are several.
    """
    name = str(fields.peek("id") or "")
    ours = own_prefix is not None and name.startswith(own_prefix)
    criterion, _, reviewer = name.removeprefix(own_prefix or "").partition(SEPARATOR)
    fields.take("id", "label") if ours else fields.leave("id", ID_OF_QUESTION)
    question = string(fields.take("question", "label"))
    given = Given(label=criterion if ours else question, annotator=(reviewer or None) if ours else None, whole=whole)
    impossible = fields.take("is_impossible", "verdict")
    fields.keep(PLAUSIBLE, "are no answers")
    answered = "answers" in set(fields.item_keys())
    passages, bad = passages_of([a for a in _answer_list(fields.take("answers", "passages")) if not _is_blank(a)])
    left = tuple(given.a_label(None, None, left_out=reason) for reason in bad)
    if impossible is not None and is_verdict(impossible) and verdict_of(impossible) is Verdict.EVIDENCE:  # true, 1, yes
        if passages:
            return (*left, given.a_label(None, None, left_out="is marked as impossible, but has answers"))
        return (*left, given.a_label(None, Verdict.NO_EVIDENCE))
    if passages:
        return (*left, given.a_label(None, Verdict.EVIDENCE, *dict.fromkeys(passages)))
    why = "has no answer, and is not marked as impossible" if answered else "was not answered"
    return left or (given.a_label(None, None, left_out=why),)


def _answer_list(value: Any) -> list[Any]:
    """Answers as a list of objects; the datasets library writes {"text": [..], "answer_start": [..]}."""
    value = decoded(value)
    if isinstance(value, Mapping):
        texts, starts = value.get("text"), value.get("answer_start")
        if isinstance(texts, list | tuple) and isinstance(starts, list | tuple):
            return [{"text": t, "answer_start": s} for t, s in zip(texts, starts, strict=False)]
        return [value]
    return list(value) if isinstance(value, list | tuple) else []


def _is_blank(answer: Any) -> bool:
    return isinstance(answer, Mapping) and not answer.get("text")
