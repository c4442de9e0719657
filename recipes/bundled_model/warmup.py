"""The warm-up of the bundled model's backbone, before it sees a post: learning a teacher's view of many short texts.

Rows are sentences one after the other, while the teacher saw each alone: so the student learns to read a sentence for itself
whatever stands beside it. Without a teacher: masked language modeling on the same rows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from encoder.text.tokenizer import TextTokenizer
from recipes.bundled_model.teacher import Floats, TeacherView, word_starts
from recipes.bundled_model.tokenizer import FIRST_WORD

_LONGEST = 80
_ROWS = (80, 80, 160, 320)
_SLACK = 24


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How long and how fast. tokens: per step, in rows of 80 (every other step), 160 or 320."""

    steps: int = 10_000
    tokens: int = 960
    rate: float = 2e-3
    weight_decay: float = 0.02
    token_masking: float = 0.06
    seed: int = 0


@dataclass(frozen=True)
class ReadTexts:
    """Token ids of every text, and the number of the word that each token belongs to.

    groups: which texts are read in equal shares: the corpus, its variants, general text.
    """

    ids: list[NDArray[np.int64]]
    words: list[NDArray[np.int64]]
    groups: Sequence[range]

    @classmethod
    def of(cls, texts: Sequence[str], tokenizer: TextTokenizer, groups: Sequence[range] = ()) -> ReadTexts:
        """Read the texts; all of them are one group unless said otherwise."""
        ids, words = [], []
        for text in texts:
            encoded = tokenizer.encode(text)
            ids.append(np.array(encoded.ids[:_LONGEST], np.int64))
            place = np.searchsorted(word_starts(text) or [0], encoded.map.starts[:_LONGEST], side="right") - 1
            words.append(np.maximum(place, 0).astype(np.int64))
        return cls(ids, words, groups or [range(len(ids))])


@dataclass(frozen=True)
class Rows:
    """Texts in rows. texts, words: (R, T), number of the text or word in the batch that a token belongs to, -1 for padding.
    numbers: the texts, in the order of their numbers in the batch; first_word: number of each one's first word."""

    input_ids: Tensor
    attention_mask: Tensor
    texts: Tensor
    words: Tensor
    numbers: list[int]
    first_word: list[int]
    word_count: int


class Student(nn.Module):
    """A backbone and the layers that compare it with the teacher; the backbone is kept, and the layer that answers."""

    def __init__(self, backbone: Any, teacher_size: int, criteria: int) -> None:
        super().__init__()
        size = backbone.config.hidden_size
        self.backbone = backbone
        self.word = nn.Linear(size, teacher_size)
        self.text = nn.Linear(size, teacher_size)
        self.dropout = nn.Dropout(0.1)
        self.answer = nn.Linear(size, criteria)
        nn.init.constant_(self.answer.bias, -3.0)

    def hidden(self, rows: Rows) -> Tensor:
        """(R, T, H), fp32."""
        with torch.autocast(rows.input_ids.device.type, torch.bfloat16):
            output = self.backbone(input_ids=rows.input_ids, attention_mask=rows.attention_mask)
        hidden: Tensor = output.last_hidden_state.float()
        return hidden


def start_from_words(backbone: Any, tokenizer: TextTokenizer, vectors: Callable[[Sequence[str]], Floats]) -> None:
    """Give each token the teacher's vector of it as a word, on its principal axes, at the scale that Gemma expects."""
    table = backbone.get_input_embeddings().weight
    count, size = table.shape
    names = sorted(tokenizer.backend.get_vocab().items(), key=lambda item: item[1])[:count]
    known = vectors([name.replace("▁", "") or "-" for name, _ in names])[FIRST_WORD:]
    known = known - known.mean(0)
    axes = np.linalg.svd(known, full_matrices=False)[2][:size]
    rotated = known @ axes.T
    with torch.no_grad():
        table[FIRST_WORD:].copy_(torch.from_numpy(rotated / (rotated.std() * math.sqrt(size))))


def distill(
    backbone: Any,
    read: ReadTexts,
    seen: TeacherView,
    soft: Floats,
    plan: WarmUp,
    *,
    say: Callable[[str], None] = print,
) -> nn.Linear:
    """Train the backbone, in place, on the teacher's word vectors, text vectors and answers, where the teacher has given them.

    Returns the layer that gives the answers from a mean of hidden states.

    soft: wanted answers in [0, 1], (texts, criteria).
    """
    student = Student(backbone, seen.texts.shape[1], soft.shape[1]).to(backbone.device)
    word_loss = _word_loss(student, seen) if seen.words is not None else None
    text_scale = _Scale.of(seen.texts[seen.told])

    def loss_of(rows: Rows) -> Tensor:
        hidden = student.hidden(rows)
        texts = _means(hidden, rows.texts, len(rows.numbers))
        answers = torch.from_numpy(soft[rows.numbers]).to(hidden.device)
        loss = soft.shape[1] * F.binary_cross_entropy_with_logits(student.answer(student.dropout(texts)), answers)
        told = seen.told[rows.numbers]
        if told.any():
            wanted = torch.from_numpy(text_scale.apply(seen.texts[rows.numbers])[told]).to(hidden.device)
            loss = loss + F.mse_loss(student.text(texts)[torch.from_numpy(told)], wanted)
        return loss if word_loss is None else loss + word_loss(hidden, rows)

    _train(student, read, plan, loss_of, say)
    return student.answer


def _word_loss(student: Student, seen: TeacherView) -> Callable[[Tensor, Rows], Tensor]:
    """How far the student's words are from the teacher's, which has been asked for them."""
    assert seen.words is not None
    scale = _Scale.of(np.concatenate(seen.words[:20000]))

    def loss_of(hidden: Tensor, rows: Rows) -> Tensor:
        words = _means(hidden, rows.words, rows.word_count)
        wanted, there = (t.to(hidden.device) for t in _word_targets(rows, seen, scale))
        return ((student.word(words) - wanted).square().mean(1) * there).sum() / there.sum()

    return loss_of


def masked_language_model(
    backbone: Any,
    read: ReadTexts,
    plan: WarmUp,
    mask_id: int,
    *,
    say: Callable[[str], None] = print,
) -> None:
    """Train the backbone, in place, to tell hidden tokens from the others (15 %), with tied embeddings."""
    table = backbone.get_input_embeddings().weight
    rng = np.random.default_rng(plan.seed + 1)
    transform = nn.Linear(table.shape[1], table.shape[1]).to(backbone.device)
    model = nn.ModuleDict({"backbone": backbone, "transform": transform})

    def loss_of(rows: Rows) -> Tensor:
        hide = torch.from_numpy(rng.random(rows.input_ids.shape) < 0.15).to(rows.input_ids.device) & (rows.texts >= 0)
        hide[0, 0] = True
        with torch.autocast(rows.input_ids.device.type, torch.bfloat16):
            masked = rows.input_ids.masked_fill(hide, mask_id)
            hidden = backbone(input_ids=masked, attention_mask=rows.attention_mask).last_hidden_state
            logits = transform(hidden[hide]) @ table.T
        return F.cross_entropy(logits.float(), rows.input_ids[hide])

    _train(model, read, plan, loss_of, say)


@dataclass(frozen=True)
class _Scale:
    """Mean and spread per dimension: the teacher's vectors have a few dimensions far larger than the others."""

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, vectors: NDArray[Any]) -> _Scale:
        values = vectors.astype(np.float32)
        return cls(values.mean(0), values.std(0) + 1e-3)

    def apply(self, vectors: NDArray[Any]) -> Floats:
        return np.asarray((vectors - self.mean) / self.spread, np.float32)


def _train(
    model: nn.Module,
    read: ReadTexts,
    plan: WarmUp,
    loss_of: Callable[[Rows], Tensor],
    say: Callable[[str], None],
) -> None:
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=plan.rate, betas=(0.9, 0.98), weight_decay=plan.weight_decay, fused=True
    )
    filled = [group for group in read.groups if len(group)]
    rng = np.random.default_rng(plan.seed)
    device = next(model.parameters()).device
    begun, total = time.monotonic(), 0.0
    model.train()
    for step in range(1, plan.steps + 1):
        factor = min(1.0, step / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / plan.steps)))
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * factor
        length = int(rng.choice(_ROWS))
        rows = [_fill(read, filled, length, rng) for _ in range(plan.tokens // length)]
        loss = loss_of(_rows(read, rows, plan.token_masking, rng, device))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        total += loss.item()
        if step % 500 == 0 or step == plan.steps:
            say(
                f"warm-up: step {step} of {plan.steps}, loss {total / (step % 500 or 500):.3f}, {time.monotonic() - begun:.0f} s"
            )
            total = 0.0
    model.eval()


def _fill(read: ReadTexts, groups: Sequence[range], length: int, rng: np.random.Generator) -> list[int]:
    """Texts for one row of `length` tokens: as many as fit."""
    chosen: list[int] = []
    filled = 0
    while filled < length - _SLACK:
        group = groups[int(rng.integers(len(groups)))]
        number = int(rng.integers(group.start, group.stop))
        tokens = len(read.ids[number])
        if tokens and filled + tokens <= length:
            chosen.append(number)
            filled += tokens
    return chosen


def _rows(
    read: ReadTexts, rows: Sequence[Sequence[int]], masking: float, rng: np.random.Generator, device: torch.device
) -> Rows:
    length = max(sum(len(read.ids[n]) for n in row) for row in rows)
    ids, mask = np.zeros((len(rows), length), np.int64), np.zeros((len(rows), length), np.int64)
    texts, words = np.full_like(ids, -1), np.full_like(ids, -1)
    numbers: list[int] = []
    first_word: list[int] = []
    word_count = 0
    for r, row in enumerate(rows):
        at = 0
        for n in row:
            end = at + len(read.ids[n])
            ids[r, at:end], mask[r, at:end], texts[r, at:end] = read.ids[n], 1, len(numbers)
            words[r, at:end] = read.words[n] + word_count
            numbers.append(n)
            first_word.append(word_count)
            word_count += int(read.words[n].max()) + 1
            at = end
    ids[(rng.random(ids.shape) < masking) & (mask > 0)] = 4  # <mask>
    input_ids, attention_mask, of_text, of_word = (torch.from_numpy(a).to(device) for a in (ids, mask, texts, words))
    return Rows(input_ids, attention_mask, of_text, of_word, numbers, first_word, word_count)


def _word_targets(rows: Rows, seen: TeacherView, scale: _Scale) -> tuple[Tensor, Tensor]:
    """The teacher's vectors of the rows' words, (words, H), and 1 where there is one, (words,)."""
    assert seen.words is not None
    wanted = np.zeros((rows.word_count, seen.texts.shape[1]), np.float32)
    there = np.zeros(rows.word_count, np.float32)
    ends = [*rows.first_word[1:], rows.word_count]
    for number, first, end in zip(rows.numbers, rows.first_word, ends, strict=True):
        vectors = seen.words[number][: end - first]
        wanted[first : first + len(vectors)] = scale.apply(vectors)
        there[first : first + len(vectors)] = 1.0
    return torch.from_numpy(wanted), torch.from_numpy(there)


def _means(hidden: Tensor, numbers: Tensor, count: int) -> Tensor:
    """Mean of the tokens with each number: (R, T, H), (R, T) with -1 for none -> (count, H)."""
    place = torch.where(numbers < 0, count, numbers).reshape(-1)
    sums = hidden.new_zeros(count + 1, hidden.shape[-1]).index_add(0, place, hidden.reshape(-1, hidden.shape[-1]))
    counts = torch.bincount(place, minlength=count + 1).to(hidden.dtype)
    return (sums / counts.clamp(min=1).unsqueeze(-1))[:count]
