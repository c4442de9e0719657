"""Estimates made before a training: they grow with what there is to do, and need no model in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from encoder.config import TrainConfig
from encoder.errors import ModelUnusable
from encoder.examples import Example
from encoder.training.estimate import (
    START_SECONDS,
    Amount,
    Work,
    count_parameters,
    estimate,
    operations_per_second,
    seconds_beside,
)
from storage.records import Post
from tests.encoder.training_data import QUICK, a_base, examples


def test_parameters_are_counted_from_the_files_headers(tmp_path: Path) -> None:
    from encoder.network.checkpoints import load_encoder

    base = a_base(tmp_path)

    loaded = load_encoder(base)
    assert count_parameters(base) == sum(p.numel() for p in loaded.parameters())


def test_more_steps_longer_posts_and_checkpointing_take_longer(tmp_path: Path) -> None:
    base, posts, dev = a_base(tmp_path), examples("new", 20), examples("dev", 5)

    plain = estimate(Amount(posts, dev), QUICK, base=base)

    assert plain.steps == 8
    assert estimate(Amount(posts, dev), QUICK.changed(max_steps=80), base=base).seconds > plain.seconds
    for device, saved in (("cpu", 1.0), ("NVIDIA H200", 10.0)):  # on a CPU the heap keeps most of what was given back
        kept = estimate(Amount(posts, dev), QUICK, base=base, device=device)
        again = estimate(Amount(posts, dev), QUICK.changed(gradient_checkpointing=True), base=base, device=device)
        assert again.seconds > kept.seconds
        bare = estimate(Amount((), dev), QUICK, base=base, device=device).memory_bytes
        assert kept.memory_bytes - bare > saved * (again.memory_bytes - bare) > 0
    assert estimate(Amount(posts, dev), QUICK, base=base, device="NVIDIA H100 80GB HBM3").seconds < plain.seconds
    assert "estimates" in str(plain)


def test_lora_needs_less_memory_than_all_weights(tmp_path: Path) -> None:
    base, posts = a_base(tmp_path), examples("new", 20)
    full, lora = (
        estimate(Amount(posts, posts), TrainConfig(method=method), base=base, device="NVIDIA H100")  # type: ignore[arg-type]
        for method in ("full", "lora")
    )

    assert lora.memory_bytes < full.memory_bytes


def test_epochs_count_replayed_posts_as_well(tmp_path: Path) -> None:
    base, posts = a_base(tmp_path), examples("new", 16)
    config = TrainConfig(epochs=2.0, batch_size=8, replay_ratio=1.0)

    assert estimate(Amount(posts, posts), config, base=base).steps == 4
    assert estimate(Amount(posts, posts, replay=50), config, base=base).steps == 8


def test_a_base_that_is_not_here_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable):
        estimate(Amount(examples("new", 2), []), QUICK, base=tmp_path / "nowhere")


def test_the_arithmetic_is_that_of_forward_backward_and_evaluations() -> None:
    numbers = {
        "backbone": 1000,
        "posts": 10,
        "different_posts": 5,
        "tokens": 50.0,
        "measured_posts": 4,
        "measured_tokens": 25.0,
    }
    work = Work(frozen=0.0, **numbers)
    forward_only = 1000 * 4 * 25 * 2
    assert work.operations(TrainConfig()) == 1000 * 10 * 50 * 6 + forward_only
    assert work.operations(TrainConfig(method="lora")) == 1000 * 10 * 50 * 4 + forward_only
    assert work.operations(TrainConfig(gradient_checkpointing=True)) == 1000 * 10 * 50 * 8 + forward_only
    half = Work(frozen=0.5, **numbers)
    assert half.operations(TrainConfig()) == 1000 * 0.5 * (10 * 50 * 6 + 5 * 50 * 2) + forward_only


def test_the_estimate_is_within_a_factor_of_two_of_a_measured_run() -> None:
    """The bundled model of the first release, 50 steps of 8 posts of 285 characters, one core: 41 s of processor time."""
    work = Work(
        2_400_000, posts=400, different_posts=400, frozen=0, tokens=71.0, measured_posts=4 * 70, measured_tokens=69.0
    )
    seconds = START_SECONDS + work.operations(TrainConfig()) / operations_per_second("cpu", 1, 256)
    assert 41 / 2 < seconds < 41 * 2


def test_several_processes_need_fewer_steps_for_the_same_epochs(tmp_path: Path) -> None:
    base, posts = a_base(tmp_path), examples("new", 32)
    config = TrainConfig(epochs=2.0, batch_size=4)
    one, two = (estimate(Amount(posts, posts), config.changed(processes=n), base=base) for n in (1, 2))
    assert (one.steps, two.steps) == (16, 8)


def test_the_table_of_n_grams_costs_no_time(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "wide").mkdir()
    small, wide = a_base(tmp_path / "small"), a_base(tmp_path / "wide", wide_buckets=4096)
    assert count_parameters(wide) > count_parameters(small)
    posts = examples("new", 20)
    found = [estimate(Amount(posts, posts), QUICK, base=base).seconds for base in (small, wide)]
    assert found[0] == pytest.approx(found[1], rel=0.01)


@pytest.mark.parametrize(
    ("posts", "characters", "criteria", "seconds"),
    [
        ((41, 8, 11), (3_277, 725, 1_073), 6, 26.0),
        ((42, 7, 11), (27_731, 3_527, 5_476), 4, 61.9),
        ((39, 12, 9), (7_609, 2_658, 1_323), 1, 19.9),
        ((137, 28, 35), (12_544, 2_399, 3_092), 6, 41.2),
    ],
)
def test_learning_beside_the_model_takes_about_as_long_as_was_measured(
    posts: tuple[int, ...], characters: tuple[int, ...], criteria: int, seconds: float
) -> None:
    """Processor time of whole jobs with the small model, on names, causes of emotions and toxic spans: train, dev and test posts."""
    train, dev, test = (
        [Example(Post(f"{number}", "x" * (length // count)), {}) for number in range(count)]
        for count, length in zip(posts, characters, strict=True)
    )
    amount = Amount(train, dev, criteria, test=test)
    found = START_SECONDS + sum(seconds_beside(amount, criteria, 2.4e-4))
    assert seconds / 1.5 < found < seconds * 1.5
