"""The teacher: a small public sentence encoder, fine-tuned on the corpus, whose view of much text the bundled model learns.

Nothing of its weights goes into the bundled model; what is learned from it are its vectors and its answers (distillation,
Hinton et al. 2015, arXiv:1503.02531; of hidden states, Jiao et al. 2020, arXiv:1909.10351).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float32]
DEFAULT_TEACHER = "sentence-transformers/all-MiniLM-L6-v2"
MOST_WORDS = 90
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d|[^\w\s]|_")
_LONGEST = 128

_RATE, _BATCH = 2e-4, 32  # learning rate of the body, texts a step


@dataclass(frozen=True)
class TeacherView:
    """What the teacher made of some texts: a vector per text, criterion logits, and a vector per word (half precision).

    told: which texts it has read; for the others only the logits say something. words: None if it was not asked for them.
    """

    texts: Floats
    logits: Floats
    told: NDArray[np.bool_]
    words: list[NDArray[np.float16]] | None = None


def word_starts(text: str) -> list[int]:
    """Where the words of `text` begin: the places at which teacher and student are compared."""
    return [match.start() for match in _WORD.finditer(text)][:MOST_WORDS]


class Teacher(nn.Module):
    """A pretrained encoder with mean pooling and a linear layer for the criteria."""

    def __init__(self, name: str, criteria: int, device: str = "cpu") -> None:
        super().__init__()
        from transformers import AutoModel, AutoTokenizer

        self.tokenizer: Any = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        # eager attention is twice as fast as sdpa here: short sentences, one thread
        self.backbone: Any = AutoModel.from_pretrained(
            name, trust_remote_code=False, use_safetensors=True, attn_implementation="eager"
        )
        self.head = nn.Linear(self.size, criteria)
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(self.head.bias, -3.0)
        self.dropout = nn.Dropout(0.1)
        self.to(device)

    @property
    def size(self) -> int:
        return int(self.backbone.config.hidden_size)

    def encode(self, texts: Sequence[str]) -> Any:
        return self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=_LONGEST,
            return_tensors="pt",
            return_offsets_mapping=True,
        )

    def forward(self, encoded: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden states (B, T, H), mean vectors (B, H) and logits (B, criteria), fp32."""
        inputs = {k: v.to(self.head.weight.device) for k, v in encoded.items() if k != "offset_mapping"}
        with torch.autocast(self.head.weight.device.type, torch.bfloat16):
            hidden = self.backbone(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"].unsqueeze(-1).float()
        mean = (hidden * mask).sum(1) / mask.sum(1)
        return hidden, mean, self.head(self.dropout(mean))


def fine_tune(
    teacher: Teacher,
    texts: Sequence[str],
    labels: Floats,
    *,
    epochs: int = 2,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> None:
    """Fit the teacher to labels (texts, criteria), in place. Its embedding table stays as it is."""
    teacher.backbone.embeddings.requires_grad_(False)
    body = [p for p in teacher.backbone.parameters() if p.requires_grad]
    groups = [{"params": body, "base": _RATE}, {"params": list(teacher.head.parameters()), "base": 3e-3}]
    optimizer = torch.optim.AdamW(groups, lr=_RATE, weight_decay=0.01, fused=True)
    rng = np.random.default_rng(seed)
    steps, step, begun = epochs * math.ceil(len(texts) / _BATCH), 0, time.monotonic()
    weight = torch.tensor(2.0, device=teacher.head.weight.device)
    teacher.train()
    for epoch in range(1, epochs + 1):
        for chosen in _batches(texts, _BATCH, rng):
            factor = min(1.0, step / 100) * 0.5 * (1 + math.cos(math.pi * step / steps))
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * factor
            logits = teacher(teacher.encode([texts[n] for n in chosen]))[2]
            wanted = torch.from_numpy(labels[chosen]).to(logits.device)
            loss = labels.shape[1] * F.binary_cross_entropy_with_logits(logits, wanted, pos_weight=weight)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)
            optimizer.step()
            step += 1
        say(f"teacher: epoch {epoch} of {epochs}, {time.monotonic() - begun:.0f} s")
    teacher.eval()


@torch.inference_mode()
def view(teacher: Teacher, texts: Sequence[str], *, batch: int = 64, say: Callable[[str], None] = print) -> TeacherView:
    """The teacher's view of every text, in their order."""
    words: list[NDArray[np.float16]] = [np.zeros((0, teacher.size), np.float16)] * len(texts)
    means = np.zeros((len(texts), teacher.size), np.float32)
    logits = np.zeros((len(texts), teacher.head.out_features), np.float32)
    order = np.argsort([len(text) for text in texts])
    begun = time.monotonic()
    for first in range(0, len(texts), batch):
        chosen = order[first : first + batch]
        encoded = teacher.encode([texts[n] for n in chosen])
        hidden, mean, answer = (t.cpu().numpy() for t in teacher(encoded))
        means[chosen], logits[chosen] = mean, answer
        for row, n in enumerate(chosen):
            words[n] = _word_means(hidden[row], encoded["offset_mapping"][row].numpy(), word_starts(texts[n]))
        if first // batch % 400 == 399:
            say(f"teacher: {first + batch} of {len(texts)} texts, {time.monotonic() - begun:.0f} s")
    return TeacherView(means, logits, np.ones(len(texts), np.bool_), words)


def word_vectors(teacher: Teacher, words: Sequence[str]) -> Floats:
    """The teacher's mean vector of each word on its own, (words, H)."""
    return view(teacher, words, say=lambda line: None).texts


def _word_means(hidden: Floats, offsets: NDArray[np.int64], starts: Sequence[int]) -> NDArray[np.float16]:
    """Mean hidden state of each word's pieces; zeros where truncation left none."""
    means = np.zeros((len(starts), hidden.shape[1]), np.float32)
    if not starts:
        return means.astype(np.float16)
    place = np.searchsorted(starts, offsets[:, 0], side="right") - 1
    real = (offsets[:, 1] > offsets[:, 0]) & (place >= 0)
    counts = np.bincount(place[real], minlength=len(starts))
    np.add.at(means, place[real], hidden[real])
    return (means / np.maximum(counts, 1)[:, None]).astype(np.float16)


def _batches(texts: Sequence[str], size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """All texts once, in batches of similar length, in random order."""
    order = rng.permutation(len(texts))
    batches = []
    for first in range(0, len(order), 20 * size):
        chunk = sorted(order[first : first + 20 * size], key=lambda n: len(texts[n]))
        batches += [np.array(chunk[at : at + size]) for at in range(0, len(chunk), size)]
    return [batches[n] for n in rng.permutation(len(batches))]
