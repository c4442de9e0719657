"""Which values hold labels with their passages, in the spellings that are met in files. What they say is read in `labels`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storage.formats.answers import is_verdict
from storage.formats.passages import transposed
from storage.formats.values import decoded, is_empty, is_number, is_whole, plain
from storage.formats.vocabulary import ANNOTATORS, ENDS, LABELS, LENGTHS, LISTS, STARTS, VERDICTS

INNER = (
    *LISTS,
    "annotations",
    "labels",
    "label",
    "entities",
    "result",
    "results",
)  # of an object that says whose labels they are
_NO_LABELS = ("text", "body", "title", "content")  # of a post


def holds_labels(value: Any) -> bool:
    """Whether the value is a list (or object) of labelled passages or of answers, in one of the spellings."""
    value = decoded(value)
    if isinstance(value, Mapping):
        value = transposed(value) or ([dict(value)] if is_label_object(value) else _by_label(value))
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        return False
    return any(_holds_label(item) for item in value[:20])


def is_of_whole_post(value: Any) -> bool:
    """Whether the value names labels without a passage: words, or a list of words."""
    value = decoded(value)
    items = value if isinstance(value, list | tuple) else [value]
    return bool(items) and all(isinstance(v, str | int) for v in items) and triple_of(items) is None


def _holds_label(item: Any) -> bool:
    if isinstance(item, Mapping):
        return is_label_object(item) or _is_persons(item)
    if isinstance(item, Sequence) and not isinstance(item, str | bytes):
        return triple_of(item) is not None or (bool(item) and any(_holds_label(inner) for inner in item[:20]))
    return False


def _is_persons(item: Mapping[str, Any]) -> bool:
    """Whether an object is a person with a list of labels: {"annotator": …, "labels": [{"label", "start", "end"}]}."""
    names = {plain(str(k)): v for k, v in item.items() if not is_empty(v)}
    inner = [v for n, v in names.items() if n in (*LISTS, *INNER) and isinstance(decoded(v), list)]
    named = any(isinstance(names.get(n), str | int) for n in ("name", *ANNOTATORS))
    return named and not names.keys() & {*STARTS, "text", "body"} and any(map(holds_labels, inner))


def is_label_object(item: Mapping[str, Any]) -> bool:
    names = {plain(str(k)) for k, v in item.items() if not is_empty(v)}
    if not names & set(LABELS):
        return is_named_by_id(item)
    placed = bool(names & set(STARTS)) or bool(names & set(LISTS))
    return placed or bool(names & set(VERDICTS)) or bool(names & {"quote", "evidence", "sentencetext", "excerpt"})


def is_named_by_id(item: Mapping[str, Any]) -> bool:
    """Whether the id of an object is its label, as language models write it: {"id": "SLEEP", "present": true, "evidence": […]}."""
    names = {plain(str(k)): v for k, v in item.items() if not is_empty(v)}
    name = names.get("id")
    if not isinstance(name, str) or not any(map(str.isalpha, name)) or names.keys() & {*STARTS, *LABELS, *_NO_LABELS}:
        return False
    judged = any(is_verdict(v) for n, v in names.items() if n in VERDICTS)
    return judged or (name.replace("_", "").isalpha() and len(name) > 3 and bool(names.keys() & set(LISTS)))


def triple_of(item: Sequence[Any]) -> tuple[int, int, int] | None:
    """Where start, end and label stand in [start, end, label], [label, start, end] and longer ones; None if it is no such list."""
    if not 3 <= len(item) <= 5:
        return None
    for start, end, label in ((0, 1, 2), (1, 2, 0)):
        if isinstance(item[label], str) and item[label].strip() and (is_number(item[start]) or is_number(item[end])):
            return start, end, label
    return None


def _by_label(value: Mapping[str, Any]) -> list[Any]:
    """Values that could be labelled passages in an object by label: lists of offsets."""
    found = []
    for label, inner in value.items():
        items = inner if isinstance(inner, list | tuple) and not is_bare_passage(inner) else [inner]
        if isinstance(label, str) and items and all(is_bare_passage(i) or _answers_one_label(i) for i in items):
            found.append(
                [*items[0][:2], label] if isinstance(items[0], list | tuple) else {"label": label, "spans": [items[0]]}
            )
    return found if len(found) == len([v for v in value.values() if not is_empty(v)]) else []


def is_bare_passage(item: Any) -> bool:
    if isinstance(item, Mapping):
        names = {plain(str(k)) for k in item}
        return bool(names & set(STARTS)) and bool(names & {*ENDS, *LENGTHS})
    return isinstance(item, list | tuple) and len(item) >= 2 and is_whole(item[0]) and is_whole(item[1])


def _answers_one_label(item: Any) -> bool:
    """Whether an object that stands under a label's name says where, or whether at all: offsets or words in lists, or a verdict."""
    if not isinstance(item, Mapping):
        return False
    names = {plain(str(k)): v for k, v in item.items()}
    listed = any(isinstance(names.get(n), list | tuple | Mapping) for n in LISTS)
    return listed or any(is_verdict(v) for n, v in names.items() if n in VERDICTS)
