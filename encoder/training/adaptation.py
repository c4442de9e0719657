"""The optional stage before fine-tuning: the backbone learns to use what comes after a token, on unlabeled posts.

A pretrained decoder predicts a hidden token from the position before it, as it learned to (masked next-token prediction of
LLM2Vec, arXiv:2404.05961); an encoder, or a model of ours, from the hidden token's own position.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from encoder.config import TrainConfig
from encoder.errors import TrainingFailed
from encoder.examples import Example
from encoder.network.batching import IGNORED
from encoder.network.model import EvidenceEncoder
from encoder.training.trainer import Inputs
from storage.records import Criterion


class MaskedTokens(nn.Module):
    """A backbone with its input embeddings as output layer; only hidden tokens are scored, so no full vocabulary is kept."""

    def __init__(self, backbone: Any, *, shift: int) -> None:
        super().__init__()
        self.backbone, self._shift = backbone, shift

    def forward(self, input_ids: Tensor, attention_mask: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """targets: the hidden tokens' ids where they were hidden, -100 elsewhere; all (R, T). Returns `loss`, fp32."""
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        at = targets[:, self._shift :] != IGNORED
        states = hidden[:, : hidden.shape[1] - self._shift][at]
        table = self.backbone.get_input_embeddings().weight
        with torch.autocast(hidden.device.type, enabled=False):
            logits = states.float() @ table.float().T
            wanted = targets[:, self._shift :][at]
            return {"loss": F.cross_entropy(logits, wanted) if len(wanted) else logits.sum() * 0.0}


class MaskingReader:
    """Makes the inputs of `MaskedTokens` out of posts."""

    def __init__(
        self, encoder: EvidenceEncoder, criteria: Sequence[Criterion], examples: Sequence[Example], config: TrainConfig
    ) -> None:
        hidden = encoder.tokenizer.special("mask")
        self._hidden = encoder.tokenizer.special("unk") if hidden is None else hidden
        if self._hidden is None:
            raise TrainingFailed("The tokenizer has neither a mask nor an unknown token; set adaptation_steps to 0.")
        self._batcher = encoder.batcher(criteria)
        self._examples, self._share = examples, config.adaptation_masking

    def __call__(self, indices: Sequence[int], seed: int) -> Inputs | None:
        """The first window of each post with a share of its tokens hidden."""
        rows = [self._batcher.rows(self._batcher.read(self._examples[i].post), n)[0] for n, i in enumerate(indices)]
        batch = self._batcher.batch(rows)
        chance = torch.from_numpy(np.random.default_rng(seed).random(tuple(batch.input_ids.shape)))
        hide = (chance < self._share) & batch.post_mask.bool()
        targets = torch.where(hide, batch.input_ids, torch.full_like(batch.input_ids, IGNORED))
        ids = torch.where(hide, torch.full_like(batch.input_ids, int(self._hidden or 0)), batch.input_ids)
        return Inputs({"input_ids": ids, "attention_mask": batch.attention_mask, "targets": targets})


def shift_of(encoder: EvidenceEncoder, *, ours: bool) -> int:
    """1 for a pretrained decoder, 0 for an encoder and for models that were fine-tuned here."""
    return int(not ours and encoder.family.bidirectional == "config")
