"""Two measurements on the path that is served: does every token see what comes after it, and does padding change nothing.

They run at each load. A model that fails the first is refused: guides and repositories abound whose "bidirectional" switch
does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from encoder.errors import ModelUnusable, NotBidirectional
from encoder.network.batching import Batch
from encoder.network.families import sliding_reach
from encoder.network.model import EvidenceEncoder

_LENGTH = 12
_TRIES = 3
# relative to the largest hidden value. A causal model computes the first token's state from the same numbers in the same
# order, so it moves by exactly 0 in any precision
_SEES = 1e-6
# bf16 keeps 8 bits, so another order of additions moves a state by half a percent per layer; so do inputs rounded to int8
_PADDING = {"float32": 1e-3, "bfloat16": 0.1, "int8": 0.1}


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """moved: how far the first token's state went when the last token changed. padding: how far padding moved any state.

    Both relative to the largest state.
    """

    moved: float
    padding: float


@torch.no_grad()
def probe(model: EvidenceEncoder) -> ProbeResult:
    """Measure a model; raises NotBidirectional or ModelUnusable if it must not be served."""
    training = model.training
    model.eval()
    try:
        moved, padding = _moved(model), _padding(model)
    finally:
        model.train(training)
    attention = model.attention
    if not moved > _SEES:
        raise NotBidirectional(
            f"This {model.family.name} model is not bidirectional with {attention} attention: changing the last token "
            f"leaves the first one as it was. It is refused; try another attention implementation."
        )
    if not padding < _PADDING.get(model.computes_in, 1e-3):
        raise ModelUnusable(
            f"Padding changes the answers of this {model.family.name} model with {attention} attention "
            f"(by {padding:.2g} of the largest value). It is refused; try another attention implementation."
        )
    return ProbeResult(moved, padding)


def _moved(model: EvidenceEncoder) -> float:
    ids = _ids(model)
    before = _states(model, ids)
    furthest = 0.0
    for step in range(1, _TRIES + 1):
        changed = ids.clone()
        changed[:, -1] = (changed[:, -1] + 7 * step) % _vocabulary(model)
        after = _states(model, changed)
        furthest = max(furthest, float((after[:, 0] - before[:, 0]).abs().max() / before.abs().max().clamp(min=1e-9)))
    return furthest


def _padding(model: EvidenceEncoder) -> float:
    ids = _ids(model)
    length = ids.shape[1]
    alone = _states(model, ids)
    padded = torch.cat([ids, ids.new_zeros(1, 5)], 1)
    mask = torch.ones_like(padded)
    mask[:, length:] = 0
    together = _states(model, padded, mask)[:, :length]
    return float((together - alone).abs().max() / alone.abs().max().clamp(min=1e-9))


def _states(model: EvidenceEncoder, ids: Tensor, mask: Tensor | None = None) -> Tensor:
    mask = torch.ones_like(ids) if mask is None else mask
    nothing = torch.zeros_like(ids)
    criterion = _ids(model)[:, :4]
    batch = Batch(
        ids,
        mask,
        nothing - 1,
        mask,
        nothing[:, :1],
        nothing[:, 0],
        nothing[:, :1] - 1,
        criterion,
        torch.ones_like(criterion),
    )
    return model.encode(batch).tokens


def _ids(model: EvidenceEncoder) -> Tensor:
    """A short sequence, (1, tokens), that fits into one sliding window from end to end."""
    reach = sliding_reach(model.family, model.backbone_config)
    length = _LENGTH if reach is None else max(2, min(_LENGTH, reach))
    numbers = torch.arange(1, length + 1, device=model.device)
    return (numbers * 7919 % _vocabulary(model)).unsqueeze(0)


def _vocabulary(model: EvidenceEncoder) -> int:
    return int(model.backbone.get_input_embeddings().weight.shape[0])
