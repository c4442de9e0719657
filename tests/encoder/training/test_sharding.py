"""What sharded training (FSDP 2) refuses. That it saves the same model is seen in `test_distributed.py`, beside the unsharded one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn

from encoder.config import TrainConfig
from encoder.errors import TrainingFailed
from encoder.training.sharding import check_loading, check_plugin, gather_weights


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
