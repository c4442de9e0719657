"""TREC relevance judgements of sentences, as eRisk and DepreSym give them: `qrels.txt`, and `sentences.tsv` with their words. Out only.

A topic is a criterion, a document a sentence of a post. Only what was reviewed is judged: a sentence that a span touches is relevant, every
other one of a post that was decided is not. With each reader's latest answer instead of gold, relevance is how many of them marked it.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from storage.formats.answers import quoted
from storage.formats.delimited import guard
from storage.formats.rows import ExportContext, ExportPost, Written
from storage.records import Annotation, Verdict

QRELS, SENTENCES = "qrels.txt", "sentences.tsv"
COLUMNS = ("docno", "post_id", "start", "end", "text")
UNSURE = "answers that are unsure"
BETWEEN = "spans that touch no sentence"
CANNOT_CARRY = (
    UNSURE,
    "where in its sentence a span lies",
    "who decided, when, and earlier revisions",
    "rejected predictions and where a span came from",
    "split, author, source, date and further columns of a post",
    "predictions",
)
_BLANK = re.compile(r"[\s%]")


def write(posts: Iterable[ExportPost], folder: Path, context: ExportContext) -> Written:
    written = Written()
    folder.mkdir(exist_ok=True)
    with (
        (folder / QRELS).open("w", encoding="utf-8", newline="") as qrels,
        (folder / SENTENCES).open("w", encoding="utf-8", newline="") as sentence_file,
    ):
        table = csv.writer(sentence_file, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for item in posts:
            written.count(item)
            ranges = context.sentences(item.post.text)
            for number, (start, end) in enumerate(ranges, start=1):
                words = guard(quoted(item.post, start, end))
                table.writerow([document(item.post.id, number), guard(item.post.id), start, end, words])
            for criterion, marked in _marked(item.answers, ranges, written).items():
                for number in range(1, len(ranges) + 1):
                    qrels.write(f"{_plain(criterion)} 0 {document(item.post.id, number)} {marked[number]}\n")
    return written


def document(post_id: str, number: int) -> str:
    """The name of a sentence, without white space: columns of a qrels file are parted by it."""
    return f"{_plain(post_id)}_{number}"


def _plain(name: str) -> str:
    return _BLANK.sub(lambda found: quote(found[0], safe=""), name)


def _marked(
    answers: Iterable[Annotation], ranges: Sequence[tuple[int, int]], written: Written
) -> dict[str, Counter[int]]:
    """By criterion that was decided, how many answers marked which sentence."""
    found: dict[str, Counter[int]] = {}
    for answer in answers:
        if answer.verdict is Verdict.UNSURE:
            written.leave_out(UNSURE)
            continue
        marked = found.setdefault(answer.criterion_id, Counter())
        touched: set[int] = set()
        for span in answer.spans:
            own = {n for n, (start, end) in enumerate(ranges, start=1) if start < span.end and span.start < end}
            if not own:
                written.leave_out(BETWEEN)
            touched |= own
        marked.update(touched)
    return found
