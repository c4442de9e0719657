"""Plain heads carry over into the product's, whose scores are then the same."""

from __future__ import annotations

import torch

from encoder.bundled.corpus import CRITERIA, item_example, read_items
from encoder.network.batching import Batch
from recipes.gemma.heads import PlainHeads, fold, loss_of, unfold
from recipes.gemma.layers import SplitBackbone
from storage.records import Criterion
from tests.encoder.tiny import tiny_encoder

ASKED = [Criterion(c, c, f"The writer says {c.lower()}.", position=n) for n, c in enumerate(CRITERIA)]


def a_batch(encoder: object) -> Batch:
    batch = encoder.batcher(ASKED).examples([item_example(i, n) for n, i in enumerate(read_items()[:6])])  # type: ignore[attr-defined]
    assert batch is not None
    return batch


def trained_heads(size: int) -> PlainHeads:
    torch.manual_seed(3)
    heads = PlainHeads(size, len(CRITERIA))
    for parameter in heads.parameters():
        torch.nn.init.normal_(parameter)
    return heads


def test_the_folded_heads_answer_as_the_plain_ones() -> None:
    encoder = tiny_encoder(known_criteria=CRITERIA, causal_layers=1)
    heads, batch = trained_heads(encoder.hidden_size), a_batch(encoder)
    fold(encoder, heads, [ASKED])
    with torch.no_grad():
        wanted = heads(SplitBackbone(encoder, 1).states(batch), batch)
        found = encoder.score(batch)
    there = batch.sentence_mask.bool()
    torch.testing.assert_close(found.sentences[there], wanted.sentences[there], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found.posts, wanted.posts, atol=1e-3, rtol=1e-3)
    real = batch.post_mask.bool()
    torch.testing.assert_close(found.tokens[real], wanted.tokens[real], atol=1e-3, rtol=1e-3)


def test_unfolded_heads_are_those_that_were_folded() -> None:
    encoder = tiny_encoder(known_criteria=CRITERIA)
    heads = trained_heads(encoder.hidden_size)
    fold(encoder, heads, [ASKED])
    again = dict(unfold(encoder, ASKED).named_parameters())
    for name, parameter in heads.named_parameters():
        torch.testing.assert_close(again[name], parameter, atol=1e-3, rtol=1e-3, msg=name)


def test_heads_start_from_the_same_answer_for_every_text_and_learn_from_the_labels() -> None:
    encoder = tiny_encoder(known_criteria=CRITERIA)
    batch = a_batch(encoder)
    heads = PlainHeads(encoder.hidden_size, len(CRITERIA))
    states = SplitBackbone(encoder, 0).states(batch).detach()
    first = loss_of(heads(states, batch), batch)
    assert heads(states, batch).sentences.std() == 0
    optimizer = torch.optim.Adam(heads.parameters(), lr=0.1)
    for _ in range(20):
        loss_of(heads(states, batch), batch).total.backward()
        optimizer.step()
        optimizer.zero_grad()
    last = loss_of(heads(states, batch), batch)
    assert last.sentence < 0.5 * first.sentence
    assert last.by_row.shape == (len(batch.input_ids),)
