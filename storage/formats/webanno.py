"""WebAnno TSV 3, the table of tokens that INCEpTION and WebAnno export: one file per document. Read only.

Offsets in it count UTF-16 units. A span over several tokens bears the same number in each of its cells: `LABEL[1]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.attributes import Attributes
from storage.formats.encodings import open_text
from storage.formats.labels import Given
from storage.formats.ledger import COLUMN, LINE, Key, Outcome
from storage.formats.rows import FormatError, ImportRow, Label, Passage, Row, Source
from storage.formats.said import said_of_features
from storage.formats.standing import takes_back
from storage.formats.utf16 import CodePoints
from storage.formats.values import plain
from storage.formats.vocabulary import AFFIRMERS, LABELS, NOTES, QUALIFIERS, STANDING
from storage.records import SpanAttributes, Verdict

MARK = "#FORMAT=WebAnno TSV"
MAX_CHARACTERS = 1 << 26
CANNOT_CARRY: tuple[str, ...] = ()
# layers of a text's structure and grammar: no labels of a reader's
GRAMMAR = (
    "Lemma",
    "POS",
    "Stem",
    "Token",
    "Sentence",
    "Dependency",
    "MorphologicalFeatures",
    "SurfaceForm",
    "Paragraph",
    "Heading",
)
# what the label of a span is called, before all names that labels have elsewhere
_CALLED = ("label", "value", "category", "code", "type", "concept")
_PART = re.compile(r"(?<!\\)\|")
_NUMBERED = re.compile(r"(.*?)(?:\[(\d+)\])?\Z", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")


@dataclass
class _Layer:
    """A layer of spans: its name, and the columns of its features."""

    name: str
    features: list[str]
    first: int


@dataclass
class _Document:
    layers: list[_Layer] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    spans: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)
    back: dict[tuple[str, str, str], str] = field(default_factory=dict)
    account: dict[Key, int] = field(default_factory=dict)
    columns: int = 0
    bad: list[str] = field(default_factory=list)
    attributes: Attributes = field(default_factory=Attributes)
    said: dict[tuple[str, str, str], SpanAttributes] = field(default_factory=dict)

    def count(self, what: str, name: str, outcome: Outcome, detail: str = "") -> None:
        key = (what, name, outcome, detail)
        self.account[key] = self.account.get(key, 0) + 1


def read(source: Source) -> Iterator[Row]:
    """The document as one post. Raises FormatError for a file that does not say that it is WebAnno TSV 3."""
    with open_text(source.path, source.encoding) as file:
        content = file.read(MAX_CHARACTERS).removeprefix("\ufeff")
    lines = content.split("\n")
    if not lines[0].startswith(MARK):
        raise FormatError(f"{source.path.name} does not begin with {MARK}.")
    document = _Document(attributes=source.attributes)
    for number, line in enumerate(lines[1:], start=2):
        _line(document, number, line.rstrip("\r"))
    _sentence(document, None)
    if not document.texts:
        raise FormatError(f"{source.path.name} holds no text (#Text=).")
    text = _text(document.texts)
    post_id, annotator = document_of(source.path)
    yield ImportRow(
        number=1,
        post_id=post_id,
        text=text,
        labels=tuple(_labels(document, text, Given(annotator=annotator))),
        meta={"document": post_id},
        notes=tuple(("line", reason) for reason in document.bad),
        account=document.account,
    )


def document_of(file: Path) -> tuple[str, str | None]:
    """The document's id and who annotated it. A project of INCEpTION has a folder for each document, with a file for each person."""
    if file.parent.parent.name in ("annotation", "curation"):
        return file.parent.name, file.stem
    return file.stem, None


def _line(document: _Document, number: int, line: str) -> None:
    if line.startswith("#Text="):
        document.waiting.append(_plain(line.removeprefix("#Text=")))
    elif line.startswith("#T_"):
        _layer(document, line)
    elif line.startswith("#"):
        document.count(LINE, line.split("=")[0].split(" ")[0], Outcome.LEFT, "a comment")
    elif line.strip():
        _token(document, number, line)


def _layer(document: _Document, line: str) -> None:
    kind, _, layer = line.partition("=")
    name, *features = layer.split("|")
    short = name.rsplit(".", 1)[-1]
    first = document.columns
    document.columns += max(1, len(features)) + (kind != "#T_SP")
    if kind == "#T_SP" and short not in GRAMMAR:
        document.layers.append(_Layer(short, features, first))
        document.count(COLUMN, short, Outcome.TAKEN, "labels")
    else:
        document.count(
            COLUMN,
            short,
            Outcome.LEFT,
            "relations and chains are not read" if kind != "#T_SP" else "a layer of grammar",
        )


def _token(document: _Document, number: int, line: str) -> None:
    cells = line.split("\t")
    try:
        start, end = map(int, cells[1].split("-"))
    except (IndexError, ValueError):
        document.bad.append(f"line {number} is no token of WebAnno TSV: left out")
        return
    _sentence(document, start)
    for layer in document.layers:
        _cells_of_layer(document, layer, cells[3:], cells[0], start, end)


def _sentence(document: _Document, start: int | None) -> None:
    """The text that stands before the sentence's first token begins where that token does."""
    if document.waiting:
        end = sum(document.texts[-1][:1]) + len(document.texts[-1][1]) + 1 if document.texts else 0
        document.texts.append((end if start is None else start, "\n".join(document.waiting)))
        document.waiting = []


def _cells_of_layer(document: _Document, layer: _Layer, cells: list[str], token: str, start: int, end: int) -> None:
    """The spans that one token belongs to: parts of the cells, of which the first feature with a value is the label."""
    mine = [_PART.split(c) for c in cells[layer.first : layer.first + max(1, len(layer.features))]]
    for place in range(max(map(len, mine), default=0)):
        values = [(_NUMBERED.match(parts[place]), n) for n, parts in enumerate(mine) if place < len(parts)]
        found = [(m[1], m[2], n) for m, n in values if m is not None]
        if not found or all(value in ("_", "") for value, _, _ in found):
            continue
        said = {
            layer.features[n] if n < len(layer.features) else "": _plain(v)
            for v, _, n in found
            if v not in ("_", "*", "")
        }
        more, used = said_of_features(said, document.attributes)
        said = {name: value for name, value in said.items() if name not in used}
        feature = label_feature(said)
        label = said[feature] if feature is not None else layer.name
        span = next((n for _, n, _ in found if n), None)
        key = (layer.name, label, f"[{span}]" if span else f"{token}.{place}")
        place_found = document.spans.setdefault(key, [start, end])
        place_found[1] = max(place_found[1], end)
        if more:
            document.said[key] = more
            document.count(COLUMN, layer.name, Outcome.TAKEN, "severity, flags and rationale")
        for name, value in said.items():
            if name != feature and takes_back(name, value):
                document.back[key] = f"marked {name}: {value}"
            elif name != feature:
                why = "a further feature of a span; one alone is its label"
                document.count(COLUMN, f"{layer.name}: {value[:40]}", Outcome.LEFT, why)


def label_feature(values: Mapping[str, str]) -> str | None:
    """The feature that names what a span is: one that is called like a label, else the first that is neither a note nor a qualifier."""
    by_name = {plain(name): name for name in reversed(list(values))}
    named = next((by_name[n] for n in (*_CALLED, *LABELS) if n in by_name), None)
    if named is not None:
        return named
    others = (*STANDING, *QUALIFIERS, *AFFIRMERS, *NOTES, "identifier", "id")
    return next((name for key, name in reversed(by_name.items()) if key not in others), None)


def _text(texts: list[tuple[int, str]]) -> str:
    """The sentences at their places, counted in UTF-16 units; what lies between them is white space."""
    found, length = "", 0
    for start, text in texts:
        if start > length and found:
            gap = min(start - length, 1000)
            found += "\n" + " " * (gap - 1)
            length += gap
        found += text
        length += len(text.encode("utf-16-le", "surrogatepass")) // 2
    return found


def _labels(document: _Document, text: str, given: Given) -> Iterator[Label]:
    offsets = CodePoints(text)
    shift = document.texts[0][0]
    for key, (start, end) in document.spans.items():
        label = key[1]
        first, last = offsets.of(start - shift), offsets.of(end - shift)
        if first is None or last is None:
            yield given.a_label(label, None, left_out=f"its place {start}-{end} does not lie in the text")
        else:
            passage = Passage(first, last, attributes=document.said.get(key, SpanAttributes()))
            yield given.a_label(label, Verdict.EVIDENCE, passage, left_out=document.back.get(key, ""))


def _plain(cell: str) -> Any:
    return _ESCAPED.sub(lambda m: {"n": "\n", "r": "\r", "t": "\t"}.get(m[1], m[1]), cell)
