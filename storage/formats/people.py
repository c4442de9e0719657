"""Whose labels a file, sheet or folder of a dataset holds, where several hold the same texts: each is one person's work.

Without this, what two people said of one post would be united as if one had said it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import PurePath

from storage.formats.rows import ImportRow, Label, LabelKind, Row
from storage.formats.splits import split_in_path
from storage.formats.values import plain

_PREDICTIONS = re.compile(
    r"(?<![a-z])(?:predict(?:ed|ions?)|preds?|silver|model_outputs?)(?![a-z])", re.IGNORECASE
)  # files
PREDICTED = re.compile(  # columns
    r"predict|suggest|proposal|machine|model_output|(?<![a-z])(?:preds?|silver|auto|automatic|weak|llm|gpt\w*|model)(?![a-z])",
    re.IGNORECASE,
)
MAX_PARTS, SAMPLE_ROWS = 20, 60  # of so many parts, so many rows are compared


def names_of_people(parts: Mapping[PurePath, Sequence[Row]]) -> dict[PurePath, str]:
    """The person's name by part; empty unless two parts hold labels of the same texts and nobody says whose they are.

    parts: the first rows of each file or sheet, by its path. Train and test are no people.
    """
    texts = {part: {key for row in rows for key in _nobodys(row)} for part, rows in parts.items()}
    texts = {part: found for part, found in texts.items() if found}
    share_of = {part: _criterion_of(part, rows) for part, rows in parts.items()}
    pairs = [
        (one, other, len(a & b))
        for (one, a), (other, b) in combinations(texts.items(), 2)
        if split_in_path(one) == split_in_path(other)
        and share_of[one] == share_of[other]
        and (min(len(a), len(b)) <= 2 * len(a & b) or (len(a & b) > 1 and all(isinstance(k, tuple) for k in a | b)))
    ]
    names = names_of_parts(list(parts))
    shared = {part for *pair, _ in pairs for part in pair}
    if any(
        isinstance(key, tuple) for part in shared for key in texts[part]
    ):  # labels apart from their posts: those have none
        parts = {part: rows for part, rows in parts.items() if part in texts}
    own = {part for part in parts if share_of[part] is None or part in shared}
    if 2 * len(shared) > len(own & texts.keys()):
        return {part: name for part, name in names.items() if part in own}
    # a text that stands twice makes no people of all the files
    return {part: names[part] for *pair, count in pairs if count > 1 for part in pair}


def _criterion_of(part: PurePath, rows: Sequence[Row]) -> str | None:
    """The criterion whose labels alone the part holds, if it is called after it: beside parts of others it is a share of the work."""
    labels = {
        plain(la.criterion) for row in rows if isinstance(row, ImportRow) for la in row.labels if _is_unsigned(la)
    }
    names = {plain(part.stem), plain(part.parent.name)}
    called = any(n == la or (len(n) > 3 and n in la) or (len(la) > 3 and la in n) for la in labels for n in names)
    return next(iter(labels)) if len(labels) == 1 and called else None


def names_of_parts(parts: Sequence[PurePath]) -> dict[PurePath, str]:
    """A name for each part: that of its file where these differ, else that of its folder, else its path."""
    for name_of in (lambda p: p.stem, lambda p: p.parent.name):
        names = {part: name_of(part) for part in parts}
        if max(Counter(names.values()).values(), default=0) == 1 and all(names.values()):
            return names
    return {part: part.with_suffix("").as_posix() for part in parts}


def by(person: str | None, row: Row) -> Row:
    """The row, with the person as the annotator of the labels of which nobody says whose they are."""
    if person is None or not isinstance(row, ImportRow):
        return row
    return replace(row, labels=tuple(replace(la, annotator=person) if _is_unsigned(la) else la for la in row.labels))


def is_models(part: PurePath) -> bool:
    """Whether a file says by its name that the labels in it are a model's."""
    return _PREDICTIONS.search(part.stem) is not None


def by_model(name: str, row: Row) -> Row:
    """The row with its labels as predictions, of the model of this name where they name none."""
    if not isinstance(row, ImportRow):
        return row
    predicted = (
        replace(la, kind=LabelKind.PREDICTION, annotator=None, model_version=la.model_version or name)
        for la in row.labels
    )
    return replace(row, labels=tuple(predicted))


def _nobodys(row: Row) -> Iterator[Hashable]:
    """What a row is about of whose labels nobody says whose they are: its text; without one (the part, the post's id, a criterion) each."""
    unsigned = [la for la in row.labels if _is_unsigned(la)] if isinstance(row, ImportRow) else []
    if not unsigned or not isinstance(row, ImportRow):
        return
    if row.text is not None:
        yield row.text
    elif row.post_id is not None:
        yield from ((row.part, row.post_id, plain(la.criterion)) for la in unsigned)


def _is_unsigned(label: Label) -> bool:
    return label.kind is LabelKind.ANSWER and label.annotator is None and not label.left_out
