"""What can be said of spans and posts beside a verdict, as the project defines it with its criteria; and checking what is said.

rationale: why the passage is evidence, in a few words. severity: a level of one scale. flags: any of a list of names. labels: levels
of scales about the whole post. A level or flag that is taken out of use stays known: answers that have it keep it and show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from storage.records import About, Criterion, InvalidRecord, SpanAttributes, has_unpaired_surrogate

MOST_RATIONALE_CHARACTERS = 1000
MOST_LEVELS, MOST_FLAGS, MOST_LABELS = 20, 20, 10
MOST_NAME_CHARACTERS = 60
RATIONALE_QUESTION = "Why is this evidence?"
SEVERITY = "Severity"


@dataclass(frozen=True, slots=True)
class Scale:
    """Levels, the lowest first where they are ordered. retired: levels that answers may still have."""

    name: str
    levels: tuple[str, ...]
    ordered: bool = True
    retired: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_names(self.name, [self.name, *self.levels, *self.retired])
        if ":" in self.name:
            raise InvalidRecord(f"{self.name}: a colon ends the name of a scale.")
        if len(self.levels) > MOST_LEVELS:
            raise InvalidRecord(f"{self.name} has {len(self.levels)} levels; give at most {MOST_LEVELS}.")
        if len(set(self.levels)) < len(self.levels):
            raise InvalidRecord(f"{self.name} has the same level twice.")

    def check(self, level: str) -> None:
        """Raises InvalidRecord for a level that the scale does not have and never had."""
        if level not in (*self.levels, *self.retired):
            raise InvalidRecord(
                f"{level[:MOST_NAME_CHARACTERS]!r} is no level of {self.name}; it has {', '.join(self.levels) or 'none'}."
            )


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a project's answers can say beside a verdict. The empty one: nothing, and nothing of it is seen.

    rationale: the question that is asked of a span, '' for none. severity: without levels once it is out of use.
    """

    rationale: str = ""
    severity: Scale | None = None
    flags: tuple[str, ...] = ()
    labels: tuple[Scale, ...] = ()
    retired_flags: tuple[str, ...] = ()
    retired_rationale: str = ""

    def __post_init__(self) -> None:
        _check_names("flags", [*self.flags, *self.retired_flags])
        if len(self.flags) > MOST_FLAGS or len(set(self.flags)) < len(self.flags):
            raise InvalidRecord(f"Give at most {MOST_FLAGS} flags, each once.")
        if len(self.of_posts) > MOST_LABELS or len({s.name for s in self.labels}) < len(self.labels):
            raise InvalidRecord(f"Give at most {MOST_LABELS} labels of posts, each a name of its own.")
        if len(self.rationale) > MOST_RATIONALE_CHARACTERS:
            raise InvalidRecord("The question for the rationale is too long.")

    @property
    def of_spans(self) -> bool:
        """Whether anything can be said of a span now."""
        return bool(self.rationale or self.flags or (self.severity and self.severity.levels))

    @property
    def of_posts(self) -> tuple[Scale, ...]:
        """The labels of posts that are in use."""
        return tuple(scale for scale in self.labels if scale.levels)

    def check(self, said: SpanAttributes, *, where: str) -> None:
        """Raises InvalidRecord for a level or flag that the project never had, and for too long a rationale."""
        check_rationale(said.rationale, where=where)
        if said.severity:
            (self.severity or Scale(SEVERITY, ())).check(said.severity)
        if unknown := set(said.flags) - {*self.flags, *self.retired_flags}:
            raise InvalidRecord(
                f"{where}: {min(unknown)[:MOST_NAME_CHARACTERS]!r} is no flag of this project; it has"
                f" {', '.join(self.flags) or 'none'}."
            )

    def check_labels(self, labels: Sequence[tuple[str, str]]) -> None:
        """Raises InvalidRecord for a label of the whole post, or a level of it, that the project never had."""
        known = {scale.name: scale for scale in self.labels}
        for name, level in labels:
            if name not in known:
                raise InvalidRecord(
                    f"{name[:MOST_NAME_CHARACTERS]!r} is no label of posts; there are {', '.join(known) or 'none'}."
                )
            known[name].check(level)


@dataclass(frozen=True, slots=True)
class CriteriaSet:
    """Criteria, what they are about, and what can be said of their evidence. attributes: None if the set says nothing of them."""

    criteria: tuple[Criterion, ...]
    about: About = field(default_factory=About)
    attributes: Attributes | None = None


def check_rationale(rationale: str, *, where: str) -> None:
    if len(rationale) > MOST_RATIONALE_CHARACTERS:
        raise InvalidRecord(
            f"{where}: the rationale has {len(rationale)} characters; write at most {MOST_RATIONALE_CHARACTERS}."
        )
    if "\x00" in rationale or has_unpaired_surrogate(rationale):
        raise InvalidRecord(f"{where}: the rationale holds a character that cannot be stored.")


def replaced(before: Attributes, given: Attributes) -> Attributes:
    """What is in use from now on: `given`; what only `before` had is kept as retired, so that answers that have it stay readable."""
    flags = [f for f in (*before.flags, *before.retired_flags, *given.retired_flags) if f not in given.flags]
    severity = given.severity
    if before.severity is not None:
        severity = _succeeded(before.severity, severity)
    after = {scale.name: scale for scale in given.labels}
    labels = [_succeeded(old, after.pop(old.name, None)) for old in before.labels]
    order = {scale.name: n for n, scale in enumerate(given.labels)}
    labels = sorted([*labels, *after.values()], key=lambda scale: order.get(scale.name, len(order)))
    asked = "" if given.rationale else given.retired_rationale or before.rationale or before.retired_rationale
    return replace(
        given,
        severity=severity,
        labels=tuple(labels),
        retired_flags=tuple(dict.fromkeys(flags)),
        retired_rationale=asked,
    )


def _succeeded(old: Scale, new: Scale | None) -> Scale:
    new = new or Scale(old.name, (), old.ordered)
    retired = [level for level in (*old.levels, *old.retired, *new.retired) if level not in new.levels]
    return replace(new, retired=tuple(dict.fromkeys(retired)))


# --- as they stand in files and in the store


def attributes_wire(attributes: Attributes) -> dict[str, Any]:
    """As it stands in a criteria file and in the store; only what is there."""
    found: dict[str, Any] = {
        "rationale": attributes.rationale,
        "severity": _scale_wire(attributes.severity) if attributes.severity else None,
        "flags": list(attributes.flags),
        "labels": [_scale_wire(scale) for scale in attributes.labels],
        "retired_flags": list(attributes.retired_flags),
        "retired_rationale": attributes.retired_rationale,
    }
    return {key: value for key, value in found.items() if value}


def attributes_from(given: Any, where: str) -> Attributes:
    """Attributes as a criteria file gives them. Raises InvalidRecord with the place.

    {"rationale": true or a question, "severity": [levels] or {"name", "levels"}, "flags": [names], "labels": [{"name", "levels",
    "ordered"}] or {name: levels}}.
    """
    if given is None or given == {}:
        return Attributes()
    known = ("rationale", "severity", "flags", "labels", "retired_flags", "retired_rationale")
    if not isinstance(given, Mapping) or (unknown := set(given) - set(known)):
        what = type(given).__name__ if not isinstance(given, Mapping) else ", ".join(sorted(map(str, unknown)))
        raise InvalidRecord(f"{where}: attributes holds {', '.join(known[:4])}; found {what}.")
    rationale = given.get("rationale")
    if rationale is not None and not isinstance(rationale, bool | str):
        raise InvalidRecord(f"{where}: rationale is true, or the question that is asked.")
    labels = given.get("labels") or ()
    if isinstance(labels, Mapping):
        labels = [{"name": name, "levels": levels} for name, levels in labels.items()]
    if not isinstance(labels, list | tuple):
        raise InvalidRecord(f"{where}: labels is a list of scales, each with a name and levels.")
    try:
        return Attributes(
            rationale=RATIONALE_QUESTION if rationale is True else str(rationale or "").strip(),
            severity=_scale_from(given.get("severity"), SEVERITY),
            flags=_names_from(given.get("flags"), "flags"),
            labels=tuple(scale for item in labels if (scale := _scale_from(item, "")) is not None),
            retired_flags=_names_from(given.get("retired_flags"), "retired_flags"),
            retired_rationale=str(given.get("retired_rationale") or "").strip(),
        )
    except InvalidRecord as error:
        raise InvalidRecord(f"{where}, attributes: {error}") from error


def _scale_from(given: Any, name: str) -> Scale | None:
    if not given:
        return None
    if not isinstance(given, Mapping):
        given = {"levels": given}
    if unknown := set(given) - {"name", "levels", "ordered", "retired"}:
        raise InvalidRecord(f"a scale has name, levels and ordered; found {', '.join(sorted(map(str, unknown)))}.")
    title = str(given.get("name") or name).strip()
    if not title:
        raise InvalidRecord("a label of posts needs a name.")
    levels, retired = _names_from(given.get("levels"), title), _names_from(given.get("retired"), title)
    if len(levels) < 2 and not (retired and not levels):
        raise InvalidRecord(f"{title} needs at least two levels.")
    if not isinstance(given.get("ordered", True), bool):
        raise InvalidRecord(f"{title}: ordered is true or false.")
    return Scale(title, levels, given.get("ordered", True), retired)


def _scale_wire(scale: Scale) -> dict[str, Any]:
    found: dict[str, Any] = {"name": scale.name, "levels": list(scale.levels), "ordered": scale.ordered}
    return found | ({"retired": list(scale.retired)} if scale.retired else {})


def _names_from(given: Any, what: str) -> tuple[str, ...]:
    if given is None or given == "":
        return ()
    if isinstance(given, str):
        given = given.split(",")
    if not isinstance(given, list | tuple) or not all(isinstance(name, str | int | float) for name in given):
        raise InvalidRecord(f"{what} is a list of names.")
    if any(isinstance(name, bool) for name in given):
        raise InvalidRecord(f"{what}: put words that YAML takes for true or false (yes, no, on, off) in quotes.")
    return tuple(str(name).strip() for name in given)


def _check_names(what: str, names: Sequence[str]) -> None:
    for name in names:
        if not name.strip() or name != name.strip() or len(name) > MOST_NAME_CHARACTERS or not name.isprintable():
            raise InvalidRecord(
                f"{what}: {name[:MOST_NAME_CHARACTERS]!r} is no name; names have 1 to {MOST_NAME_CHARACTERS} characters on one line."
            )
        if any(sign in name for sign in ",|;=<"):
            raise InvalidRecord(f"{what}: {name!r} has one of the signs , | ; = < which part names from each other.")


# --- as they are written beside a span


def said_wire(said: SpanAttributes) -> dict[str, Any]:
    """What is said of a span, as an object; {} for nothing."""
    found = {"rationale": said.rationale, "severity": said.severity, "flags": list(said.flags)}
    return {key: value for key, value in found.items() if value}


def said_from(given: Any) -> SpanAttributes:
    """What an object says of a span; None and {} say nothing. Raises TypeError, ValueError for one of another form."""
    if given is None:
        return SpanAttributes()
    if not isinstance(given, Mapping) or set(given) - {"rationale", "severity", "flags"}:
        raise ValueError("attributes of a span are rationale, severity and flags")
    rationale, severity, flags = given.get("rationale") or "", given.get("severity") or "", given.get("flags") or ()
    if not isinstance(rationale, str) or not isinstance(severity, str) or not isinstance(flags, list | tuple):
        raise TypeError("attributes of a span are words")
    if not all(isinstance(flag, str) for flag in flags):
        raise TypeError("flags are words")
    return SpanAttributes(rationale.strip(), severity, tuple(dict.fromkeys(flags)))


def joined(said: Sequence[SpanAttributes]) -> SpanAttributes:
    """What several say of the same span: the level on which all agree, the flags that all have, the first rationale that is written."""
    if len(set(said)) <= 1:
        return said[0] if said else SpanAttributes()
    severity = said[0].severity if len({s.severity for s in said}) == 1 else ""
    flags = tuple(flag for flag in said[0].flags if all(flag in s.flags for s in said))
    return SpanAttributes(next((s.rationale for s in said if s.rationale), ""), severity, flags)
