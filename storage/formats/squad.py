"""SQuAD v2 out (one paragraph per post, one question per criterion), SQuAD v1 and v2 in.

`is_impossible` with no answers is "reviewed, no evidence"; a criterion without a question was not reviewed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.formats.answers import quoted
from storage.formats.json_text import iter_items
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Label, Passage, Row, RowError, Written
from storage.records import Annotation, Post, Verdict

VERSION = "v2.0"
SEPARATOR = "::"
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


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """A post per paragraph. The criterion is what the question's id says after `::`, else the question itself."""
    number = 0
    for _, article in iter_items(path, encoding, keys=("data",)):
        paragraphs = article.get("paragraphs") if isinstance(article, Mapping) else None
        if not isinstance(paragraphs, list):
            number += 1
            yield RowError(number, "is no article with paragraphs")
            continue
        for place, paragraph in enumerate(paragraphs):
            number += 1
            yield _row(number, article, place if len(paragraphs) > 1 else None, paragraph)


def _row(number: int, article: Mapping[str, Any], place: int | None, paragraph: Any) -> Row:
    try:
        questions = paragraph.get("qas") or []
        ids = [str(q["id"]) for q in questions]
        title = str(article.get("title") or "") or None
        own = {i.rsplit(SEPARATOR, 1)[0] for i in ids if SEPARATOR in i}
        if title is not None and all(i.startswith(title + SEPARATOR) for i in ids):
            own = {title}
        post_id = own.pop() if len(own) == 1 else (title if place is None or title is None else f"{title}-{place}")
        labels = tuple(
            _label(q, name.removeprefix(f"{post_id}{SEPARATOR}")) for q, name in zip(questions, ids, strict=True)
        )
        return ImportRow(number=number, post_id=post_id, text=paragraph["context"], labels=labels)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return RowError(number, f"is no paragraph of SQuAD ({error!r})")


def _label(question: Mapping[str, Any], name: str) -> Label:
    """name: the question's id without the post's; our own is the criterion, then the reviewer if there are several."""
    criterion, _, reviewer = name.partition(SEPARATOR)
    ours = name != str(question["id"])
    answers = question.get("answers") or []
    passages = {(int(a["answer_start"]), str(a["text"])) for a in answers}
    return Label(
        criterion=criterion if ours else str(question["question"]).strip(),
        verdict=Verdict.EVIDENCE if passages else Verdict.NO_EVIDENCE,
        passages=tuple(Passage(start=s, end=s + len(t), quote=t) for s, t in sorted(passages) if t),
        annotator=reviewer or None if ours else None,
    )
