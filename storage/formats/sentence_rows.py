"""Tables with a row for each sentence of a post: the post is put together from them, and a sentence's label is evidence there.

Without this only the first sentence of a post would be kept, under the post's id. Rows of one post need not follow each other, but beyond
MAX_TOGETHER rows they do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from storage.formats.ledger import LINE, Key, Ledger, Outcome
from storage.formats.rows import ImportRow, Label, LabelKind, Passage, Row, RowError, Units
from storage.formats.values import is_whole, plain, string, whole
from storage.records import Verdict

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


def are_sentences(found: Mapping[str, str], columns: Sequence[str], sample: Sequence[Mapping[str, Any]]) -> bool:
    """Whether several rows have the id of one post and texts of their own, and names say that these are sentences.

    found: column by field.
    """
    text, post_id = found.get("text"), found.get("post_id")
    if text is None or post_id is None or post_id == number_column(columns):
        return False
    if plain(text) not in _TEXTS and number_column(columns) is None:
        return False
    texts: dict[str, set[str]] = {}
    for record in sample:
        name, words = string(record.get(post_id)), record.get(text)
        if name is not None and isinstance(words, str):
            texts.setdefault(name, set()).add(words)
    return any(len(of_post) > 1 for of_post in texts.values())


def number_column(columns: Sequence[str]) -> str | None:
    """The column with the number, or the id, of a sentence."""
    return next((c for c in columns if _NUMBERS.fullmatch(plain(c))), None)


@dataclass
class _Post:
    """The rows of one post. places: number of each sentence in the post's order of appearance, by its id and words."""

    rows: list[ImportRow] = field(default_factory=list)
    places: dict[tuple[str | None, str], int] = field(default_factory=dict)


def posts_of_sentences(rows: Iterable[Row], number: str | None, ledger: Ledger) -> Iterator[Row]:
    """For each post a row with its whole text, then the labels of its sentences, each under the number of its row.

    number: the column of the sentences' numbers or ids, which the rows have in their meta.
    """
    open_posts: dict[str, _Post] = {}
    closed: set[str] = set()
    held = 0
    for row in rows:
        if isinstance(row, RowError) or row.post_id is None or not (row.text or "").strip():
            yield row
            continue
        if row.post_id in closed:
            why = "a sentence of a post whose other sentences stand far above; sort the file by post and sentence"
            yield RowError(row.number, why, row.account, row.post_id, row.labels)
            continue
        open_posts.setdefault(row.post_id, _Post()).rows.append(row)
        held += 1
        if held >= MAX_TOGETHER:
            last = open_posts.pop(row.post_id)
            for name, post in open_posts.items():
                closed.add(name)
                yield from _assembled(post, number, ledger)
            open_posts, held = {row.post_id: last}, len(last.rows)
    for post in open_posts.values():
        yield from _assembled(post, number, ledger)


def _assembled(post: _Post, number: str | None, ledger: Ledger) -> Iterator[Row]:
    for row in post.rows:
        post.places.setdefault(_sentence(row, number), len(post.places))
    order = list(post.places)
    numbers = _numbers(order)
    if numbers is not None:
        order = [sentence for _, sentence in sorted(zip(numbers, order, strict=True))]
    starts, text = _joined(order)
    by = f"in the order of {number}" if numbers else "in the order of the rows"
    ledger.count(LINE, "sentences", Outcome.TAKEN, f"put together as the text of their post, {by}", len(order))
    first, account = post.rows[0], dict[Key, int]()
    for row in post.rows:
        for key, count in row.account.items():
            account[key] = account.get(key, 0) + count
    yield replace(
        first,
        text=text,
        labels=(),
        gold=(),
        notes=(*(n for row in post.rows for n in row.notes), *_notes(post, order)),
        meta=_meta(post.rows),
        account=account,
        **{n: _common(post.rows, n) for n in ("author", "source", "posted_at")},
    )
    settled = _settled(post.rows, len(order), number)
    for row in post.rows:
        labels = tuple(_in_post(la, row, starts[_sentence(row, number)], settled) for la in row.labels)
        if labels:
            yield ImportRow(number=row.number, post_id=row.post_id, text=None, labels=labels)


def _sentence(row: ImportRow, number: str | None) -> tuple[str | None, str]:
    return string(row.meta.get(number)) if number else None, row.text or ""


def _numbers(sentences: Sequence[tuple[str | None, str]]) -> list[int] | None:
    """The sentences' numbers, as they are or at the end of their ids; None unless all have one, each its own."""
    tails = [re.search(r"\d+\Z", name or "") for name, _ in sentences]
    found = [int(tail[0]) for tail in tails if tail is not None and len(tail[0]) < 10]
    whole_ones = [whole(name) for name, _ in sentences if name and is_whole(name)]
    if len(whole_ones) == len(sentences):
        found = [n for n in whole_ones if n is not None]
    return found if len(found) == len(sentences) == len(set(found)) else None


def _joined(order: Sequence[tuple[str | None, str]]) -> tuple[dict[tuple[str | None, str], int], str]:
    """Where each sentence begins in the text of them all, and the text: a blank between, unless white space is there."""
    starts, parts, at = {}, list[str](), 0
    for sentence in order:
        if parts and not parts[-1][-1:].isspace():
            parts.append(" ")
            at += 1
        starts[sentence] = at
        parts.append(sentence[1])
        at += len(sentence[1])
    return starts, "".join(parts)


def _notes(post: _Post, order: Sequence[tuple[str | None, str]]) -> Iterator[tuple[str, str]]:
    numbers = _numbers(order)
    if numbers and numbers[-1] - numbers[0] + 1 > len(numbers):
        there = ", ".join(map(str, numbers[:20])) + (" …" if len(numbers) > 20 else "")
        yield "doubtful", f"only its sentences {there} stand in the file: the text is put together from these"
    splits = list(dict.fromkeys(row.split for row in post.rows if row.split))
    if len(splits) > 1:
        yield "doubtful", f"its sentences are in several splits ({', '.join(splits)}); the post is in {splits[0]}"


def _common(rows: Sequence[ImportRow], name: str) -> Any:
    """What all rows say, or the first that says something."""
    return next((v for row in rows if (v := getattr(row, name))), None)


def _meta(rows: Sequence[ImportRow]) -> dict[str, Any]:
    """What all rows say alike, and what each says of its sentence under `sentences`."""
    same = {k: v for k, v in rows[0].meta.items() if all(row.meta.get(k) == v for row in rows)}
    own = [{k: v for k, v in row.meta.items() if k not in same} for row in rows]
    return same | ({"sentences": own} if any(own) else {})


# --- labels


def _settled(rows: Sequence[ImportRow], sentences: int, number: str | None) -> dict[Any, tuple[Verdict, bool]]:
    """The verdict of each answer, by criterion and person, and whether it speaks of all sentences of the post."""
    said: dict[Any, list[tuple[Any, Verdict]]] = {}
    for row in rows:
        for label in row.labels:
            if label.verdict is not None and not label.left_out:
                said.setdefault(_answer(label), []).append((_sentence(row, number), label.verdict))
    return {
        key: (min((v for _, v in found), key=_STRENGTH.index), len({s for s, _ in found}) == sentences)
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

    Where no sentence is evidence, and not all were judged, it is a refused passage.
    """
    if label.left_out or label.verdict is None:
        return label
    if label.units is not Units.CODE_POINTS and any(p.start is not None for p in label.passages):
        return replace(label, left_out="its offsets in a sentence may count UTF-16 units; not read")
    text = row.text or ""
    verdict, complete = settled[_answer(label)]
    rejected = tuple(_shifted(p, text, start) for p in label.rejected)
    if label.verdict is Verdict.NO_EVIDENCE and verdict is Verdict.NO_EVIDENCE and not complete and not rejected:
        rejected = (_shifted(Passage(0, len(text), text), text, start),)
    return replace(
        label,
        verdict=verdict,
        passages=tuple(_shifted(p, text, start) for p in label.passages),
        rejected=rejected if verdict is Verdict.NO_EVIDENCE else (),
        undecided=tuple(_shifted(p, text, start) for p in label.undecided),
        whole=False,
    )


def _shifted(passage: Passage, text: str, start: int) -> Passage:
    """The passage of a sentence as one of the post; white space at the sentence's edges is no part of it."""
    first, last = passage.start, passage.end
    if first is None or last is None:
        at = text.find(passage.quote or "\0")
        if at < 0:
            return passage
        first, last = at, at + len(passage.quote or "")
    if (first, last) == (0, len(text)):
        first, last = len(text) - len(text.lstrip()), len(text.rstrip())
        return replace(passage, start=start + first, end=start + last, quote=text[first:last])
    return replace(passage, start=start + first, end=start + last)
