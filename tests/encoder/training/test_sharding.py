"""Full fine-tuning with sharded weights (FSDP 2), in two processes over gloo: the model that is saved is whole, and the same."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file
from torch import nn

from encoder.config import TrainConfig
from encoder.errors import TrainingFailed
from encoder.training.sharding import check_loading, check_plugin, gather_weights
from tests.encoder.training.test_distributed import SETTINGS, launched, write_criteria
from tests.encoder.training_data import a_base, examples, write_examples


@pytest.mark.slow
def test_sharded_training_saves_the_model_that_unsharded_training_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_base(tmp_path, wide_buckets=128)
    write_examples(tmp_path / "train.jsonl", examples("new", 32))
    write_examples(tmp_path / "dev.jsonl", examples("dev", 7))
    write_criteria(tmp_path)
    arguments = ["--data", "train.jsonl", "--dev", "dev.jsonl", "--criteria", "criteria.json", "--model", "base"]
    for key, value in {**SETTINGS, "batch_size": 4, "eval_steps": 100, "patience": 0}.items():
        arguments += ["--set", f"{key}={json.dumps(value)}"]
    arguments += ["--device", "cpu"]

    whole = launched(tmp_path, 2, "encoder.commands.train", *arguments, "--output", "whole")
    for name, value in (("ACCELERATE_USE_FSDP", "true"), ("FSDP_VERSION", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FSDP_AUTO_WRAP_POLICY", "TRANSFORMER_BASED_WRAP")
    sharded = launched(tmp_path, 2, "tests.encoder.sharded_on_cpu", *arguments, "--output", "sharded")

    assert sharded["dev"] == whole["dev"]
    record, other = (json.loads((tmp_path / name / "training.json").read_text()) for name in ("sharded", "whole"))
    assert list(record["losses"].values()) == pytest.approx(list(other["losses"].values()), abs=1e-4)
    for path in sorted((tmp_path / "whole").glob("*.safetensors")):
        expected, found = load_file(path), load_file(tmp_path / "sharded" / path.name)
        assert set(found) == set(expected)
        for key, values in expected.items():
            np.testing.assert_allclose(found[key], values, atol=1e-4, err_msg=key)


@pytest.mark.parametrize(
    ("version", "changes", "words"),
    [
        (1, {}, "set fsdp_version to 2"),
        (2, {"method": "lora"}, "launch it without FSDP"),
        (2, {"adaptation_steps": 5}, "set adaptation_steps to 0"),
    ],
)
def test_what_cannot_end_in_a_whole_model_is_refused_before_the_first_step(
    version: int, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(TrainingFailed, match=words):
        check_plugin(SimpleNamespace(fsdp_version=version), TrainConfig().changed(**changes))


def test_a_launcher_that_gives_real_weights_to_one_process_only_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_loading()
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "true")
    with pytest.raises(TrainingFailed, match="fsdp_cpu_ram_efficient_loading to false"):
        check_loading()


def test_weights_that_do_not_fit_are_never_taken_for_a_model() -> None:
    with pytest.raises(TrainingFailed, match=r"do not fit.*weight"):
        gather_weights(nn.Linear(2, 3), nn.Linear(2, 4))
    with pytest.raises(TrainingFailed, match="lack bias"):
        gather_weights(nn.Linear(2, 3, bias=False), nn.Linear(2, 3))
