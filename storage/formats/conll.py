"""BIO columns (CoNLL), both ways: one token per line, one tag column per criterion, a comment head per post.

Out: `token  start  end  tag tag ...`; `O` is reviewed and no evidence here, `_` not reviewed. In: ours exactly, and any file whose last
column holds BIO tags (its text is its tokens joined by spaces).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import NamedTuple, TextIO

from storage.formats.answers import quoted
from storage.formats.encodings import has_broken_bytes, open_text
from storage.formats.fields import Fields
from storage.formats.ledger import COLUMN, Outcome
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Passage, Row, RowError, Source, Written
from storage.formats.spans import (
    SEVERAL,
    labels_by_criterion,
    own_meta,
    post_fields,
    settled_answers,
    tokens,
)
from storage.formats.tagged import is_tag, joined_tokens, placed_tokens, spans_of_tags, tagged_labels
from storage.formats.values import plain, string
from storage.records import InvalidRecord

NOT_REVIEWED, OUTSIDE = "_", "O"
OVERLAPPING = "spans that overlap another one of the same criterion"
WHITE_EDGES = "white space at the edges of spans"
CANNOT_CARRY = (
    "who decided, when, and earlier revisions",
    "rejected predictions and where a span came from",
    "predictions",
    SEVERAL,
    OVERLAPPING,
    WHITE_EDGES,
)
_COMMENT = re.compile(r"# (\w+) = (.*)")
_NOTED_TAG = re.compile(r"(?:^|\|)(?:NER|NE|BIO|Label)=([^|]+)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+([-.]\d+)?")
MAX_LINE_CHARACTERS = 1 << 24


def write(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    written = Written()
    criteria = [c.id for c in context.criteria]
    with path.open("w", encoding="utf-8", newline="") as file:
        for item in posts:
            written.count(item)
            file.write("".join(_block(item, criteria, written)))
    return written


def _block(item: ExportPost, criteria: Sequence[str], written: Written) -> Iterator[str]:
    post = item.post
    spans = {c: _flat_spans(item, c, written) for c in criteria}
    reviewed = {a.criterion_id for a in item.answers}
    yield f"# columns = {json.dumps(['token', 'start', 'end', *criteria])}\n"
    yield f"# post = {json.dumps(own_meta(item), ensure_ascii=False)}\n"
    yield f"# text = {json.dumps(post.text)}\n"
    for token in tokens(post.text, [s for found in spans.values() for s in found]):
        words = post.text[token.start : token.end]
        if words.isspace():
            continue
        tags = [_tag(c, token.start, spans[c]) if c in reviewed else NOT_REVIEWED for c in criteria]
        yield "\t".join([words, str(token.start), str(token.end), *tags]) + "\n"
    yield "\n"


def _flat_spans(item: ExportPost, criterion: str, written: Written) -> list[tuple[int, int]]:
    """The criterion's spans without white edges, none overlapping."""
    found: list[tuple[int, int]] = []
    answers = [a for a in item.answers if a.criterion_id == criterion]
    if len(answers) > 1:
        written.leave_out(SEVERAL, len(answers) - 1)
    for start, end in sorted({(s.start, s.end) for a in answers for s in a.spans}):
        words = quoted(item.post, start, end)
        left = start + len(words) - len(words.lstrip())
        right = end - (len(words) - len(words.rstrip()))
        if (left, right) != (start, end):
            written.leave_out(WHITE_EDGES)
        if left >= right or (found and left < found[-1][1]):
            written.leave_out(OVERLAPPING)
        else:
            found.append((left, right))
    return found


def _tag(criterion: str, start: int, spans: Sequence[tuple[int, int]]) -> str:
    for first, end in spans:
        if first <= start < end:
            return f"{'B' if start == first else 'I'}-{criterion}"
    return OUTSIDE


# --- in


def read(source: Source) -> Iterator[Row]:
    """A post per block of lines."""
    layout = _layout(source)
    with open_text(source.path, source.encoding) as file:
        number, first, block = 0, 1, list[str]()
        for number, raw in enumerate(_lines(file), start=1):
            line = raw.rstrip("\r\n")
            if line.strip():
                block.append(line)
                continue
            if block:
                yield from _rows(first, block, layout, source)
            first, block = number + 1, []
        if block:
            yield from _rows(first, block, layout, source)


def _lines(file: TextIO) -> Iterator[str]:
    while line := file.readline(MAX_LINE_CHARACTERS):
        yield line.removeprefix("\ufeff")


class _Layout(NamedTuple):
    """tabs: they part the cells, and a token may hold a space. numbered: the first column counts the tokens, the second holds them.

    treebank: ten columns, of which the last holds `key=value|key=value`. alike: columns with labels of the last one, which may be another
    person's or a model's.
    """

    tabs: bool
    numbered: bool
    treebank: bool
    alike: frozenset[int]


def _layout(source: Source) -> _Layout:
    """As the beginning of the file has it, for the whole of it; `alike` by the whole of it."""
    with open_text(source.path, source.encoding) as file:
        lines = [
            line for line in islice(_lines(file), 200) if line.strip() and not line.startswith(("#", "-DOCSTART-"))
        ]
        tabs = sum("\t" in line for line in lines) * 2 > len(lines)
        cells = [_cells(line.rstrip("\r\n"), tabs) for line in lines]
        more = (_cells(line.rstrip("\r\n"), tabs) for line in _lines(file) if line.strip() and line[0] != "#")
        alike = _alike(chain(cells, more)) if source.criteria else frozenset()
    numbered = _is_numbered(cells)
    pairs = all(len(c) == 10 and (c[9] == "_" or "=" in c[9]) for c in cells)
    return _Layout(tabs, numbered, numbered and tabs and pairs, alike)


def _alike(rows: Iterable[Sequence[str]]) -> frozenset[int]:
    """The columns with labels of the last one, anywhere in the file: evidence is too rare for its beginning to tell."""
    last, tags = set[str](), defaultdict[int, set[str]](set)
    for cells in rows:
        last.add(cells[-1])
        for column, tag in enumerate(cells[1:-1], start=1):
            if tag not in tags[column] and is_tag(tag.strip()):
                tags[column].add(tag)
    wanted = _labels_in(last)
    return frozenset(column for column, found in tags.items() if wanted and _labels_in(found) & wanted)


def _labels_in(tags: Iterable[str]) -> set[str]:
    return {plain(t.strip()[2:]) for t in tags if is_tag(t.strip()) and t.strip() != OUTSIDE}


def _rows(number: int, block: list[str], layout: _Layout, source: Source) -> Iterator[Row]:
    if any(map(has_broken_bytes, block)):
        yield RowError(number, "holds bytes that do not fit the file's encoding")
        return
    try:
        comments = {m[1]: m[2] for line in block if (m := _COMMENT.match(line))}
        if {"columns", "text"} <= comments.keys():
            yield _own_row(number, comments, [line for line in block if not line.startswith("# ")])
        else:
            foreign = _foreign_row(number, block, layout, source)
            if foreign is not None:
                yield foreign
    except InvalidRecord as error:
        yield RowError(number, str(error))
    except (KeyError, TypeError, ValueError, IndexError, RecursionError):
        yield RowError(number, "is no block of tokens and tags")


def _own_row(number: int, comments: Mapping[str, str], lines: Sequence[str]) -> ImportRow:
    names: list[str] = json.loads(comments["columns"])[3:]
    text, fields = json.loads(comments["text"]), Fields(json.loads(comments.get("post", "{}")))
    rows = [line.rsplit("\t", len(names) + 2) for line in lines]
    spans: list[tuple[str, Passage]] = []
    settled = settled_answers(fields)
    for place, criterion in enumerate(names, start=3):
        tagged = [(int(r[1]), int(r[2]), r[place]) for r in rows]
        if all(tag == NOT_REVIEWED for _, _, tag in tagged):
            continue
        passages = spans_of_tags(tagged)
        spans += [(criterion, p) for _, p in passages]
        if not passages and criterion not in settled.no_evidence:
            settled.no_evidence.append(criterion)
    known = post_fields(fields)
    known["meta"] |= fields.settle()
    return ImportRow(
        number=number,
        text=text,
        labels=labels_by_criterion(spans, no_evidence=settled.no_evidence, unsure=settled.unsure),
        account=fields.account,
        **known,
    )


def _foreign_row(number: int, block: Sequence[str], layout: _Layout, source: Source) -> ImportRow | None:
    """Tokens in the first column, tags in the last. None for a block that is the mark of a document only."""
    words: list[str] = []
    tags: list[str] = []
    rows: list[list[str]] = []
    notes: list[tuple[str, str]] = []
    comments: dict[str, str] = {}
    width, (tabs, numbered, _, alike) = 0, layout
    for place, line in enumerate(block, start=number):
        cells = _cells(line, tabs)
        if line.startswith("-DOCSTART-"):
            continue
        if line.startswith("#") and not (len(cells) > 1 and is_tag(cells[-1])):
            _comment(line, comments)
            continue
        if len(cells) < 2 or not cells[0].strip():
            notes.append(("line", f"line {place} has no token, or no tag: left out"))
            continue
        if numbered and not cells[0].isdecimal():  # several tokens that are one word, or a word that is not there
            source.ledger.count(COLUMN, "lines without a token of their own", Outcome.LEFT, f"numbered {cells[0]}"[:40])
            continue
        if numbered and len(cells) < 3:
            notes.append(("line", f"line {place} has no token, or no tag: left out"))
            continue
        words.append(cells[1] if numbered else cells[0])
        tags.append(_tag_of_treebank(cells[-1]) if layout.treebank else cells[-1].strip())
        rows.append(cells)
        width = max(width, len(cells))
    if not words:
        return None if not comments and not notes else _no_tokens(number)
    why = (
        "only the columns of the tokens and the last (tags) are read"
        if numbered
        else "only the first column (tokens) and the last (tags) are read"
    )
    layers = [n for n in range(1 + numbered, width - 1) if n not in alike]
    further = _further_tags(rows, layers, source.criteria)
    for column in range(1, width):
        if column != 1 + numbered and column - 1 not in further:
            source.ledger.count(COLUMN, f"column {column}", Outcome.LEFT, why, 1)
    text = comments.pop("text", None)
    if text is None or placed_tokens(words, text) is None:
        text = joined_tokens(words)[0]
    fields = Fields(comments)
    post_id = string(fields.take(fields.first("post_id", "doc_id", "sent_id", "id", "newdoc id"), "post_id"))
    split = string(fields.take("split"))
    return ImportRow(
        number=number,
        post_id=post_id,
        text=text,
        split=split,
        labels=tuple(la for found in (tags, *further.values()) for la in tagged_labels(words, found, text)),
        meta=fields.settle(),
        notes=tuple(notes),
        account=fields.account,
    )


def _tag_of_treebank(cell: str) -> str:
    """The tag among what CoNLL-U notes of a token (`NER=B-X|SpaceAfter=No`); none where it notes none."""
    found = _NOTED_TAG.search(cell)
    return found[1] if found and is_tag(found[1]) else OUTSIDE


def _further_tags(
    rows: Sequence[Sequence[str]], columns: Iterable[int], criteria: Sequence[str]
) -> dict[int, list[str]]:
    """The tags of further columns by column, where they are tags throughout and name a criterion: parts of speech do not."""
    wanted = {plain(c) for c in criteria}
    found = {}
    for column in columns:
        tags = [r[column].strip() if column < len(r) else OUTSIDE for r in rows]
        if all(map(is_tag, tags)) and any(plain(t[2:]) in wanted for t in tags if t != OUTSIDE):
            found[column] = tags
    return found


def _is_numbered(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first column counts the tokens of each sentence from 1, as CoNLL-U and the older tasks have it.

    Ranges (`1-2`) and numbers between two (`1.1`) count nothing.
    """
    if not rows or any(len(cells) < 3 or not _NUMBER.fullmatch(cells[0]) for cells in rows):
        return False
    counted = [int(cells[0]) for cells in rows if cells[0].isdecimal()]
    return 2 in counted and counted[0] == 1 and all(b in (1, a + 1) for a, b in pairwise(counted))


def _cells(line: str, tabs: bool) -> list[str]:
    return line.split("\t") if tabs and "\t" in line else line.split()


def _comment(line: str, comments: dict[str, str]) -> None:
    """Note the comment under its key; a key that stands in the block again gets a number."""
    words = line.lstrip("#").strip()
    if re.match(r"id\s+[^\s=]", words) and "id" not in comments:  # as MultiCoNER writes it: `# id 5f2a  domain=en`
        comments["id"], _, words = words[2:].strip().partition(" ")
        if not (words := words.strip()):
            return
    key, separator, value = words.partition("=")
    name = key.strip() if separator else "comment"
    number = len(comments) + 1
    kept = name if separator and name not in comments else f"{name} {number}"
    while kept in comments:
        number += 1
        kept = f"{name} {number}"
    comments[kept] = value.strip() if separator else words.strip()


def _no_tokens(number: int) -> ImportRow:
    raise InvalidRecord(f"the block at line {number} holds no token with a tag")
