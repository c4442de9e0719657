"""The supervised stage: the warm-up's answers carry over into the heads, and soft labels land on the right sentences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from encoder.bundled.corpus import CRITERIA, Composer, read_items
from encoder.config import EncoderConfig
from encoder.network.families import FAMILIES
from encoder.network.model import EvidenceEncoder
from recipes.bundled_model.build import Shape, new_backbone
from recipes.bundled_model.supervised import Targets, install_answers, soft_batch
from storage.records import Criterion
from tests.encoder.tiny import tiny_tokenizer

ASKED = [Criterion(c, c, f"The writer says {c.lower()}.") for c in CRITERIA]


def a_small_encoder() -> EvidenceEncoder:
    torch.manual_seed(0)
    tokenizer = tiny_tokenizer()
    tokenizer.add(EncoderConfig().prompt_tokens)
    backbone = new_backbone(Shape(hidden=32, layers=1, heads=2, feed_forward=32), tokenizer)
    config = EncoderConfig(known_criteria=CRITERIA, wide_buckets=512)
    return EvidenceEncoder(backbone, FAMILIES["gemma3_text"], tokenizer, config).eval()


@torch.no_grad()
def test_installed_answers_are_those_of_the_layer_and_hardly_change_with_the_wording() -> None:
    encoder = a_small_encoder()
    weights, bias = torch.randn(9, 32), torch.randn(9) - 3
    install_answers(encoder, weights, bias, ASKED)
    sentences = torch.randn(1, 6, 32)
    wanted = sentences[0] @ weights.T + bias
    assert encoder.heads.pair is not None
    for wording, closeness in ((ASKED, 1e-3), ([replace(c, text=f"{c.text} Or so.") for c in ASKED], 1.0)):
        ids, mask = encoder.batcher(wording).criteria_batch()
        criteria = encoder.criterion_vectors(ids, mask, torch.arange(9))
        found = encoder.heads.pair(sentences, sentences, sentences[:, 0], criteria).sentences[0]
        assert (found - wanted).abs().max() < closeness


def test_soft_labels_and_table_logits_stand_at_the_sentences_of_their_items() -> None:
    encoder = a_small_encoder()
    items = [item for item in read_items()[:60] if "\n" not in item.text]
    composer = Composer(items, seed=0)
    soft = np.random.default_rng(0).random((len(items), 9)).astype(np.float32)
    composed = [composer.compose(count=3) for _ in range(4)]
    batch, wide = soft_batch(encoder.batcher(ASKED), composed, Targets(soft, -soft))
    assert batch.sentence_labels is not None
    there = batch.sentence_mask.bool()
    torch.testing.assert_close(batch.sentence_labels[there], -wide[there])
    expected = {tuple(soft[number].round(5)) for c in composed for _, _, number in c.places}
    assert {tuple(row.numpy().round(5)) for row in batch.sentence_labels[there]} == expected
