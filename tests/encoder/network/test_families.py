"""Every family, on tiny checkpoints: it loads with its own weights, is bidirectional on the path that is served, or is refused."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from encoder.errors import ModelUnusable, NotBidirectional
from encoder.network.checkpoints import LoadOptions, load_encoder
from encoder.network.families import FAMILIES as TABLE
from encoder.network.families import choose_attention, choose_device, choose_dtype, family_of, sliding_reach
from encoder.network.model import EvidenceEncoder
from encoder.network.probe import probe
from tests.encoder.tiny import FAMILIES, save_checkpoint, tiny_config, tiny_encoder, tiny_tokenizer

SCORINGS = ["per-criterion", "packed", "post-once"]
LIGHT = ("sdpa", "eager")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {name: save_checkpoint(name, root / name) for name in FAMILIES}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("scoring", SCORINGS)
def test_every_family_and_attention_that_runs_here_passes_both_probes(
    checkpoints: dict[str, Path], name: str, scoring: str
) -> None:
    usable = [a for a in family_of(checkpoints[name]).attention if a in LIGHT]
    assert usable
    for attention in usable:
        encoder = load_encoder(
            checkpoints[name], LoadOptions(attention=attention), config=tiny_config(scoring=scoring), probe_it=False
        )
        result = probe(encoder)
        assert encoder.attention == attention
        assert result.moved > 1e-3
        assert result.padding < 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler behind flex attention warns about its own internals
def test_flex_attention_passes_both_probes_too(checkpoints: dict[str, Path]) -> None:
    encoder = load_encoder(
        checkpoints["gemma2"], LoadOptions(attention="flex_attention"), config=tiny_config(), probe_it=False
    )
    result = probe(encoder)
    assert result.moved > 1e-3
    assert result.padding < 1e-4


@pytest.mark.parametrize("name", FAMILIES)
def test_the_encoder_has_the_checkpoints_own_weights(checkpoints: dict[str, Path], name: str) -> None:
    stored = load_file(checkpoints[name] / "model.safetensors")
    encoder = load_encoder(checkpoints[name], config=tiny_config())
    found = {
        key.rsplit("layers.", 1)[1]: value
        for key, value in stored.items()
        if "layers." in key and "vision" not in key and "decoder" not in key
    }
    mine = {k.rsplit("layers.", 1)[1]: v for k, v in encoder.backbone.state_dict().items() if "layers." in k}
    assert set(mine) == set(found)
    assert len(mine) > 10
    for key, value in mine.items():
        torch.testing.assert_close(value, found[key])


@pytest.mark.parametrize("name", ["gemma", "gemma2", "gemma3", "gemma4"])
def test_a_decoder_left_as_it_is_is_refused(name: str) -> None:
    text_model = FAMILIES[name]().model
    family = TABLE[text_model.config.model_type]
    encoder = EvidenceEncoder(text_model.eval(), family, tiny_tokenizer(), tiny_config())
    with pytest.raises(NotBidirectional, match="not bidirectional"):
        probe(encoder)


@pytest.mark.parametrize("name", ["gemma", "gemma3"])
def test_the_recipe_that_most_guides_give_is_refused(name: str) -> None:
    """Setting is_causal on the attention layers does nothing once a padding mask is passed."""
    text_model = FAMILIES[name]().model
    text_model.set_attn_implementation("eager")
    for layer in text_model.layers:
        layer.self_attn.is_causal = False
    encoder = EvidenceEncoder(text_model.eval(), TABLE[text_model.config.model_type], tiny_tokenizer(), tiny_config())
    with pytest.raises(NotBidirectional):
        probe(encoder)


def test_a_model_that_padding_disturbs_is_refused() -> None:
    encoder = tiny_encoder()
    run = encoder.backbone.forward

    def without_mask(*, input_ids: Any, attention_mask: Any) -> Any:
        return run(input_ids=input_ids, attention_mask=torch.ones_like(attention_mask))

    encoder.backbone.forward = without_mask
    with pytest.raises(ModelUnusable, match="Padding changes"):
        probe(encoder)


def test_the_probe_leaves_training_mode_and_gradients_as_they_were() -> None:
    encoder = tiny_encoder().train()
    probe(encoder)
    assert encoder.training
    assert all(p.grad is None for p in encoder.parameters())


def test_a_narrow_sliding_window_is_probed_with_a_sequence_that_fits_into_it() -> None:
    encoder = tiny_encoder()
    encoder.backbone_config.sliding_window = 3
    assert sliding_reach(encoder.family, encoder.backbone_config) == 3
    probe(encoder)


def test_an_embedding_model_keeps_its_own_bidirectional_switch(checkpoints: dict[str, Path]) -> None:
    encoder = load_encoder(checkpoints["embeddinggemma"], config=tiny_config())
    assert encoder.backbone_config.use_bidirectional_attention
    assert sliding_reach(encoder.family, encoder.backbone_config) == 24 // 2


def test_another_architecture_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ModelUnusable, match="type 'llama'"):
        family_of(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"hidden_size": 3}'])
def test_a_damaged_config_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelUnusable):
        family_of(tmp_path)


def test_attention_is_chosen_for_the_family_and_the_input() -> None:
    assert choose_attention("auto", TABLE["gemma2"], "cpu", torch.float32) == "eager"
    assert choose_attention("auto", TABLE["gemma3_text"], "cpu", torch.float32) == "sdpa"
    with pytest.raises(ModelUnusable, match="cannot compute Gemma 2; use eager"):
        choose_attention("sdpa", TABLE["gemma2"], "cpu", torch.float32)
    with pytest.raises(ModelUnusable, match="masks of our own for Gemma 3; use sdpa, eager"):
        choose_attention("flex_attention", TABLE["gemma3_text"], "cpu", torch.float32, own_masks=True)


def test_flash_attention_is_taken_on_a_gpu_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "flash_attn" else None)
    assert choose_attention("auto", TABLE["gemma2"], "cuda", torch.bfloat16) == "flash_attention_2"
    assert choose_attention("auto", TABLE["gemma4_text"], "cuda", torch.bfloat16) == "sdpa"
    assert choose_attention("auto", TABLE["gemma3_text"], "cuda", torch.bfloat16, own_masks=True) == "sdpa"
    assert choose_attention("auto", TABLE["gemma3_text"], "cpu", torch.float32) == "sdpa"


def test_half_precision_and_unknown_devices_are_refused() -> None:
    assert choose_dtype("auto", "cpu") is torch.float32
    assert choose_dtype("bf16", "cpu") is torch.bfloat16
    with pytest.raises(ModelUnusable, match="'float16' cannot be used"):
        choose_dtype("float16", "cpu")
    with pytest.raises(ModelUnusable, match="no device 'abacus'"):
        choose_device("abacus")
