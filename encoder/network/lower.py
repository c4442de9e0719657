"""The lowest layers of a backbone while only those above them are trained: what they make of a text is computed once and kept.

In a CPU run most of the time is saved: the frozen layers need no gradients, and from the second time that a text is read none of
their products. Source: feature caching as in Dukić and Šnajder 2024 (arXiv:2401.14556), who find that the upper layers gain most.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from encoder.errors import TrainingFailed

MOST_BYTES = 1_000_000_000
"""About a thousand posts of 400 tokens of a Gemma 3 270M; what comes after them is computed each time."""


def layers_of(backbone: Any) -> nn.ModuleList:
    """The layers of a backbone, also of one that peft holds."""
    inner = backbone.get_base_model() if hasattr(backbone, "peft_config") else backbone
    layers: nn.ModuleList = inner.layers
    return layers


class LowerLayers:
    """Freezes the lowest `count` layers and the embeddings, and stands in for the layers until `remove`.

    What they make of a row of tokens, (T, H) in fp32, is kept under its tokens, so neither padding nor the rest of a batch matters. Dropout
    does not act in them. bytes: what is kept at present; refused: rows for which there was no more room.
    """

    def __init__(self, backbone: Any, count: int, *, most_bytes: int = MOST_BYTES) -> None:
        layers = layers_of(backbone)
        if not 0 < count < len(layers):
            raise TrainingFailed(
                f"frozen_layers {count} leaves nothing to train: this model has {len(layers)} layers; use 1 to {len(layers) - 1}."
            )
        self.count, self.bytes, self.refused = count, 0, 0
        self._most_bytes = most_bytes
        self._kept: dict[bytes, Tensor] = {}
        self._keys: list[bytes] | None = None
        self._mask: Tensor | None = None
        self._found: Tensor | None = None
        self._aside = False
        self._lowest = list(layers[:count])
        for module in (*self._lowest, backbone.get_input_embeddings()):
            for parameter in module.parameters():
                parameter.requires_grad_(False)
        for number, layer in enumerate(self._lowest):
            layer.forward = partial(self._layer, number, layer.forward)
        inner = backbone.get_base_model() if hasattr(backbone, "peft_config") else backbone
        self._hook = inner.register_forward_pre_hook(self._begin, with_kwargs=True)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Inside, every layer is computed, so that each can be asked what it makes of a text; nothing is kept of it."""
        self._aside = True
        try:
            yield
        finally:
            self._aside = False

    def remove(self) -> None:
        """Give the layers back as they were, and forget what was kept."""
        self._hook.remove()
        for layer in self._lowest:
            layer.__dict__.pop("forward", None)
        self._kept.clear()
        self._found = self._keys = None
        self.bytes = 0

    def _begin(self, module: Any, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        for layer in self._lowest:
            layer.eval()
        ids, mask = keywords.get("input_ids"), keywords.get("attention_mask")
        self._keys = self._found = self._mask = None
        if self._aside:
            return
        if not isinstance(ids, Tensor) or not isinstance(mask, Tensor) or mask.ndim != 2 or "position_ids" in keywords:
            return  # a packed input: its tokens alone do not say what its states are
        chosen, self._mask = ids.cpu(), mask.bool()
        self._keys = [row[kept].numpy().tobytes() for row, kept in zip(chosen, self._mask.cpu(), strict=True)]
        if all(key in self._kept for key in self._keys):
            size = next(iter(self._kept.values())).shape[1]
            found = torch.zeros(*ids.shape, size, device=ids.device)
            for row, key in enumerate(self._keys):
                found[row, self._mask[row]] = self._kept[key].to(ids.device)
            self._found = found

    def _layer(self, number: int, forward: Any, hidden_states: Tensor, *inputs: Any, **keywords: Any) -> Any:
        last = number == self.count - 1
        if self._found is not None:
            return self._found.to(hidden_states.dtype) if last else hidden_states
        with torch.no_grad():
            output = forward(hidden_states, *inputs, **keywords)
        if last and self._keys is not None and isinstance(output, Tensor) and output.ndim == 3:
            self._keep(output)
        return output

    def _keep(self, states: Tensor) -> None:
        assert self._keys is not None
        assert self._mask is not None
        for row, key in enumerate(self._keys):
            if key in self._kept:
                continue
            found = states[row, self._mask[row]].detach().float().cpu()
            size = found.numel() * found.element_size()
            if self.bytes + size > self._most_bytes:
                self.refused += 1
                continue
            self._kept[key] = found
            self.bytes += size
