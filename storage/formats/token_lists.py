"""Columns of a table that hold lists of words, and of their tags beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storage.formats.tagged import is_tag
from storage.formats.values import decoded, plain, values_of

TAGS = ("nertags", "tags", "labels", "biotags", "bio", "iobtags", "ner", "tag", "label", "goldlabels")
_TOKENS = ("tokens", "words", "token", "word", "form", "wordlist")


def columns_of_tokens(columns: Sequence[str], sample: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The columns of words and tags that stand beside each other in lists of equal lengths."""
    names = {plain(c): c for c in reversed(columns)}
    for words in (names[n] for n in _TOKENS if n in names):
        for tags in (names[n] for n in TAGS if n in names and names[n] != words):
            pairs = [(decoded(r.get(words)), decoded(r.get(tags))) for r in sample]
            pairs = [(w, t) for w, t in pairs if isinstance(w, list) and isinstance(t, list) and w]
            fitting = [t for w, t in pairs if len(w) == len(t) and all(isinstance(x, str) for x in (*w, *t))]
            if pairs and len(fitting) * 2 > len(pairs) and any(map(is_tag, (x for t in fitting for x in t))):
                return words, tags
    return None


def bare_tokens(columns: Sequence[str], sample: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The column of words whose tags nobody can read (numbers without names, for one): the words are a text all the same."""
    names = {plain(c): c for c in reversed(columns)}
    for column in (names[n] for n in _TOKENS if n in names):
        values = [decoded(v) for v in values_of(column, sample)]
        if values and all(isinstance(v, list) and all(isinstance(x, str) for x in v) for v in values):
            return column, ""
    return None
