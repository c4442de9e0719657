"""What is said of spans, in brat's lines: a level and flags as attributes, a rationale as an annotator's note."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from storage.attributes import Attributes, joined
from storage.formats.rows import ExportPost, Passage
from storage.formats.said import flag_named, in_order, is_severity, level_named, rationale_text
from storage.records import SpanAttributes

NOTE = "AnnotatorNotes"
_WHITE = re.compile(r"\s+")


def attribute_types(attributes: Attributes) -> str:
    """The lines of `annotation.conf`."""
    found = ""
    if attributes.severity:
        levels = "|".join(map(_word, (*attributes.severity.levels, *attributes.severity.retired)))
        found += f"{_word(attributes.severity.name)}\tArg:<ENTITY>, Value:{levels}\n"
    return found + "".join(f"{_word(f)}\tArg:<ENTITY>\n" for f in (*attributes.flags, *attributes.retired_flags))


def attribute_lines(item: ExportPost, places: Sequence[tuple[int, int, str]], attributes: Attributes) -> Iterator[str]:
    """The lines about the spans, which are numbered from 1 in the order of `places`."""
    given: dict[tuple[int, int, str], list[SpanAttributes]] = {}
    for answer in item.answers:
        for span in answer.spans:
            given.setdefault((span.start, span.end, answer.criterion_id), []).append(span.attributes)
    number = 0
    for place, key in enumerate(places, start=1):
        said = joined(given.get(key, []))
        name = _word(attributes.severity.name) if attributes.severity else ""
        lines = [f"{name} T{place} {_word(said.severity)}"] if said.severity and name else []
        for line in (*lines, *(f"{_word(flag)} T{place}" for flag in said.flags)):
            number += 1
            yield f"A{number}\t{line}\n"
        if said.rationale:
            yield f"#{place}\t{NOTE} T{place}\t{_WHITE.sub(' ', said.rationale)}\n"


def _word(name: str) -> str:
    """A name as brat takes it: without white space."""
    return _WHITE.sub("_", name)


class Said:
    """What the lines of one file say of its spans, as far as the project defines it; by the id of what they are about."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes
        self._said: dict[str, SpanAttributes] = {}

    def takes(self, parts: Sequence[str]) -> bool:
        """Whether the line (its parts between tabs) is such a one; it is taken then."""
        words = parts[1].split() if len(parts) > 1 else []
        if len(words) < 2:
            return False
        name, about, *value = words
        before = self._said.get(about, SpanAttributes())
        if parts[0].startswith("#"):
            why = rationale_text(parts[2] if len(parts) > 2 else "", self._attributes) if name == NOTE else ""
            said = SpanAttributes(why, before.severity, before.flags) if why else None
        else:
            said = self._of_attribute(name, value, before) if parts[0][:1] in ("A", "M") else None
        if said is not None:
            self._said[about] = said
        return said is not None

    def _of_attribute(self, name: str, value: Sequence[str], before: SpanAttributes) -> SpanAttributes | None:
        level = level_named(self._attributes.severity, " ".join(value)) if value else None
        if level is not None and is_severity(name, self._attributes):
            return SpanAttributes(before.rationale, level, before.flags)
        flag = flag_named(name, self._attributes)
        if flag is None or value:
            return None
        return SpanAttributes(before.rationale, before.severity, in_order([*before.flags, flag], self._attributes))

    def also_of(self, trigger: str, event: str) -> None:
        """What is said of an event is said of its words."""
        if event in self._said:
            self._said.setdefault(trigger, self._said[event])

    def on(self, name: str, passages: Sequence[Passage]) -> list[Passage]:
        """The passages of the span of that id, with what is said of it."""
        said = self._said.get(name)
        return [replace(p, attributes=said) if said else p for p in passages]
