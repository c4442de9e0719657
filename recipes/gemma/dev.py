"""How well a half-trained model does on a sample of the dev voices, and the thresholds of the finished one."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from encoder.bundled import corpus
from encoder.examples import Example
from encoder.network.batching import Batcher
from recipes.bundled_model.measure import Scored
from recipes.gemma.heads import PlainHeads
from recipes.gemma.layers import SplitBackbone
from storage.records import Split

VOICES = ("voice16", "voice22", "voice27")
"""The dev voices whose passages choose; the others write whole posts only, or another kind of text."""
_TOKENS = 1200


@dataclass(frozen=True)
class DevSample:
    """Passages of the three dev voices, each as a post of its own, and whole posts of all dev voices."""

    passages: list[Example]
    posts: list[Example]

    @classmethod
    def draw(cls, passages: int, posts: int, seed: int = 5) -> DevSample:
        """At most so many of each, always the same ones."""
        pick = random.Random(seed)  # noqa: S311, nothing secret
        items = [corpus.item_example(i, n) for n, i in enumerate(corpus.read_items()) if i.voice in VOICES]
        whole = [post for post in corpus.read_posts() if post.post.split is Split.DEV]
        return cls(pick.sample(items, min(passages, len(items))), pick.sample(whole, min(posts, len(whole))))


@torch.no_grad()
def figures(split: SplitBackbone, heads: PlainHeads, batcher: Batcher, sample: DevSample) -> dict[str, Any]:
    """Micro F1 at the best single threshold and micro and macro average precision, of passages and of posts' sentences."""
    return {
        name: _rounded(_scored(split, heads, batcher, examples, best=name == "passages"))
        for name, examples in (("passages", sample.passages), ("posts", sample.posts))
    }


def _scored(
    split: SplitBackbone, heads: PlainHeads, batcher: Batcher, examples: Sequence[Example], *, best: bool
) -> Scored:
    """Sentence logits and gold of this process's share and the others'. best: each row is worth its best sentence."""
    rows = [row for n, e in enumerate(examples) for row in batcher.rows(batcher.read(e.post), n, e.labels)]
    own = sorted(rows, key=len)[_slice()]
    logits, gold = [], []
    while own:
        count = max(1, _TOKENS // (len(own[0]) + 3))
        part, own = own[:count], own[count:]
        batch = batcher.batch(part)
        assert batch.sentence_labels is not None
        found = heads(split.states(batch), batch).sentences
        for row in range(len(part)):
            there = batch.sentence_mask[row].bool()
            pair = (found[row][there].numpy(), batch.sentence_labels[row][there].numpy() > 0.5)
            logits.append(pair[0].max(0, keepdims=True) if best else pair[0])
            gold.append(pair[1].max(0, keepdims=True) if best else pair[1])
    together = _gathered(list(zip(logits, gold, strict=True)))
    return Scored(np.concatenate([a for a, _ in together]).astype(np.float64), np.concatenate([b for _, b in together]))


def _rounded(scored: Scored) -> dict[str, float]:
    precision = average_precisions(scored.logits, scored.gold)
    return {name: round(value, 4) for name, value in {"f1": scored.best_micro_f1(), **precision}.items()}


def average_precisions(logits: NDArray[np.float64], gold: NDArray[np.bool_]) -> dict[str, float]:
    """Micro and macro average precision; criteria without evidence have no part in the second."""
    from sklearn.metrics import average_precision_score

    by_criterion = [average_precision_score(gold[:, k], logits[:, k]) for k in range(gold.shape[1]) if gold[:, k].any()]
    micro = average_precision_score(gold.ravel(), logits.ravel())
    return {"micro_ap": float(micro), "macro_ap": float(np.mean(by_criterion))}


def _slice() -> slice:
    return slice(dist.get_rank(), None, dist.get_world_size()) if dist.is_initialized() else slice(None)


def _gathered(own: list[Any]) -> Iterable[Any]:
    if not dist.is_initialized():
        return own
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, own)
    return [one for part in found for one in part]
