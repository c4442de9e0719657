"""What is said of spans and posts, in Label Studio's results: choices and a text area of the same region, and choices of the whole task."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from storage.attributes import Attributes, Scale
from storage.formats.fields import Fields
from storage.formats.said import flag_named, in_order, is_severity, labels_from, level_named, rationale_text
from storage.formats.values import plain
from storage.records import SpanAttributes

SEVERITY, FLAGS, RATIONALE, OF_POST = "severity", "flags", "rationale", "post_"
Result = dict[str, Any]


def controls(attributes: Attributes, text: str) -> str:
    """The controls of the labelling configuration; '' where the project defines nothing."""
    found = []
    if attributes.severity and attributes.severity.levels:
        title, levels = attributes.severity.name, attributes.severity.levels
        found.append(_choices(SEVERITY, text, title, levels, ' choice="single-radio" perRegion="true"'))
    if attributes.flags:
        found.append(_choices(FLAGS, text, "Flags", attributes.flags, ' choice="multiple" perRegion="true"'))
    if attributes.rationale:
        title = quoteattr(attributes.rationale)
        found.append(f'  <Header value={title}/>\n  <TextArea name="{RATIONALE}" toName="{text}" perRegion="true"/>\n')
    for scale in attributes.of_posts:
        found.append(_choices(_name_of(scale), text, scale.name, scale.levels, ' choice="single-radio"'))
    return "".join(found)


def results_of(said: SpanAttributes, region: Mapping[str, Any]) -> Iterator[Result]:
    """The results that say it of a region, under the region's id."""
    place = {key: region["value"][key] for key in ("start", "end", "text")}
    base = {key: region[key] for key in ("id", "to_name")}
    for name, chosen in ((SEVERITY, [said.severity] if said.severity else []), (FLAGS, list(said.flags))):
        if chosen:
            yield {**base, "from_name": name, "type": "choices", "value": {**place, "choices": chosen}}
    if said.rationale:
        yield {**base, "from_name": RATIONALE, "type": "textarea", "value": {**place, "text": [said.rationale]}}


def results_of_post(labels: Sequence[tuple[str, str]], text: str) -> Iterator[Result]:
    for name, level in labels:
        field = _name_of(Scale(name, ()))
        yield {"id": field, "from_name": field, "to_name": text, "type": "choices", "value": {"choices": [level]}}


def _name_of(scale: Scale) -> str:
    return OF_POST + re.sub(r"[^\w ]", lambda sign: f"_{ord(sign[0]):x}_", scale.name).replace(" ", "_")


def _choices(name: str, text: str, title: str, values: Sequence[str], how: str) -> str:
    listed = "\n".join(f"    <Choice value={quoteattr(value)}/>" for value in values)
    head = f"  <Header value={quoteattr(title)}/>\n"
    return f"{head}  <Choices name={quoteattr(name)} toName={quoteattr(text)}{how}>\n{listed}\n  </Choices>\n"


class Said:
    """What the results of one annotation say beside their labelled regions, as far as the project defines it.

    regions: by the region's id. labels: of the whole post. Results that are no such thing are left as they are.
    """

    def __init__(self, results: Sequence[Fields], attributes: Attributes, labelled: Collection[Any]) -> None:
        """labelled: ids of the labelled regions; a choice that stands alone in the text is a label itself."""
        self._attributes, self._labelled = attributes, labelled
        self.regions: dict[str, SpanAttributes] = {}
        self.labels: dict[str, str] = {}
        self.taken: set[int] = set()
        if attributes == Attributes():
            return
        for number, result in enumerate(results):
            value = result.peek("value")
            if isinstance(value, Mapping) and self._takes(result, value):
                self.taken.add(number)

    def _takes(self, result: Fields, value: Mapping[str, Any]) -> bool:
        name, region = str(result.peek("from_name") or ""), str(result.peek("id"))
        choices = value.get("choices")
        if "start" in value and result.peek("id") not in self._labelled:
            return False
        before = self.regions.get(region, SpanAttributes())
        if "start" not in value:
            return isinstance(choices, list) and self._takes_label(name, choices)
        if isinstance(choices, list) and choices:
            said = self._chosen(name, choices, before)
        else:
            why = rationale_text(" ".join(map(str, _listed(value.get("text")))), self._attributes)
            is_why = plain(name) == RATIONALE and bool(why) and result.peek("type") == "textarea"
            said = SpanAttributes(why, before.severity, before.flags) if is_why else None
        if said is None:
            return False
        self.regions[region] = said
        return True

    def _chosen(self, name: str, choices: Sequence[Any], before: SpanAttributes) -> SpanAttributes | None:
        level = level_named(self._attributes.severity, choices[0]) if len(choices) == 1 else None
        if level is not None and is_severity(name, self._attributes):
            return SpanAttributes(before.rationale, level, before.flags)
        flags = [flag_named(str(choice), self._attributes) for choice in choices]
        if None in flags:
            return None
        both = in_order([*before.flags, *(flag for flag in flags if flag)], self._attributes)
        return SpanAttributes(before.rationale, before.severity, both)

    def _takes_label(self, name: str, choices: Sequence[Any]) -> bool:
        own = next((s.name for s in self._attributes.labels if _name_of(s) == name), name.removeprefix(OF_POST))
        found = labels_from({own: choices[0]}, self._attributes) if len(choices) == 1 else ()
        self.labels.update(found)
        return bool(found)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else ()
