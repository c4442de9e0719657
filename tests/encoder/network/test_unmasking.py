"""Layers that stay causal see nothing of what comes after; those above them do, and padding still changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from encoder.errors import ModelUnusable
from encoder.network.checkpoints import LoadOptions, load_encoder, save_encoder
from encoder.network.model import EvidenceEncoder
from encoder.network.probe import probe
from encoder.network.unmasking import causal
from storage.records import Post
from tests.encoder.network.test_model import a_batch
from tests.encoder.tiny import TEXTS, save_checkpoint, tiny_config, tiny_encoder

POST, OTHER = Post("p", " ".join(TEXTS[:3])), Post("q", "We walked.")


def states(encoder: EvidenceEncoder, post: Post) -> list[Tensor]:
    """What each layer makes of the post, lowest first, and what the last norm makes of that."""
    found: list[Tensor] = []

    def keep(layer: Any, inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    hooks = [layer.register_forward_hook(keep) for layer in encoder.backbone.layers]
    with torch.no_grad():
        batch = a_batch(encoder, post)
        final = encoder.hidden_states(batch.input_ids, batch.attention_mask)
    for hook in hooks:
        hook.remove()
    return [*found, final]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_no_token_of_a_causal_layer_sees_what_comes_after_it_and_the_layers_above_do(attention: str) -> None:
    encoder = tiny_encoder(causal_layers=1)
    encoder.backbone.set_attn_implementation(attention)
    changed = Post("p", POST.text + " And more.")
    lower, upper, _ = zip(states(encoder, POST), states(encoder, changed), strict=True)
    torch.testing.assert_close(lower[0][0, :20], lower[1][0, :20], atol=1e-5, rtol=1e-5)
    assert (upper[0][0, :20] - upper[1][0, :20]).abs().max() > 1e-4
    probe(encoder)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_longer_neighbor_in_the_batch_changes_nothing_for_causal_layers_either(attention: str) -> None:
    encoder = tiny_encoder(causal_layers=1)
    encoder.backbone.set_attn_implementation(attention)
    with torch.no_grad():
        alone = encoder.score(a_batch(encoder, OTHER))
        together = encoder.score(a_batch(encoder, OTHER, POST))
    torch.testing.assert_close(alone.sentences, together.sentences[:1, :1], atol=1e-4, rtol=1e-4)


def test_a_mask_keeps_its_form() -> None:
    everything, hidden = torch.ones(1, 1, 3, 3, dtype=torch.bool), torch.zeros(1, 3, 8)
    assert causal(None, hidden, eager=False).equal(causal(everything, hidden, eager=False))
    added = torch.full((3, 3), torch.finfo(torch.float32).min).triu(1)
    assert causal(None, hidden, eager=True)[0, 0].equal(added)
    assert causal(torch.zeros(1, 1, 3, 3), hidden, eager=True)[0, 0].equal(added)


def test_as_many_causal_layers_as_there_are_is_refused() -> None:
    with pytest.raises(ModelUnusable, match="causal_layers 2 leaves no layer that sees both ways; the model has 2"):
        tiny_encoder(causal_layers=2)


def test_a_saved_model_keeps_its_causal_layers(tmp_path: Path) -> None:
    raw = save_checkpoint("gemma3", tmp_path / "raw")
    encoder = load_encoder(raw, config=tiny_config(causal_layers=1))
    save_encoder(encoder, tmp_path / "saved")
    with torch.no_grad():
        before = encoder.score(a_batch(encoder, POST)).sentences
        again = load_encoder(tmp_path / "saved", LoadOptions(device="cpu"))
        assert again.config.causal_layers == 1
        torch.testing.assert_close(again.score(a_batch(again, POST)).sentences, before)
        again.config.changed(causal_layers=0).save(tmp_path / "saved")
        again = load_encoder(tmp_path / "saved", LoadOptions(device="cpu"))
        assert (again.score(a_batch(again, POST)).sentences - before).abs().max() > 1e-4
