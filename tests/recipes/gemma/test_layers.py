"""The split backbone computes what the served one computes, also from what it has kept; products change nothing at first."""

from __future__ import annotations

import torch

from encoder.network.lora import merge, read_adapter
from encoder.network.model import EvidenceEncoder
from recipes.gemma.layers import SplitBackbone
from recipes.gemma.low_rank import add_low_rank, into_peft
from storage.records import Post
from tests.encoder.network.test_model import a_batch
from tests.encoder.tiny import TEXTS, tiny_encoder

POSTS = (Post("p", " ".join(TEXTS[:3])), Post("q", "We walked."))


def served(encoder: EvidenceEncoder) -> torch.Tensor:
    batch = a_batch(encoder, *POSTS)
    with torch.no_grad():
        return encoder.hidden_states(batch.input_ids, batch.attention_mask)[batch.attention_mask.bool()]


def test_the_halves_together_are_the_served_backbone() -> None:
    encoder = tiny_encoder(causal_layers=1)
    batch = a_batch(encoder, *POSTS)
    real = batch.attention_mask.bool()
    split = SplitBackbone(encoder, 1)
    with torch.no_grad():
        torch.testing.assert_close(split.states(batch, [7, 8])[real], served(encoder), atol=1e-5, rtol=1e-5)
        again = split.states(batch, [7, 8])[real]
    torch.testing.assert_close(again, served(encoder), atol=0.1, rtol=0.1)
    assert not torch.equal(again, served(encoder))  # kept in bf16


def test_thawed_layers_are_computed_again_and_trained() -> None:
    encoder = tiny_encoder(causal_layers=1)
    batch = a_batch(encoder, *POSTS)
    split = SplitBackbone(encoder, 1)
    added = add_low_rank(encoder.backbone, rank=2, alpha=2)
    split.states(batch, [7, 8]).sum().backward()
    assert {name.split(".")[1] for name, m in added.items() if m.b.grad is not None} == {"1"}
    split.thaw()
    states = split.states(batch, [7, 8])
    states.sum().backward()
    assert all(module.b.grad is not None for module in added.values())
    real = batch.attention_mask.bool()
    torch.testing.assert_close(states[real].detach(), served(encoder), atol=1e-5, rtol=1e-5)


def test_products_start_without_an_effect_and_are_all_that_is_trained() -> None:
    encoder = tiny_encoder(causal_layers=1)
    before = served(encoder)
    assert len(add_low_rank(encoder.backbone, rank=2, alpha=2)) == 14
    torch.testing.assert_close(served(encoder), before)
    trained = [name for name, p in encoder.backbone.named_parameters() if p.requires_grad]
    assert all(name.endswith((".a", ".b")) for name in trained)


def test_peft_takes_the_products_over(tmp_path: object) -> None:
    encoder = tiny_encoder(causal_layers=1)
    added = add_low_rank(encoder.backbone, rank=2, alpha=4)
    for module in added.values():
        torch.nn.init.normal_(module.b, std=0.1)
    before = served(encoder)
    into_peft(encoder, added, rank=2, alpha=4)
    torch.testing.assert_close(served(encoder), before, atol=0.05, rtol=0.05)
    encoder.backbone.save_pretrained(str(tmp_path))
    plain = tiny_encoder(causal_layers=1)
    merge(read_adapter(tmp_path), plain.backbone, "tiny")  # type: ignore[arg-type]
    torch.testing.assert_close(served(plain), served(encoder), atol=1e-4, rtol=1e-4)
