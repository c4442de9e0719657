"""Small reviewed posts that a tiny model can learn: sentences about the night are evidence for sleep problems."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from encoder.config import TrainConfig
from encoder.examples import Example, Label, example_to_json
from encoder.network.checkpoints import save_encoder
from storage.records import Post, Span, Verdict
from tests.encoder.tiny import CRITERIA, tiny_encoder

SLEEP, MOOD, FATIGUE = (c.id for c in CRITERIA)
SENTENCES = (
    "I cannot sleep.",
    "The dog is well.",
    "We walked to the lake.",
    "Awake all night again.",
    "My mother called me yesterday.",
)
NIGHTS = (SENTENCES[0], SENTENCES[3])
QUICK = TrainConfig(max_steps=8, learning_rate=3e-3, head_learning_rate=1e-2, batch_size=4, eval_steps=4, threads=1)


def an_example(number: int, kind: str, *, criterion: str = SLEEP) -> Example:
    """A post of three sentences, reviewed for one criterion; where there is no evidence, its first sentence was rejected."""
    chosen = (SENTENCES[number % 5], SENTENCES[(number + 2) % 5], SENTENCES[(3 * number + 1) % 5])
    text, spans = "", []
    for sentence in chosen:
        if sentence in NIGHTS:
            spans.append(Span(len(text), len(text) + len(sentence)))
        text += f"{sentence} "
    rejected = () if spans else (Span(0, len(chosen[0])),)
    label = Label(Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE, tuple(spans), rejected)
    return Example(Post(f"{kind}{number}", text.strip()), {criterion: label})


def examples(kind: str, count: int, *, criterion: str = SLEEP) -> list[Example]:
    return [an_example(n, kind, criterion=criterion) for n in range(count)]


def a_base(directory: Path, **changes: Any) -> Path:
    """A tiny model of ours with random weights, saved."""
    save_encoder(tiny_encoder(**changes), directory / "base")
    return directory / "base"


class Stop(Exception):
    """What a caller raises to cancel."""


class Recorder:
    """A monitor that keeps what it hears, and raises Stop where it is told to."""

    def __init__(self, *, stop_at_step: int | None = None, stop_in_stage: str | None = None) -> None:
        self.fractions: list[float] = []
        self.stages: list[str] = []
        self.figures: list[tuple[int, dict[str, float]]] = []
        self.lines: list[str] = []
        self._stop_at_step, self._stop_in_stage = stop_at_step, stop_in_stage

    def progress(self, fraction: float, stage: str, message: str) -> None:
        self.fractions.append(fraction)
        self.stages.append(stage)
        if stage == self._stop_in_stage:
            raise Stop

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self.figures.append((step, dict(values)))
        if step == self._stop_at_step and "loss" in values:
            raise Stop

    def log(self, line: str) -> None:
        self.lines.append(line)


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """A gold file as a project writes it."""
    lines = (json.dumps(example_to_json(example), ensure_ascii=False) + "\n" for example in examples)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
