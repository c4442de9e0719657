"""Which conversion teaches most: `python -m recipes.gemma.conversions --work DIR --general-text FILE`, a row for each way.

Every way reads equally many tokens, of the corpus in the same order, in steps of about equal size and on one thread, and is measured
on the same passages and whole posts of the dev voices: heads alone, without the n-gram table. What is done is kept in
`conversions.jsonl`, so that a run that was ended goes on with the next way; several may share a folder, each with ways of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from encoder.config import TrainConfig
from encoder.examples import Example
from encoder.network.batching import Batcher
from encoder.network.hub import resolve
from encoder.network.model import EvidenceEncoder
from encoder.training.adaptation import MaskedTokens, MaskingReader
from recipes.bundled_model.build import read_wordings
from recipes.bundled_model.general import read_general
from recipes.gemma import dev, plan
from recipes.gemma.build import BASE, new_encoder
from recipes.gemma.heads import PlainHeads, loss_of
from recipes.gemma.layers import SplitBackbone, scale_last_norm
from recipes.gemma.low_rank import add_low_rank
from storage.records import Post

RESULTS = "conversions.jsonl"
_RATE = {True: 5e-4, False: 5e-5}
"""Of products of low rank, and of whole layers."""
_HEAD_RATE, _WARM_UP, _SAY_EVERY = 1e-3, 10, 20


@dataclass(frozen=True, slots=True)
class Way:
    """One way of making an encoder. causal: lowest layers that stay as they were pretrained. thawed: whether these are trained
    too. rank: of the products beside the linear layers, 0 where the layers themselves are trained. masked: share of the tokens
    that go to predicting hidden tokens of general text before."""

    causal: int
    rank: int = 64
    thawed: bool = False
    masked: float = 0.0

    @property
    def name(self) -> str:
        trained = f"rank {self.rank}" if self.rank else "full"
        layers = "all layers see both ways" if not self.causal else f"the lower {self.causal} causal"
        return f"{layers}{', trained too' if self.thawed else ''}, {trained}{', hidden tokens first' if self.masked else ''}"


WAYS = {
    "all": Way(0),
    "upper12": Way(6),
    "upper9": Way(9),
    "upper6": Way(12),
    "upper9-thawed": Way(9, thawed=True),
    "all-masked": Way(0, masked=1 / 3),
    "upper9-masked": Way(9, masked=1 / 3),
    "all-full": Way(0, rank=0),
    "upper9-full": Way(9, rank=0),
    "upper9-rank8": Way(9, rank=8),
    "upper9-rank16": Way(9, rank=16),
    "upper9-rank128": Way(9, rank=128),
}


@dataclass(frozen=True, slots=True)
class Budget:
    """tokens: read in all. step: of them at once."""

    tokens: int
    step: int
    seed: int


class Conversion:
    """An encoder that is being made in one of the ways, out of one whose layers look where the way says."""

    def __init__(self, way: Way, encoder: EvidenceEncoder, budget: Budget) -> None:
        torch.manual_seed(budget.seed)
        self.way, self.encoder, self.budget = way, encoder, budget
        self.batcher: Batcher = encoder.batcher(read_wordings()[0])
        self.split = SplitBackbone(encoder, 0 if way.thawed else way.causal)
        self._trained = self._choose()
        self.size = sum(p.numel() for p in self._trained)

    def _choose(self) -> list[nn.Parameter]:
        """The parameters of the body that are trained, those of frozen layers left out."""
        backbone: Any = self.encoder.backbone
        if self.way.rank:
            products = add_low_rank(backbone, rank=self.way.rank, alpha=float(self.way.rank))
            own: dict[str, list[nn.Parameter]] = {name: [m.a, m.b] for name, m in products.items()}
        else:
            linear = {name: m for name, m in backbone.named_modules() if isinstance(m, nn.Linear)}
            own = {name: [m.weight] for name, m in linear.items()}
        backbone.requires_grad_(False)
        chosen = [p for name, ps in own.items() if layer_of(name) >= self.split.frozen for p in ps]
        for parameter in chosen:
            parameter.requires_grad_()
        return chosen

    def learn_hidden(self, texts: Sequence[str], say: _Say) -> None:
        """Predict hidden tokens of general text, as many tokens as the way says."""
        posts = [Example(Post(f"general-{n}", text), {}) for n, text in enumerate(texts)]
        reader = MaskingReader(self.encoder, self.batcher.criteria, posts, TrainConfig())
        model = MaskedTokens(self.encoder.backbone, shift=1)
        optimizer = _optimizer(self._trained, _RATE[bool(self.way.rank)])
        limit = self.budget.tokens * self.way.masked
        read = step = 0
        for first in range(0, len(posts), 32):
            inputs = reader(range(first, min(first + 32, len(posts))), seed=step)
            if inputs is None:
                continue
            loss = model(**inputs.tensors)["loss"]
            read += int(inputs.tensors["attention_mask"].sum())
            step += 1
            _take(optimizer, loss, min(1.0, step / _WARM_UP) * max(0.01, 1 - read / limit))
            say(step, "hidden", loss)
            if read >= limit:
                return
        raise SystemExit(f"The general text has {read:,} tokens; {limit:,.0f} were asked for.")

    def learn(self, material: plan.Material, say: _Say) -> PlainHeads:
        """Fine-tune on the corpus with what is left of the tokens; returns the heads."""
        heads = PlainHeads(self.encoder.hidden_size, len(self.batcher.criteria))
        scale_last_norm(self.split, self.batcher, material.rows)
        optimizer = _optimizer(self._trained, _RATE[bool(self.way.rank)], list(heads.parameters()))
        limit = self.budget.tokens * (1 - self.way.masked)
        read = 0
        for step, numbers in enumerate(_steps(material, self.budget), start=1):
            batch = self.batcher.batch([material.rows[n] for n in numbers])
            loss = loss_of(heads(self.split.states(batch), batch), batch)
            read += material.tokens(numbers)
            _take(optimizer, loss.total, min(1.0, step / _WARM_UP) * max(0.01, 1 - read / limit))
            say(step, "corpus", loss.sentence)
            if read >= limit:
                break
        return heads


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    resolve(options.base)
    budget = Budget(options.tokens, options.step_tokens, options.seed)
    sample = dev.DevSample.draw(options.dev_passages, options.dev_posts)
    general = _general(options.general_text, budget.seed)
    path = options.work / RESULTS
    same = {**asdict(budget), "base": options.base}
    if any({name: row[name] for name in same} != same for row in rows_of(path)):
        raise SystemExit(f"{path} was measured with another base, seed or number of tokens; give another folder.")
    if not general and any(WAYS[key].masked for key in options.ways):
        raise SystemExit(
            "Give --general-text for the ways that predict hidden tokens first, or leave them out with --ways."
        )
    for key in options.ways:
        if any(row["way"] == key for row in rows_of(path)):
            print(f"{key}: done before")
            continue
        found = measured(key, options.base, budget, general, sample)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
    print(table(rows_of(path)))


def measured(key: str, base: str, budget: Budget, general: Sequence[str], sample: dev.DevSample) -> dict[str, Any]:
    """Make an encoder in one way and measure it on dev. Seconds are those of training, loading and measuring left out."""
    way, say = WAYS[key], _Say(key)
    conversion = Conversion(way, new_encoder(base, way.causal), budget)
    material = plan.Material.of_corpus(conversion.batcher)
    conversion.encoder.train()
    begun, used = time.monotonic(), time.process_time()
    if way.masked:
        conversion.learn_hidden(general, say)
    heads = conversion.learn(material, say)
    took = {"wall": round(time.monotonic() - begun), "processor": round(time.process_time() - used)}
    conversion.encoder.eval()
    figures = dev.figures(conversion.split, heads, conversion.batcher, sample)
    return {
        "way": key,
        "name": way.name,
        "trained": conversion.size,
        "seconds": took,
        "dev": figures,
        "base": base,
        **asdict(budget),
    }


def rows_of(path: Path) -> list[dict[str, Any]]:
    """What was measured so far."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table in Markdown, in the order of `WAYS`."""
    lines = [
        "| way | trained, millions | processor minutes | passages F1 / micro AP / macro AP | sentences of posts F1 / micro AP / macro AP |",
        "|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: list(WAYS).index(row["way"])):
        figures = [
            " / ".join(f"{row['dev'][of][name]:.3f}" for name in ("f1", "micro_ap", "macro_ap"))
            for of in ("passages", "posts")
        ]
        cells = [row["name"], f"{row['trained'] / 1e6:.1f}", f"{row['seconds']['processor'] / 60:.0f}", *figures]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


class _Say:
    """Prints the mean loss now and then."""

    def __init__(self, key: str) -> None:
        self._key, self._losses = key, list[float]()

    def __call__(self, step: int, stage: str, loss: Tensor | float) -> None:
        self._losses.append(float(loss))
        if step % _SAY_EVERY == 0:
            mean = sum(self._losses) / len(self._losses)
            print(f"{time.strftime('%H:%M:%S')} {self._key} {stage} step {step} loss {mean:.4f}", flush=True)
            self._losses.clear()


def layer_of(name: str) -> int:
    """The number of the layer that a module `layers.N.…` is in."""
    return int(name.split(".")[1])


def _steps(material: plan.Material, budget: Budget) -> Iterator[list[int]]:
    """Steps of the passes, one after the other; every way gets the same."""
    nothing = torch.full((len(material.rows),), -1.0)
    while True:
        yield from plan.steps(material, budget.seed, plan.chosen(material, 0, nothing), budget.step)


def _optimizer(body: list[nn.Parameter], rate: float, heads: list[nn.Parameter] | None = None) -> torch.optim.AdamW:
    groups = [{"params": body, "lr": rate, "base": rate}]
    if heads:
        groups.append({"params": heads, "lr": _HEAD_RATE, "base": _HEAD_RATE})
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0, fused=True)


def _take(optimizer: torch.optim.AdamW, loss: Tensor, factor: float) -> None:
    """One step at this share of each group's rate."""
    loss.backward()
    nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
    for group in optimizer.param_groups:
        group["lr"] = group["base"] * factor
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)


def _general(sources: Sequence[str], seed: int) -> list[str]:
    texts = [text for text in read_general(sources) if len(text) > 40]
    random.Random(seed).shuffle(texts)  # noqa: S311, nothing secret
    return texts


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m recipes.gemma.conversions", description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="keeps what was measured; give it again to go on")
    parser.add_argument("--general-text", nargs="*", default=[], help="for the ways that predict hidden tokens first")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--base", default=BASE)
    parser.add_argument("--tokens", type=int, default=150_000, help="that each way reads")
    parser.add_argument("--step-tokens", type=int, default=600)
    parser.add_argument("--dev-passages", type=int, default=600)
    parser.add_argument("--dev-posts", type=int, default=70)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
