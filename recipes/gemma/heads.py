"""Plain linear heads for the nine criteria while the model is trained, and their exact place in the product's heads.

A linear head on states of about size 1 learns with one learning rate from the first step. The product's heads compare a text
with a criterion's vector; for the criteria that are known, the fold below gives the same logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from encoder.network.batching import IGNORED, Batch
from encoder.network.heads import TOKEN_KINDS, masked_mean, sentence_means
from encoder.network.model import EvidenceEncoder
from storage.records import Criterion

_ID_LENGTH = 40.0
_SCALE = 9.0
_POST, _TOKEN = 0.1, 0.3
_STARTS_AT = {"sentence": -3.0, "post": -2.5, "tokens": -3.5}


class Logits(NamedTuple):
    """sentences (R, S, C), posts (R, C), tokens (R, T, C, 3)."""

    sentences: Tensor
    posts: Tensor
    tokens: Tensor


class PlainHeads(nn.Module):
    """One linear layer per kind of answer, zero at the start but for the bias."""

    def __init__(self, hidden_size: int, criteria: int) -> None:
        super().__init__()
        self.sentence = nn.Linear(hidden_size, criteria)
        self.post = nn.Linear(hidden_size, criteria)
        self.tokens = nn.Linear(hidden_size, criteria * len(TOKEN_KINDS))
        for name, bias in _STARTS_AT.items():
            layer: nn.Linear = getattr(self, name)
            nn.init.zeros_(layer.weight)
            nn.init.constant_(layer.bias, bias)

    def forward(self, states: Tensor, batch: Batch) -> Logits:
        sentences = sentence_means(states, batch.sentence_index, batch.sentence_mask.shape[1])
        tokens = self.tokens(states)
        by_kind = tokens.view(*tokens.shape[:2], -1, len(TOKEN_KINDS))
        return Logits(self.sentence(sentences), self.post(masked_mean(states, batch.post_mask)), by_kind)

    def of_kind(self, kind: str) -> tuple[Tensor, Tensor]:
        """Weights (criteria, H) and biases (criteria,) for a kind of `PairHeads`."""
        if kind in TOKEN_KINDS:
            at = TOKEN_KINDS.index(kind)
            return self.tokens.weight[at :: len(TOKEN_KINDS)], self.tokens.bias[at :: len(TOKEN_KINDS)]
        layer: nn.Linear = getattr(self, kind)
        return layer.weight, layer.bias


class Loss(NamedTuple):
    """total: what is minimized. by_row: summed loss of each row's sentences, (R,). sentence: their mean, per sentence."""

    total: Tensor
    by_row: Tensor
    sentence: float


def loss_of(logits: Logits, batch: Batch) -> Loss:
    """Binary cross-entropy, summed over the criteria: of sentences, a tenth of the posts', three tenths of the tokens'."""
    assert batch.sentence_labels is not None
    assert batch.post_labels is not None
    assert batch.token_labels is not None
    sentences, known = _cross_entropy(logits.sentences, batch.sentence_labels)
    mean = sentences.sum() / known
    parts = [mean]
    for weight, values, labels in (
        (_POST, logits.posts, batch.post_labels),
        (_TOKEN, logits.tokens, batch.token_labels),
    ):
        each, count = _cross_entropy(values, labels)
        parts.append(weight * each.sum() / count)
    return Loss(_SCALE * torch.stack(parts).sum(), sentences.detach().sum((1, 2)), _SCALE * mean.item())


def _cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    reviewed = labels != IGNORED
    each = F.binary_cross_entropy_with_logits(logits, labels.clamp(min=0), reduction="none")
    return each * reviewed, reviewed.sum().clamp(min=1)


@torch.no_grad()
def fold(encoder: EvidenceEncoder, plain: PlainHeads, wordings: Sequence[Sequence[Criterion]]) -> None:
    """Make the encoder's heads answer as the plain ones for its known criteria, in any of the wordings.

    Each known criterion gets a long id vector of its own direction, at right angles to what the model makes of the criteria's
    texts; the heads' projections turn that direction into the criterion's weights.
    """
    pair, ids = encoder.heads.pair, encoder.heads.criterion_id
    assert pair is not None
    assert ids is not None
    count = len(ids.weight)
    nobody = torch.full((count,), -1)
    texts = torch.cat([encoder.criterion_vectors(*encoder.batcher(w).criteria_batch(), nobody) for w in wordings])
    directions = _away_from(texts, count)
    ids.weight.copy_(_ID_LENGTH * directions)
    for at, kind in enumerate(pair.KINDS):
        weights, bias = plain.of_kind(kind)
        text, criterion = pair.text[kind], pair.criterion[kind]
        assert isinstance(text, nn.Linear)
        assert isinstance(criterion, nn.Linear)
        axes = torch.linalg.svd(weights, full_matrices=True)[2][
            : text.out_features
        ]  # the first hold the weight vectors
        text.weight.copy_(axes)
        text.bias.zero_()
        criterion.weight.copy_(axes @ weights.T @ directions / (_ID_LENGTH * pair.scale))
        criterion.bias.zero_()
        pair.prior.weight[at] = (bias / _ID_LENGTH) @ directions
        pair.prior.bias[at] = 0.0


@torch.no_grad()
def unfold(encoder: EvidenceEncoder, criteria: Sequence[Criterion]) -> PlainHeads:
    """Plain heads that answer as the encoder's do for these criteria: the way back from `fold`."""
    pair = encoder.heads.pair
    assert pair is not None
    batcher = encoder.batcher(criteria)
    vectors = encoder.criterion_vectors(*batcher.criteria_batch(), torch.tensor(batcher.criterion_index))
    plain = PlainHeads(encoder.hidden_size, len(criteria))
    prior = pair.prior(vectors)
    for at, kind in enumerate(pair.KINDS):
        text = pair.text[kind]
        assert isinstance(text, nn.Linear)
        wanted = pair.criterion[kind](vectors) * pair.scale
        weights, bias = plain.of_kind(kind)
        weights.copy_(wanted @ text.weight)
        bias.copy_(wanted @ text.bias + prior[:, at])
    return plain


def _away_from(vectors: Tensor, count: int) -> Tensor:
    """`count` directions of length 1, at right angles to each other and to the vectors, (count, H)."""
    taken = torch.linalg.qr(vectors.double().T)[0]
    free = torch.randn(vectors.shape[1], count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    free = free - taken @ (taken.T @ free)
    return torch.linalg.qr(free)[0].T.to(vectors.dtype).contiguous()
