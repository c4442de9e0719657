"""A large model on a CPU: widening is exact, eight bits are near, and what is fastest here is chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from encoder.network import checkpoints
from encoder.network.checkpoints import LoadOptions, load_encoder, save_encoder
from encoder.network.cpu import Int8Linear, Speed, choose_speed
from encoder.network.model import EvidenceEncoder
from encoder.predict import Predictor
from storage.records import Post
from tests.encoder.tiny import CRITERIA, TEXTS, tiny_encoder

POSTS = [Post("a", " ".join(TEXTS)), Post("b", "so tired of it all")]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A model whose backbone is stored in bfloat16."""
    encoder = tiny_encoder()
    encoder.backbone.to(torch.bfloat16)
    save_encoder(encoder, tmp_path / "model")
    assert json.loads((tmp_path / "model" / "config.json").read_text())["dtype"] == "bfloat16"
    return tmp_path / "model"


def scores(encoder: EvidenceEncoder) -> list[float]:
    return [p.no_evidence_score for p in Predictor(encoder, "m").predict(POSTS, CRITERIA)]


def chosen(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LARGE", 1)
    monkeypatch.setattr(checkpoints, "choose_speed", lambda *given: Speed(dtype, 1, {(dtype, 1): 1e9}))


def test_fp32_on_stored_bfloat16_is_exact_and_leaves_the_embeddings_small(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = scores(load_encoder(saved, LoadOptions(device="cpu", dtype="float32")))
    chosen("float32", monkeypatch)
    encoder = load_encoder(saved, LoadOptions(device="cpu"))
    assert encoder.backbone.get_input_embeddings().weight.dtype is torch.bfloat16
    assert encoder.computes_in == "float32"
    assert scores(encoder) == exact


def test_int8_is_near_and_small(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = scores(load_encoder(saved, LoadOptions(device="cpu", dtype="float32")))
    chosen("int8", monkeypatch)
    encoder = load_encoder(saved, LoadOptions(device="cpu"))
    layers = [m for m in encoder.backbone.modules() if isinstance(m, Int8Linear)]
    assert len(layers) == 14  # seven in each of two layers
    assert {m.weight.dtype for m in layers} == {torch.int8}
    assert not any(isinstance(m, torch.nn.Linear) for m in encoder.backbone.modules())
    assert scores(encoder) == pytest.approx(exact, abs=0.03)
    assert scores(encoder) != exact


def test_int8_may_be_asked_for_on_a_cpu_only(saved: Path) -> None:
    assert load_encoder(saved, LoadOptions(device="cpu", dtype="int8")).computes_in == "int8"


def test_an_eight_bit_layer_is_as_near_for_a_token_beside_a_huge_one() -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(64, 48).requires_grad_(False)
    inputs = torch.randn(3, 64)
    inputs[0] *= 10_000
    exact, near = linear(inputs), Int8Linear(linear)(inputs)
    error = (near - exact).norm(dim=1) / exact.norm(dim=1)
    assert float(error.max()) < 0.02
    torch.testing.assert_close(Int8Linear(linear)(inputs.reshape(1, 3, 64))[0], near)


def test_a_small_model_is_left_exact(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "choose_speed", lambda *given: pytest.fail("nothing is to be measured"))
    assert load_encoder(saved, LoadOptions(device="cpu")).computes_in == "float32"


def test_the_fastest_is_chosen_and_eight_bits_never_unasked() -> None:
    rates = {"float32": 1.0, "bfloat16": 0.2, "int8": 9.0}

    def measure(dtype: str, hidden: int, intermediate: int) -> float:
        return 1 / rates[dtype]

    found = choose_speed(8, 8, [1], measure=measure)
    assert found.dtype == "float32"
    assert str(found).startswith("float32 on 1 thread (measured here, billion operations a second: float32")
    rates["bfloat16"] = 2.0
    assert choose_speed(8, 8, [1], measure=measure).dtype == "bfloat16"
    assert choose_speed(8, 8, [1], ["int8"]).dtype == "int8"


def test_measuring_takes_under_half_a_second_of_computing() -> None:
    found = choose_speed(64, 64, [1])
    assert set(found.operations) == {("float32", 1), ("bfloat16", 1)}
    assert all(rate > 0 for rate in found.operations.values())
    assert torch.get_num_threads() == 1
