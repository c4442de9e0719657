"""Words and their tags (BIO and its relatives) → a text and labelled passages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from storage.formats.labels import Given
from storage.formats.rows import Label, Passage
from storage.formats.spans import labels_by_criterion

OUTSIDE = "O"
_PREFIXED = re.compile(r"([BIESLUMW])[-_](.+)")
_EMPTY_TAGS = frozenset(("O", "o", "_", "", "-", "*", "none", "None"))


def is_tag(cell: str) -> bool:
    return cell == OUTSIDE or _PREFIXED.fullmatch(cell) is not None


def joined_tokens(words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The words joined by spaces, and where each stands. A word without characters takes no room."""
    at, places, kept = 0, [], []
    for word in words:
        word = str(word)
        if not word.strip():
            places.append((at, at))
            continue
        kept.append(word)
        places.append((at, at + len(word)))
        at += len(word) + 1
    return " ".join(kept), places


def placed_tokens(words: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    """Where the words stand in the text, one after the other; None if they do not."""
    at, places = 0, []
    for word in words:
        start = text.find(word.strip(), at) if word.strip() else at
        if start < 0 or text[at:start].strip():
            return None
        at = start + len(word.strip())
        places.append((start, at))
    return places


def tagged_labels(words: Sequence[str], tags: Sequence[str], text: str) -> tuple[Label, ...]:
    """The labels that the tags give to the text; a tag that cannot be read is a label that is left out."""
    places = placed_tokens(words, text)
    if places is None:
        joined, places = joined_tokens(words)
        if joined != text:
            return tuple(
                Given().a_label(tag, None, left_out="its words do not stand in the text in this order")
                for tag in dict.fromkeys(tags)
                if tag not in _EMPTY_TAGS
            )
    tagged = [(s, e, t) for (s, e), t in zip(places, tags, strict=True) if s < e]
    return (*labels_by_criterion(spans_of_tags(tagged)), *unread_tags(t for _, _, t in tagged))


def unread_tags(tags: Iterable[str]) -> tuple[Label, ...]:
    """A label that is left out for each tag that is none of the known kinds."""
    known = list(tags)
    if not any(map(_PREFIXED.fullmatch, known)):
        return ()
    strange = dict.fromkeys(t for t in known if t not in _EMPTY_TAGS and not _PREFIXED.fullmatch(t))
    return tuple(
        Given().a_label(t, None, left_out="is no tag of the kinds B-, I-, O, E-, S-, L-, U-, M-, W-") for t in strange
    )


def spans_of_tags(tagged: Iterable[tuple[int, int, str]]) -> list[tuple[str, Passage]]:
    """(label, passage) from tags in BIO, IOB1, IOBES, BMES or BILOU.

    An I without a B before it begins a span, as in the CoNLL evaluation script.

    Where no tag has a prefix, each tag but O is a label, and neighbours of one label are one span.
    """
    items = list(tagged)
    prefixed = any(_PREFIXED.fullmatch(tag) for _, _, tag in items)
    found: list[tuple[str, Passage]] = []
    open_label: str | None = None
    for start, end, tag in items:
        match = _PREFIXED.fullmatch(tag)
        if match is None and (prefixed or tag in _EMPTY_TAGS):
            open_label = None
            continue
        kind, label = match.groups() if match else ("I", tag)
        if kind in "IELM" and label == open_label:
            found[-1] = (label, Passage(found[-1][1].start, end))
        else:
            found.append((label, Passage(start, end)))
        open_label = None if kind in "ESLUW" else label
    return found
