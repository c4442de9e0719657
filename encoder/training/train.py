"""Fine-tuning: reviewed examples and a base in, a complete, measured and calibrated model directory out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from encoder.errors import TrainingFailed
from encoder.examples import content_hash
from encoder.measure.evaluate import Evaluation
from encoder.network.directories import check_output
from encoder.network.hub import resolve
from encoder.simple.files import MEASURED, SERVED, has_measured, save_learners
from encoder.training.beside import train_beside
from encoder.training.monitor import Monitor, SilentMonitor
from encoder.training.result import TrainResult, documents, measured
from encoder.training.task import Task

if TYPE_CHECKING:
    from encoder.predict import Predictor
    from encoder.simple.learner import SimpleLearner
    from encoder.training.run import Run

__all__ = ["Monitor", "SilentMonitor", "Task", "TrainResult", "checkpoint_directory", "train"]


def checkpoint_directory(output: Path) -> Path:
    """Where the checkpoints of a run to `output` lie while it is not done."""
    return output.with_name(f".{output.name}.training")


def train(task: Task, *, monitor: Monitor | None = None, resume: bool = False) -> TrainResult:
    """Fine-tune the base and write the model at `task.output`, in one step at the end; what stood there before stays until then.
    Where the base knows none of the criteria, `keep_for_new` says whether it is fine-tuned at all.

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
    beside = train_beside(task, listener)
    checkpoints = Checkpoints(checkpoint_directory(task.output))
    if beside is not None:
        checkpoints.clear()  # of steps that an earlier run was stopped in
        return beside
    run = Run.prepare(task, listener, checkpoints, resume=resume)
    run.train()
    run.tell(0.93, "measuring", "measuring on the dev posts")
    predictor = Predictor(run.encoder, task.output.name)
    with predictor.remembering():
        run.finish_weights(predictor)
        alone = _fitted(run, task, predictor)
        learners = _learners(run, task, predictor, alone)
        predictor.learner = learners.get(MEASURED, learners[SERVED])
        evaluation = measured(task, predictor)
    run.thaw()
    result = _result(run, task, evaluation, time.monotonic() - started)
    result = replace(result, alone=alone and alone.without_vectors(alone.fits.keys()))
    run.tell(0.97, "saving", f"saving {task.output.name}")
    if run.is_main:
        _save(run, task, result, learners)
        run.checkpoints.clear()
    run.state.wait_for_everyone()
    run.tell(1.0, "done", f"dev macro F1 {result.dev.macro_f1:.3f} after {result.seconds:.0f} s")
    return result


def _learners(
    run: Run, task: Task, predictor: Predictor, fitted: SimpleLearner | None
) -> dict[str, SimpleLearner | None]:
    """By name: the simple learner that will speak beside the encoder, None where it has nothing to add, and where what the base's knows
    of other criteria rests on dev posts, the one to ask about these.
    """
    from encoder.training.floor import with_earlier

    if run.encoder.config.span_head == "softmax":
        return {SERVED: None}
    learner = None if fitted is None else _settled(run, task, predictor, fitted)
    found = {SERVED: with_earlier(task.base, learner, run.encoder.config)}
    if has_measured(resolve(task.base)):
        found[MEASURED] = with_earlier(task.base, learner, run.encoder.config, as_measured=True)
    return found


def _fitted(run: Run, task: Task, predictor: Predictor) -> SimpleLearner | None:
    """What the train posts taught the simple learner; None where that is nothing, or nobody will ask it."""
    from encoder.simple.features import FeatureCache
    from encoder.training.floor import fit_learner, joined

    if run.encoder.config.span_head == "softmax":
        return None

    def told(done: float) -> None:
        run.tell(0.94 + 0.02 * done, "measuring", f"fitting the simple learner on the same posts, {done:.0%}")

    trusted = _trusted(run, task)
    share, cache = len(trusted) / max(1, len(task.criteria)), FeatureCache()
    fitted = fit_learner(
        task.train,
        [c for c in task.criteria if c.id in trusted],
        cache=cache,
        on_progress=lambda done: told(share * done),
    )
    new = fit_learner(
        task.train,
        [c for c in task.criteria if c.id not in trusted],
        predictor=predictor if _views_unlearned(run) else None,
        cache=cache,
        on_progress=lambda done: told(share + (1 - share) * done),
        log=run.log,
    )
    return joined(fitted, new)


def _trusted(run: Run, task: Task) -> list[str]:
    """The criteria that the base knew."""
    encoder = run.encoder
    known = encoder.config.known_criteria if run.ours else ()
    return [c.id for c in task.criteria if known is None or (c.id in known and c.id not in encoder.new_criteria)]


def _settled(run: Run, task: Task, predictor: Predictor, fitted: SimpleLearner) -> SimpleLearner:
    """What was fitted, as it will speak beside the encoder."""
    from encoder.training.floor import settled_beside

    settled = settled_beside(predictor, fitted, task.dev, task.criteria, trusted=_trusted(run, task))
    run.log(f"The simple learner speaks beside the encoder for {len(settled.fits)} of {len(task.criteria)} criteria.")
    for key, fit in settled.fits.items():
        run.log(f"{key}: marked in {fit.settled.choice.unit}s. {fit.settled.choice.reason}")
    return settled


def _views_unlearned(run: Run) -> bool:
    """Whether the layers whose vectors a view holds were not trained on these posts, so that what is held out is unseen."""
    from encoder.network.views import view_layers

    return run.task.config.frozen_layers >= view_layers(run.encoder)[-1]


def _result(run: Run, task: Task, evaluation: Evaluation, seconds: float) -> TrainResult:
    from encoder.memory import peak_memory

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


def _save(run: Run, task: Task, result: TrainResult, learners: Mapping[str, SimpleLearner | None]) -> None:
    """Write the model with its record of training; TrainingFailed if the disk does not take it, then nothing has changed."""
    from encoder.network.checkpoints import SaveFailed, save_encoder

    texts = documents(task, result, processes=run.state.num_processes, device=str(run.state.device))
    try:
        save_encoder(run.encoder, task.output, documents=texts, beside=partial(save_learners, learners))
    except SaveFailed as error:
        raise TrainingFailed(str(error)) from error
