"""Frozen lowest layers: what they make of a text is computed once, and it is what they would have made of it each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from encoder.errors import TrainingFailed
from encoder.network.lower import LowerLayers
from encoder.network.model import EvidenceEncoder
from encoder.network.views import lower_states, view_layers
from encoder.predict import Predictor
from encoder.training.train import Task, train
from storage.records import Post
from tests.encoder.network.test_model import a_batch
from tests.encoder.tiny import CRITERIA, FAMILIES, save_checkpoint, tiny_config, tiny_encoder
from tests.encoder.training_data import QUICK, Recorder, examples

SHORT, LONG = Post("q", "We walked."), Post("p", "I lie awake at night. The dog is well. We walked to the lake.")


def scores(encoder: EvidenceEncoder, *posts: Post) -> torch.Tensor:
    with torch.no_grad():
        return encoder.score(a_batch(encoder, *posts)).sentences


def counted(encoder: EvidenceEncoder) -> list[int]:
    """A list that grows with every sublayer of the lowest layer that is computed."""
    calls: list[int] = []

    def count(module: Any, inputs: Any, output: Any) -> None:
        calls.append(1)

    encoder.backbone.layers[0].mlp.register_forward_hook(count)
    return calls


@pytest.mark.parametrize("causal", [0, 1])
def test_a_text_that_was_read_once_is_not_computed_again_and_gets_the_same_scores(causal: int) -> None:
    encoder = tiny_encoder(causal_layers=causal)
    alone, together = scores(encoder, SHORT), scores(encoder, LONG, SHORT)
    calls, lower = counted(encoder), LowerLayers(encoder.backbone, 1)
    torch.testing.assert_close(scores(encoder, LONG, SHORT), together)
    before = len(calls)
    torch.testing.assert_close(scores(encoder, LONG, SHORT), together)
    torch.testing.assert_close(scores(encoder, SHORT), alone, atol=1e-5, rtol=1e-4)  # other padding, other neighbors
    assert before > 0
    assert len(calls) == before
    lower.remove()
    torch.testing.assert_close(scores(encoder, SHORT), alone)
    assert len(calls) > before


def test_a_view_of_a_text_that_was_read_holds_what_every_layer_makes_of_it() -> None:
    encoder = tiny_encoder(layers=6)
    ids = torch.tensor([[2, 10, 11, 12]])
    count = view_layers(encoder)[-1]
    with torch.inference_mode():
        expected = lower_states(encoder, ids)
        encoder.lower = LowerLayers(encoder.backbone, count)
        for _ in range(2):  # the first time that the text is read, its states are kept
            encoder.hidden_states(ids, torch.ones_like(ids))
        assert encoder.lower.bytes > 0
        torch.testing.assert_close(lower_states(encoder, ids), expected)


def test_without_room_it_is_computed_each_time_and_counted() -> None:
    encoder = tiny_encoder()
    expected = scores(encoder, LONG)
    lower = LowerLayers(encoder.backbone, 1, most_bytes=10)
    for _ in range(2):
        torch.testing.assert_close(scores(encoder, LONG), expected)
    assert lower.bytes == 0
    assert lower.refused > 0


def test_as_many_layers_as_the_model_has_cannot_be_frozen() -> None:
    encoder = tiny_encoder()
    with pytest.raises(TrainingFailed, match="leaves nothing to train"):
        LowerLayers(encoder.backbone, len(encoder.backbone.layers))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_training_changes_only_what_is_above(tmp_path: Path, method: str) -> None:
    base = save_checkpoint("gemma3", tmp_path / "base")
    monitor = Recorder()
    task = Task(
        train=examples("new", 16),
        dev=examples("dev", 10),
        criteria=CRITERIA,
        base=base,
        output=tmp_path / "new",
        config=QUICK.changed(frozen_layers=1, method=method, max_steps=4),
        encoder_config=tiny_config(scoring="post-once"),
    )
    train(task, monitor=monitor)
    before, after = load_file(base / "model.safetensors"), load_file(tmp_path / "new" / "model.safetensors")
    changed = {
        name.split(".")[1]
        for name, value in after.items()
        if name.startswith("layers.") and not torch.equal(value, _named(before, name))
    }
    assert changed
    assert "0" not in changed
    assert any("lowest 1 layers" in line for line in monitor.lines)
    assert Predictor.load(tmp_path / "new").predict([SHORT], CRITERIA)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_the_same_scores_from_what_was_kept(tmp_path: Path, family: str) -> None:
    from encoder.network.checkpoints import LoadOptions, load_encoder

    base = save_checkpoint(family, tmp_path / "base")
    encoder = load_encoder(base, LoadOptions("cpu", "float32"), config=tiny_config(scoring="post-once"))
    expected = scores(encoder, LONG, SHORT)
    LowerLayers(encoder.backbone, 1)
    for _ in range(2):
        torch.testing.assert_close(scores(encoder, LONG, SHORT), expected)


def _named(tensors: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    return next(value for key, value in tensors.items() if key.endswith(name))
