"""Which layers of a decoder see both ways. All of them, unless the lowest were left causal, as they were pretrained.

Before they are trained, the lower layers of a decoder are worse when they are read in both directions, and layers near the
output gain more by it (Dukić and Šnajder 2024, arXiv:2401.14556). Left causal and frozen, they need not be trained at all, and
what they make of a text can be computed once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from encoder.errors import ModelUnusable
from encoder.network.packing import additive


def keep_causal(backbone: nn.Module, layers: int) -> None:
    """Let no token of the lowest `layers` layers see what comes after it; the layers above stay as they are.

    Raises ModelUnusable if there are no such layers.
    """
    if layers == 0:
        return
    found = getattr(backbone, "layers", None)
    if not isinstance(found, nn.ModuleList) or layers >= len(found):
        count = len(found) if isinstance(found, nn.ModuleList) else 0
        raise ModelUnusable(f"causal_layers {layers} leaves no layer that sees both ways; the model has {count}.")
    for layer in found[:layers]:
        layer.register_forward_pre_hook(_hide_what_follows, with_kwargs=True)


def causal(mask: Tensor | None, hidden: Tensor, *, eager: bool) -> Tensor:
    """The attention mask (R, 1, T, T), boolean or additive or None for all, without what comes after each token.

    hidden: (R, T, H). eager: attention adds its mask to the scores, so it cannot take the boolean one that None stands for.
    """
    length = hidden.shape[1]
    before = torch.ones(length, length, dtype=torch.bool, device=hidden.device).tril()
    if mask is None:
        return additive(before[None, None], hidden.dtype) if eager else before[None, None]
    if mask.dtype == torch.bool:
        return mask & before
    return mask.masked_fill(~before, torch.finfo(mask.dtype).min)


def _hide_what_follows(layer: Any, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    hidden: Tensor = inputs[0] if inputs else keywords["hidden_states"]
    eager = layer.self_attn.config._attn_implementation == "eager"  # noqa: SLF001 - as `EvidenceEncoder.attention`
    return inputs, {**keywords, "attention_mask": causal(keywords.get("attention_mask"), hidden, eager=eager)}
