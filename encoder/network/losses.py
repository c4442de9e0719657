"""The training loss: binary cross-entropy per token, sentence and post, or the guide's softmax over start and end. fp32.

Labels of -100 (not reviewed, padding) add exactly nothing. Each post counts the same, however many windows it has: the loss
of a batch is the mean over its posts, so it is the same for one process or several with equal shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from encoder.config import TrainConfig
from encoder.network.batching import IGNORED, Batch
from encoder.network.heads import Scores


@dataclass(frozen=True, slots=True)
class LossWeights:
    sentence: float = 1.0
    token: float = 0.5
    post: float = 0.25
    positive: float = 1.0

    @classmethod
    def of(cls, config: TrainConfig) -> LossWeights:
        return cls(config.sentence_loss, config.token_loss, config.post_loss, config.positive_weight)


class Losses(NamedTuple):
    """Scalars, fp32. `total` is the weighted sum of the parts."""

    total: Tensor
    sentence: Tensor
    token: Tensor
    post: Tensor


def joint_loss(scores: Scores, batch: Batch, weights: LossWeights) -> Losses:
    """Sentence, token and post losses of the joint heads. Every head is in the sum, also with a weight of 0."""
    sentence_labels, token_labels, post_labels = _labels(batch)
    sentence = _cross_entropy(scores.sentences, sentence_labels, batch.row_post, weights.positive)
    token = _cross_entropy(scores.tokens, token_labels, batch.row_post, weights.positive)
    post = _cross_entropy(scores.posts, post_labels, batch.row_post, weights.positive)
    total = weights.sentence * sentence + weights.token * token + weights.post * post
    return Losses(total, sentence, token, post)


def softmax_loss(scores: Scores, batch: Batch, weights: LossWeights) -> Losses:
    """The guide's loss: mean of the cross-entropies of start and end over the tokens; the first token stands for no span.

    The sentence and post heads are trained beside it as above, so that both read-outs exist.
    """
    joint = joint_loss(scores, batch, weights)
    assert batch.span_labels is not None
    logits = scores.tokens[..., 1:].permute(0, 2, 3, 1).float()  # (R, C, 2, T)
    readable = batch.post_mask.bool().clone()
    readable[:, 0] = True
    logits = logits.masked_fill(~readable[:, None, None, :], torch.finfo(logits.dtype).min)
    labels = batch.span_labels
    one = F.cross_entropy(logits.flatten(0, 2), labels.flatten(), ignore_index=IGNORED, reduction="none")
    valid = (labels != IGNORED).sum().clamp(min=1)
    span = one.sum() / valid
    inside = 0.0 * scores.tokens[..., 0].sum()
    return Losses(
        span + inside + weights.sentence * joint.sentence + weights.post * joint.post, joint.sentence, span, joint.post
    )


def _labels(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    if batch.sentence_labels is None or batch.token_labels is None or batch.post_labels is None:
        raise ValueError("The batch has no labels; make it with Batcher.examples.")
    return batch.sentence_labels, batch.token_labels, batch.post_labels


def _cross_entropy(logits: Tensor, labels: Tensor, row_post: Tensor, positive_weight: float) -> Tensor:
    """Mean over posts of the mean over the post's reviewed labels; logits and labels (R, ...), row_post (R,)."""
    reviewed = labels != IGNORED
    weight = torch.where(labels > 0, positive_weight, 1.0) * reviewed
    each = F.binary_cross_entropy_with_logits(logits.float(), labels.clamp(min=0), weight=weight, reduction="none")
    posts, row = row_post.unique(return_inverse=True)
    sums = each.new_zeros(len(posts)).index_add(0, row, each.flatten(1).sum(1))
    counts = each.new_zeros(len(posts)).index_add(0, row, reviewed.flatten(1).sum(1).to(each.dtype))
    return (sums / counts.clamp(min=1)).mean()
