"""Estimates made before a training: they grow with what there is to do, and need no model in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from encoder.config import TrainConfig
from encoder.errors import ModelUnusable
from encoder.training.estimate import count_parameters, estimate
from tests.encoder.training_data import QUICK, a_base, examples


def test_parameters_are_counted_from_the_files_headers(tmp_path: Path) -> None:
    from encoder.checkpoints import load_encoder

    base = a_base(tmp_path)

    loaded = load_encoder(base)
    assert count_parameters(base) == sum(p.numel() for p in loaded.parameters())


def test_more_steps_longer_posts_and_checkpointing_take_longer(tmp_path: Path) -> None:
    base, posts, dev = a_base(tmp_path), examples("new", 20), examples("dev", 5)

    plain = estimate(posts, dev, QUICK, base=base)

    assert plain.steps == 8
    assert estimate(posts, dev, QUICK.changed(max_steps=80), base=base).seconds > plain.seconds
    assert estimate(posts, dev, QUICK.changed(gradient_checkpointing=True), base=base).seconds > plain.seconds
    assert estimate(posts, dev, QUICK, base=base, device="NVIDIA H100 80GB HBM3").seconds < plain.seconds
    assert "estimates" in str(plain)


def test_lora_needs_less_memory_than_all_weights(tmp_path: Path) -> None:
    base, posts = a_base(tmp_path), examples("new", 20)
    full, lora = (
        estimate(posts, posts, TrainConfig(method=method), base=base, device="NVIDIA H100")  # type: ignore[arg-type]
        for method in ("full", "lora")
    )

    assert lora.memory_bytes < full.memory_bytes


def test_epochs_count_replayed_posts_as_well(tmp_path: Path) -> None:
    base, posts = a_base(tmp_path), examples("new", 16)
    config = TrainConfig(epochs=2.0, batch_size=8, replay_ratio=1.0)

    assert estimate(posts, posts, config, base=base).steps == 4
    assert estimate(posts, posts, config, base=base, replay=50).steps == 8


def test_a_base_that_is_not_here_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable):
        estimate(examples("new", 2), [], QUICK, base=tmp_path / "nowhere")
