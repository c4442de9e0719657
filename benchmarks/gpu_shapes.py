"""Speed of the real Gemma shapes with random weights: forward passes, posts x 9 criteria, and training steps with LoRA.

    python -m benchmarks.gpu_shapes [--only gemma-3-1b ...] [--tiny]
    python -m benchmarks.gpu_shapes --only gemma-3-270m --weights google/gemma-3-270m --rounds 3

Speed hardly depends on what the weights are, so nothing is downloaded. `--weights` takes those of a base that is here instead, also
on a CPU, where no batch has more than four posts. `--tiny` shrinks every shape, so that the script runs anywhere; its figures mean
nothing. Share of peak: model operations (2 per weight and token forward, 4 more for a LoRA step's backward pass without weight
gradients, and attention) over the time, over the card's dense bf16 peak.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from encoder.config import CONFIG_FILE, EncoderConfig, TrainConfig
from encoder.network.checkpoints import LoadOptions, load_encoder
from encoder.network.families import FAMILIES, make_bidirectional
from encoder.network.hub import BUNDLED_DIRECTORY, resolve
from encoder.network.model import EvidenceEncoder
from encoder.predict import Predictor
from encoder.text.tokenizer import TextTokenizer
from encoder.training.adapters import choose_trained
from storage.records import Criterion, Post

# dense bf16 peaks in operations per second, from the makers' data sheets
PEAKS = {
    "H200": 989e12,
    "H100": 989e12,
    "A100": 312e12,
    "RTX 4090": 165e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10G": 70e12,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One model's size and the batches to measure, as (posts, tokens)."""

    name: str
    family: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_value_heads: int
    head_size: int
    vocabulary: int
    batches: tuple[tuple[int, int], ...]


SHAPES = (
    Shape("gemma-2b", "gemma", 2048, 16384, 18, 8, 1, 256, 256000, ((16, 512), (8, 1024))),
    Shape("gemma-7b", "gemma", 3072, 24576, 28, 16, 16, 256, 256000, ((4, 512), (2, 1024))),
    Shape("gemma-3-270m", "gemma3_text", 640, 2048, 18, 4, 1, 256, 262144, ((32, 512),)),
    Shape("gemma-3-1b", "gemma3_text", 1152, 6912, 26, 4, 1, 256, 262144, ((16, 512),)),
    Shape("gemma-3-4b", "gemma3_text", 2560, 10240, 34, 8, 4, 256, 262144, ((8, 512),)),
)
MARKS = tuple(f"<unused{n}>" for n in range(6))
"""Marks that Gemma's vocabulary has, so that no embeddings are added."""
CPU_POSTS = 4
CRITERIA = [Criterion(f"C{n}", f"Criterion {n}", f"The writer describes sign number {n}.") for n in range(9)]


@dataclass(frozen=True, slots=True)
class Measured:
    """samples and posts per second, memory in bytes, share of the peak or None where the peak is not known."""

    name: str
    samples: float
    memory: int
    share: float | None


def tiny(shape: Shape) -> Shape:
    batches = tuple((2, min(64, tokens)) for _, tokens in shape.batches)
    return replace(
        shape,
        hidden=64,
        intermediate=128,
        layers=2,
        heads=2,
        key_value_heads=1,
        head_size=32,
        vocabulary=8000,
        batches=batches,
    )


def small_batches(shape: Shape) -> Shape:
    return replace(shape, batches=tuple((min(CPU_POSTS, posts), tokens) for posts, tokens in shape.batches))


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes encoders of a shape. weights: the base whose weights they have, or none for random ones."""

    shape: Shape
    device: str
    weights: str | None = None

    def encoder(self, scoring: str) -> EvidenceEncoder:
        """In bf16 (fp32 on a CPU); with random weights, with the bundled tokenizer."""
        known = tuple(c.id for c in CRITERIA) if scoring != "per-criterion" else None
        settings = EncoderConfig(scoring=scoring, known_criteria=known)  # type: ignore[arg-type]
        if self.weights:
            self._check_weights()
            number_type = "bfloat16" if self.device == "cuda" else "float32"
            options = LoadOptions(self.device, number_type)
            return load_encoder(self.weights, options, config=settings.changed(prompt_tokens=MARKS)).eval()
        family = FAMILIES[self.shape.family]
        return EvidenceEncoder(self._random_backbone(), family, TextTokenizer.load(BUNDLED_DIRECTORY), settings).eval()

    def _check_weights(self) -> None:
        """Exit where the weights are a model of ours, which has its own way of scoring, or of another shape."""
        directory = resolve(str(self.weights))
        if (directory / CONFIG_FILE).exists():
            raise SystemExit(f"{self.weights} is a model of this program; give the base that it was made of.")
        values = json.loads((directory / "config.json").read_text("utf-8"))
        found = tuple(values.get(name) for name in ("hidden_size", "num_hidden_layers", "vocab_size"))
        if found != (self.shape.hidden, self.shape.layers, self.shape.vocabulary):
            raise SystemExit(f"{self.weights} has not the shape of {self.shape.name}: {found}")

    def _random_backbone(self) -> Any:
        import transformers

        shape = self.shape
        names = {"gemma": ("GemmaConfig", "GemmaModel"), "gemma3_text": ("Gemma3TextConfig", "Gemma3TextModel")}
        config_name, model_name = names[shape.family]
        config = getattr(transformers, config_name)(
            vocab_size=shape.vocabulary,
            hidden_size=shape.hidden,
            intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.key_value_heads,
            head_dim=shape.head_size,
            max_position_embeddings=8192,
            use_cache=False,
            attn_implementation="sdpa",
        )
        make_bidirectional(config, FAMILIES[shape.family])
        torch.manual_seed(0)
        with torch.device(self.device):
            return getattr(transformers, model_name)._from_config(  # noqa: SLF001 - what `from_config` calls
                config, dtype=torch.bfloat16 if self.device == "cuda" else None
            )


def operations(shape: Shape, posts: int, tokens: int, *, training: bool) -> float:
    """Model operations of one pass; a LoRA step computes the forward and the gradient of the activations."""
    width = shape.heads * shape.head_size
    attention = shape.hidden * (2 * width + 2 * shape.key_value_heads * shape.head_size)
    weights = shape.layers * (attention + 3 * shape.hidden * shape.intermediate)
    per_token = 2 * weights + shape.layers * 4 * tokens * width
    return posts * tokens * per_token * (2 if training else 1)


def timed(run: Callable[[], Any], device: str, *, rounds: int) -> float:
    """Mean seconds of a run, after two to warm up."""
    for _ in range(2):
        run()
    _settle(device)
    started = time.perf_counter()
    for _ in range(rounds):
        run()
    _settle(device)
    return (time.perf_counter() - started) / rounds


def _settle(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def forward_speed(maker: Maker, rounds: int) -> list[Measured]:
    model, shape, device = maker.encoder("per-criterion"), maker.shape, maker.device
    found = []
    for posts, tokens in shape.batches:
        ids = torch.randint(5, shape.vocabulary, (posts, tokens), device=device)
        mask = torch.ones_like(ids)
        _forget_memory(device)
        with torch.inference_mode():
            seconds = timed(lambda i=ids, m=mask: model.backbone(input_ids=i, attention_mask=m), device, rounds=rounds)
        work = operations(shape, posts, tokens, training=False)
        found.append(_measured(f"forward {posts} x {tokens}", posts / seconds, work / seconds, device))
    return found


def scoring_speed(maker: Maker) -> list[Measured]:
    """Posts of 300 words x 9 criteria a second, each way of scoring."""
    device = maker.device
    posts = [
        Post(f"p{n}", "I have not slept for weeks and I am tired. " * 33) for n in range(16 if device == "cuda" else 2)
    ]
    found = []
    for scoring in ("per-criterion", "packed", "post-once"):
        predictor = Predictor(maker.encoder(scoring), "benchmark")
        _forget_memory(device)
        seconds = timed(lambda p=predictor: p.predict(posts, CRITERIA, batch_size=16), device, rounds=1)
        found.append(_measured(f"posts x 9 criteria, {scoring}", len(posts) / seconds, None, device))
    return found


def lora_speed(maker: Maker, rounds: int) -> Measured:
    model, shape, device = maker.encoder("per-criterion"), maker.shape, maker.device
    config = TrainConfig(method="lora", gradient_checkpointing=False, attention_dropout=0.0, hidden_dropout=0.0)
    choose_trained(model, config)
    model.train()
    trained = [p for p in model.backbone.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5)
    posts, tokens = shape.batches[0]
    posts = max(1, posts // 2)
    ids = torch.randint(5, shape.vocabulary, (posts, tokens), device=device)

    def step() -> None:
        hidden = model.backbone(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        hidden.float().square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    _forget_memory(device)
    seconds = timed(step, device, rounds=rounds)
    work = operations(shape, posts, tokens, training=True)
    return _measured(f"LoRA step {posts} x {tokens}", posts / seconds, work / seconds, device)


def _forget_memory(device: str) -> None:
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _measured(name: str, samples: float, speed: float | None, device: str) -> Measured:
    if device != "cuda":
        return Measured(name, samples, 0, None)
    card = torch.cuda.get_device_name()
    peak = next((p for key, p in PEAKS.items() if key in card), None)
    return Measured(name, samples, torch.cuda.max_memory_allocated(), speed / peak if speed and peak else None)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="shrunken shapes, to see that the script runs")
    parser.add_argument("--only", nargs="+", choices=[s.name for s in SHAPES])
    parser.add_argument("--weights", metavar="BASE", help="real weights, of the one shape that --only names")
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if given.weights and (given.tiny or len(given.only or ()) != 1):
        parser.error("--weights needs --only with the one shape that these weights have, and no --tiny")
    if device == "cpu" and not (given.tiny or given.weights):
        parser.error(
            "there is no GPU here; --tiny runs the script on the CPU with shrunken shapes, --weights with real weights"
        )
    card = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(f"{card}, torch {torch.__version__}" + (", shrunken shapes: the figures mean nothing" if given.tiny else ""))
    print("\n| model | what | a second | peak memory | share of bf16 peak |\n|---|---|---|---|---|")
    for shape in SHAPES:
        if given.only and shape.name not in given.only:
            continue
        chosen = tiny(shape) if given.tiny else shape if device == "cuda" else small_batches(shape)
        maker = Maker(chosen, device, given.weights)
        rounds = 2 if given.tiny else given.rounds
        results = [
            *forward_speed(maker, rounds),
            *scoring_speed(maker),
            lora_speed(maker, rounds),
        ]
        for r in results:
            memory = f"{r.memory / 2**30:.1f} GiB" if r.memory else "not measured"
            share = f"{r.share:.0%}" if r.share is not None else "not measured"
            print(f"| {shape.name} | {r.name} | {r.samples:.2f} | {memory} | {share} |", flush=True)


if __name__ == "__main__":
    main()
