"""A training for criteria that the base does not know, without a step of it: the simple learner learns on the encoder's vectors.

A few hundred posts teach an encoder little that its vectors do not hold already, and take minutes for it. What is learned beside it is
fitted exactly, in seconds, and every choice is made on posts held out; the base's own files stay as they are, and with them what
it knows of other criteria. Once it was measured on the dev posts, what answers learns from these too.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from encoder.config import CONFIG_FILE, EncoderConfig, TrainConfig
from encoder.errors import BadExamples, TrainingFailed
from encoder.examples import content_hash
from encoder.network.hub import resolve
from encoder.training.monitor import Monitor
from encoder.training.result import TrainResult, documents, measured
from encoder.training.task import Task

if TYPE_CHECKING:
    from encoder.measure.evaluate import Evaluation
    from encoder.predict import Predictor
    from encoder.simple.learner import SimpleLearner

_KEPT = ("*.safetensors", "*.safetensors.index.json", "*config.json", "*token*.json", "*.model", "NOTICE.txt")
MOST_BEHIND = 0.05
"""F1 that a criterion may be behind the n-grams alone on the dev posts."""
LEAST_SUPPORT = 5
"""Sentences of evidence on the dev posts from which on they say something of a criterion, as in the rule that puts a model in service."""


def is_all_new(base: str | Path, config: TrainConfig, labelled: frozenset[str]) -> bool:
    """Whether a training on answers for these criteria takes no steps: the config says so, and the base is an encoder of ours that
    knows none of them. Reads one small file.
    """
    directory = resolve(base)
    if not config.keep_for_new or config.processes > 1 or not (directory / CONFIG_FILE).exists():
        return False
    encoder = EncoderConfig.load(directory)
    known = encoder.known_criteria
    return encoder.span_head == "joint" and known is not None and bool(labelled) and labelled.isdisjoint(known)


def train_beside(task: Task, monitor: Monitor) -> TrainResult | None:
    """Make the model at `task.output` so, or return None where the answers hold too little: then only steps are left.

    Raises BadExamples (no evidence at all), ModelUnusable (the base), TrainingFailed (disk full), and whatever the monitor raises.
    """
    from accelerate import PartialState

    from encoder.network.families import choose_device
    from encoder.simple.files import MEASURED, SERVED, has_measured
    from encoder.training.floor import with_earlier

    labelled = frozenset(key for e in task.train for key in e.labels)
    if (
        not is_all_new(task.base, task.config, labelled)
        or PartialState(cpu=choose_device(task.device) == "cpu").num_processes > 1
    ):
        return None
    if not any(label.has_evidence for e in task.train for label in e.labels.values()):
        raise BadExamples(
            "No evidence was marked so far in the posts to train on, and the model knows none of these criteria: nothing says what"
            " their evidence is like. Mark some, then train."
        )
    started = time.monotonic()
    monitor.progress(0.01, "loading", "loading the model to start from")
    predictor = _loaded(task)
    with predictor.remembering():
        learner = _learned(task, predictor, monitor)
        if learner is None:
            return None
        monitor.progress(0.8, "measuring", "measuring on the dev posts")
        _recalibrate(task, predictor)
        learner = held_to_the_floor(task, predictor, learner)
        config = predictor.encoder.config
        asked = predictor.learner = with_earlier(task.base, learner, config, same_layers=True, as_measured=True)
        dev = measured(task, predictor)
        served = with_dev_posts(task, predictor, learner, monitor)
    learners = {SERVED: with_earlier(task.base, served, config, same_layers=True)}
    if served is not learner or has_measured(resolve(task.base)):
        learners[MEASURED] = asked
    result = _result(task, learner, dev, time.monotonic() - started)
    result = replace(result, alone=learner.without_vectors(learner.fits.keys()))
    for line in result.log:
        monitor.log(line)
    monitor.progress(0.97, "saving", f"saving {task.output.name}")
    _save(task, result, predictor, learners)
    monitor.progress(1.0, "done", f"dev macro F1 {result.dev.macro_f1:.3f} after {result.seconds:.0f} s")
    return result


def _loaded(task: Task) -> Predictor:
    import torch

    from encoder.network.checkpoints import LoadOptions, load_encoder
    from encoder.predict import Predictor

    if task.config.threads:
        torch.set_num_threads(task.config.threads)
    encoder = load_encoder(task.base, LoadOptions(task.device, "float32"))
    return Predictor(encoder, task.output.name)


def _learned(task: Task, predictor: Predictor, monitor: Monitor) -> SimpleLearner | None:
    from encoder.training.floor import fit_learner

    def told(done: float) -> None:
        monitor.progress(0.05 + 0.6 * done, "training", f"learning from the reviewed posts, {done:.0%}")

    return fit_learner(task.train, task.criteria, predictor=predictor, on_progress=told, log=monitor.log)


def with_dev_posts(task: Task, predictor: Predictor, learner: SimpleLearner, monitor: Monitor) -> SimpleLearner:
    """The learner with what the dev posts teach, for what is put in service. What they cannot be asked any more is told by `learner`,
    which is kept beside it.
    """
    from encoder.training.floor import views_to_learn_from

    if not task.dev:
        return learner

    def told(done: float) -> None:
        monitor.progress(0.88 + 0.08 * done, "training", f"learning from the dev posts too, {done:.0%}")

    everything, views = (*task.train, *task.dev), {}
    if any(map(learner.sees, learner.fits)):
        views = views_to_learn_from(
            everything, predictor, learner.features, len(task.criteria), on_progress=lambda done: told(done / 2)
        )
    return learner.with_all(everything, views=views, on_progress=lambda done: told(0.5 + done / 2))


def _recalibrate(task: Task, predictor: Predictor) -> None:
    """Fit the thresholds of criteria that the base knows on the dev posts, as a training with steps would: the model in service is
    given the same chance before the two are compared.
    """
    from encoder.training.judge import Judge, with_calibration

    encoder = predictor.encoder
    known = [c for c in task.criteria if encoder.config.knows(c.id) and any(c.id in e.labels for e in task.dev)]
    if known and task.config.calibrate:
        found = Judge(task.dev, known, task.config).measure(encoder, predictor=predictor).calibrated
        encoder.config = with_calibration(encoder.config, found)
        if found is not None and encoder.base_found:
            encoder.config = encoder.config.changed(base_weights=encoder.base_found)


def held_to_the_floor(task: Task, predictor: Predictor, learner: SimpleLearner) -> SimpleLearner:
    """The learner without the vectors of the criteria that would keep it out of service.

    First of those that have LEAST_SUPPORT on the dev posts and are there more than MOST_BEHIND behind the n-grams alone; then of the
    next worst, until the others are together no worse than the n-grams. Criteria with less support are not asked, what the folds of
    the train posts said of them being more; where none has it, all are, for the second only.
    """
    if not any(map(learner.sees, learner.fits)):
        return learner  # there is nothing to fall back from
    alone = learner.without_vectors(learner.fits.keys())
    found = []
    for one in (learner, alone):
        predictor.learner = one
        found.append(measured(task, predictor).criteria)
    losses = {
        key: (found[1][key].f1 or 0.0) - (scores.f1 or 0.0) for key, scores in found[0].items() if learner.sees(key)
    }
    enough = {key for key in losses if found[0][key].support >= LEAST_SUPPORT}
    back = {key for key in enough if losses[key] > MOST_BEHIND}
    compared = sorted(enough or losses, key=losses.__getitem__, reverse=True)
    for key in compared:
        if sum(losses[other] for other in compared if other not in back) <= 0.0:
            break
        back.add(key)
    return learner.without_vectors(back)


def _result(task: Task, learner: SimpleLearner, dev: Evaluation, seconds: float) -> TrainResult:
    from encoder.memory import peak_memory

    log = [
        "The base knows none of these criteria: it stays as it is, and the simple learner learns beside it on"
        f" {len(task.train)} posts."
    ]
    for key, fit in learner.fits.items():
        beside = (
            "n-grams and the encoder's vectors"
            if fit.deep is not None
            else "n-grams alone, to which vectors add nothing or are not there"
        )
        log.append(f"{key}: {beside}. Marked in {fit.settled.choice.unit}s. {fit.settled.choice.reason}")
    if task.dev:
        log.append(f"What answers has learned from the {len(task.dev)} dev posts too, after it was measured on them.")
    return TrainResult(
        output=task.output,
        steps=0,
        best_step=0,
        dev=dev,
        losses={},
        dev_macro_f1={},
        lost=_lost(task, learner),
        data_sha256=content_hash(task.train).sha256,
        seconds=seconds,
        peak_memory_bytes=peak_memory(),
        log=tuple(log),
    )


def _lost(task: Task, learner: SimpleLearner) -> Mapping[str, int]:
    """What could not be learned from, by reason."""
    bare = sum(not e.labels for e in task.train)
    labelled = {key for e in task.train for key in e.labels}
    unlearned = sum(c.id in labelled and c.id not in learner.fits for c in task.criteria)
    return {"posts_without_review": bare, "criteria_with_one_answer_only": unlearned}


def _save(task: Task, result: TrainResult, predictor: Predictor, learners: Mapping[str, SimpleLearner | None]) -> None:
    """The base's own files with the learners by name and the record of this training; TrainingFailed if the disk does not take them."""
    from encoder.network.directories import SaveFailed
    from encoder.simple.files import save_learners

    texts = documents(task, result, processes=1, device=str(predictor.encoder.device), dev_learned=bool(task.dev))
    try:
        with copied(task.base, task.output, predictor.encoder.config) as temporary:
            for name, text in texts.items():
                (temporary / name).write_text(text, encoding="utf-8")
            save_learners(learners, temporary)
    except SaveFailed as error:
        raise TrainingFailed(str(error)) from error


@contextlib.contextmanager
def copied(base: str | Path, output: Path, config: EncoderConfig, *, learners: bool = False) -> Iterator[Path]:
    """A directory that holds the base's own files with another config, and becomes `output` at the end. learners: with the base's
    own. Raises SaveFailed if the output holds something else, or the disk does not take it.
    """
    from encoder.network.directories import check_output, replacing_directory
    from encoder.simple.files import MEASURED, NUMBERS, SERVED, files_of

    check_output(output)
    source = resolve(base)
    kept = {p for pattern in _KEPT for p in source.glob(pattern) if not p.match(NUMBERS)}
    if learners:
        kept |= {p for name in (SERVED, MEASURED) for p in files_of(name, source)}
    with replacing_directory(output) as temporary:
        for path in sorted(kept):
            if path.is_file():
                shutil.copyfile(path, temporary / path.name)
        config.changed(version="").save(temporary)
        yield temporary
