"""Measures the model on real Gemma on what it never saw: `python -m benchmarks.gemma_model [--write]`.

Four held-out voices, passage by passage, whole posts written apart from the corpus, and the passages of three dev voices. --write puts
the figures into the model's `metrics.json` and card, and into `benchmarks/RESULTS.md`. Baselines are measured with the bundled model.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bundled_model import RESULTS, Measured, Sets, as_metrics, measure, micro_of_others
from encoder.bundled import corpus
from encoder.network.hub import BUNDLED_DIRECTORY, GEMMA_DIRECTORY
from encoder.predict import Predictor
from recipes.bundled_model.build import read_wordings
from recipes.bundled_model.measure import score_items
from recipes.gemma.card import against_aims, write_card
from recipes.gemma.dev import VOICES, average_precisions

_BEGIN, _END = "<!-- model on real Gemma -->", "<!-- /model on real Gemma -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=GEMMA_DIRECTORY)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--bootstrap", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    begun = time.perf_counter()
    predictor = Predictor.load(options.model, dtype=options.dtype)
    load_seconds = time.perf_counter() - begun
    criteria, sets = read_wordings()[0], Sets.read()
    thresholds = {c.id: predictor.config.threshold(c.id) for c in criteria}
    begun = time.process_time()
    found = measure(lambda p, c: predictor.predict(p, c, threshold=0.0), sets, criteria, thresholds, options.bootstrap)
    extra = {
        "dtype": options.dtype,
        "load_seconds": round(load_seconds, 2),
        "cpu_seconds": round(time.process_time() - begun),
        "posts_micro_f1_others": micro_of_others(found.posts),
        "dev_passages": dev_passages(predictor),
    }
    metrics = as_metrics({"model": found}, extra)
    metrics["items"]["model"]["micro_ap"] = found.voices.micro.average_precision
    metrics["beside"] = json.loads((BUNDLED_DIRECTORY / "metrics.json").read_text("utf-8"))["beside"]
    report = table(found, metrics)
    print(report)
    if options.write:
        text = json.dumps(metrics, indent=1)
        (options.model / "metrics.json").write_text(text + "\n", encoding="utf-8")
        write_card(options.model)
        before, rest = RESULTS.read_text("utf-8").split(_BEGIN)
        RESULTS.write_text(before + _BEGIN + "\n" + report + _END + rest.split(_END)[1], encoding="utf-8")


def dev_passages(predictor: Predictor) -> dict[str, float]:
    """F1 at the best single threshold and average precision, passages of the three dev voices."""
    items = [item for item in corpus.read_items() if item.voice in VOICES]
    scored = score_items(predictor.encoder, items, read_wordings()[0])
    figures = {"f1": scored.best_micro_f1(), **average_precisions(scored.logits, np.asarray(scored.gold))}
    return {name: round(value, 4) for name, value in figures.items()}


def table(found: Measured, metrics: dict[str, Any]) -> str:
    """The figures for people, in Markdown."""
    lines = [
        "## The model on real Gemma on held-out data",
        "",
        f"`python -m benchmarks.gemma_model --write`, {metrics['measured_at'][:10]}. The sets are those of the bundled model.",
        "",
        *against_aims(metrics),
        "",
        "### By criterion, sentences of the test voices",
        "",
        "```",
        found.voices.table(),
        "```",
        "",
        "### By criterion, whole posts",
        "",
        "```",
        found.posts.table(),
        "```",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
