"""A look inside a model: who looks at whom in one attention head, and which word changes which, as decoder and as encoder.

The same weights are read twice, once with the causal mask that they were pretrained with and once as they are served, so that what
differs is the conversion alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from encoder.errors import ModelUnusable
from encoder.network.model import EvidenceEncoder

MOST_TOKENS = 40


@dataclass(frozen=True, slots=True)
class Inside:
    """tokens: pieces of the text, the beginning mark first. attention_*: share of its attention that a token (row) gives to each
    (column), rows sum to 1. influence_*: how far a token's final state (row) moves, relative to its length, when another (column)
    is taken away. All (tokens, tokens). before: as a decoder; after: as served.
    """

    tokens: tuple[str, ...]
    layer: int
    head: int
    attention_before: np.ndarray
    attention_after: np.ndarray
    influence_before: np.ndarray
    influence_after: np.ndarray
    cut: bool


def ahead(values: np.ndarray) -> float:
    """The share of a map that lies above the diagonal: what comes from words that stand later."""
    total = float(values.sum())
    return float(np.triu(values, 1).sum()) / total if total else 0.0


@torch.no_grad()
def look_inside(model: EvidenceEncoder, text: str, *, layer: int | None = None, head: int = 0) -> Inside:
    """Read the first tokens of `text`. layer: 0 for the lowest, None for the last one that sees the whole text.

    The model must not be used by anybody else meanwhile. Raises ModelUnusable for an empty text, a layer or head that is not there,
    and an architecture that gives no attention weights.
    """
    encoded = model.tokenizer.encode(text)
    if not encoded.ids:
        raise ModelUnusable("There is no text to look at.")
    config = model.backbone_config
    chosen = _last_full(config) if layer is None else layer
    _check("layer", chosen, int(config.num_hidden_layers))
    _check("head", head, int(config.num_attention_heads))
    if model.family.bidirectional != "config":
        raise ModelUnusable(f"{model.family.name} was never a decoder: there is no before to compare with.")
    places = model.tokenizer.backend.encode(text, add_special_tokens=False).offsets[:MOST_TOKENS]
    bos = model.tokenizer.special("bos")
    begin = [] if bos is None else [bos]
    ids = torch.tensor([[*begin, *encoded.ids[:MOST_TOKENS]]], device=model.device)
    pieces = (*(["⟨begin⟩"] if begin else []), *(text[a:b] for a, b in places))
    after = _attention(model, ids, chosen, head), _influence(model, ids)
    with as_decoder(model):
        before = _attention(model, ids, chosen, head), _influence(model, ids)
    return Inside(pieces, chosen, head, before[0], after[0], before[1], after[1], len(encoded.ids) > MOST_TOKENS)


@contextmanager
def as_decoder(model: EvidenceEncoder) -> Iterator[None]:
    """Give every layer its causal mask back for a while."""
    config = model.backbone_config
    known = {name: getattr(config, name, None) for name in ("is_causal", "use_bidirectional_attention")}
    config.is_causal, config.use_bidirectional_attention = True, False
    try:
        yield
    finally:
        for name, value in known.items():
            setattr(config, name, value)


def _last_full(config: object) -> int:
    kinds = list(getattr(config, "layer_types", None) or ())
    full = [n for n, kind in enumerate(kinds) if kind == "full_attention"]
    return full[-1] if full else int(config.num_hidden_layers) - 1  # type: ignore[attr-defined]


def _check(name: str, number: int, count: int) -> None:
    if not 0 <= number < count:
        raise ModelUnusable(f"There is no {name} {number}; the model has {name}s 0 to {count - 1}.")


def _attention(model: EvidenceEncoder, ids: Tensor, layer: int, head: int) -> np.ndarray:
    """Only eager attention gives its weights; what serves is put back afterwards."""
    served = model.attention
    model.backbone.set_attn_implementation("eager")
    try:
        found = model.backbone(input_ids=ids, attention_mask=torch.ones_like(ids), output_attentions=True).attentions
    finally:
        model.backbone.set_attn_implementation(served)
    if not found:
        raise ModelUnusable(f"{model.family.name} gives no attention weights.")
    weights: np.ndarray = found[layer][0, head].float().cpu().numpy()
    return weights


def _influence(model: EvidenceEncoder, ids: Tensor) -> np.ndarray:
    """Each token is replaced by the mask in turn, all in one batch."""
    count = ids.shape[1]
    instead = model.tokenizer.special("mask") or model.tokenizer.special("unk") or 0
    changed = ids.repeat(count, 1)
    changed.fill_diagonal_(instead)
    rows = torch.cat([ids, changed])
    states = model.backbone(input_ids=rows, attention_mask=torch.ones_like(rows)).last_hidden_state.float()
    moved = (states[1:] - states[:1]).norm(dim=-1) / states[:1].norm(dim=-1).clamp(min=1e-9)  # (changed, token)
    result: np.ndarray = moved.T.cpu().numpy()
    return result
