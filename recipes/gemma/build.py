"""Makes `gemma-3-270m-evidence`: `python -m recipes.gemma.build --work DIR`. Resumable: run it again with the same directory.

1. The lowest layers of Gemma 3 270M stay causal, the others see both ways. Products of low rank are learned on the corpus'
passages and whole posts for the minutes given, first beside the upper layers, then beside all. 2. The heads are folded into the
product's. 3. An n-gram table is fitted and weighed on the dev voices, as temperature and thresholds are. Test voices and test
posts are not read here.
"""

from __future__ import annotations

import argparse
import json
import socket
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from encoder.bundled import corpus
from encoder.config import EncoderConfig
from encoder.network.checkpoints import LoadOptions, load_encoder, save_encoder
from encoder.network.hub import GEMMA_DIRECTORY, resolve
from encoder.network.lora import read_adapter
from encoder.network.model import EvidenceEncoder
from recipes.bundled_model.build import read_wordings
from recipes.bundled_model.measure import fitted_config, score_sentences
from recipes.gemma import dev
from recipes.gemma.card import write_card
from recipes.gemma.heads import PlainHeads, fold, unfold
from recipes.gemma.layers import SplitBackbone
from recipes.gemma.low_rank import into_peft
from recipes.gemma.plan import Material
from recipes.gemma.table import FittedTable, fitted_table, put_into, weighed
from recipes.gemma.training import Settings, Training
from storage.records import Criterion

BASE = "google/gemma-3-270m"
VERSION = "gemma-3-270m-evidence"
MARKS = tuple(f"<unused{n}>" for n in range(6))
"""Marks that Gemma's vocabulary has, so that its embeddings stay as they are."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    resolve(options.base)  # converted once, before several processes ask for it
    if options.processes == 1:
        train(0, options)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        options.meeting = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    torch.multiprocessing.spawn(train, (options,), nprocs=options.processes)


def train(process: int, options: argparse.Namespace) -> None:
    """One process of the run; the first one also writes the model."""
    torch.set_num_threads(options.threads)
    if options.processes > 1:
        dist.init_process_group("gloo", init_method=options.meeting, rank=process, world_size=options.processes)
    settings = Settings(**{f.name: getattr(options, f.name) for f in fields(Settings)})
    encoder = new_encoder(options.base, settings.causal)
    sample = dev.DevSample.draw(options.dev_passages, options.dev_posts)
    batcher = encoder.batcher(read_wordings()[0])
    material = Material.of_corpus(batcher, voices_read(options.start) if options.start else ())

    def evaluate(split: SplitBackbone, heads: PlainHeads) -> dict[str, Any]:
        return dev.figures(split, heads, batcher, sample)

    training = Training(encoder, batcher, material, settings, options.work, evaluate)
    if options.start:
        earlier = load_encoder(options.start, LoadOptions("cpu", "float32"))
        training.start_from(read_adapter(options.start), unfold(earlier, read_wordings()[0]))
    training.run()
    if process == 0:
        calibrate = dev.DevSample.draw(options.calibrate_passages, options.calibrate_posts)
        table, start = fitted_table(), options.start
        finish(training, calibrate, options.output, wordings=read_wordings(), table=table, start=start)


def voices_read(model: Path) -> list[str]:
    """The voices that the run which made a model has read, as it wrote them down; none if it did not."""
    found = model / "run.json"
    voices = json.loads(found.read_text("utf-8")).get("voices", []) if found.exists() else []
    if not voices:
        print(f"{model} does not say which voices it has read: all are read as new.")
    return list(voices)


def new_encoder(base: str, causal: int) -> EvidenceEncoder:
    """A Gemma in fp32 with fresh heads for the nine criteria."""
    config = EncoderConfig(
        scoring="post-once",
        known_criteria=corpus.CRITERIA,
        causal_layers=causal,
        prompt_tokens=MARKS,
        base=BASE,
        version=VERSION,
    )
    return load_encoder(base, LoadOptions("cpu", "float32"), config=config, probe_it=False)


def finish(
    training: Training,
    sample: dev.DevSample,
    output: Path,
    *,
    wordings: Sequence[Sequence[Criterion]],
    table: FittedTable,
    start: Path | None = None,
) -> None:
    """Round, fold, add the n-gram table, calibrate, and save what was trained as an adapter.

    wordings: of the criteria, the default one first. start: the adapter that the run began with, whose steps are told too.
    """
    encoder, settings = training.encoder, training.settings
    into_peft(encoder, training.products, rank=settings.rank, alpha=settings.alpha)
    encoder.replaced = ("norm.weight",)
    fold(encoder, training.heads, wordings)
    groups = [sample.passages, sample.posts]
    own = [score_sentences(encoder, group, wordings[0]) for group in groups]
    weight, scored = weighed(table, groups, own)
    put_into(encoder, table, weight)
    encoder.config, found = fitted_config(encoder.config, scored, wordings[0])
    print(
        f"n-gram table with weight {weight:g}, temperature {found.temperature:.3f}, thresholds {dict(found.thresholds)}"
    )
    facts: dict[str, Any] = {
        "steps": training.progress.step,
        "minutes": round(training.progress.seconds / 60, 1),
        "table": weight,
        "voices": sorted({*training.material.voices, *training.material.read_before}),
    }
    if start is not None and (earlier := start / "run.json").exists():
        before = json.loads(earlier.read_text("utf-8"))
        facts["earlier"] = [*before.get("earlier", []), {name: before[name] for name in ("steps", "minutes", "rate")}]
    save_encoder(encoder, output, documents={"run.json": json.dumps({**facts, **asdict(settings)}, indent=1) + "\n"})
    write_card(output)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m recipes.gemma.build", description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="keeps the state of the run; give it again to go on")
    parser.add_argument("--output", type=Path, default=GEMMA_DIRECTORY)
    parser.add_argument("--base", default=BASE)
    parser.add_argument("--start", type=Path, help="an adapter that an earlier run has made, to be trained further")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--dev-passages", type=int, default=300)
    parser.add_argument("--dev-posts", type=int, default=30)
    parser.add_argument("--calibrate-passages", type=int, default=1000)
    parser.add_argument("--calibrate-posts", type=int, default=150)
    for field in fields(Settings):
        kind = float if isinstance(field.default, float) else int
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
