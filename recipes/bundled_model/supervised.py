"""The supervised stage: sentence, token and post heads of an encoder, on posts composed from the corpus."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from encoder.bundled.corpus import Composed, Composer
from encoder.config import TrainConfig
from encoder.network.batching import Batch, Batcher, Row
from encoder.network.dropout import set_dropout
from encoder.network.model import EvidenceEncoder
from storage.records import Criterion

Floats = NDArray[np.float32]
_ID_LENGTH = 40.0
_WHOLE_SHARE = 1 / 2
_SENTENCES_PER_POST = 9


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast. items: passages per step. lengths: passages per post, one of them for each step, so that little
    is computed on padding; the first quarter of the steps has the first half of them only."""

    steps: int = 800
    items: int = 56
    lengths: tuple[int, ...] = (1, 2, 3, 1, 4, 7, 14)
    backbone_rate: float = 3e-4
    head_rate: float = 1e-3
    weight_decay: float = 0.02
    token_masking: float = 0.06
    hidden_dropout: float = 0.1
    average: float = 0.98
    evaluate_every: int = 120
    seed: int = 0


@dataclass(frozen=True)
class Material:
    """What the steps read: posts that are composed, and posts written as such, which make up half of the steps.

    wordings: the criteria in several wordings; each step reads one of them, so that the text may be re-worded later.
    """

    composer: Composer
    whole: Sequence[Composed]
    wordings: Sequence[Sequence[Criterion]]


@dataclass(frozen=True)
class Targets:
    """What is known of each item, all (items, criteria): soft labels in [0, 1], and logits of a table that never saw it."""

    soft: Floats
    wide: Floats


def train_heads(
    encoder: EvidenceEncoder,
    material: Material,
    targets: Targets,
    plan: Plan,
    *,
    quality: Callable[[EvidenceEncoder], float],
    say: Callable[[str], None] = print,
) -> EvidenceEncoder:
    """Train in place and return the averaged encoder that was best by `quality` (higher is better) on dev.

    The encoder's own n-gram table is left out meanwhile: `targets.wide` stands in for it.
    """
    train_config = TrainConfig(
        hidden_dropout=plan.hidden_dropout, attention_dropout=0.0, sentence_loss=9.0, token_loss=2.0, post_loss=1.0
    )
    encoder.prepare_training(train_config)
    batchers = [
        encoder.batcher(w, token_masking=plan.token_masking, seed=plan.seed + n)
        for n, w in enumerate(material.wordings)
    ]
    optimizer = _optimizer(encoder, plan)
    averaged = copy.deepcopy(encoder)
    best, best_quality = copy.deepcopy(encoder.state_dict()), -1.0
    rng = np.random.default_rng(plan.seed)
    encoder.train()
    begun, losses = time.monotonic(), list[float]()
    for step in range(1, plan.steps + 1):
        _set_rate(optimizer, step, plan)
        composed = _posts(material, plan, rng, short=step < plan.steps / 4)
        losses.append(_step(encoder, optimizer, batchers[rng.integers(len(batchers))], composed, targets))
        _average(averaged, encoder, min(plan.average, step / (step + 10)))
        if step % plan.evaluate_every == 0 or step == plan.steps:
            averaged.eval()
            found = quality(averaged)
            say(f"step {step}: loss {np.mean(losses):.4f}, dev {found:.4f}, {time.monotonic() - begun:.0f} s")
            losses.clear()
            if found > best_quality:
                best, best_quality = copy.deepcopy(averaged.state_dict()), found
    encoder.load_state_dict(best)
    set_dropout(encoder.backbone, attention=0.0, hidden=0.0)
    return encoder.eval()


def _posts(material: Material, plan: Plan, rng: np.random.Generator, *, short: bool) -> list[Composed]:
    """The posts of one step."""
    whole = material.whole
    if whole and rng.random() < _WHOLE_SHARE:
        return [whole[n] for n in rng.integers(0, len(whole), plan.items // _SENTENCES_PER_POST)]
    lengths = plan.lengths[: len(plan.lengths) // 2] if short else plan.lengths
    length = int(rng.choice(lengths))
    return [material.composer.compose(count=length) for _ in range(plan.items // length)]


def install_answers(encoder: EvidenceEncoder, weights: Tensor, bias: Tensor, criteria: Sequence[Criterion]) -> None:
    """Make the sentence head give `weights` @ sentence + `bias`, (criteria, H) and (criteria,), whatever the criteria's wording.

    Each known criterion gets a long id vector of its own direction, away from what the criteria's texts look like; the head's
    projections turn that direction into the criterion's weights, so that a text adds little to it.
    """
    pair, ids = encoder.heads.pair, encoder.heads.criterion_id
    assert pair is not None
    assert ids is not None
    batcher = encoder.batcher(criteria)
    with torch.no_grad():
        texts = encoder.criterion_vectors(*batcher.criteria_batch(), torch.full((len(criteria),), -1))
        directions = _away_from(texts, len(criteria))
        ids.weight.copy_(_ID_LENGTH * directions)
        scaled = weights / (_ID_LENGTH * pair.scale)
        text, criterion = pair.text["sentence"], pair.criterion["sentence"]
        assert isinstance(text, nn.Linear)
        assert isinstance(criterion, nn.Linear)
        size = text.out_features
        axes = torch.linalg.svd(weights, full_matrices=True)[2][:size]  # the first hold the weight vectors
        text.weight.copy_(axes)
        text.bias.zero_()
        criterion.weight.copy_(axes @ scaled.T @ directions)
        criterion.bias.zero_()
        sentence = pair.KINDS.index("sentence")
        pair.prior.weight[sentence] = (bias / _ID_LENGTH) @ directions
        pair.prior.bias[sentence] = 0.0


def _away_from(vectors: Tensor, count: int) -> Tensor:
    """`count` directions of length 1, at right angles to each other and to the vectors, (count, H)."""
    size = vectors.shape[1]
    taken = torch.linalg.svd(vectors, full_matrices=True)[2][: len(vectors)]
    free = torch.randn(count, size, generator=torch.Generator().manual_seed(0))
    free = free - free @ taken.T @ taken
    return torch.linalg.qr(free.T)[0].T.contiguous()


def soft_batch(batcher: Batcher, composed: Sequence[Composed], targets: Targets) -> tuple[Batch, Tensor]:
    """The batch of some composed posts with soft sentence labels, and the table's logits, (R, S, C)."""
    rows = [
        row
        for number, c in enumerate(composed)
        for row in batcher.rows(batcher.read(c.example.post), number, c.example.labels)
    ]
    batch = batcher.batch(rows)
    assert batch.sentence_labels is not None
    labels, wide = batch.sentence_labels.clone(), torch.zeros_like(batch.sentence_labels)
    for r, row in enumerate(rows):
        for s, item in enumerate(_items_of(row, composed[row.post_number])):
            labels[r, s] = torch.from_numpy(targets.soft[item])
            wide[r, s] = torch.from_numpy(targets.wide[item])
    return replace(batch, sentence_labels=labels), wide


def _items_of(row: Row, composed: Composed) -> list[int]:
    """The item that each sentence of the row lies in (by its middle)."""
    found = []
    for sentence in row.read.sentences[row.window.first_sentence : row.window.last_sentence]:
        middle = (sentence.start + sentence.end) // 2
        found.append(min(composed.places, key=lambda p: max(p[0] - middle, middle - p[1], 0))[2])
    return found


def _step(
    encoder: EvidenceEncoder,
    optimizer: torch.optim.Optimizer,
    batcher: Batcher,
    composed: Sequence[Composed],
    targets: Targets,
) -> float:
    batch, wide = soft_batch(batcher, composed, targets)
    table, encoder.heads.wide = encoder.heads.wide, None
    with torch.autocast("cpu", torch.bfloat16):
        scores = encoder.score(batch)
    encoder.heads.wide = table
    loss = encoder.loss(scores._replace(sentences=scores.sentences + wide), batch).total
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def _optimizer(encoder: EvidenceEncoder, plan: Plan) -> torch.optim.Optimizer:
    heads = [p for name, p in encoder.heads.named_parameters() if not name.startswith("wide.")]
    groups = [
        {"params": list(encoder.backbone.parameters()), "lr": plan.backbone_rate, "base": plan.backbone_rate},
        {"params": heads, "lr": plan.head_rate, "base": plan.head_rate},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=plan.weight_decay, fused=True)


def _set_rate(optimizer: torch.optim.Optimizer, step: int, plan: Plan) -> None:
    factor = min(1.0, step / 80) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / plan.steps)))
    for group in optimizer.param_groups:
        group["lr"] = group["base"] * factor


def _average(averaged: EvidenceEncoder, encoder: EvidenceEncoder, keep: float) -> None:
    with torch.no_grad():
        for old, new in zip(averaged.parameters(), encoder.parameters(), strict=True):
            old.lerp_(new, 1.0 - keep)
