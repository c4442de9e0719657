"""Full fine-tuning with the weights spread over several GPUs (FSDP 2 of torch, asked for through `accelerate launch`).

While it runs no process has a whole model: nothing is measured and no checkpoint is written. At the end the weights are
gathered into a model that was loaded anew, which is measured, calibrated and saved as any other.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate.utils import parse_flag_from_env
from torch import nn
from torch.distributed.tensor import DTensor

from encoder.config import TrainConfig
from encoder.errors import TrainingFailed

_WRAPPER = "_checkpoint_wrapped_module."


def asked_for() -> bool:
    """Whether the launcher was told to shard. On CPU accelerate does not: there every process keeps the whole model."""
    return bool(parse_flag_from_env("ACCELERATE_USE_FSDP"))


def check_loading() -> None:
    """Raise TrainingFailed if only the first process would get real weights: each of them checks what it loads."""
    if asked_for() and parse_flag_from_env("FSDP_CPU_RAM_EFFICIENT_LOADING"):
        raise TrainingFailed("Under FSDP every process loads the model: set fsdp_cpu_ram_efficient_loading to false.")


def check_plugin(plugin: Any, config: TrainConfig) -> None:
    """Raise TrainingFailed, before the first step, for a way of sharding that would not end in a whole model."""
    if getattr(plugin, "fsdp_version", 1) != 2:
        raise TrainingFailed("FSDP 1 is not supported: set fsdp_version to 2.")
    if config.method != "full":
        raise TrainingFailed(
            f"FSDP is for full fine-tuning; {config.method} fits every GPU whole: launch it without FSDP."
        )
    if config.adaptation_steps:
        raise TrainingFailed("There is no adaptation stage under FSDP: set adaptation_steps to 0.")


def gather_weights(sharded: nn.Module, whole: nn.Module) -> None:
    """Copy the sharded module's parameters into a whole one of the same shape. Every process must call it.

    Raises TrainingFailed if the two do not have the same parameters.
    """
    own = dict(whole.named_parameters())
    with torch.no_grad():
        for name, parameter in sharded.named_parameters():
            target = own.pop(name.replace(_WRAPPER, ""), None)
            full = parameter.full_tensor() if isinstance(parameter, DTensor) else parameter
            if target is None or target.shape != full.shape:
                raise TrainingFailed(f"The sharded weights do not fit the model: {name}. Nothing was saved.")
            target.copy_(full)
    if own:
        raise TrainingFailed(f"The sharded weights lack {min(own)}. Nothing was saved.")
