"""LoRA on the linear layers, without the copies and casts of peft, and its way into peft's form.

Source: Hu et al. 2021 (arXiv:2106.09685); peft's names and scale, so that the product's loader reads it.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from encoder.network.lora import round_to_bf16
from encoder.network.model import EvidenceEncoder


class LowRank(nn.Module):
    """x -> W x + scale * B (A x), with W frozen. B starts at zero, so that nothing changes before it is trained."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base, self.scale = base, alpha / rank
        self.a = nn.Parameter(torch.empty(rank, base.in_features).uniform_(-1, 1) / base.in_features**0.5)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + F.linear(F.linear(x, self.a), self.b * self.scale)


def add_low_rank(backbone: nn.Module, *, rank: int, alpha: float) -> dict[str, LowRank]:
    """Freeze the backbone and put products beside every linear layer; returns them by name."""
    backbone.requires_grad_(False)
    linear = {name: m for name, m in backbone.named_modules() if isinstance(m, nn.Linear)}
    added = {name: LowRank(m, rank, alpha) for name, m in linear.items()}
    for name, module in added.items():
        parent, _, own = name.rpartition(".")
        setattr(backbone.get_submodule(parent), own, module)
    return added


@torch.no_grad()
def into_peft(encoder: EvidenceEncoder, added: dict[str, LowRank], *, rank: int, alpha: float) -> None:
    """Hand the products over to peft, rounded to bf16, as `save_encoder` writes them."""
    from peft import LoraConfig, get_peft_model

    for name, module in added.items():
        parent, _, own = name.rpartition(".")
        setattr(encoder.backbone.get_submodule(parent), own, module.base)
    config = LoraConfig(r=rank, lora_alpha=int(alpha), target_modules=list(added), bias="none")
    with warnings.catch_warnings():
        # peft asks transformers for a property by its old name
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*is_gradient_checkpointing")
        wrapped: Any = get_peft_model(encoder.backbone, config)
    for name, module in added.items():
        target = wrapped.get_base_model().get_submodule(name)
        target.lora_A["default"].weight.copy_(module.a)
        target.lora_B["default"].weight.copy_(module.b)
    round_to_bf16(wrapped)
    encoder.backbone = wrapped.eval()
