"""BIO columns (CoNLL), both ways: one token per line, one tag column per criterion, a comment head per post.

Out: `token  start  end  tag tag ...`; `O` is reviewed and no evidence here, `_` not reviewed. In: ours exactly, and any file whose last
column holds BIO tags (its text is its tokens joined by spaces).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.formats.answers import quoted
from storage.formats.encodings import has_broken_bytes, open_text
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Label, Passage, Row, RowError, Written
from storage.formats.spans import (
    NO_EVIDENCE,
    SEVERAL,
    UNSURE,
    labels_by_criterion,
    names_of,
    own_meta,
    post_fields,
    tokens,
)
from storage.records import Verdict

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
_TAG = re.compile(r"([BIES])-(.+)")


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


def read(path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
    """A post per block of lines."""
    with open_text(path, encoding) as file:
        number, first, block = 0, 1, list[str]()
        for number, raw in enumerate(file, start=1):
            line = raw.rstrip("\r\n")
            if line.strip():
                block.append(line)
                continue
            if block:
                yield _row(first, block)
            first, block = number + 1, []
        if block:
            yield _row(first, block)


def _row(number: int, block: list[str]) -> Row:
    if any(map(has_broken_bytes, block)):
        return RowError(number, "holds bytes that do not fit the file's encoding")
    comments = {m[1]: m[2] for line in block if (m := _COMMENT.match(line))}
    lines = [line for line in block if not _COMMENT.match(line) and not line.startswith(("-DOCSTART-", "# "))]
    try:
        if {"columns", "text"} <= comments.keys():
            return _own_row(number, comments, lines)
        return _foreign_row(number, comments, lines)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        return RowError(number, f"is no block of tokens and tags ({error!r})")


def _own_row(number: int, comments: Mapping[str, str], lines: Sequence[str]) -> ImportRow:
    names: list[str] = json.loads(comments["columns"])[3:]
    text, meta = json.loads(comments["text"]), json.loads(comments.get("post", "{}"))
    rows = [line.rsplit("\t", len(names) + 2) for line in lines]
    labels: list[Label] = []
    for place, criterion in enumerate(names, start=3):
        tagged = [(int(r[1]), int(r[2]), r[place]) for r in rows]
        if all(tag == NOT_REVIEWED for _, _, tag in tagged):
            continue
        passages = tuple(p for _, p in _spans(tagged))
        labels.append(Label(criterion, Verdict.EVIDENCE if passages else Verdict.NO_EVIDENCE, passages))
    return ImportRow(number=number, text=text, labels=_with_unsure(labels, meta), **post_fields(meta))


def _with_unsure(labels: Sequence[Label], meta: Mapping[str, Any]) -> tuple[Label, ...]:
    passages = [(la.criterion, p) for la in labels for p in la.passages]
    none = [la.criterion for la in labels if la.verdict is Verdict.NO_EVIDENCE]
    none += [c for c in names_of(meta.get(NO_EVIDENCE)) if c not in none]
    return labels_by_criterion(passages, no_evidence=none, unsure=names_of(meta.get(UNSURE)))


def _foreign_row(number: int, comments: Mapping[str, str], lines: Sequence[str]) -> ImportRow:
    """Tokens in the first column, tags in the last."""
    cells = [line.split("\t") if "\t" in line else line.split() for line in lines]
    if not cells:
        raise ValueError("no tokens")
    words, at, tagged = [], 0, []
    for row in cells:
        words.append(row[0])
        tagged.append((at, at + len(row[0]), row[-1]))
        at += len(row[0]) + 1
    post_id = comments.get("post_id") or comments.get("sent_id") or comments.get("id")
    return ImportRow(number=number, post_id=post_id, text=" ".join(words), labels=labels_by_criterion(_spans(tagged)))


def _spans(tagged: Iterable[tuple[int, int, str]]) -> list[tuple[str, Passage]]:
    """(criterion, passage) from tags; an I without a B before it begins a span, as in the CoNLL evaluation script."""
    found: list[tuple[str, Passage]] = []
    open_label: str | None = None
    for start, end, tag in tagged:
        match = _TAG.fullmatch(tag)
        if match is None:
            open_label = None
            continue
        kind, label = match.groups()
        if kind in "IE" and label == open_label:
            first = found[-1][1].start
            found[-1] = (label, Passage(first, end))
        else:
            found.append((label, Passage(start, end)))
        open_label = None if kind in "ES" else label
    return found
