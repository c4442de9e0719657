"""What is said of a table's columns: of those that are kept although they look like labels, of people, and where no text is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storage.formats.label_shapes import holds_labels
from storage.formats.raters import Rater
from storage.formats.rows import LabelKind
from storage.formats.synonyms import SYNONYMS
from storage.formats.token_lists import TAGS
from storage.formats.values import decoded, is_listed, plain, values_of
from storage.formats.vocabulary import LISTS

TELL = (
    "nothing says that these are people; they are where a column `annotators` names them, where they are reviewers of the project, or if"
    " the columns are numbered (label_rater1)"
)
NOBODY = "may be what {name} said, or not: " + TELL

SCALE = "holds numbers that are no verdicts (a scale, -1 for missing): none of it is read as an answer, 0 and 1 neither"
NO_NAMES = "numbers beside words, in no form with the labels' names: not read"
MAX_DEPTH = 6  # lists in lists that are looked into for a text


def said_of_people(
    raters: Mapping[str, Rater], people: Mapping[str, str], unsure: Mapping[str, str]
) -> tuple[str, ...]:
    """Which columns are read as whose, and which may be several people's and are read as one's."""
    theirs = {person: rater.all() for person, rater in raters.items()}
    theirs |= {person: [c for c, p in people.items() if p == person] for person in people.values()}
    said = [f"columns of {person}: {listed(columns)}" for person, columns in theirs.items()]
    return (*said, *([f"{listed(list(unsure))} are read as one person's: {TELL}"] if len(unsure) > 1 else []))


def no_text(columns: Sequence[str], sample: Sequence[Mapping[str, Any]]) -> str:
    lists = [c for c in columns if any(is_listed(v) for v in values_of(c, sample))]
    if not columns:
        return "No column looks like the text of a post: the rows hold no named fields."
    if (deep := next((d for r in sample for d in [text_inside(r)] if d), None)) is not None:
        return f"The texts of the posts stand too deep, as {deep}: make it a list of posts, each an object with its text and its labels."
    words = f"No column looks like the text of a post. The file has: {listed(columns)}."
    words += f" These hold lists or objects, not words: {listed(lists)}." if lists else ""
    return words + " Say which one is the text (--column text=NAME)."


def text_inside(record: Any, path: str = "") -> str | None:
    """Where a text stands in lists of objects inside a record, as `users[].posts[].body`; None where it does in none."""
    for key, value in record.items() if isinstance(record, Mapping) and path.count("[]") < MAX_DEPTH else ():
        if path and plain(str(key)) in SYNONYMS["text"] and isinstance(value, str) and " " in value.strip():
            return f"{path}.{key}"
        for inner in [v for v in value if isinstance(v, Mapping)][:1] if isinstance(value, list | tuple) else ():
            if found := text_inside(inner, f"{path}.{key}[]".removeprefix(".")):
                return found
    return None


def hints_of(
    columns: Sequence[str], lists: Mapping[str, LabelKind], sample: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """For columns that are kept in meta although they look like labels: what can be done."""
    found = {}
    beside = {*SYNONYMS["start"], *SYNONYMS["end"], *SYNONYMS["evidence"]}
    for column in columns:
        if column not in lists and plain(column) in beside and values_of(column, sample):
            found[column] = "belongs to no criterion; with --column criterion=NAME it is read"
        elif column not in lists and plain(column) in LISTS and any(map(is_listed, values_of(column, sample))):
            found[column] = "looks like passages, but in no form with labels that is known: not read"
        elif column not in lists and any(_holds_objects(v) for v in values_of(column, sample)):
            found[column] = "a list of objects, not read as labels"
    return found


def _holds_objects(value: Any) -> bool:
    value = decoded(value)
    if isinstance(value, Mapping):
        return any(holds_labels(v) or _holds_objects(v) for v in value.values() if isinstance(v, list | Mapping))
    return isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value)


def listed(columns: Sequence[str]) -> str:
    shown = ", ".join(" ".join(str(c).split()) for c in columns[:20])
    return shown + (f" and {len(columns) - 20} more" if len(columns) > 20 else "")


def not_read(
    columns: Sequence[str],
    criteria: Sequence[str],
    wide: Sequence[str],
    sample: Sequence[Mapping[str, Any]],
    *,
    bare: bool,
) -> dict[str, str]:
    """What is to be said of columns that are called like a criterion and hold a scale; and, beside words alone (bare), of their tags.

    wide: columns of criteria that are read.
    """
    names = {plain(c) for c in criteria if plain(c)}
    scales = [c for c in columns if c not in wide and plain(c) in names and values_of(c, sample)]
    tags = [c for c in columns if bare and plain(c) in TAGS and any(map(is_listed, values_of(c, sample)))]
    return dict.fromkeys(scales, SCALE) | dict.fromkeys(tags, NO_NAMES)
