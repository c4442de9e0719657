"""The layers of a Gemma in two halves: the lowest, frozen and causal, computed once for each text; and those that are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from encoder.network.batching import Batch, Batcher, Row
from encoder.network.families import sliding_reach
from encoder.network.model import EvidenceEncoder


class SplitBackbone:
    """Runs an encoder's backbone as it is served, keeping what the frozen layers make of a text in bf16 (two bytes per token and
    dimension). frozen: how many of the lowest layers are; none of them may see both ways in part of a run only."""

    def __init__(self, encoder: EvidenceEncoder, frozen: int) -> None:
        self.backbone, self.frozen = encoder.backbone, frozen
        self._reach = sliding_reach(encoder.family, encoder.backbone_config)
        self._kept: dict[int, Tensor] = {}

    def thaw(self) -> None:
        """From now on all layers are computed each time, with gradients."""
        self.frozen = 0
        self._kept.clear()

    def states(self, batch: Batch, numbers: Sequence[int] | None = None) -> Tensor:
        """The last layer's states of a batch, (R, T, H). numbers: names of the rows, under which the lower half is kept."""
        lower = self._lower(batch, numbers)
        states = self._run(lower, batch.attention_mask, range(self.frozen, len(self.backbone.layers)))
        normed: Tensor = self.backbone.norm(states)
        return normed

    def _lower(self, batch: Batch, numbers: Sequence[int] | None) -> Tensor:
        ids, mask = batch.input_ids, batch.attention_mask
        if self.frozen and numbers is not None and all(n in self._kept for n in numbers):
            found = torch.zeros(*ids.shape, self.backbone.config.hidden_size)
            for row, number in enumerate(numbers):
                kept = self._kept[number]
                found[row, : len(kept)] = kept.float()
            return found
        with torch.no_grad():
            states = self._run(self.backbone.embed_tokens(ids), mask, range(self.frozen))
        if self.frozen and numbers is not None:
            for row, number in enumerate(numbers):
                self._kept[number] = states[row, : int(mask[row].sum())].to(torch.bfloat16).clone()
        return states

    def _run(self, states: Tensor, attention_mask: Tensor, layers: range) -> Tensor:
        kinds: Any = self.backbone.config.layer_types
        positions = torch.arange(states.shape[1])
        everything = attention_mask.bool()[:, None, None, :].expand(-1, 1, len(positions), -1)
        near = (positions[:, None] - positions).abs() <= (self._reach or len(positions))
        masks = {"full_attention": everything, "sliding_attention": everything & near}
        rotary = {kind: self.backbone.rotary_emb(states, positions[None], kind) for kind in set(kinds)}
        for n in layers:
            states = self.backbone.layers[n](
                states,
                attention_mask=masks[kinds[n]],
                position_embeddings=rotary[kinds[n]],
                position_ids=positions[None],
            )
        return states


@torch.no_grad()
def scale_last_norm(split: SplitBackbone, batcher: Batcher, rows: Sequence[Row]) -> None:
    """Let each dimension of the last states have a root mean square of 1, so that heads learn at one rate.

    Gemma's have a few dimensions that are a hundred times larger than the others. rows: a sample of them is looked at.
    """
    sample = sorted((rows[n] for n in torch.randperm(len(rows))[:120].tolist()), key=len)
    found = []
    for first in range(0, len(sample), 20):
        batch = batcher.batch(sample[first : first + 20])
        found.append(split.states(batch)[batch.post_mask.bool()])
    size = torch.cat(found).square().mean(0).sqrt().clamp(min=1e-2)
    weight = split.backbone.norm.weight
    weight.copy_((1.0 + weight) / size - 1.0)
