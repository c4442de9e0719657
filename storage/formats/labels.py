"""Labels in every spelling that is met in files → `Label`s. A label that cannot be understood is left out with its reason, never "none".

Objects with offsets, words or both under many names, [start, end, label] lists, lists beside each other (as the datasets library and
pandas write them), objects by label, JSON or Python lists in a cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.attributes import Attributes
from storage.formats.answers import is_verdict, verdict_of
from storage.formats.fields import PARTS, Fields
from storage.formats.label_shapes import (
    INNER,
    holds_labels,
    is_bare_passage,
    is_label_object,
    is_named_by_id,
    triple_of,
)
from storage.formats.ledger import OF_TOOL
from storage.formats.passages import (
    Names,
    Part,
    names_of,
    names_places,
    own_passage,
    parts_of,
    passages_of,
    taken,
    transposed,
)
from storage.formats.raters import is_person
from storage.formats.rows import Label, LabelKind, Passage, Units
from storage.formats.said import NOTHING_DEFINED, POST_LABELS, SAYS_NOTHING, labels_from, said_of
from storage.formats.standing import qualifier
from storage.formats.values import (
    decoded,
    is_empty,
    is_number,
    kind_of,
    number,
    people_named,
    plain,
    shortened,
    string,
    whole,
)
from storage.formats.vocabulary import (
    ANNOTATORS,
    LABELS,
    LISTS,
    MODELS,
    NOTES,
    STARTS,
    TIMES,
    VERDICTS,
    WORDS,
)
from storage.records import InvalidRecord, SpanAttributes, Verdict

_OF_TOOLS = (
    "id",
    "token_start",
    "token_end",
    "input_hash",
)  # say again what other keys say, or nothing outside the tool
_PEOPLE = frozenset(f"{name}s" for name in (*ANNOTATORS, "coder"))  # lists of what each person said
_JUDGED = ("label", "value", "class", "annotation", "code")  # may hold the verdict of what another key names
NO_LABEL = "(no label)"
_GROUPS = frozenset((*LISTS, *INNER, *LABELS))  # names of lists, nobody's
NOT_PERSON = "may be who gave the labels under it, or not: not read; names in an object `annotators` are people"
NOTHING_SAID = "neither a verdict nor a passage"
WHOLE_POST = "a label of the whole post, without a passage"


_OF_ANSWERS = (
    Part("created_at", TIMES, "time", string),
    Part("model_version", MODELS, "model", string),
    Part("role", ("role",), "role", string),
    Part("note", NOTES, "note", lambda value: str(value or "")),
    Part("seconds", ("seconds",), "seconds", number),
    Part("bulk", ("bulk",), "history", lambda value: value is True),
    Part("restored_from", ("restoredfrom",), "history", whole),
    Part("criterion_version", ("criterionversion",), "criterion version", whole),
    Part("no_evidence_score", ("noevidencescore",), "score", number),
    Part("known", ("known",), "known", lambda value: value is not False),
)
_HOLD_PASSAGES = (*WORDS, *LISTS)


@dataclass(frozen=True, slots=True)
class Given:
    """What holds for all labels of a list unless one says otherwise. label: where a span names none. attributes: of the project.
    of_people: each object of the list, or each name of an object, is a person's.
    """

    kind: LabelKind = LabelKind.ANSWER
    label: str | None = None
    annotator: str | None = None
    created_at: str | None = None
    model_version: str | None = None
    units: Units = Units.CODE_POINTS
    whole: bool = True
    revision: bool = False
    attributes: Attributes = NOTHING_DEFINED
    of_people: bool = False

    def a_label(self, criterion: str | None, verdict: Verdict | None, *passages: Passage, **said: Any) -> Label:
        """said: further fields of the label; they go before what holds for the list."""
        of_list = {
            "annotator": self.annotator,
            "created_at": self.created_at,
            "model_version": self.model_version,
            "revision": self.revision,
        }
        return Label(
            criterion=(criterion or self.label or NO_LABEL).strip() or NO_LABEL,
            verdict=verdict,
            passages=passages,
            kind=self.kind,
            units=self.units,
            whole=self.whole,
            **{**of_list, **said},
        )


def labels_of(value: Any, owner: Fields, path: str, given: Given) -> tuple[Label, ...]:
    """The labels in the value of a key. owner: the object that holds the key; path: the key's name in the ledger."""
    of_people = plain(path.rpartition(".")[2]) in _PEOPLE
    return tuple(_labels(decoded(value), owner, f"{path}[].", replace(given, of_people=of_people), depth=0))


def _labels(value: Any, owner: Fields, path: str, given: Given, depth: int) -> Iterator[Label]:
    if is_empty(value):
        return
    if isinstance(value, Mapping):
        listed = transposed(value)
        if listed is not None:
            yield from _labels(listed, owner, path, given, depth)
        elif is_label_object(value) or given.label is not None:
            yield from labels_of_object(owner.child(value, path), given)
        else:
            yield from _labels_by_name(value, owner, path, given, depth)
        return
    if isinstance(value, str):
        yield _of_words(value, given)
        return
    if not isinstance(value, Sequence):
        yield given.a_label(None, None, left_out=f"is {kind_of(value)}, no list of labels")
        return
    if (one := triple_of(value)) is not None and not any(
        isinstance(v, Sequence) and not isinstance(v, str) for v in value
    ):
        yield _of_triple(value, one, given)
        return
    for item in value:
        if isinstance(item, Mapping):
            yield from labels_of_object(owner.child(item, path), given)
        elif isinstance(item, str):
            yield _of_words(item, given)
        elif isinstance(item, Sequence) and not isinstance(item, bytes):
            yield from _of_list(item, owner, path, given, depth)
        elif not is_empty(item):
            yield given.a_label(string(item), None, left_out=f"is {kind_of(item)}, no label")


def _of_list(item: Sequence[Any], owner: Fields, path: str, given: Given, depth: int) -> Iterator[Label]:
    triple = triple_of(item)
    if triple is not None:
        yield _of_triple(item, triple, given)
    elif given.label is not None and is_bare_passage(item) and len(item) == 2:
        yield given.a_label(None, Verdict.EVIDENCE, Passage(whole(item[0]), whole(item[1])))
    elif len(item) == 2 and isinstance(item[0], str) and item[0].strip() and is_verdict(item[1]):
        yield given.a_label(item[0], verdict_of(item[1]))
    elif depth < 2 and any(isinstance(x, Mapping | Sequence) and not isinstance(x, str) for x in item):
        yield from _labels(item, owner, path, given, depth + 1)
    else:
        named = next((x for x in item if isinstance(x, str) and x.strip()), None)
        yield given.a_label(named, None, left_out=f"{shortened(item)} is no passage with a label")


def _of_words(words: str, given: Given) -> Label:
    if given.label is not None:
        return given.a_label(None, Verdict.EVIDENCE, Passage(quote=words))
    return given.a_label(words, None, left_out=WHOLE_POST)


def _of_triple(item: Sequence[Any], places: tuple[int, int, int], given: Given) -> Label:
    start, end, label = places
    rest = [x for n, x in enumerate(item) if n not in places]
    words = next((x for x in rest if isinstance(x, str) and x), None)
    score = next((float(x) for x in rest if is_number(x) and not isinstance(x, str) and 0 <= x <= 1), None)
    try:
        passage = Passage(whole(item[start]), whole(item[end]), words, score)
    except InvalidRecord as error:
        return given.a_label(item[label], None, left_out=str(error))
    if passage.start is None or passage.end is None:
        return given.a_label(item[label], None, left_out="has no start or no end")
    return given.a_label(item[label], Verdict.EVIDENCE, passage)


# --- objects


def labels_of_object(fields: Fields, given: Given) -> Iterator[Label]:
    """The labels of one object: one, or one for each of its names. Raises nothing: what it cannot read is left out with its reason."""
    names = names_of(fields)
    if given.of_people and (inner := _inner(fields, names)) is not None:
        yield from _labels_inside(fields, names, inner, given)
        return
    by_id = given.label is None and is_named_by_id(fields.item)
    for name in _OF_TOOLS[by_id:]:
        fields.leave(name, OF_TOOL)
    criteria = [str(fields.take("id", "label")).strip()] if by_id else _criteria(fields, names)
    criteria = criteria or ([given.label] if given.label else [])
    if not criteria and (inner := _inner(fields, names)) is not None:
        yield from _labels_inside(fields, names, inner, given)
        return
    said = _said(fields, names, given.attributes)
    taken_back = qualifier(fields)
    try:
        made = [_with_said(label, said) for label in _made(fields, names, given, criteria[0] if criteria else NO_LABEL)]
    except InvalidRecord as error:
        made = [given.a_label(None, None, left_out=str(error))]
    why = "" if criteria else "names no label"
    why = why or (f"marked {taken_back}" if taken_back else "")
    for criterion in criteria or [NO_LABEL]:
        for label in made:
            if label.criterion == criterion and (not why or label.left_out):
                yield label  # most are, and a copy takes a tenth of the time of reading it
            else:
                yield replace(label, criterion=criterion, left_out=label.left_out or why)


def _inner(fields: Fields, names: Names) -> str | None:
    """The key of the list of labels in an object that says whose they are."""
    return next((k for k in names.keys((*INNER, "spans")) if holds_labels(fields.peek(k))), None)


def _labels_inside(fields: Fields, names: Names, key: str, given: Given) -> Iterator[Label]:
    """The labels in a list of an object that says whose they are."""
    taken_back = qualifier(fields)
    who = (*ANNOTATORS, "name", "id") if given.of_people else ANNOTATORS
    people: list[str | None] = [*people_named(taken(fields, names, who, "annotator"))] or [given.annotator]
    created_at = string(taken(fields, names, TIMES, "time")) or given.created_at
    model = string(taken(fields, names, MODELS, "model")) or given.model_version
    of = replace(given, annotator=people[0], created_at=created_at, model_version=model)
    for label in labels_of(fields.take(key, PARTS), fields, key, of):
        for person in [label.annotator, *people[1:]]:
            marked = f"marked {taken_back}" if taken_back else ""
            yield replace(label, annotator=person, left_out=label.left_out or marked)


def _said(fields: Fields, names: Names, attributes: Attributes) -> SpanAttributes:
    """What an object with passages says of all of them. A rationale beside a list of passages is a note on the answer."""
    own = names.key(STARTS) is not None
    if not own and names.key(_HOLD_PASSAGES) is None:
        return SAYS_NOTHING
    return said_of(fields, attributes, rationale=own)


def _with_said(label: Label, said: SpanAttributes) -> Label:
    if not said:
        return label
    return replace(label, passages=tuple(replace(p, attributes=p.attributes or said) for p in label.passages))


def _criteria(fields: Fields, names: Names) -> list[str]:
    keys = names.keys(LABELS)
    named = any(isinstance(v := fields.peek(k), str) and v.strip() and not is_verdict(v) for k in keys)
    for key in keys:
        value = fields.peek(key)
        if named and (is_verdict(value) or is_number(value)):  # what is said of the one that another key names
            continue
        found = value if isinstance(value, list | tuple) else [value]
        labels = [
            str(v).strip() for v in found if isinstance(v, str | int) and not isinstance(v, bool) and str(v).strip()
        ]
        if labels:
            fields.take(key, "label")
            return labels
    return []


def _made(fields: Fields, names: Names, given: Given, criterion: str) -> list[Label]:
    """What the object says, under the first of its names: a label with all its passages, then one for each passage that cannot be read."""
    passages, bad = _passages(fields, names, given.attributes)
    verdict, said = _verdict(fields, names)
    of_post = labels_from(fields.peek(POST_LABELS), given.attributes)
    if of_post:
        fields.take(POST_LABELS, "labels of the post")
    of = given.attributes
    rejected, bad_rejected = passages_of(taken(fields, names, ("rejected",), "rejected"), attributes=of)
    undecided, bad_undecided = passages_of(taken(fields, names, ("undecided",), "undecided"), attributes=of)
    unread = [given.a_label(None, None, left_out=reason) for reason in (*bad, *bad_rejected, *bad_undecided)]
    if verdict is None and not said:
        if passages and given.kind is LabelKind.ANSWER:
            verdict = Verdict.EVIDENCE
        elif given.kind is LabelKind.ANSWER and not passages and not undecided and not rejected:
            return unread or [given.a_label(None, None, left_out=NOTHING_SAID)]
    if verdict is Verdict.NO_EVIDENCE and passages:
        passages, rejected = (), (*rejected, *passages)
    by = people_named(taken(fields, names, ANNOTATORS, "annotator"))
    said_more = parts_of(fields, names, _OF_ANSWERS)
    if by:
        said_more["annotator"] = by[0]
    if fields.peek("revision") is not None:
        said_more["revision"] = whole(fields.take("revision", "history")) is not None
    label = given.a_label(
        criterion, verdict, *passages, rejected=rejected, undecided=undecided, labels=of_post, **said_more
    )
    return [label, *(replace(label, annotator=name) for name in by[1:]), *unread]


def _verdict(fields: Fields, names: Names) -> tuple[Verdict | None, bool]:
    """(the verdict, whether the object has a key for it). Raises InvalidRecord for a word under `verdict` that is none."""
    for key in names.keys(VERDICTS):
        value = fields.peek(key)
        if is_verdict(value):
            return verdict_of(fields.take(key, "verdict")), True
        if plain(key) == "verdict" or (not is_empty(value) and _may_deny(plain(key), value)):
            fields.leave(key, "is no verdict")
            verdict_of(value)
    for key in names.keys(_JUDGED):  # the label is named by another key
        if key in fields and is_verdict(fields.peek(key)):
            return verdict_of(fields.take(key, "verdict")), True
    return None, "verdict" in fields.item_keys()


def _may_deny(name: str, value: Any) -> bool:
    """Whether a word that is no known verdict may say that a label is not so: anything under `present`; "not …" under `status`."""
    if name in ("present", "presence"):
        return isinstance(value, str | int | float)
    return isinstance(value, str) and value.strip().lower().startswith(("not ", "not_", "un", "no "))


def _passages(fields: Fields, names: Names, attributes: Attributes) -> tuple[tuple[Passage, ...], list[str]]:
    """The object's own passage, and those of its lists; with the reasons why others cannot be read."""
    nested = [k for k in names.keys(LISTS) if _is_list_of_passages(decoded(fields.peek(k)))]
    listed: list[Passage] = []
    bad: list[str] = []
    for key in nested:
        found, wrong = passages_of(fields.take(key, "passages"), places=names_places(key), attributes=attributes)
        listed += found
        bad += wrong
    own, wrong_own = own_passage(fields, names, attributes, has_others=bool(listed))
    return tuple(dict.fromkeys((*listed, *own))) if listed or own else (), [*bad, *wrong_own]


def _is_list_of_passages(value: Any) -> bool:
    """Offsets or words in a list or object; words alone are `WORDS`, a number alone is an offset."""
    return isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str | bytes))


# --- lists in other shapes


def _labels_by_name(value: Mapping[str, Any], owner: Fields, path: str, given: Given, depth: int) -> Iterator[Label]:
    for label, inner in value.items():
        inner = decoded(inner)
        own = holds_labels(inner) and not is_empty(inner) and not isinstance(inner, Mapping)
        people = own and (given.of_people or is_person(str(label)))  # not the label, but whose they are
        if own and not people and depth == 0 and plain(str(label)) not in _GROUPS:
            owner.lose(f"{path}{label}", NOT_PERSON)
        here = replace(given, annotator=str(label)) if people else replace(given, label=str(label))
        if is_empty(inner) or depth > 2:
            continue
        if is_verdict(inner):
            yield here.a_label(None, verdict_of(inner))
        elif isinstance(inner, str):
            yield here.a_label(None, Verdict.EVIDENCE, Passage(quote=inner))
        elif isinstance(inner, Mapping | list | tuple):
            if isinstance(inner, list | tuple) and len(inner) == 2 and all(map(is_number, inner)):
                inner = [inner]
            yield from _labels(inner, owner, path, here, depth + 1)
        else:
            yield here.a_label(None, None, left_out=f"is {kind_of(inner)}, no passage")
