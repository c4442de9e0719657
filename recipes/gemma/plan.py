"""What is learned from, and in which order: passages and whole posts in steps of about equally many tokens.

The first pass takes all evidence and hard negatives, half of the neutral passages and three tenths of the posts without
evidence; of voices that an earlier run has read two fifths of these, of the others everything. Each later pass takes the worse
learned three fifths of the passages and the worst fifth of the posts, passages that were never read, and a tenth of the rest.
Everything follows from the seed and from the losses that the passes before have left, so that a run can go on where it stopped.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from encoder.bundled import corpus
from encoder.examples import Example
from encoder.network.batching import Batcher, Row
from storage.records import Split

POST = "post"
_NEUTRAL_SHARE, _QUIET_POST_SHARE, _AGAIN_SHARE, _READ_SHARE = 0.5, 0.3, 0.1, 0.4
_LEARNED = {False: 0.4, True: 0.8}
"""Share of the passages and of the posts that count as learned after the first pass."""
_SORTED_AT_ONCE = 1500
_FRAME = 3
"""Tokens around each text: its beginning and the two marks."""


@dataclass(frozen=True)
class Material:
    """Training rows, and of each its class of passage, or `post`, and its voice. evidence: whether there is any in it.

    read_before: the voices that an earlier run has read.
    """

    rows: list[Row]
    kinds: list[str]
    voices: list[str]
    evidence: list[bool]
    read_before: frozenset[str] = frozenset()

    @classmethod
    def of_corpus(cls, batcher: Batcher, read_before: Iterable[str] = ()) -> Material:
        """The training voices' passages and whole posts, tokenized."""
        items = [item for item in corpus.read_items() if item.split is Split.TRAIN]
        found = cls.of(batcher, items, [post for post in corpus.read_posts() if post.post.split is Split.TRAIN])
        return replace(found, read_before=frozenset(read_before))

    @classmethod
    def of(cls, batcher: Batcher, items: Sequence[corpus.Item], posts: Sequence[Example]) -> Material:
        passages = [(corpus.item_example(item, n), item.kind) for n, item in enumerate(items)]
        rows, kinds, voices = [], [], []
        for number, (example, kind) in enumerate([*passages, *((post, POST) for post in posts)]):
            found = batcher.rows(batcher.read(example.post), number, example.labels)
            rows += found
            kinds += [kind] * len(found)
            voices += [corpus.voice_of(example)] * len(found)
        evidence = [any(label.spans for label in (row.label or {}).values()) for row in rows]
        return cls(rows, kinds, voices, evidence)

    def tokens(self, numbers: Sequence[int]) -> int:
        return sum(len(self.rows[n]) + _FRAME for n in numbers)


def chosen(material: Material, number: int, losses: Tensor) -> list[int]:
    """The rows of a pass. losses: the latest of each row, negative where it was never read, (rows,)."""
    pick = random.Random(1000 + number)  # noqa: S311, nothing secret
    if number == 0:
        return [n for n in range(len(material.rows)) if _in_first_pass(material, n, pick)]
    values = losses.numpy()
    posts = np.array([kind == POST for kind in material.kinds])
    cut = {of: _quantile(values[(posts == of) & (values >= 0)], share) for of, share in _LEARNED.items()}
    return [
        n
        for n, kind in enumerate(material.kinds)
        if (values[n] < 0 and kind != POST) or values[n] >= cut[kind == POST] or pick.random() < _AGAIN_SHARE
    ]


def steps(material: Material, number: int, numbers: Sequence[int], tokens: int) -> list[list[int]]:
    """The pass in steps, each of rows of about equal length with about `tokens` tokens in all, shuffled."""
    pick = random.Random(2000 + number)  # noqa: S311, nothing secret
    groups = [[n for n in numbers if (material.kinds[n] == POST) is of] for of in (False, True)]
    found = [step for group in groups for step in _cut(material, group, tokens, pick)]
    pick.shuffle(found)
    return found


def share(step: Sequence[int], process: int, processes: int) -> list[int]:
    """The rows of a step that one process reads: the same ones whenever they come again, as far as that is even."""
    own = [[n for n in step if n % processes == p] for p in range(processes)]
    while max(map(len, own)) > min(map(len, own)) + 1:
        min(own, key=len).append(max(own, key=len).pop())
    return own[process]


def _in_first_pass(material: Material, n: int, pick: random.Random) -> bool:
    if material.read_before:
        if material.voices[n] not in material.read_before:
            return True
        if pick.random() >= _READ_SHARE:
            return False
    if material.evidence[n] or material.kinds[n] not in ("neutral", POST):
        return True
    return pick.random() < (_NEUTRAL_SHARE if material.kinds[n] == "neutral" else _QUIET_POST_SHARE)


def _quantile(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else 0.0


def _cut(material: Material, numbers: list[int], tokens: int, pick: random.Random) -> list[list[int]]:
    pick.shuffle(numbers)
    found = []
    for first in range(0, len(numbers), _SORTED_AT_ONCE):
        part: list[int] = []
        for n in sorted(numbers[first : first + _SORTED_AT_ONCE], key=lambda n: len(material.rows[n])):
            if len(part) > 1 and (len(part) + 1) * (len(material.rows[n]) + _FRAME) > tokens:
                found.append(part)
                part = []
            part.append(n)
        if len(part) == 1 and found:  # two processes share a step: each needs a row
            found[-1].append(part.pop())
        if part:
            found.append(part)
    return found
