"""Variants of the corpus's passages for the teacher to judge: more in-domain text to learn its answers on.

Words are replaced by neighbors in the teacher's space of single words, passages are spliced, words are left out. Nobody says that a
variant is evidence; the teacher's answer to it is what is learned. Source: TinyBERT's data augmentation, arXiv:1909.10351.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from encoder.text.tokenizer import TextTokenizer
from recipes.bundled_model.teacher import Floats

_WORD = re.compile(r"[A-Za-z']+")
_WHOLE = re.compile(r"▁[a-z']{2,}")
_NEIGHBORS = 8
_REPLACED, _DROPPED = 0.25, 0.2


def neighbors_of_words(tokenizer: TextTokenizer, vectors: Callable[[Sequence[str]], Floats]) -> dict[str, list[str]]:
    """For each whole word of the vocabulary the eight nearest others by cosine."""
    words = sorted(name[1:] for name in tokenizer.backend.get_vocab() if _WHOLE.fullmatch(name))
    table = vectors(words)
    table = table - table.mean(0)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    near: dict[str, list[str]] = {}
    for first in range(0, len(words), 1000):
        closeness = table[first : first + 1000] @ table.T
        best = np.argpartition(-closeness, min(_NEIGHBORS, len(words) - 1), axis=1)[:, : _NEIGHBORS + 1]
        near |= {words[first + r]: [words[n] for n in row if n != first + r] for r, row in enumerate(best)}
    return near


def variants(texts: Sequence[str], evidence: Sequence[str], near: Mapping[str, list[str]], *, seed: int) -> list[str]:
    """About two variants per text: one with other words, one in two spliced, most of the evidence with words left out."""
    pick = random.Random(seed)  # noqa: S311, nothing secret
    found = [_reworded(text, near, pick) for text in texts]
    for _ in range(3 * len(texts) // 4):
        found.append(_spliced(pick.choice(evidence).split(), pick.choice(texts).split(), near, pick))
    found += [_thinned(text, pick) for text in evidence if pick.random() < 0.6]
    return [text for text in dict.fromkeys(found) if text.strip()]


def _reworded(text: str, near: Mapping[str, list[str]], pick: random.Random) -> str:
    def other(match: re.Match[str]) -> str:
        word = match.group().lower()
        replace = len(word) > 2 and near.get(word) and pick.random() < _REPLACED
        return pick.choice(near[word]) if replace else match.group()

    return _WORD.sub(other, text)


def _spliced(one: list[str], other: list[str], near: Mapping[str, list[str]], pick: random.Random) -> str:
    """The beginning of one and the end of the other, in either order."""
    cut, cut_other = pick.randint(1, len(one)), pick.randint(0, len(other) - 1)
    if pick.random() < 0.5:
        return _reworded(" ".join(one[:cut] + other[cut_other:]), near, pick)
    return " ".join(other[:cut_other] + one[cut - 1 :])


def _thinned(text: str, pick: random.Random) -> str:
    return " ".join(word for word in text.split() if pick.random() > _DROPPED)
