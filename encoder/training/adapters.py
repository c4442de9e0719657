"""What of an encoder is trained: everything, or a LoRA adapter and the heads. QLoRA is LoRA on a base in four bits."""

from __future__ import annotations

import importlib.util
import warnings

from torch import nn

from encoder.config import TrainConfig
from encoder.errors import TrainingFailed
from encoder.network.lower import LowerLayers, layers_of
from encoder.network.model import EvidenceEncoder


def check_installed(config: TrainConfig) -> None:
    """Raise TrainingFailed, before anything is loaded, if the method needs a package that is not here."""
    if config.method != "full" and importlib.util.find_spec("peft") is None:
        raise TrainingFailed(f"{config.method} needs peft: pip install 'evidence-annotator[peft]'.")
    if config.method == "qlora":
        import torch

        if not torch.cuda.is_available():
            raise TrainingFailed("qlora needs a CUDA GPU; use lora or full on this machine.")
        if importlib.util.find_spec("bitsandbytes") is None:
            raise TrainingFailed("qlora needs bitsandbytes: pip install 'evidence-annotator[gpu]'.")
    packages = {"tensorboard": ("tensorboard", "tensorboardX"), "mlflow": ("mlflow",), "trackio": ("trackio",)}
    for name in config.report_to:
        if not any(importlib.util.find_spec(package) for package in packages[name]):
            raise TrainingFailed(f"Reports to {name} were asked for, but it is not installed: pip install {name}.")


def choose_trained(encoder: EvidenceEncoder, config: TrainConfig) -> None:
    """Freeze and adapt the encoder as the method asks. An encoder that already has an adapter goes on with it under LoRA."""
    if config.method == "full":
        if hasattr(encoder.backbone, "peft_config"):
            encoder.backbone = encoder.backbone.merge_and_unload()
        for parameter in encoder.parameters():
            parameter.requires_grad_(True)
    elif hasattr(encoder.backbone, "peft_config"):
        for name, parameter in encoder.backbone.named_parameters():
            parameter.requires_grad_("lora_" in name)
    else:
        _add_adapter(encoder, config)
    for parameter in encoder.heads.parameters():
        parameter.requires_grad_(True)
    encoder.lower = LowerLayers(encoder.backbone, config.frozen_layers) if config.frozen_layers else None
    if config.gradient_checkpointing:
        encoder.backbone.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})


def _add_adapter(encoder: EvidenceEncoder, config: TrainConfig) -> None:
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if config.method == "qlora":
        encoder.backbone = prepare_model_for_kbit_training(encoder.backbone, use_gradient_checkpointing=False)
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=_linear_above(encoder.backbone, config.frozen_layers) if config.frozen_layers else "all-linear",
        bias="none",
    )
    with warnings.catch_warnings():
        # peft asks transformers for a property by its old name
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*is_gradient_checkpointing")
        encoder.backbone = get_peft_model(encoder.backbone, lora)


def _linear_above(backbone: nn.Module, frozen: int) -> list[str]:
    """Names of the linear modules of all layers but the lowest `frozen` ones."""
    inside = {id(module) for layer in layers_of(backbone)[frozen:] for module in layer.modules()}
    return [name for name, module in backbone.named_modules() if isinstance(module, nn.Linear) and id(module) in inside]
