"""Tables with a row for each sentence of a post: the post is put together from them, and a sentence's label is evidence there.

Without this only the first sentence of a post would be kept, under the post's id. Rows of one post need not follow each other, but beyond
MAX_TOGETHER rows they do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from storage.formats.ledger import LINE, Key, Ledger, Outcome
from storage.formats.rows import ImportRow, Label, LabelKind, Passage, Row, RowError, Units
from storage.formats.values import is_whole, plain, string, whole
from storage.records import Span, Verdict

MAX_TOGETHER = 50_000
_TEXTS = frozenset(
    (
        "sentence",
        "sentencetext",
        "sent",
        "senttext",
        "utterance",
        "clause",
        "segment",
        "satz",
        "phrase",
        "frase",
        "oracion",
    )
)
_NUMBERS = re.compile(
    r"(?:sentence|sent|utterance|clause|segment|satz|phrase|frase|oracion)(?:id|idx|index|no|nr|num|number|position|pos|order)"
)
_STRENGTH = (Verdict.EVIDENCE, Verdict.UNSURE, Verdict.NO_EVIDENCE)
OUTSIDE = "its offsets do not lie in its sentence"


class Counting(StrEnum):
    """What the offsets of a file of sentences count."""

    IN_SENTENCE = "in the sentence"
    OF_SENTENCE = "the place of the whole sentence in the post"
    ELSEWHERE = "something else"


def are_sentences(found: Mapping[str, str], columns: Sequence[str], sample: Sequence[Mapping[str, Any]]) -> bool:
    """Whether several rows have the id of one post and texts of their own, and names say that these are sentences.

    Where the text's own name does not say so, nearly all posts with several sentences must have texts that differ.
    found: column by field.
    """
    text, post_id, number = found.get("text"), found.get("post_id"), number_column(columns)
    if text is None or post_id is None or post_id == number:
        return False
    named = is_called_sentence(text)
    if not named and (number is None or is_called_sentence(found.get("evidence", ""))):
        return False  # no sentences, or those stand beside the whole text
    texts: dict[str, set[str]] = {}
    numbers: dict[str, set[str]] = {}
    for record in sample:
        name, words = string(record.get(post_id)), record.get(text)
        if name is not None and isinstance(words, str):
            texts.setdefault(name, set()).add(" ".join(words.split()))
            numbers.setdefault(name, set()).add(string(record.get(number)) or "" if number else words)
    if named:
        return any(len(of_post) > 1 for of_post in texts.values())
    several = [name for name in texts if len(numbers[name]) > 1]
    own = sum(len(texts[name]) > 1 and len(texts[name]) * 2 > len(numbers[name]) for name in several)
    return own > 0 and own * 10 >= len(several) * 9


def is_called_sentence(column: str) -> bool:
    return plain(column) in _TEXTS


def each_once(found: Mapping[str, str]) -> bool:
    """Whether a table of sentences has one row for each, as far as its columns tell. found: column by field."""
    return "annotator" not in found and not {"criterion", "verdict"} <= found.keys()


def number_column(columns: Sequence[str]) -> str | None:
    """The column with the number, or the id, of a sentence."""
    return next((c for c in columns if _NUMBERS.fullmatch(plain(c))), None)


_Name = tuple[str | None, str]  # of a post: its part, within which ids may begin anew, and its id
_Sentence = tuple[
    str | None, int, str
]  # its number or id, which of several with the same words it is without one, and its words
_OF_POST = ("author", "source", "posted_at")


@dataclass
class _Post:
    """The rows of one post. sentences: which each row is. repeats: rows that are taken for one that stands there, and say nothing new."""

    rows: list[ImportRow] = field(default_factory=list)
    sentences: list[_Sentence] = field(default_factory=list)
    repeats: int = 0


def posts_of_sentences(
    rows: Iterable[Row], number: str | None, ledger: Ledger, *, each_once: bool = False
) -> Iterator[Row]:
    """For each post a row with its whole text and the labels of its sentences, each under the number of its row.

    Sentences of one id in several splits are posts of their own, as the file parts them. number: the column of the sentences' numbers or
    ids, which the rows have in their meta. each_once: each sentence has one row, whatever is said of it.
    """
    open_posts: dict[_Name, _Post] = {}
    closed: set[_Name] = set()
    held = 0
    parts: dict[str, str | None] = {}  # by id, that of its rows so far: further rows may leave it out
    counting = Counting.IN_SENTENCE
    for row in rows:
        if isinstance(row, RowError) or row.post_id is None or not (row.text or "").strip():
            yield row
            continue
        part = parts[row.post_id] = row.part or parts.get(row.post_id)
        name = (part, row.post_id)
        if name in closed:
            why = "a sentence of a post whose other sentences stand far above; sort the file by post and sentence"
            yield RowError(row.number, why, row.account, row.post_id, row.labels)
            continue
        open_posts.setdefault(name, _Post()).rows.append(row)
        held += 1
        if held >= MAX_TOGETHER and len(open_posts) > 1:  # a post alone is not put aside, however long
            counting = _counting(open_posts.values(), counting)
            last = open_posts.pop(name)
            for other, post in open_posts.items():
                closed.add(other)
                yield _assembled(post, number, ledger, counting, each_once=each_once)
            open_posts, held = {name: last}, len(last.rows)
    counting = _counting(open_posts.values(), counting)
    for post in open_posts.values():
        yield _assembled(post, number, ledger, counting, each_once=each_once)


def _assembled(post: _Post, number: str | None, ledger: Ledger, counting: Counting, *, each_once: bool) -> ImportRow:
    _tell_apart(post, number, each_once=each_once)
    order = list(dict.fromkeys(post.sentences))
    numbers = _numbers(order)
    if numbers is not None:
        order = [sentence for _, sentence in sorted(zip(numbers, order, strict=True))]
    starts, text = _joined(order)
    by = f"in the order of {number}" if numbers else "in the order of the rows"
    ledger.count(LINE, "sentences", Outcome.TAKEN, f"put together as the text of their post, {by}", len(order))
    account = dict[Key, int]()
    for row in post.rows:
        for key, count in row.account.items():
            account[key] = account.get(key, 0) + count
    read = [replace(r, labels=tuple(_in_sentence(la, r.text or "", counting) for la in r.labels)) for r in post.rows]
    settled = _settled(read, post.sentences)
    placed = ((la, row, starts[s]) for row, s in zip(read, post.sentences, strict=True) for la in row.labels)
    return replace(
        post.rows[0],
        text=text,
        labels=tuple(_in_post(la, row, start, settled) for la, row, start in placed),
        gold=(),
        notes=(*(n for row in post.rows for n in row.notes), *_notes(post, order)),
        meta=_meta(post.rows),
        account=account,
        **{n: _common(post.rows, n) for n in _OF_POST},
    )


def _tell_apart(post: _Post, number: str | None, *, each_once: bool) -> None:
    """Note which sentence each row is. Without numbers, words that stand there again further below are a sentence of their own, unless
    several people, or rows for several criteria, may say something of one: then all its rows are that one.
    """
    words = [row.text or "" for row in post.rows]
    distinct = len(set(words))
    passes = words == words[:distinct] * (len(words) // distinct)  # all sentences again and again
    named = any(la.annotator for row in post.rows for la in row.labels)
    again = each_once and not passes and not named
    nth: dict[str, int] = {}
    said: dict[_Sentence, tuple[set[Any], Mapping[str, Any]]] = {}
    for row, before in zip(post.rows, [None, *words], strict=False):
        text = row.text or ""
        name = string(row.meta.get(number)) if number else None
        if name is None:
            nth[text] = nth.get(text, -1) + (text not in nth or (again and text != before))
        sentence = (name, 0 if name is not None else nth[text], text)
        answers = {_answer(la) for la in row.labels if not la.left_out}
        if (known := said.get(sentence)) is not None and name is None:
            post.repeats += bool(answers & known[0]) or (not answers and (each_once or row.meta == known[1]))
        said.setdefault(sentence, (set(), row.meta))[0].update(answers)
        post.sentences.append(sentence)


def _numbers(sentences: Sequence[_Sentence]) -> list[int] | None:
    """The sentences' numbers, as they are or at the end of ids that are else alike; None unless all have one, each its own."""
    tails = [re.fullmatch(r"(.*?)(\d{1,9})", name or "", re.DOTALL) for name, *_ in sentences]
    alike = len({tail[1] if tail is not None else None for tail in tails}) == 1
    found = [int(tail[2]) for tail in tails if tail is not None and alike]
    whole_ones = [whole(name) for name, *_ in sentences if name and is_whole(name)]
    if len(whole_ones) == len(sentences):
        found = [n for n in whole_ones if n is not None]
    return found if len(found) == len(sentences) == len(set(found)) else None


def _joined(order: Sequence[_Sentence]) -> tuple[dict[_Sentence, int], str]:
    """Where each sentence begins in the text of them all, and the text: a blank between, unless white space is there."""
    starts, parts, at = {}, list[str](), 0
    for sentence in order:
        if parts and not parts[-1][-1:].isspace():
            parts.append(" ")
            at += 1
        starts[sentence] = at
        parts.append(sentence[2])
        at += len(sentence[2])
    return starts, "".join(parts)


def _notes(post: _Post, order: Sequence[_Sentence]) -> Iterator[tuple[str, str]]:
    numbers = _numbers(order)
    if numbers and numbers[-1] - numbers[0] + 1 > len(numbers):
        there = ", ".join(map(str, numbers[:20])) + (" …" if len(numbers) > 20 else "")
        yield "doubtful", f"only its sentences {there} stand in the file: the text is put together from these"
    if post.repeats:
        why = "a column sentence_no would tell whether the post says it again"
        yield (
            "doubtful",
            f"{post.repeats} rows repeat a sentence and say nothing new of it: it stands there once; {why}",
        )
    for name in _OF_POST:
        if (several := len({value for row in post.rows if (value := getattr(row, name))})) > 1:
            yield "doubtful", f"its sentences differ in {name} ({several} values); kept is that of the first"


def _common(rows: Sequence[ImportRow], name: str) -> Any:
    """What all rows say, or the first that says something."""
    return next((v for row in rows if (v := getattr(row, name))), None)


def _meta(rows: Sequence[ImportRow]) -> dict[str, Any]:
    """What all rows say alike, and what each says of its sentence under `sentences`."""
    same = {k: v for k, v in rows[0].meta.items() if all(row.meta.get(k) == v for row in rows)}
    own = [{k: v for k, v in row.meta.items() if k not in same} for row in rows]
    return same | ({"sentences": own} if any(own) else {})


# --- labels


def _counting(posts: Iterable[_Post], before: Counting) -> Counting:
    """What the offsets count: a few that lie outside of their sentence are faults, more say that they count something else.

    before: what those of the sentences further above count.
    """
    total = outside = whole_ones = 0
    for row in (row for post in posts for row in post.rows):
        text = row.text or ""
        for passage in (p for la in row.labels if not la.left_out for p in _passages(la)):
            if passage.start is None or passage.end is None or passage.start >= passage.end:
                continue
            if (passage.start, passage.end) == (0, len(text)) or (passage.quote or text) not in text:
                continue  # fits either way, or words that prove nothing
            total += 1
            outside += not _lies_in(passage, text)
            whole_ones += passage.end - passage.start in (len(text), len(text.strip()))
    if before is Counting.ELSEWHERE or not outside or (total > 20 and outside * 20 <= total):
        return Counting.ELSEWHERE if before is Counting.ELSEWHERE else Counting.IN_SENTENCE
    return Counting.OF_SENTENCE if whole_ones == total else Counting.ELSEWHERE


def _passages(label: Label) -> tuple[Passage, ...]:
    return (*label.passages, *label.rejected, *label.undecided)


def _lies_in(passage: Passage, text: str) -> bool:
    """Whether the passage's offsets lie in the sentence and, if it has words, say the same."""
    if passage.start is None or passage.end is None or not 0 <= passage.start < passage.end <= len(text):
        return False
    return passage.quote in (None, text[passage.start : passage.end])


def _in_sentence(label: Label, text: str, counting: Counting) -> Label:
    """The label with all its passages by offsets in its sentence, but for words that are not found there; left out where that cannot be."""
    if label.left_out:
        return label
    by_offsets = [p for p in _passages(label) if p.start is not None and (p.quote is None or p.quote not in text)]
    wide = any(ord(ch) > 0xFFFF for ch in text)
    if label.units is not Units.CODE_POINTS and wide and by_offsets and counting is not Counting.OF_SENTENCE:
        return replace(label, left_out="its offsets in a sentence may count UTF-16 units; not read")
    found = [tuple(_of_text(p, text, counting) for p in ps) for ps in (label.passages, label.rejected, label.undecided)]
    kept = [tuple(p for p in ps if p is not None) for ps in found]
    if found != kept:
        return replace(label, left_out=OUTSIDE)
    passages, rejected, undecided = kept
    units = Units.CODE_POINTS
    return replace(label, passages=passages, rejected=rejected, undecided=undecided, units=units)


def _of_text(passage: Passage, text: str, counting: Counting) -> Passage | None:
    """The passage by its offsets in the sentence, or by words that are not there; None where its offsets count something else."""
    words = passage.quote
    if words is not None and (passage.start is None or not _lies_in(passage, text)):
        at = text.find(words)
        return replace(passage, start=at, end=at + len(words)) if at >= 0 else replace(passage, start=None, end=None)
    empty = passage.start is not None and passage.end is not None and passage.start >= passage.end
    if empty or (passage.start, passage.end) == (0, len(text)):
        return passage
    if counting is Counting.OF_SENTENCE:
        return replace(passage, start=0, end=len(text), core_start=None, core_end=None, predicted=None)
    return passage if _lies_in(passage, text) and (counting is Counting.IN_SENTENCE or words) else None


def _settled(rows: Sequence[ImportRow], sentences: Sequence[_Sentence]) -> dict[Any, tuple[Verdict, bool]]:
    """The verdict of each answer, by criterion and person, and whether it speaks of all sentences of the post."""
    said: dict[Any, list[tuple[Any, Verdict]]] = {}
    for row, sentence in zip(rows, sentences, strict=True):
        for label in row.labels:
            if label.verdict is not None and not label.left_out:
                said.setdefault(_answer(label), []).append((sentence, label.verdict))
    count = len(set(sentences))
    return {
        key: (min((v for _, v in found), key=_STRENGTH.index), len({s for s, _ in found}) == count)
        for key, found in said.items()
    }


def _answer(label: Label) -> tuple[str, LabelKind, str | None, str | None]:
    return (
        " ".join(label.criterion.casefold().replace("_", " ").split()),
        label.kind,
        label.annotator,
        label.model_version,
    )


def _in_post(label: Label, row: ImportRow, start: int, settled: Mapping[Any, tuple[Verdict, bool]]) -> Label:
    """The label with its passages in the text of the post. A sentence that was judged not to be evidence says nothing of the others.

    Where no sentence is evidence, and not all were judged, it is a refused passage; an unsure one is undecided. What is undecided in one
    sentence is left out where another decides the answer: an answer holds either.
    """
    label = replace(label, row=row.number)
    if label.left_out:
        return label
    text = row.text or ""
    whole_one = (Passage(0, len(text), text),)
    verdict, complete = settled.get(_answer(label), (None, False))
    rejected, undecided = label.rejected, label.undecided
    if label.verdict is Verdict.NO_EVIDENCE and verdict is Verdict.NO_EVIDENCE and not complete and not rejected:
        rejected = whole_one
    if label.verdict is Verdict.UNSURE and not _passages(label):
        undecided = whole_one
    if undecided and verdict in (Verdict.EVIDENCE, Verdict.NO_EVIDENCE):
        undecided = ()
        if not label.passages and not rejected:
            return replace(label, left_out="undecided here, while another sentence decides the answer")
    if label.verdict is not None and verdict is not Verdict.NO_EVIDENCE:
        rejected = ()
    return replace(
        label,
        verdict=verdict if label.verdict is not None else None,
        passages=tuple(_shifted(p, text, start) for p in label.passages),
        rejected=tuple(_shifted(p, text, start) for p in rejected),
        undecided=tuple(_shifted(p, text, start) for p in undecided),
        whole=False,
    )


def _shifted(passage: Passage, text: str, start: int) -> Passage:
    """The passage of a sentence as one of the post; white space at the sentence's edges is no part of it.

    Words that are not found in the sentence are looked for near it.
    """
    first, last = passage.start, passage.end
    if first is None or last is None:
        return replace(passage, start=start, end=start + len(passage.quote or ""))
    if (first, last) == (0, len(text)):
        first, last = len(text) - len(text.lstrip()), len(text.rstrip())
        passage = replace(passage, quote=text[first:last])
    core_start, core_end = (None if at is None else start + at for at in (passage.core_start, passage.core_end))
    before = passage.predicted
    return replace(
        passage,
        start=start + first,
        end=start + last,
        core_start=core_start,
        core_end=core_end,
        predicted=None if before is None else _span_at(before, start),
    )


def _span_at(span: Span, start: int) -> Span:
    core_start, core_end = (None if at is None else start + at for at in (span.core_start, span.core_end))
    return replace(span, start=start + span.start, end=start + span.end, core_start=core_start, core_end=core_end)
