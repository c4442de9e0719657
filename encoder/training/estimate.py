"""About how long a training will take and how much memory it needs, before anything is loaded. No torch.

Time: 6 operations per backbone parameter and token (4 where the weights are frozen), a third more under gradient checkpointing, at
a share of the device's speed; plus starting up and measuring on dev. Memory: weights, gradients, optimizer and activations.
Calibrated on the bundled model on one CPU core (50 steps of 8 posts of 285 characters: 41 s of processor time, 1.05 GB).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder.config import CONFIG_FILE, EncoderConfig, TrainConfig
from encoder.errors import ModelUnusable
from encoder.examples import Example
from encoder.network.hub import resolve, weights_of
from encoder.simple.deep import most_words
from encoder.simple.files import encoder_weights
from encoder.text.sentences import sentences
from encoder.training.beside import is_all_new
from encoder.training.plan import count_steps

CHARACTERS_PER_TOKEN = 4.0
CHARACTERS_PER_WORD = 5.0
START_SECONDS = 10.0
EVALUATIONS = 5  # unless eval_steps says otherwise
HEADS_FILE = "heads.safetensors"
# operations per second that training reaches: measured for one CPU thread (small matrices by the hidden size, large ones from
# LARGE_HIDDEN), a third of the bf16 peak elsewhere
_CPU_SPEED, _CPU_SPEED_LARGE = 1.6e10, 7e10
_LARGE_HIDDEN = 512
_GPU_SPEEDS = {
    "H200": 3.3e14,
    "H100": 3.3e14,
    "A100": 1.0e14,
    "4090": 5.5e13,
    "L40": 6.0e13,
    "L4": 4.0e13,
    "A10": 4.2e13,
}
_OTHER_GPU = 2.0e13
_PROCESS_BYTES = 8.5e8
# of one criterion beside the model, measured with the small model on 60 and 200 posts: every part fitted several times over; weights
# alone, or n-grams alone; and what judging it and the model in service on held-out posts takes
_FIT_SECONDS_PER_WORD = 8e-4
_PLAIN_FIT_SECONDS_PER_WORD = 2e-4
_FIT_AGAIN_SECONDS = 0.3
_JUDGING_SECONDS, _JUDGING_SECONDS_PER_WORD = 2.5, 1e-3
_BESIDE_BYTES = 4e8


@dataclass(frozen=True, slots=True)
class Estimate:
    """seconds and memory_bytes are estimates: right within a factor of two on an idle device. steps is exact. judging_seconds: of
    measuring the new model and the one in service afterwards, None where it is not worked out.
    """

    seconds: float
    memory_bytes: int
    steps: int
    parameters: int
    judging_seconds: float | None = None

    def __str__(self) -> str:
        minutes = self.seconds / 60
        time = f"{self.seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min"
        return f"about {time}, {self.memory_bytes / 1e9:.1f} GB of memory (estimates), {self.steps} steps"


@dataclass(frozen=True, slots=True)
class Amount:
    """How much there is to learn from: examples, criteria in all, and earlier posts that are mixed in. test: what it is judged on too."""

    train: Sequence[Example]
    dev: Sequence[Example]
    criteria: int = 9
    replay: int = 0
    test: Sequence[Example] = ()


def estimate(
    amount: Amount,
    config: TrainConfig,
    *,
    base: str | Path,
    device: str = "cpu",
    encoder_config: EncoderConfig | None = None,
) -> Estimate:
    """Estimate a training of `base`. device: `cpu`, or the GPU's name as torch gives it. encoder_config: for a base without heads.

    A base of the Hub that is not here would be fetched: see `hub.base_is_here`. Raises ModelUnusable if it cannot be had.
    """
    directory = resolve(base)
    weights = weights_of(directory)
    if weights is None:
        raise ModelUnusable(f"The base of the adapter in {directory} is not on this machine yet.")
    shape, parameters = _shape(weights), count_parameters(weights)
    encoder = _encoder_config(directory, encoder_config)
    labelled = frozenset(key for e in amount.train for key in e.labels)
    if is_all_new(base, config, labelled) and _has_both_answers(amount.train):
        backbone = max(1, count_parameters(weights, with_heads=False) - shape["vocabulary"] * shape["hidden"])
        per_token = 2.0 * backbone / operations_per_second(device, config.threads, shape["hidden"])
        learning, judging = seconds_beside(amount, len(labelled), per_token)
        memory = int(parameters * 4.0 + _BESIDE_BYTES + _PROCESS_BYTES)
        return Estimate(START_SECONDS + learning, memory, 0, parameters, judging)
    steps = count_steps(len(amount.train), amount.replay, config, processes=config.processes)
    tokens = _tokens(amount.train, encoder, amount.criteria)
    work = Work(
        backbone=max(1, count_parameters(weights, with_heads=False) - shape["vocabulary"] * shape["hidden"]),
        posts=(steps + config.adaptation_steps) * config.batch_size * config.accumulation,
        different_posts=len(amount.train) + amount.replay,
        frozen=config.frozen_layers / max(1, shape["layers"]),
        tokens=tokens,
        measured_posts=_readings(steps, config) * len(amount.dev),
        measured_tokens=_tokens(amount.dev, encoder, amount.criteria),
    )
    return Estimate(
        START_SECONDS + work.operations(config) / operations_per_second(device, config.threads, shape["hidden"]),
        _memory(parameters, shape, tokens * config.batch_size, config, device),
        steps,
        parameters,
    )


def _has_both_answers(train: Sequence[Example]) -> bool:
    """Whether a criterion has evidence and sentences without it: else nothing can be fitted beside the model, and steps are taken."""
    with_evidence = {key for e in train for key, label in e.labels.items() if label.has_evidence}
    return any(
        not label.has_evidence or any(not any(s.overlaps(span) for span in label.spans) for s in sentences(e.post.text))
        for e in train
        for key, label in e.labels.items()
        if key in with_evidence
    )


def seconds_beside(amount: Amount, criteria: int, per_token: float) -> tuple[float, float]:
    """Of learning, and of judging what came of it; per_token: seconds of reading a token.

    Learning reads the posts whose vectors are learned from with two thirds of the layers and the dev posts as a whole too, and fits each
    criterion on the train posts, then its weights anew on all. Judging reads the held-out posts with both models and fits n-grams alone.
    """
    train, dev, test = (sum(len(e.post.text) for e in some) for some in (amount.train, amount.dev, amount.test))
    most = most_words(amount.criteria) * CHARACTERS_PER_WORD
    seen = min(train, most)
    first = (seen * _FIT_SECONDS_PER_WORD + (train - seen) * _PLAIN_FIT_SECONDS_PER_WORD) / CHARACTERS_PER_WORD
    again = (train + dev) / CHARACTERS_PER_WORD * _PLAIN_FIT_SECONDS_PER_WORD + _FIT_AGAIN_SECONDS
    plain = train / CHARACTERS_PER_WORD * _PLAIN_FIT_SECONDS_PER_WORD
    asked = (dev + test) / CHARACTERS_PER_WORD * _JUDGING_SECONDS_PER_WORD
    read = ((seen + dev) * 2 / 3 + dev) / CHARACTERS_PER_TOKEN * per_token
    read_to_judge = 2 * (dev + test) / CHARACTERS_PER_TOKEN * per_token
    return read + criteria * (first + again), _JUDGING_SECONDS + read_to_judge + criteria * (plain + asked)


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to compute. backbone: parameters that every token passes through, so neither embeddings nor heads.
    posts: read by one process in all steps together, each of `tokens`; measured_posts: the same in all evaluations together.
    frozen: share of the layers that stay as they are and are computed once for each of different_posts.
    """

    backbone: int
    posts: int
    different_posts: int
    frozen: float
    tokens: float
    measured_posts: int
    measured_tokens: float

    def operations(self, config: TrainConfig) -> float:
        """Floating point operations: 2 for a parameter and token forward, 2 back, 2 more where the weights are trained."""
        per_token = (6.0 if config.method == "full" else 4.0) * (4 / 3 if config.gradient_checkpointing else 1.0)
        learned = (1 - self.frozen) * self.posts * self.tokens * per_token
        once = self.frozen * min(self.posts, self.different_posts) * self.tokens * 2.0
        return self.backbone * (learned + once + self.measured_posts * self.measured_tokens * 2.0)


def count_parameters(directory: Path, *, with_heads: bool = True) -> int:
    """How many numbers the weights hold, from the headers of the safetensors files."""
    total = 0
    for path in encoder_weights(directory):
        if path.name == HEADS_FILE and not with_heads:
            continue
        header = _header(path)
        total += sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    if not total:
        raise ModelUnusable(f"{directory} has no weights: there is no .safetensors file.")
    return total


def _header(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header: dict[str, Any] = json.loads(file.read(min(size, 100_000_000)))
            return header
    except (OSError, ValueError, struct.error) as error:
        raise ModelUnusable(f"{path} is damaged: {error}") from error


def _shape(directory: Path) -> dict[str, int]:
    try:
        values = json.loads((directory / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"{directory / 'config.json'} cannot be read: {error}") from error
    text = values.get("text_config") or values.get("encoder") or values
    return {
        "hidden": int(text.get("hidden_size", 0)),
        "layers": int(text.get("num_hidden_layers", 0)),
        "vocabulary": int(text.get("vocab_size", values.get("vocab_size", 0))),
    }


def _encoder_config(directory: Path, given: EncoderConfig | None) -> EncoderConfig:
    if (directory / CONFIG_FILE).exists():
        return EncoderConfig.load(directory)
    return given or EncoderConfig(scoring="per-criterion")


def _readings(steps: int, config: TrainConfig) -> int:
    """How often the dev posts are read: at every evaluation, and to calibrate, which is one of them where there is nothing to choose."""
    evaluations = math.ceil(steps / config.eval_steps) if config.eval_steps else min(EVALUATIONS, steps)
    return 1 if evaluations <= 1 and not config.patience and not config.report_to else evaluations + 1


def _tokens(examples: Sequence[Example], encoder: EncoderConfig, criteria: int) -> float:
    """Tokens that one post costs on average, over all of its prompts."""
    if not examples:
        return 0.0
    post = sum(len(e.post.text) for e in examples) / len(examples) / CHARACTERS_PER_TOKEN
    if encoder.one_pass:
        return post + (20 * criteria if encoder.scoring == "packed" else 0)
    reviewed = sum(len(e.labels) for e in examples) / len(examples)
    return (post + 40) * reviewed


def operations_per_second(device: str, threads: int | None, hidden: int) -> float:
    """Floating point operations a second that training reaches on the device, as `estimate` names it. hidden: the hidden size."""
    if device == "cpu":
        return (_CPU_SPEED_LARGE if hidden >= _LARGE_HIDDEN else _CPU_SPEED) * min(threads or 1, 16)
    return next((speed for name, speed in _GPU_SPEEDS.items() if name in device), _OTHER_GPU)


def _memory(parameters: int, shape: Mapping[str, int], tokens: float, config: TrainConfig, device: str) -> int:
    weight = {"full": 4.0, "lora": 4.0 if device == "cpu" else 2.0, "qlora": 0.6}[config.method]
    trained = parameters if config.method == "full" else parameters * 0.02
    # what a layer keeps for the backward pass, in numbers per token and hidden unit: one under checkpointing; on a CPU the heap
    # holds on to what was computed between two of these, so that real Gemma took 9.1 GB for 4 posts of 750 characters x 9 criteria
    kept = (18.0 if device == "cpu" else 2.0) if config.gradient_checkpointing else 34.0
    activations = tokens * shape["hidden"] * shape["layers"] * kept * (4.0 if device == "cpu" else 2.0)
    return int(parameters * weight + trained * 12.0 + activations + _PROCESS_BYTES)
