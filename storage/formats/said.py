"""What is said of spans and posts beside a verdict, in files: written as plain fields, and read where the project defines them.

A field of another name, or with a level or flag that the project does not have, is no business of this module: it becomes what it
would have become without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from storage.attributes import MOST_RATIONALE_CHARACTERS, Attributes, Scale
from storage.formats.fields import Fields
from storage.formats.values import decoded, plain
from storage.records import Annotation, SpanAttributes, has_unpaired_surrogate

POST_LABELS = "post_labels"
COLUMNS = ("severity", "flags", "rationale", POST_LABELS)
PARTED = "|"
NO_SPANS = "severity, flags and rationale of a span"
NO_FLAGS = "severity and flags of a span"
NO_LABELS = "labels of the whole post"
DIFFERING = "labels of the whole post that readers gave differently"
NOTHING_DEFINED, SAYS_NOTHING = Attributes(), SpanAttributes()
_YES, _NO = ("1", "true", "yes"), ("0", "false", "no", "")


def columns_of(attributes: Attributes) -> tuple[str, ...]:
    """The columns that a table has more, for a project that defines or once defined any of this."""
    return COLUMNS if attributes != NOTHING_DEFINED else ()


def span_cells(said: SpanAttributes) -> list[str]:
    """The cells of the first three of COLUMNS."""
    return [said.severity, PARTED.join(said.flags), said.rationale]


def labels_cell(labels: Sequence[tuple[str, str]]) -> str:
    return PARTED.join(f"{name}={level}" for name, level in labels)


# --- in


def said_of(fields: Fields, attributes: Attributes, *, rationale: bool = True) -> SpanAttributes:
    """What an object, or the row of a table, says of its span; what it takes is booked as taken."""
    if attributes == NOTHING_DEFINED:
        return SAYS_NOTHING
    return SpanAttributes(
        _rationale_in(fields, attributes) if rationale else "",
        _severity_in(fields, attributes),
        _flags_in(fields, attributes),
    )


def flag_named(name: str, attributes: Attributes) -> str | None:
    """The project's flag of that name, see `_named`."""
    return _named((*attributes.flags, *attributes.retired_flags), name)


def level_named(scale: Scale | None, name: Any) -> str | None:
    """The level of that name; None if the scale has none."""
    if scale is None or not isinstance(name, str | int | float) or isinstance(name, bool):
        return None
    return _named((*scale.levels, *scale.retired), str(name))


def _named(names: Iterable[str], given: str) -> str | None:
    """The one of that name; else the only one of that number, or of that name without case, white space and signs."""
    names = tuple(names)
    if given in names:
        return given
    number = _number(given)
    if number is not None:
        alike = [n for n in names if _number(n) == number]
    else:
        alike = [n for n in names if plain(n) and plain(n) == plain(given)]
    return alike[0] if len(alike) == 1 else None


def _number(name: str) -> float | None:
    try:
        return float(name.replace("\u2212", "-"))
    except ValueError:
        return None


def is_severity(name: str, attributes: Attributes) -> bool:
    """Whether a key, field or attribute of a file is the project's scale."""
    return attributes.severity is not None and plain(name) in ("severity", plain(attributes.severity.name))


def rationale_text(value: Any, attributes: Attributes) -> str:
    """The words, if the project asks for them and can keep them; else ''."""
    if not (attributes.rationale or attributes.retired_rationale) or not isinstance(value, str):
        return ""
    text = value.strip()
    if len(text) > MOST_RATIONALE_CHARACTERS or "\x00" in text or has_unpaired_surrogate(text):
        return ""
    return text


def labels_from(value: Any, attributes: Attributes) -> tuple[tuple[str, str], ...]:
    """Labels of a post as an object, or as `labels_cell` writes them; () unless the project has every one of them."""
    if value is None:
        return ()
    value = decoded(value)
    if isinstance(value, str):
        parts = [part.partition("=") for part in value.split(PARTED)]
        value = {name: level for name, _, level in parts}
    if not isinstance(value, Mapping) or not value:
        return ()
    scales = {scale.name: scale for scale in attributes.labels}
    found = [(scales.get(_named(scales, str(name)) or ""), level) for name, level in value.items()]
    named = [(scale, level_named(scale, level)) for scale, level in found]
    known = [(scale.name, level) for scale, level in named if scale and level]
    return tuple(sorted(known)) if len(known) == len(named) else ()


def _rationale_in(fields: Fields, attributes: Attributes) -> str:
    text = rationale_text(fields.peek("rationale"), attributes) if "rationale" in fields else ""
    if text:
        fields.take("rationale", "rationale of the span")
    return text


def _severity_in(fields: Fields, attributes: Attributes) -> str:
    key = next((k for k in fields if is_severity(k, attributes)), None)
    level = None if key is None else level_named(attributes.severity, fields.peek(key))
    if key is None or level is None:
        return ""
    fields.take(key, "severity of the span")
    return level


def _flags_in(fields: Fields, attributes: Attributes) -> tuple[str, ...]:
    found = set(_listed_flags(fields, attributes))
    for key in list(fields):
        flag, value = flag_named(key, attributes), str(fields.peek(key)).strip().lower()
        if flag is not None and value in (*_YES, *_NO):
            fields.take(key, "a flag of the span")
            found |= {flag} if value in _YES else set()
    return in_order(found, attributes)


def _listed_flags(fields: Fields, attributes: Attributes) -> Iterable[str]:
    value = decoded(fields.peek("flags")) if "flags" in fields else None
    names = value.split(PARTED) if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    found = [flag_named(str(name), attributes) for name in names]
    if not found or None in found:
        return ()
    fields.take("flags", "flags of the span")
    return [flag for flag in found if flag is not None]


def said_of_features(features: Mapping[str, Any], attributes: Attributes) -> tuple[SpanAttributes, set[str]]:
    """What the features of a span say of it, and the names of those that say it."""
    severity, rationale, flags, used = "", "", [], set()
    for name, value in features.items() if attributes != Attributes() else ():
        flag = flag_named(name, attributes)
        if is_severity(name, attributes) and (level := level_named(attributes.severity, value)):
            severity = level
        elif flag is not None and str(value).strip().lower() in (*_YES, *_NO):
            flags += [flag] if str(value).strip().lower() in _YES else []
        elif plain(name) == "rationale" and (text := rationale_text(value, attributes)):
            rationale = text
        else:
            continue
        used.add(name)
    return SpanAttributes(rationale, severity, in_order(flags, attributes)), used


def in_order(flags: Iterable[str], attributes: Attributes) -> tuple[str, ...]:
    """The flags in the order of the project's list."""
    chosen = set(flags)
    return tuple(flag for flag in (*attributes.flags, *attributes.retired_flags) if flag in chosen)


def labels_of_post(answers: Sequence[Annotation]) -> dict[str, str]:
    """What a file says that has one place for them: the labels on which all agree who gave any."""
    agreed = agreed_labels(answers)
    return dict(agreed.labels) if agreed else {}


def agreed_labels(answers: Sequence[Annotation]) -> Annotation | None:
    """The labels of a post on which all agree who gave any, as one answer; None if there is none."""
    given = [a for a in answers if a.labels]
    if not given:
        return None
    said = {pair for a in given for pair in a.labels}
    shared = [pair for pair in sorted(said) if all(_same(pair, a) for a in given)]
    return replace(given[-1], labels=tuple(shared)) if shared else None


def differing_labels(answers: Sequence[Annotation]) -> int:
    """How many labels of a post a file with one place for them leaves out: those that readers gave differently."""
    agreed = labels_of_post(answers)
    return len({name for a in answers for name, _ in a.labels if name not in agreed})


def _same(pair: tuple[str, str], answer: Annotation) -> bool:
    levels = dict(answer.labels)
    return levels.get(pair[0], pair[1]) == pair[1]
