"""From hidden states to logits: pooling, linear heads for prompts that hold the criterion, pair heads for one-pass scoring.

Everything here is fp32, whatever the backbone's precision. Linear layers start as the guide says: xavier, zero bias.
Shapes: rows R, tokens T, sentences S, criteria C, hidden size H.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from encoder.config import Pooling

TOKEN_KINDS = ("inside", "start", "end")


class Scores(NamedTuple):
    """Logits, fp32. tokens (R, T, C, 3) for inside, start, end; sentences (R, S, C); posts (R, C)."""

    tokens: Tensor
    sentences: Tensor
    posts: Tensor


class Pool(nn.Module):
    """A post's vector out of its tokens: the mean, the mean of the first or last k, or learned attention (arXiv:2503.02656)."""

    def __init__(self, kind: Pooling, k: int, hidden_size: int) -> None:
        super().__init__()
        self.kind, self.k = kind, k
        self.query = xavier(nn.Linear(hidden_size, 1)) if kind == "attention" else None

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """(R, T, H) and 1 for the post's tokens (R, T) -> (R, H); zeros where a row has none."""
        mask = mask.to(hidden.dtype)
        if self.query is not None:
            weights = (
                self.query(hidden).squeeze(-1).masked_fill(mask == 0, torch.finfo(hidden.dtype).min).softmax(-1) * mask
            )
            return torch.einsum("rt,rth->rh", weights, hidden)
        if self.kind != "mean":
            place = mask.cumsum(-1)
            near = place <= self.k if self.kind == "first_k" else place > place[:, -1:] - self.k
            mask = mask * near
        return torch.einsum("rt,rth->rh", mask, hidden) / mask.sum(-1, keepdim=True).clamp(min=1)


class LinearHeads(nn.Module):
    """Heads for per-criterion prompts, whose tokens have seen the criterion: C is 1."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.tokens = xavier(nn.Linear(hidden_size, len(TOKEN_KINDS)))
        self.sentence = xavier(nn.Linear(hidden_size, 1))
        self.post = xavier(nn.Linear(hidden_size, 1))

    def forward(self, hidden: Tensor, sentences: Tensor, post: Tensor) -> Scores:
        """Logits for the known criteria. hidden (R, T, H), sentences (R, S, H), post (R, H); Scores says its shapes."""
        return Scores(self.tokens(hidden).unsqueeze(2), self.sentence(sentences), self.post(post))


class PairHeads(nn.Module):
    """Heads for one-pass scoring: criterion vector x text vector, one pair of projections per kind.

    Source: span and label vectors compared by dot product, as in GLiNER (arXiv:2311.08526).
    """

    KINDS = (*TOKEN_KINDS, "sentence", "post")

    def __init__(self, hidden_size: int, size: int) -> None:
        super().__init__()
        self.text = nn.ModuleDict({kind: xavier(nn.Linear(hidden_size, size)) for kind in self.KINDS})
        self.criterion = nn.ModuleDict({kind: xavier(nn.Linear(hidden_size, size)) for kind in self.KINDS})
        self.prior = xavier(nn.Linear(hidden_size, len(self.KINDS)))
        self.scale = size**-0.5

    def forward(self, hidden: Tensor, sentences: Tensor, post: Tensor, criteria: Tensor) -> Scores:
        """Logits for C criteria. hidden (R, T, H), sentences (R, S, H), post (R, H); criteria: (C, H), or (R, C, H) where each row
        has its own. Scores says its shapes."""
        prior = self.prior(criteria)
        prior = prior if prior.ndim == 3 else prior.unsqueeze(0)
        weights, biases = zip(*(self._asked(kind, criteria) for kind in self.KINDS), strict=True)
        inside = torch.stack(weights[:-2], -2).flatten(-3, -2)  # (..., C x 3, H): one product for all kinds
        tokens = _answered(hidden, inside, torch.stack(biases[:-2], -1).flatten(-2))
        return Scores(
            tokens.unflatten(-1, (-1, len(TOKEN_KINDS))) + prior[:, None, :, : len(TOKEN_KINDS)],
            _answered(sentences, weights[-2], biases[-2]) + prior[:, None, :, -2],
            _answered(post.unsqueeze(1), weights[-1], biases[-1]).squeeze(1) + prior[:, :, -1],
        )

    def _asked(self, kind: str, criteria: Tensor) -> tuple[Tensor, Tensor]:
        """Both projections of a kind as one linear layer with an output for each criterion, (..., C, H) and (..., C): a text has
        many more tokens than there are criteria."""
        wanted = self.criterion[kind](criteria) * self.scale
        text = self.text[kind]
        return wanted @ text.weight, wanted @ text.bias


def _answered(text: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """(R, X, H), (C, H) or (R, C, H), (C,) or (R, C) -> (R, X, C)."""
    return text @ weights.transpose(-1, -2) + bias.unsqueeze(-2)


def sentence_means(hidden: Tensor, sentence_index: Tensor, count: int) -> Tensor:
    """Mean of each sentence's tokens: (R, T, H), (R, T) with -1 outside sentences -> (R, count, H); zeros where none."""
    numbers = torch.arange(count, device=hidden.device)
    member = (sentence_index[:, None, :] == numbers[None, :, None]).to(hidden.dtype)
    return (member @ hidden) / member.sum(-1, keepdim=True).clamp(min=1)


def masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean over tokens of what the mask keeps: (..., T, H) and 0/1 (..., T) -> (..., H); zeros where it keeps nothing."""
    weights = mask.to(hidden.dtype)
    return (hidden * weights.unsqueeze(-1)).sum(-2) / weights.sum(-1, keepdim=True).clamp(min=1)


def xavier(layer: nn.Linear) -> nn.Linear:
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
