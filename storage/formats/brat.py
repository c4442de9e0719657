"""brat standoff, both ways: a `.txt` and an `.ann` file per post, code points, line ends kept; `posts.jsonl` says what brat cannot.

`posts.jsonl` (brat does not read it) holds each post's id, metadata, and the criteria reviewed without evidence.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from storage.attributes import Attributes
from storage.formats.answers import quoted
from storage.formats.brat_said import Said, attribute_lines, attribute_types
from storage.formats.encodings import UTF_8, detect_encoding, has_broken_bytes, open_text
from storage.formats.fields import Fields
from storage.formats.json_text import dump_line
from storage.formats.labels import Given
from storage.formats.ledger import FILE, LINE, Key, Outcome
from storage.formats.people import names_of_parts
from storage.formats.rows import (
    ExportContext,
    ExportPost,
    FormatError,
    ImportRow,
    Label,
    Passage,
    Row,
    RowError,
    Source,
    Written,
)
from storage.formats.said import DIFFERING, POST_LABELS, differing_labels, labels_from, labels_of_post
from storage.formats.spans import SEVERAL, labelled_spans, own_meta, post_fields, settled_answers
from storage.formats.splits import split_in_path
from storage.formats.standing import takes_back
from storage.formats.texts import check_text
from storage.formats.values import plain
from storage.records import OF_POST, InvalidRecord, Verdict

INDEX = "posts.jsonl"
STANDOFF = (".ann", ".a1", ".a2")  # the latter two of the BioNLP tasks: given and to be found
MAX_NAME_BYTES = 120
LOOK_FILES = 500  # of a folder, whose labels say whether it is a share of the work
CANNOT_CARRY = (
    "who decided, when, and earlier revisions",
    "rejected predictions and where a span came from",
    "predictions",
    SEVERAL,
)
_TEXT_BOUND = re.compile(r"(T\S+)\t(\S+)[ \t](\d{1,12} \d{1,12}(?:;\d{1,12} \d{1,12})*) *\t?(.*)")
_READ_ME = re.compile(
    r"(?i)(?:readme|licen[cs]e|copying|authors|changelog|citation|requirements|version|contents?|guidelines)\b"
)
_OF_BRAT = ("annotation.conf", "visual.conf", "tools.conf", "kb_shortcuts.conf", "manifest.json", ".stats_cache")
_KINDS = {
    "A": "attribute",
    "M": "attribute",
    "R": "relation",
    "E": "event",
    "N": "normalization",
    "#": "note",
    "*": "equivalence",
}
_LINE_END = re.compile(r"[\r\n]")


def write(posts: Iterable[ExportPost], folder: Path, context: ExportContext) -> Written:
    written = Written()
    folder.mkdir(exist_ok=True)
    labels = "\n".join(c.id for c in context.criteria)
    config = f"[entities]\n{labels}\n\n[relations]\n<OVERLAP> Arg1:<ENTITY>, Arg2:<ENTITY>, <OVL-TYPE>:<ANY>\n\n[events]\n\n[attributes]\n"
    config += attribute_types(context.attributes)
    (folder / "annotation.conf").write_text(config, "utf-8")
    with (folder / INDEX).open("w", encoding="utf-8", newline="") as index:
        for item in posts:
            written.count(item)
            written.leave_out(DIFFERING, differing_labels(item.labels))
            name = _file_name(item.post.id)
            agreed = labels_of_post(item.labels)
            index.write(dump_line({"file": name, **own_meta(item), **({POST_LABELS: agreed} if agreed else {})}))
            _write_text(folder / f"{name}.txt", item.post.text)
            places = labelled_spans(item, written)
            lines = [
                f"T{number}\t{label} {start} {end}\t{_LINE_END.sub(' ', quoted(item.post, start, end))}\n"
                for number, (start, end, label) in enumerate(places, start=1)
            ]
            _write_text(folder / f"{name}.ann", "".join([*lines, *attribute_lines(item, places, context.attributes)]))
    return written


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)


def _file_name(post_id: str) -> str:
    """The id in characters that every file system takes; a long one, or one that case alone tells apart, with its hash."""
    name = quote(post_id, safe="").replace(".", "%2E")
    if len(name) <= MAX_NAME_BYTES and name == name.lower():
        return name
    return f"{name[: MAX_NAME_BYTES - 20]}-{hashlib.sha256(post_id.encode()).hexdigest()[:16]}"


# --- in


def read(source: Source) -> Iterator[Row]:
    """A post per `.txt` file; its id is in `posts.jsonl`, else it is the file's name, with its folder where two have the same."""
    folder = source.path
    index, (texts, standoff_of) = _index(folder), _files(folder, source)
    same, people = _people(folder, texts, standoff_of)
    shares = {
        f for f, person in {a.parent: p for a, p in people.items()}.items() if _is_called_after_its_label(person, f)
    }
    people = {a: person for a, person in people.items() if a.parent not in shares}
    for person in dict.fromkeys(people.values()):
        source.ledger.count(FILE, person, Outcome.TAKEN, "a folder of one person's answers")
    stems = Counter(stem for stem, _ in {(f.stem, same.get(f, f)) for f in texts})
    for number, file in enumerate(texts, start=1):
        place = file.relative_to(folder)
        known = dict(index.get(place.with_suffix("").as_posix()) or index.get(file.stem) or {})
        if "post_id" not in known:
            known["post_id"] = file.stem if stems[file.stem] == 1 else place.with_suffix("").as_posix()
        split = split_in_path(place)
        if split is not None and "split" not in known:
            known["split"] = split
        try:
            row = _row(number, file, known, source, {a: people.get(a) for a in standoff_of.get(file, [])})
            if not standoff_of.get(file) and any(standoff_of.values()):
                row = replace(row, notes=(*row.notes, ("doubtful", f"{file.name} has no .ann file beside it")))
            yield row
        except InvalidRecord as error:
            yield RowError(number, f"{place.as_posix()}: {error}", post_id=str(known["post_id"]))


def _people(
    folder: Path, texts: Sequence[Path], standoff_of: Mapping[Path, Sequence[Path]]
) -> tuple[dict[Path, Path], dict[Path, str]]:
    """(the first of the texts that are one, by each of them, and who made an annotation file): folders that hold the same texts under the
    same names, or the annotations of one text, are a person's each.
    """
    called = defaultdict[tuple[str, str | None], list[Path]](list)
    for text in texts:
        called[text.stem, split_in_path(text.relative_to(folder))].append(text)
    same = {text: group[0] for group in called.values() if len(group) > 1 and _are_one(group) for text in group}
    made = {a: text.parent for text in same for a in standoff_of[text]}
    made |= {a: a.parent for found in standoff_of.values() if len({a.parent for a in found}) > 1 for a in found}
    folders = sorted({parent.relative_to(folder) for parent in made.values()})
    names = names_of_parts(folders)
    return same, {a: names[parent.relative_to(folder)] for a, parent in made.items()}


def _is_called_after_its_label(person: str, folder: Path) -> bool:
    """Whether the folder holds one label alone, and is called like it: a share of the work, nobody's answers."""
    labels: set[str] = set()
    for file in islice(sorted(folder.glob("*.a*")), LOOK_FILES):
        if file.suffix.lower() in STANDOFF:
            with file.open(encoding="utf-8", errors="replace") as lines:
                labels |= {
                    plain(line.split("\t")[1].split(" ")[0]) for line in lines if line[:1] == "T" and "\t" in line
                }
    return labels == {plain(person)}


def _are_one(texts: Sequence[Path]) -> bool:
    first = texts[0]
    return all(t.stat().st_size == first.stat().st_size and t.read_bytes() == first.read_bytes() for t in texts[1:])


def _files(folder: Path, source: Source) -> tuple[list[Path], dict[Path, list[Path]]]:
    """The texts, in order of their names, and the annotation files of each; every other file is counted as left out.

    Annotations stand beside their text, or alone under its name in another folder, as some corpora part them.
    """
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    standoff = [p for p in files if p.suffix.lower() in STANDOFF]
    stems, called = defaultdict[Path, list[Path]](list), defaultdict[str, list[Path]](list)
    for file in standoff:
        stems[file.with_suffix("")].append(file)
        called[file.stem].append(file)
    names = Counter(p.stem for p in standoff if p.suffix.lower() == ".ann")
    texts = [
        p
        for p in files
        if p.suffix.lower() == ".txt" and (p.with_suffix("") in stems or p.stem in names or not _READ_ME.match(p.name))
    ]
    of_text: dict[Path, list[Path]] = {}
    alone = Counter(p.stem for p in texts)
    for text in texts:
        beside = stems.get(text.with_suffix(""), [])
        folders = {p.parent for p in called[text.stem]}
        if not beside and alone[text.stem] == 1 and names[text.stem] in (1, len(folders)):
            beside = called[text.stem]
        of_text[text] = beside
    read = {p for found in of_text.values() for p in found}
    for file in files:
        name = file.relative_to(folder).as_posix()
        if file.suffix.lower() == ".txt" and file not in of_text:
            source.ledger.count(FILE, name, Outcome.LEFT, "is about the corpus, no text with a .ann file")
        elif file.suffix.lower() in STANDOFF and file not in read:
            several = names[file.stem] > 1 and alone[file.stem] > 0
            why = (
                "several .ann files of this name: import those of one folder"
                if several
                else "there is no .txt file of this name"
            )
            source.ledger.count(FILE, name, Outcome.LEFT, why)
        elif file.suffix.lower() not in (".txt", *STANDOFF) and file.name not in (INDEX, *_OF_BRAT):
            source.ledger.count(FILE, name, Outcome.LEFT, "is neither a .txt nor a .ann file")
    return texts, of_text


def _index(path: Path) -> dict[str, dict[str, Any]]:
    file = path / INDEX
    if not file.is_file():
        return {}
    found = {}
    with file.open(encoding="utf-8", newline="\n", errors="replace") as lines:
        for line in lines:
            try:
                item = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(item, dict) and isinstance(item.get("file"), str):
                found[item.pop("file")] = item
    return found


def _row(
    number: int, file: Path, known: Mapping[str, Any], source: Source, annotations: Mapping[Path, str | None]
) -> ImportRow:
    """annotations: the annotation files, each with the person who made it, if it is known."""
    encoding = source.encoding
    text = _read_text(file, encoding)
    standoff = _Standoff(text, source.attributes)
    labels: list[Label] = []
    for person, group in groupby(annotations, key=lambda a: annotations[a]):
        for notes in group:
            for place, line in enumerate(_read_text(notes, encoding).split("\n"), start=1):
                standoff.line(place, line.rstrip("\r"))
        labels += standoff.labels(person)
    fields = Fields(known)
    settled, post = settled_answers(fields), post_fields(fields)
    of_post = labels_from(fields.peek(POST_LABELS), source.attributes)
    if of_post:
        fields.take(POST_LABELS, "labels of the post")
    labels += [*settled.labels(), *([Label(OF_POST, None, labels=of_post)] if of_post else [])]
    meta = {**post.pop("meta"), **fields.settle(), **({"brat": standoff.kept} if standoff.kept else {})}
    _, doubts = check_text(text)
    return ImportRow(
        number=number,
        text=text,
        labels=tuple(labels),
        meta=meta,
        notes=doubts,
        account=standoff.account,
        **post,
    )


def _read_text(file: Path, encoding: str) -> str:
    """The file's text, in the encoding that was chosen, else in its own. Raises InvalidRecord."""
    try:
        # a byte order mark is a character of the text: brat's offsets count it
        name = encoding if encoding != UTF_8 else detect_encoding(file).name.removesuffix("-sig")
        with open_text(file, name) as opened:
            text = opened.read()
    except FormatError as error:
        raise InvalidRecord(str(error)) from None
    if has_broken_bytes(text):
        raise InvalidRecord("holds bytes that do not fit its encoding; choose one with --encoding")
    return text


class _Standoff:
    """The lines of one `.ann` file. Text-bound ones are labels; all others are kept as they stand, or say that a label is not so."""

    def __init__(self, text: str, attributes: Attributes) -> None:
        self._text = text
        self._attributes = attributes
        self._said = Said(attributes)
        self._spans: list[tuple[str, str, list[Passage]]] = []  # a list: an id may stand in the file twice
        self._back: dict[str, str] = {}
        self._triggers: dict[
            str, str
        ] = {}  # by the id of an event: its words, which an attribute of the event is about
        self._bad: list[Label] = []
        self.kept: list[str] = []
        self.account: dict[Key, int] = {}

    def line(self, number: int, line: str) -> None:
        if not line.strip():
            return
        kind = line[0]
        if kind == "T":
            self._text_bound(number, line)
            return
        parts = line.split("\t")
        words = parts[1].split() if len(parts) > 1 else []
        name = f"{_KINDS.get(kind, 'line')} {words[0] if words and kind in 'AMRE*#' else ''}".strip()
        if self._said.takes(parts):
            self._count(name, Outcome.TAKEN, "severity, flags and rationale")
            return
        if kind in "AM" and len(words) > 1 and takes_back(words[0], words[2] if len(words) > 2 else True):
            self._back.setdefault(words[1], f"marked {' '.join([words[0], *words[2:]])} ({parts[0]})")
        if kind == "E" and words and ":" in words[0]:
            self._triggers[parts[0]] = words[0].rpartition(":")[2]
        self.kept.append(line)
        self._count(name, Outcome.KEPT, "" if kind in _KINDS else "is no line of brat's")

    def _text_bound(self, number: int, line: str) -> None:
        found = _TEXT_BOUND.match(line)
        if found is None:
            label = next((w for w in re.split(r"[\t ]+", line)[1:2]), "")
            why = f"line {number} ({line.split()[0]}) is no text-bound annotation: T1, tab, LABEL START END, tab, words"
            self._bad.append(Given().a_label(label, None, left_out=why))
            self._count("text-bound annotation", Outcome.LEFT, "cannot be read")
            return
        name, label, fragments, words = found.groups()
        self._spans.append((name, label, self._passages(fragments, words)))
        self._count("text-bound annotation", Outcome.TAKEN, "labels")

    def _passages(self, fragments: str, words: str) -> list[Passage]:
        """A passage per fragment; fragments with only white space between them are one. The words prove the offsets of one alone."""
        pairs: list[list[int]] = []
        for pair in fragments.split(";"):
            start, end = map(int, pair.split())
            if pairs and pairs[-1][1] <= start and not self._text[pairs[-1][1] : start].strip():
                pairs[-1][1] = end
            else:
                pairs.append([start, end])
        if len(pairs) > 1 or ";" in fragments:
            return [Passage(s, e) for s, e in pairs]
        start, end = pairs[0]
        same = _LINE_END.sub(" ", self._text[start:end]).rstrip() == words.rstrip()
        return [Passage(start, end, (self._text[start:end] if same else words) or None)]

    def labels(self, person: str | None) -> list[Label]:
        """The labels of the lines since the last call, as this person's."""
        given = Given(annotator=person)
        for event, trigger in self._triggers.items():
            if event in self._back:
                self._back.setdefault(trigger, self._back[event])
            self._said.also_of(trigger, event)
        found = [
            given.a_label(label, Verdict.EVIDENCE, *self._said.on(name, passages), left_out=self._back.get(name, ""))
            for name, label, passages in self._spans
        ]
        found += [replace(la, annotator=person) for la in self._bad]
        self._spans, self._back, self._triggers, self._bad = [], {}, {}, []
        self._said = Said(self._attributes)
        return found

    def _count(self, name: str, outcome: Outcome, detail: str) -> None:
        key = (LINE, name, outcome, detail)
        self.account[key] = self.account.get(key, 0) + 1
