"""Fine-tuning: reviewed examples and a base in, a complete, measured and calibrated model directory out."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from encoder.errors import TrainingFailed
from encoder.examples import content_hash, count_labels
from encoder.measure.evaluate import Evaluation, evaluate
from encoder.network.directories import check_output
from encoder.network.hub import resolve
from encoder.seen import SEEN_FILE, Seen, seen_with
from encoder.training.monitor import Monitor, SilentMonitor
from encoder.training.task import Task
from storage.records import utc_now

if TYPE_CHECKING:
    from encoder.predict import Predictor
    from encoder.simple.learner import SimpleLearner
    from encoder.training.run import Run

__all__ = ["Monitor", "SilentMonitor", "Task", "TrainResult", "checkpoint_directory", "train"]

TRAINING_FILE = "training.json"
METRICS_FILE = "metrics.json"


@dataclass(frozen=True)
class TrainResult:
    """What a training run made.

    output: the model directory. dev: figures on the dev examples, whose thresholds were fitted on them: judge a model on other
    posts. losses: mean loss by step; dev_macro_f1: by step of evaluation. lost: what could not be learned from, by reason.
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


def checkpoint_directory(output: Path) -> Path:
    """Where the checkpoints of a run to `output` lie while it is not done."""
    return output.with_name(f".{output.name}.training")


def train(task: Task, *, monitor: Monitor | None = None, resume: bool = False) -> TrainResult:
    """Fine-tune the base and write the model at `task.output`, in one step at the end; what stood there before stays until then.

    resume: go on from the last checkpoint of the same task, if there is one; the result is that of an uninterrupted run.

    Raises BadExamples (nothing usable, labels for unknown criteria), ModelUnusable (the base), TrainingFailed (a loss that is
    not a number, out of memory, disk full, a package that is missing), SaveFailed (the output holds
    something else), and whatever the monitor raises.
    """
    # torch and transformers load here, so that importing the API stays cheap
    from encoder.predict import Predictor
    from encoder.training.checkpoint import Checkpoints
    from encoder.training.run import Run

    started = time.monotonic()
    listener: Monitor = monitor or SilentMonitor()
    task.check()
    check_output(task.output)
    run = Run.prepare(task, listener, Checkpoints(checkpoint_directory(task.output)), resume=resume)
    run.train()
    run.tell(0.93, "measuring", "measuring on the dev posts")
    run.finish_weights()
    predictor = Predictor(run.encoder, task.output.name)
    with predictor.remembering():
        predictor.learner = learner = _learner(run, task, predictor)
        evaluation = _measured(task, predictor)
    run.thaw()
    result = _result(run, task, evaluation, time.monotonic() - started)
    run.tell(0.97, "saving", f"saving {task.output.name}")
    if run.is_main:
        _save(run, task, result, learner)
        run.checkpoints.clear()
    run.state.wait_for_everyone()
    run.tell(1.0, "done", f"dev macro F1 {result.dev.macro_f1:.3f} after {result.seconds:.0f} s")
    return result


def _learner(run: Run, task: Task, predictor: Predictor) -> SimpleLearner | None:
    """The simple learner that will speak beside the encoder, None where it has nothing to add."""
    from encoder.training.floor import fit_learner, settled_beside

    if run.encoder.config.span_head == "softmax":
        return None
    run.tell(0.94, "measuring", "fitting the simple learner on the same posts")
    fitted = fit_learner(task.train, task.criteria)
    if fitted is None:
        return None
    encoder = run.encoder
    known = encoder.config.known_criteria if run.ours else ()
    trusted = [c.id for c in task.criteria if known is None or (c.id in known and c.id not in encoder.new_criteria)]
    settled = settled_beside(predictor, fitted, task.dev, task.criteria, trusted=trusted)
    run.log(f"The simple learner speaks beside the encoder for {len(settled.fits)} of {len(task.criteria)} criteria.")
    for key, fit in settled.fits.items():
        run.log(f"{key}: marked in {fit.settled.choice.unit}s. {fit.settled.choice.reason}")
    return settled if settled.fits else None


def _measured(task: Task, predictor: Predictor) -> Evaluation:
    posts = [e.post for e in task.dev]
    every = predictor.predict(posts, task.criteria, threshold=0.0)
    shown = predictor.predict(posts, task.criteria)
    return evaluate(shown, task.dev, task.criteria, ranked=every)


def _result(run: Run, task: Task, evaluation: Evaluation, seconds: float) -> TrainResult:
    from encoder.training.run import peak_memory

    return TrainResult(
        output=task.output,
        steps=run.progress.step,
        best_step=run.progress.best_step,
        dev=evaluation,
        losses=dict(run.progress.losses),
        dev_macro_f1=dict(run.progress.macro_f1),
        lost=dict(run.lost),
        data_sha256=content_hash(task.train).sha256,
        seconds=seconds,
        peak_memory_bytes=peak_memory(),
        stopped_early=run.stopped_early,
        log=tuple(run.log_lines),
    )


def _save(run: Run, task: Task, result: TrainResult, learner: SimpleLearner | None) -> None:
    """Write the model with its record of training; TrainingFailed if the disk does not take it, then nothing has changed."""
    from encoder.network.checkpoints import SaveFailed, save_encoder
    from encoder.simple.files import save_learner

    documents = {
        TRAINING_FILE: json.dumps(_record(run, task, result), indent=2, ensure_ascii=False) + "\n",
        METRICS_FILE: json.dumps(result.dev.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        SEEN_FILE: _seen(task).to_json(),
    }
    try:
        beside = None if learner is None else partial(save_learner, learner)
        save_encoder(run.encoder, task.output, documents=documents, beside=beside)
    except SaveFailed as error:
        raise TrainingFailed(str(error)) from error


def _seen(task: Task) -> Seen:
    """Whatever the base has seen, and the posts of this run."""
    base = resolve(task.base)
    train = [e.post.text for e in (*task.train, *task.replay)]
    return seen_with(base, train, [e.post.text for e in task.dev])


def _record(run: Run, task: Task, result: TrainResult) -> dict[str, object]:
    """What `training.json` says: all that is needed to repeat the run, and what came of it. Holds no text of a post."""
    splits = {"train": task.train, "dev": task.dev, "replay": task.replay}
    return {
        "created_at": utc_now(),
        "base": str(task.base),
        "config": task.config.to_dict(),
        "seed": task.config.seed,
        "criteria": [{"id": c.id, "version": c.version, "text": c.text} for c in task.criteria],
        "data": {name: asdict(content_hash(examples)) for name, examples in splits.items()},
        "labels": {key: asdict(counts) for key, counts in count_labels(task.train).items()},
        "lost": dict(result.lost),
        "steps": result.steps,
        "best_step": result.best_step,
        "stopped_early": result.stopped_early,
        "losses": result.losses,
        "dev_macro_f1": result.dev_macro_f1,
        "seconds": round(result.seconds, 1),
        "peak_memory_bytes": result.peak_memory_bytes,
        "processes": run.state.num_processes,
        "device": str(run.state.device),
        "versions": {name: version(name) for name in ("torch", "transformers", "accelerate")},
        "log": list(result.log),
    }
