"""Posts with reviewed answers: what training and evaluation read, and the gold file they come in. No torch.

The gold file is JSON Lines, one post per line:
`{"post_id", "text", "annotations": [{"criterion", "verdict": "evidence"|"no_evidence", "spans": [{"start", "end"}],
"rejected": [{"start", "end"}]}], "split", "author"}`; `rejected`, `split` and `author` are optional. A criterion that is not
listed was not reviewed: it is masked, never a negative.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from encoder.errors import BadExamples
from storage.records import Criterion, EvidenceError, Gold, InvalidRecord, Post, Span, Split, Verdict, split_of

_SHOWN_ERRORS = 5


@dataclass(frozen=True, slots=True)
class Label:
    """The reviewed answer for one criterion. `rejected` are predicted spans that a reviewer judged not to be evidence."""

    verdict: Verdict
    spans: tuple[Span, ...] = ()
    rejected: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        if self.verdict is Verdict.UNSURE:
            raise InvalidRecord("An unsure answer is never gold; leave it out.")
        if self.verdict is Verdict.EVIDENCE and not self.spans:
            raise InvalidRecord("The verdict is evidence, but there is no span.")
        if self.verdict is Verdict.NO_EVIDENCE and self.spans:
            raise InvalidRecord("The verdict is no_evidence, but there are spans.")

    @property
    def has_evidence(self) -> bool:
        return self.verdict is Verdict.EVIDENCE


@dataclass(frozen=True, slots=True)
class Example:
    """A post and its labels by criterion id; a criterion that is missing was not reviewed and is masked."""

    post: Post
    labels: Mapping[str, Label] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for label in self.labels.values():
            for span in (*label.spans, *label.rejected):
                span.check(self.post.text, where=f"post {self.post.id}")


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line of a gold file that cannot be used. `line` counts from 1."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class GoldFile:
    """A gold file as read: usable examples, unusable lines, and how many `unsure` answers were left out."""

    examples: tuple[Example, ...]
    rejected: tuple[RejectedLine, ...] = ()
    unsure: int = 0


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """What was reviewed for one criterion: posts (`evidence`, `no_evidence`) and spans (`spans`, `rejected`)."""

    evidence: int = 0
    no_evidence: int = 0
    spans: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class ContentHash:
    """Which rows a model saw: one content hash of all, and the hash of each by post id."""

    sha256: str
    rows: Mapping[str, str] = field(default_factory=dict)


def examples_from_gold(posts: Iterable[Post], gold: Iterable[Gold]) -> list[Example]:
    """One example per post that has gold, in the order of `posts`; gold of other posts raises BadExamples."""
    labels: dict[str, dict[str, Label]] = {}
    for row in gold:
        labels.setdefault(row.post_id, {})[row.criterion_id] = Label(row.verdict, row.spans, row.rejected)
    found = [Example(post, labels.pop(post.id)) for post in posts if post.id in labels]
    if labels:
        raise BadExamples(f"Gold without its post: {', '.join(sorted(labels)[:_SHOWN_ERRORS])}. Pass every post.")
    return found


def read_examples(path: str | Path) -> list[Example]:
    """The examples of a gold file; BadExamples names the lines that cannot be used and why."""
    file = read_gold_file(path)
    if file.rejected:
        shown = " ".join(f"Line {r.line}: {r.reason}" for r in file.rejected[:_SHOWN_ERRORS])
        more = len(file.rejected) - _SHOWN_ERRORS
        raise BadExamples(
            f"{path}: {len(file.rejected)} line(s) cannot be used. {shown}" + (f" And {more} more." if more > 0 else "")
        )
    if not file.examples:
        raise BadExamples(f"{path} holds no examples. It needs one JSON object per line, with post_id and text.")
    return list(file.examples)


def read_gold_file(path: str | Path) -> GoldFile:
    """The gold file with its unusable lines listed instead of raised; BadExamples if it cannot be opened."""
    examples: list[Example] = []
    rejected: list[RejectedLine] = []
    seen: dict[str, int] = {}
    unsure = 0
    for number, line in _lines(Path(path)):
        try:
            example, skipped = _parse_line(line)
            if example.post.id in seen:
                raise BadExamples(f"post_id {example.post.id!r} was given before, on line {seen[example.post.id]}.")
        except EvidenceError as error:
            rejected.append(RejectedLine(number, str(error)))
            continue
        seen[example.post.id] = number
        unsure += skipped
        examples.append(example)
    return GoldFile(tuple(examples), tuple(rejected), unsure)


def example_to_json(example: Example) -> dict[str, Any]:
    """One line of a gold file, criteria in sorted order so that equal examples give equal text."""
    post = example.post
    row: dict[str, Any] = {"post_id": post.id, "text": post.text}
    if post.split is not None:
        row["split"] = post.split.value
    if post.author is not None:
        row["author"] = post.author
    row["annotations"] = [_label_to_json(key, example.labels[key]) for key in sorted(example.labels)]
    return row


def content_hash(examples: Iterable[Example]) -> ContentHash:
    """Hashes of what the examples say (not of their order, split or author)."""
    rows = {}
    for example in examples:
        content = example_to_json(example)
        for name in ("post_id", "split", "author"):
            content.pop(name, None)
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        rows[example.post.id] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    ordered = dict(sorted(rows.items()))
    joined = "\n".join(f"{key}\t{value}" for key, value in ordered.items())
    return ContentHash(hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest(), ordered)


def split_examples(examples: Iterable[Example]) -> dict[Split, list[Example]]:
    """The examples by the split of their posts; one without gets that of its author, else of its id: what an import gives it."""
    found: dict[Split, list[Example]] = {split: [] for split in Split}
    for example in examples:
        post = example.post
        split = post.split or split_of(post.author or post.id)
        found[split].append(example if post.split else Example(replace(post, split=split), example.labels))
    return found


def count_labels(examples: Iterable[Example]) -> dict[str, LabelCounts]:
    """Reviewed answers per criterion id, sorted by id."""
    totals: dict[str, Counter[str]] = {}
    for example in examples:
        for key, label in example.labels.items():
            counter = totals.setdefault(key, Counter())
            counter["evidence" if label.has_evidence else "no_evidence"] += 1
            counter["spans"] += len(label.spans)
            counter["rejected"] += len(label.rejected)
    return {key: LabelCounts(**totals[key]) for key in sorted(totals)}


def check_criteria(examples: Iterable[Example], criteria: Sequence[Criterion]) -> None:
    """Raise BadExamples if an example is labelled for a criterion that is not among `criteria`."""
    known = {c.id for c in criteria}
    unknown = Counter(key for example in examples for key in example.labels if key not in known)
    if unknown:
        names = ", ".join(f"{key} ({count} posts)" for key, count in sorted(unknown.items()))
        raise BadExamples(f"Labels for unknown criteria: {names}. Known are: {', '.join(sorted(known))}.")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8", errors="strict").strip()
                if line:
                    yield number, line
    except UnicodeDecodeError as error:
        raise BadExamples(f"{path} is not UTF-8 ({error.reason}). Save it as UTF-8 and try again.") from error
    except OSError as error:
        raise BadExamples(f"{path} cannot be read: {error.strerror or error}.") from error


def _parse_line(line: str) -> tuple[Example, int]:
    """The example of one line and how many unsure answers it held; an EvidenceError says what is wrong with it."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadExamples(f"not JSON ({error}).") from error
    if not isinstance(row, dict):
        raise BadExamples("not a JSON object with post_id, text and annotations.")
    return example_from_json(row)


def example_from_json(row: Mapping[str, Any]) -> tuple[Example, int]:
    """The example that `example_to_json` wrote, and how many unsure answers it held. An EvidenceError says what is wrong."""
    post = Post(
        id=_text(row, "post_id"),
        text=_text(row, "text"),
        split=_split(row.get("split")),
        author=None if row.get("author") is None else str(row["author"]),
    )
    annotations = row.get("annotations", [])
    if not isinstance(annotations, list):
        raise BadExamples("'annotations' is not a list.")
    labels: dict[str, Label] = {}
    unsure = 0
    for entry in annotations:
        key, label = _parse_annotation(entry, post)
        if label is None:
            unsure += 1
        elif key in labels:
            raise BadExamples(f"criterion {key!r} is listed twice.")
        else:
            labels[key] = label
    return Example(post, labels), unsure


def _parse_annotation(entry: object, post: Post) -> tuple[str, Label | None]:
    if not isinstance(entry, dict):
        raise BadExamples("an annotation is not a JSON object.")
    key = _text(entry, "criterion")
    try:
        verdict = Verdict(str(entry.get("verdict")))
    except ValueError as error:
        given = entry.get("verdict")
        raise BadExamples(f"criterion {key}: verdict {given!r} is not 'evidence' or 'no_evidence'.") from error
    spans, rejected = _spans(entry, "spans", key, post), _spans(entry, "rejected", key, post)
    if verdict is Verdict.UNSURE:
        return key, None
    try:
        return key, Label(verdict, spans, rejected)
    except InvalidRecord as error:
        raise BadExamples(f"criterion {key}: {error}") from error


def _spans(entry: Mapping[str, Any], name: str, key: str, post: Post) -> tuple[Span, ...]:
    given = entry.get(name) or []
    if not isinstance(given, list):
        raise BadExamples(f"criterion {key}: '{name}' is not a list.")
    spans = []
    for item in given:
        start, end = (item.get("start"), item.get("end")) if isinstance(item, dict) else (None, None)
        if type(start) is not int or type(end) is not int:
            raise BadExamples(f"criterion {key}: a span needs whole numbers 'start' and 'end', got {item!r}.")
        try:
            span = Span(start, end)
            span.check(post.text, where="the text")
        except InvalidRecord as error:
            raise BadExamples(f"criterion {key}: {error}") from error
        spans.append(span)
    return tuple(_in_text_order(set(spans)))


def _label_to_json(key: str, label: Label) -> dict[str, Any]:
    row: dict[str, Any] = {
        "criterion": key,
        "verdict": label.verdict.value,
        "spans": [{"start": s.start, "end": s.end} for s in _in_text_order(label.spans)],
    }
    if label.rejected:
        row["rejected"] = [{"start": s.start, "end": s.end} for s in _in_text_order(label.rejected)]
    return row


def _in_text_order(spans: Iterable[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: (span.start, span.end))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and name == "post_id":
        return str(value)
    if not isinstance(value, str):
        raise BadExamples(f"'{name}' is missing or not text.")
    return value


def _split(value: object) -> Split | None:
    if value is None:
        return None
    try:
        return Split(str(value))
    except ValueError as error:
        raise BadExamples(f"split {value!r} is not train, dev or test.") from error
