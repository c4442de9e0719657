"""What the simple learner sees of a post: hashed n-grams of every sentence and of every word. No torch, no scikit-learn.

A sentence is its words and word pairs, the character n-grams within its words, and the words of the sentences before and after
it, because evidence often stands beside what it answers. A word is itself, its shape, its beginnings and ends, and its
neighbors. Beside them stand vectors of the words, so that what is learned of one holds for those like it. Only numbers leave this
module: hashes of n-grams and numbers of frequent words, never their text.
"""

from __future__ import annotations

import itertools
import re
import threading
import unicodedata
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from encoder.simple.rows import BUCKETS, Rows
from encoder.simple.vectors import sentence_places, word_places, word_vectors
from encoder.text.sentences import sentences
from storage.records import Post, Span

CONTEXT_WEIGHT = 0.5
WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_RUN = re.compile(r"(.)\1+")
_KEPT_POSTS = 4096


@dataclass(frozen=True, slots=True)
class PostFeatures:
    """The sentences and words of a post with their features.

    words: [start, end) of each word or mark in code points, shape (words, 2). sentence_of: the sentence of each word, shape
    (words,), -1 outside of all.
    """

    sentences: tuple[Span, ...]
    sentence_rows: Rows
    words: npt.NDArray[np.int64]
    word_rows: Rows
    sentence_of: npt.NDArray[np.int64]


class FeatureCache:
    """Features by the hash of a post's text; the least recently used go first, so that memory stays bounded. Safe between threads."""

    def __init__(self, most: int = _KEPT_POSTS) -> None:
        self._most = most
        self._kept: OrderedDict[str, PostFeatures] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, post: Post) -> PostFeatures:
        key = post.text_sha256
        with self._lock:
            found = self._kept.get(key)
        found = found or features_of(post.text)
        with self._lock:
            self._kept[key] = found
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return found

    def __len__(self) -> int:
        return len(self._kept)


def features_of(text: str) -> PostFeatures:
    """The features of a text."""
    found = sentences(text)
    edges = [(m.start(), m.end()) for m in WORD.finditer(text)]
    words = [text[a:b] for a, b in edges]
    lower = [unicodedata.normalize("NFC", w).replace("’", "'").lower() for w in words]
    owner = _owners(edges, found)
    members: list[list[str]] = [[] for _ in found]
    for word, at in zip(lower, owner, strict=True):
        if at >= 0:
            members[at].append(word)
    rows = word_vectors().rows(words)
    return PostFeatures(
        tuple(found),
        _rows(_sentence_features(members)).beside(sentence_places(rows, owner, len(found))),
        np.asarray(edges, np.int64).reshape(-1, 2),
        _rows([(_word_features(words, lower, at), 1.0)] for at in range(len(words))).beside(word_places(rows)),
        np.asarray(owner, np.int64),
    )


def _owners(edges: Sequence[tuple[int, int]], found: Sequence[Span]) -> list[int]:
    """The number of the sentence that holds each word's start, -1 for none. Both are in text order."""
    owners, at = [], 0
    for start, _ in edges:
        while at < len(found) and found[at].end <= start:
            at += 1
        owners.append(at if at < len(found) and found[at].start <= start else -1)
    return owners


Group = tuple[Iterable[str], float]
"""N-grams and the length of the vector that they make together."""


def _sentence_features(members: Sequence[Sequence[str]]) -> Iterator[list[Group]]:
    for at, words in enumerate(members):
        before = members[at - 1] if at else ()
        after = members[at + 1] if at + 1 < len(members) else ()
        yield [
            (_word_grams(words, ""), 1.0),
            (_character_grams(words), 1.0),
            ([f"place {_place(at, len(members))}"], CONTEXT_WEIGHT),
            (_word_grams(before, "before "), CONTEXT_WEIGHT),
            (_word_grams(after, "after "), CONTEXT_WEIGHT),
        ]


def _place(at: int, count: int) -> str:
    return "only" if count == 1 else "first" if at == 0 else "last" if at == count - 1 else "inner"


def _word_grams(words: Sequence[str], mark: str) -> set[str]:
    return {f"{mark}{w}" for w in words} | {f"{mark}{a} {b}" for a, b in itertools.pairwise(words)}


def _character_grams(words: Sequence[str]) -> set[str]:
    grams: set[str] = set()
    for word in set(words):
        marked = f"<{word}>"
        for order in (3, 4, 5):
            grams.update(marked[i : i + order] for i in range(max(1, len(marked) - order + 1)))
    return {f"#{gram}" for gram in grams}


def _word_features(words: Sequence[str], lower: Sequence[str], at: int) -> list[str]:
    word, marked, last = lower[at], f"<{lower[at]}>", len(words) - 1
    found = [f"w {word}", f"s {_shape(words[at])}"]
    found += [f"c {marked[i : i + 4]}" for i in range(max(1, len(marked) - 3))]
    for length in (2, 3, 4):
        if len(marked) > length + 1:
            found += [f"p {marked[: length + 1]}", f"e {marked[-length - 1 :]}"]
    for step in (-3, -2, -1, 1, 2, 3):
        near = at + step
        inside = 0 <= near <= last
        found.append(f"w{step} {lower[near] if inside else ''}")
        if abs(step) < 3:
            found.append(f"s{step} {_shape(words[near]) if inside else ''}")
    if at:
        found.append(f"b {lower[at - 1]} {word}")
    if at < last:
        found.append(f"a {word} {lower[at + 1]}")
    return found


def _shape(word: str) -> str:
    signs = "".join("X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word[:24])
    return _RUN.sub(r"\1", signs)


def _rows(rows: Iterable[list[Group]]) -> Rows:
    ids: list[int] = []
    values: list[float] = []
    starts = [0]
    for groups in rows:
        for grams, length in groups:
            hashed = {zlib.crc32(gram.encode("utf-8", "surrogatepass")) % BUCKETS for gram in grams}
            ids.extend(hashed)
            values.extend([length / max(1, len(hashed)) ** 0.5] * len(hashed))
        starts.append(len(ids))
    return Rows(np.asarray(starts, np.int64), np.asarray(ids, np.int32), np.asarray(values, np.float32))
