"""What a training made, and the documents that are written beside the weights. They hold no text of a post."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from encoder.examples import content_hash, count_labels
from encoder.measure.evaluate import Evaluation, evaluate
from encoder.network.hub import resolve
from encoder.seen import SEEN_FILE, seen_with
from encoder.training.task import Task
from storage.records import utc_now

if TYPE_CHECKING:
    from encoder.predict import Predictor
    from encoder.simple.learner import SimpleLearner

TRAINING_FILE = "training.json"
METRICS_FILE = "metrics.json"


@dataclass(frozen=True)
class TrainResult:
    """What a training run made.

    output: the model directory. dev: figures on the dev examples, whose thresholds were fitted on them: judge a model on other
    posts. losses: mean loss by step; dev_macro_f1: by step of evaluation. lost: what could not be learned from, by reason.
    alone: what the train examples teach the simple learner by itself, None where it was not fitted.
    """

    output: Path
    steps: int
    best_step: int
    dev: Evaluation
    losses: Mapping[int, float]
    dev_macro_f1: Mapping[int, float]
    lost: Mapping[str, int]
    data_sha256: str
    seconds: float
    peak_memory_bytes: int
    stopped_early: bool = False
    log: tuple[str, ...] = ()
    alone: SimpleLearner | None = None


def measured(task: Task, predictor: Predictor) -> Evaluation:
    """Figures of the model on the dev examples."""
    posts = [e.post for e in task.dev]
    every = predictor.predict(posts, task.criteria, threshold=0.0)
    shown = predictor.predict(posts, task.criteria)
    return evaluate(shown, task.dev, task.criteria, ranked=every)


def documents(
    task: Task, result: TrainResult, *, processes: int, device: str, dev_learned: bool = False
) -> dict[str, str]:
    """The text files of a trained model by name: all that is needed to repeat the run, and what came of it.

    dev_learned: whether it has learned from the dev posts too, after it was measured on them.
    """
    splits = {"train": task.train, "dev": task.dev, "replay": task.replay}
    record = {
        "created_at": utc_now(),
        "base": str(task.base),
        "config": task.config.to_dict(),
        "seed": task.config.seed,
        "criteria": [{"id": c.id, "version": c.version, "text": c.text} for c in task.criteria],
        "data": {name: asdict(content_hash(examples)) for name, examples in splits.items()},
        "dev_learned": dev_learned,
        "labels": {key: asdict(counts) for key, counts in count_labels(task.train).items()},
        "lost": dict(result.lost),
        "steps": result.steps,
        "best_step": result.best_step,
        "stopped_early": result.stopped_early,
        "losses": result.losses,
        "dev_macro_f1": result.dev_macro_f1,
        "seconds": round(result.seconds, 1),
        "peak_memory_bytes": result.peak_memory_bytes,
        "processes": processes,
        "device": device,
        "versions": {name: version(name) for name in ("torch", "transformers", "accelerate")},
        "log": list(result.log),
    }
    train = [e.post.text for e in (*task.train, *task.replay, *(task.dev if dev_learned else ()))]
    return {
        TRAINING_FILE: json.dumps(record, indent=2, ensure_ascii=False) + "\n",
        METRICS_FILE: json.dumps(result.dev.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        SEEN_FILE: seen_with(resolve(task.base), train, [e.post.text for e in task.dev]).to_json(),
    }
