"""The n-gram table beside the trained encoder: fitted exactly on the training voices, weighed on the dev sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from encoder.bundled import corpus
from encoder.examples import Example
from encoder.network.model import EvidenceEncoder
from encoder.network.wide import HashedNgrams
from encoder.text.sentences import sentences
from recipes.bundled_model.linear import FittedTable, fit_table
from recipes.bundled_model.measure import Scored
from storage.records import Split

BUCKETS = 2**18
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5)


def fitted_table(buckets: int = BUCKETS) -> FittedTable:
    """A table of the training voices' passages and the sentences of their posts."""
    items = [item for item in corpus.read_items() if item.split is Split.TRAIN]
    for post in corpus.read_posts():
        if post.post.split is Split.TRAIN:
            items += corpus.passages(post)[0]
    labels = np.array([[float(c in item.labels) for c in corpus.CRITERIA] for item in items], np.float32)
    return fit_table([item.text for item in items], labels, buckets)


def weighed(
    table: FittedTable, groups: Sequence[Sequence[Example]], scored: Sequence[Scored]
) -> tuple[float, list[Scored]]:
    """The weight that gives the best mean F1 of the groups at one threshold each, and the scores with the table in them.

    scored: the encoder's own, of all sentences of each group.
    """
    added = [table.logits(_sentences(group)) for group in groups]

    def together(weight: float) -> list[Scored]:
        return [Scored(s.logits + weight * a, s.gold) for s, a in zip(scored, added, strict=True)]

    def quality(weight: float) -> float:
        return float(np.mean([s.best_micro_f1() for s in together(weight)]))

    best = max(WEIGHTS, key=quality)
    return best, together(best)


def put_into(encoder: EvidenceEncoder, table: FittedTable, weight: float) -> None:
    """Add the table to an encoder that has none; nothing is added for a weight of 0."""
    if not weight:
        return
    encoder.config = encoder.config.changed(wide_buckets=len(table.idf))
    encoder.heads.wide = HashedNgrams(len(table.idf), len(corpus.CRITERIA))
    table.scaled(weight).put_into(encoder.heads.wide)


def _sentences(examples: Sequence[Example]) -> list[str]:
    return [place.quote(e.post.text) for e in examples for place in sentences(e.post.text)]
