"""Dropout while fine-tuning: the paper's 10 % on attention and on what attention and feed-forward add to the residual.

Gemma's configs know attention dropout only; the rest is put in with forward hooks, so it works for every family and under LoRA.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

_SUBLAYERS = ("self_attn", "mlp")


def set_dropout(backbone: nn.Module, *, attention: float, hidden: float) -> None:
    """Set both probabilities; a second call replaces the first. Outside training mode they change nothing."""
    for name, module in backbone.named_modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = attention
        if name.rsplit(".", 1)[-1] in _SUBLAYERS:
            _set_hidden(module, hidden)


def _set_hidden(module: nn.Module, probability: float) -> None:
    first_time = not hasattr(module, "evidence_dropout")
    module.evidence_dropout = probability  # type: ignore[assignment]
    if first_time:
        module.register_forward_hook(_drop)


def _drop(module: nn.Module, inputs: Any, output: Any) -> Any:
    probability = float(module.evidence_dropout)  # type: ignore[arg-type]
    if not module.training or probability == 0.0:
        return output
    if isinstance(output, Tensor):
        return F.dropout(output, probability)
    return (F.dropout(output[0], probability), *output[1:])
