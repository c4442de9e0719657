"""A LoRA adapter on disk: read and merged into its base, or written small. The files are PEFT's, so other tools read them.

    adapter_config.json          r, lora_alpha and the base's name
    adapter_model.safetensors    base_model.model.<module>.lora_A.weight (r, in), .lora_B.weight (out, r), in bf16; any other
                                 base_model.model.<parameter> takes the place of that parameter (norms that were trained too)

Merging needs no peft: a served model is its base plus the products, as fast as if all weights had been trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from encoder.errors import ModelUnusable

ADAPTER_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True)
class Adapter:
    """products: parameter name -> (A, B, scale), to be added as scale * B @ A. replaced: parameter name -> its new value."""

    products: Mapping[str, tuple[Tensor, Tensor, float]]
    replaced: Mapping[str, Tensor]


def read_adapter(directory: Path) -> Adapter:
    """The adapter in a directory. Raises ModelUnusable if a file is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        settings = json.loads((directory / ADAPTER_FILE).read_text("utf-8"))
        tensors = load_file(str(directory / WEIGHTS_FILE))
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelUnusable(f"The adapter in {directory} cannot be read: {_first_line(error)}") from error
    if not isinstance(settings, dict) or "r" not in settings:
        raise ModelUnusable(f"{directory / ADAPTER_FILE} does not describe a LoRA adapter.")
    products, replaced = {}, {}
    for key, tensor in tensors.items():
        name = key.removeprefix(_PREFIX)
        if name.endswith(_A):
            module = name.removesuffix(_A)
            other = tensors.get(key.removesuffix(_A) + _B)
            if other is None:
                raise ModelUnusable(f"The adapter in {directory} lacks the second half of {module}.")
            products[f"{module}.weight"] = (tensor, other, _scale(settings, module, tensor.shape[0]))
        elif not name.endswith(_B):
            replaced[name] = tensor
    return Adapter(products, replaced)


@torch.no_grad()
def merge(adapter: Adapter, backbone: nn.Module, base: str) -> None:
    """Add the products to the backbone's weights, computed in fp32, and put the replaced parameters in place.

    base: its name, for the error. Raises ModelUnusable if the adapter was made for another model.
    """
    own = dict(backbone.named_parameters())
    for name, (a, b, scale) in adapter.products.items():
        target = own.get(name)
        if target is None or (b.shape[0], a.shape[1]) != tuple(target.shape):
            raise ModelUnusable(f"The adapter does not fit its base {base}: there is no such {name} in it.")
        target.copy_(target.float() + scale * (b.float() @ a.float()).to(target.device))
    replace(adapter, backbone, base)


@torch.no_grad()
def replace(adapter: Adapter, backbone: nn.Module, base: str) -> None:
    """Put only the replaced parameters in place. Raises ModelUnusable if the adapter was made for another model."""
    own = dict(backbone.named_parameters())
    for name, value in adapter.replaced.items():
        if name not in own or own[name].shape != value.shape:
            raise ModelUnusable(f"The adapter does not fit its base {base}: there is no such {name} in it.")
        own[name].copy_(value)


def compact(directory: Path, backbone: nn.Module, replaced: tuple[str, ...], base: str | None) -> None:
    """Rewrite what peft has saved: with the replaced parameters of `backbone`, in bf16 what is bf16, and with its base's name.

    peft puts down the folder that the base was loaded from, which means nothing on another computer.
    """
    from safetensors.torch import load_file, save_file

    path = directory / WEIGHTS_FILE
    tensors = load_file(str(path))
    own: dict[str, Any] = dict(backbone.named_parameters())
    tensors |= {f"{_PREFIX}{name}": own[name].detach().cpu() for name in replaced}
    save_file({k: _small(v).contiguous() for k, v in tensors.items()}, str(path), metadata={"format": "pt"})
    settings = json.loads((directory / ADAPTER_FILE).read_text("utf-8")) | {"base_model_name_or_path": base}
    (directory / ADAPTER_FILE).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


@torch.no_grad()
def round_to_bf16(backbone: nn.Module) -> None:
    """Round an adapter that peft holds beside its base to bf16, so that it predicts as it will once it is saved."""
    for name, parameter in backbone.named_parameters():
        if "lora_" in name:
            parameter.copy_(parameter.to(torch.bfloat16))


def _small(tensor: Tensor) -> Tensor:
    half = tensor.to(torch.bfloat16)
    return half if torch.equal(half.to(tensor.dtype), tensor) else tensor


def _scale(settings: Mapping[str, Any], module: str, rank: int) -> float:
    """lora_alpha / r, or what the patterns say for this module; the root of r where it was trained so."""
    alpha = _by_pattern(settings.get("alpha_pattern"), module, settings.get("lora_alpha", rank))
    return float(alpha) / (rank**0.5 if settings.get("use_rslora") else rank)


def _by_pattern(patterns: Any, module: str, otherwise: Any) -> Any:
    found = [value for suffix, value in (patterns or {}).items() if module == suffix or module.endswith(f".{suffix}")]
    return found[0] if found else otherwise


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
