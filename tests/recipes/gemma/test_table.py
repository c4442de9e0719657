"""The n-gram table gets the weight that serves dev best, and is then part of what the encoder answers."""

from __future__ import annotations

import numpy as np
import torch

from encoder.bundled.corpus import CRITERIA, item_example, read_items
from recipes.bundled_model.linear import fit_table
from recipes.bundled_model.measure import Scored, score_sentences
from recipes.gemma.table import put_into, weighed
from tests.encoder.tiny import tiny_encoder
from tests.recipes.gemma.test_heads import ASKED

ITEMS = [item for item in read_items()[:400] if item.labels or item.kind == "neutral"][:120]
EXAMPLES = [item_example(item, n) for n, item in enumerate(ITEMS)]
LABELS = np.array([[float(c in item.labels) for c in CRITERIA] for item in ITEMS], np.float32)
TABLE = fit_table([item.text for item in ITEMS], LABELS, 512)


def test_the_scores_with_the_table_are_those_of_the_encoder_that_has_it() -> None:
    encoder = tiny_encoder(known_criteria=CRITERIA)
    own = score_sentences(encoder, EXAMPLES, ASKED)
    weight, (together,) = weighed(TABLE, [EXAMPLES], [own])
    assert weight > 0  # the encoder is random, the table knows these passages
    put_into(encoder, TABLE, weight)
    assert encoder.config.wide_buckets == 512
    found = score_sentences(encoder, EXAMPLES, ASKED)
    torch.testing.assert_close(torch.tensor(found.logits), torch.tensor(together.logits), atol=1e-3, rtol=1e-3)


def test_an_encoder_that_is_always_right_gets_no_table() -> None:
    encoder = tiny_encoder(known_criteria=CRITERIA)
    gold = score_sentences(encoder, EXAMPLES, ASKED).gold
    weight, _ = weighed(TABLE, [EXAMPLES], [Scored(np.where(gold, 99.0, -99.0), gold)])
    assert weight == 0
    put_into(encoder, TABLE, weight)
    assert encoder.heads.wide is None
