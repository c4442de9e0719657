"""From indices of examples to the tensors of a step. Posts are tokenized once and kept while they fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from encoder.config import TrainConfig
from encoder.examples import Example, Label
from encoder.measure.metrics import sentence_is_evidence
from encoder.network.batching import Batcher, Row
from encoder.network.model import EvidenceEncoder
from encoder.text.windows import ReadPost
from encoder.training.trainer import Inputs
from storage.records import Criterion

_KEPT_TOKENS = 20_000_000


class Reader:
    """Makes labeled inputs of examples for one encoder."""

    def __init__(
        self, encoder: EvidenceEncoder, criteria: Sequence[Criterion], examples: Sequence[Example], config: TrainConfig
    ) -> None:
        self._encoder, self._criteria, self._examples, self._config = encoder, list(criteria), examples, config
        self._kept: dict[int, ReadPost] = {}
        self._kept_tokens = 0

    def __call__(self, indices: Sequence[int], seed: int) -> Inputs | None:
        """The inputs of some examples; `seed` decides which tokens are hidden. None if nothing in them was reviewed."""
        batcher = self._encoder.batcher(self._criteria, token_masking=self._config.token_masking, seed=seed)
        rows = [
            row
            for number, index in enumerate(indices)
            for row in batcher.rows(self._read(index, batcher), number, self._examples[index].labels)
        ]
        if not rows:
            return None
        tensors = batcher.batch(rows).tensors()
        hard = hard_negatives(rows, self._criteria, tensors["sentence_labels"])
        return Inputs(tensors, hard, self._config.hard_negative_weight * self._config.sentence_loss)

    def _read(self, index: int, batcher: Batcher) -> ReadPost:
        if index not in self._kept:
            read = batcher.read(self._examples[index].post)
            if self._kept_tokens + len(read.ids) > _KEPT_TOKENS:
                return read
            self._kept[index] = read
            self._kept_tokens += len(read.ids)
        return self._kept[index]


def hard_negatives(rows: Sequence[Row], criteria: Sequence[Criterion], labels: Tensor) -> Tensor | None:
    """1 for sentences that a rejected span lies on and that are labeled 0, shape of `labels` (R, S, C); None without any."""
    mask = np.zeros(tuple(labels.shape), dtype=np.float32)
    for r, row in enumerate(rows):
        for column in range(mask.shape[2]):
            criterion = criteria[column if row.criterion is None else row.criterion]
            label = (row.label or {}).get(criterion.id)
            if label is not None and label.rejected:
                mask[r, :, column] = _rejected(row, label, mask.shape[1])
    if not mask.any():
        return None
    return torch.from_numpy(mask) * (labels == 0)


def _rejected(row: Row, label: Label, size: int) -> np.ndarray:
    found = np.zeros(size, dtype=np.float32)
    window = row.window
    for s, sentence in enumerate(row.read.sentences[window.first_sentence : window.last_sentence]):
        found[s] = sentence_is_evidence(sentence, label.rejected)
    return found


@dataclass(frozen=True, slots=True)
class Usable:
    """Examples that can be trained on, and how many posts had nothing reviewed for the criteria asked."""

    examples: tuple[Example, ...]
    unreviewed: int


def usable(examples: Sequence[Example], criteria: Sequence[Criterion]) -> Usable:
    """The examples with at least one reviewed criterion among those asked."""
    ids = {c.id for c in criteria}
    kept = tuple(e for e in examples if any(key in ids for key in e.labels))
    return Usable(kept, len(examples) - len(kept))


def count_lost(
    encoder: EvidenceEncoder, criteria: Sequence[Criterion], examples: Sequence[Example]
) -> Mapping[str, int]:
    """What training will not see of these examples: spans without a token, spans on no sentence, spans cut by every window."""
    batcher = encoder.batcher(criteria)
    ids = {c.id for c in criteria}
    lost = {"spans_without_tokens": 0, "spans_without_sentence": 0, "spans_cut_by_windows": 0}
    for example in examples:
        labels = {key: label for key, label in example.labels.items() if key in ids and label.spans}
        if not labels:
            continue
        read = batcher.read(example.post)
        windows = [row.window for row in batcher.rows(read, 0, labels)]
        for span in {s for label in labels.values() for s in label.spans}:
            first, last = read.map.tokens(span.start, span.end)
            if first >= last:
                lost["spans_without_tokens"] += 1
            elif not any(w.token_start <= first and last <= w.token_end for w in windows):
                lost["spans_cut_by_windows"] += 1
            if not any(sentence_is_evidence(sentence, [span]) for sentence in read.sentences):
                lost["spans_without_sentence"] += 1
    return lost
