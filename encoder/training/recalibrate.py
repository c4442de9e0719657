"""A model whose adapter stands on other weights of its base than it was trained on, calibrated anew on reviewed posts.

The weights of a quantized file and the Hub's own differ a little, and so do the scores. Nothing is trained: temperature and
thresholds of what the encoder knows move away from those that it came with as far as the answers carry. What that is worth is
measured on posts that it was not fitted on: each half of them is judged by what the other half says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from encoder.config import TrainConfig
from encoder.errors import EncoderError
from encoder.examples import Example
from encoder.measure.calibrate import at_temperature
from encoder.measure.evaluate import Evaluation, evaluate
from encoder.network.hub import resolve
from encoder.seen import SEEN_FILE, seen_with
from encoder.training.beside import copied
from encoder.training.judge import Judge, with_calibration
from storage.records import Criterion, Prediction, utc_now

if TYPE_CHECKING:
    from encoder.predict import Predictor

CALIBRATION_FILE = "calibration.json"


@dataclass(frozen=True)
class Recalibrated:
    """examples: those that it was calibrated on. before, after: figures on them as the model came, and calibrated on the other half."""

    examples: Sequence[Example]
    before: Evaluation
    after: Evaluation

    @property
    def worth_it(self) -> bool:
        """Whether the spans are no worse for it: the scores are the more honest ones then."""
        return (self.after.macro_f1 or 0.0) >= (self.before.macro_f1 or 0.0)


def calibrated_alone(predictor: Predictor, criteria: Sequence[Criterion]) -> list[Criterion]:
    """The criteria that the encoder answers by itself: those that the simple learner answers with it have a threshold of their own."""
    learned = predictor.learner.fits if predictor.learner is not None else ()
    return [c for c in criteria if predictor.config.knows(c.id) and c.id not in learned]


def recalibrate(
    predictor: Predictor,
    examples: Sequence[Example],
    criteria: Sequence[Criterion],
    *,
    on_progress: Callable[[float], None] = lambda done: None,
) -> Recalibrated | None:
    """Calibrate the predictor on the examples, none of which the model has learned from, and measure what that is worth.

    criteria: as `calibrated_alone`. None, and nothing is changed, where the examples or half of them hold too little evidence (five
    sentences); a post that the model cannot read is left out. on_progress: told before each post how much is done, 0 to 1; what it
    raises comes through and leaves the predictor as it was.
    """
    config = predictor.encoder.config
    try:
        with predictor.remembering():
            read = list(_readable(predictor, examples, criteria, on_progress))
            halves = read[::2], read[1::2]
            before = predictor.predict([e.post for e in read], criteria)
            after: list[Prediction] = []
            for taught, asked in (halves, halves[::-1]):
                if not _fit(predictor, taught, criteria):
                    return None
                after += predictor.predict([e.post for e in asked], criteria)
                predictor.encoder.config = config
            if not _fit(predictor, read, criteria):
                return None
            config = predictor.encoder.config
    finally:
        predictor.encoder.config = config
    return Recalibrated(read, evaluate(before, read, criteria), evaluate(after, read, criteria))


def save_recalibrated(predictor: Predictor, base: str | Path, output: Path, found: Recalibrated) -> None:
    """The base's own files with the predictor's calibration and the weights that it stands on here. Raises SaveFailed."""
    config = predictor.encoder.config.changed(base_weights=predictor.encoder.base_found)
    record = {
        "created_at": utc_now(),
        "base": str(base),
        "trained_on": dict(predictor.encoder.config.base_weights),
        "stands_on": dict(predictor.encoder.base_found),
        "posts": len(found.examples),
        "temperature": config.temperature,
        "thresholds": dict(config.thresholds),
        "macro_f1": {"before": found.before.macro_f1, "after": found.after.macro_f1},
    }
    with copied(base, output, config, learners=True) as temporary:
        (temporary / CALIBRATION_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        seen = seen_with(resolve(base), [], [e.post.text for e in found.examples])
        (temporary / SEEN_FILE).write_text(seen.to_json(), encoding="utf-8")


def _readable(
    predictor: Predictor,
    examples: Sequence[Example],
    criteria: Sequence[Criterion],
    on_progress: Callable[[float], None],
) -> Iterator[Example]:
    """The examples with an answer about these criteria whose posts the model can read: it remembers what it made of them."""
    wanted = {c.id for c in criteria}
    for number, example in enumerate(examples):
        on_progress(number / len(examples))
        labels = {key: label for key, label in example.labels.items() if key in wanted}
        try:
            predictor.predict([example.post], criteria)
        except EncoderError:
            continue
        if labels:
            yield Example(example.post, labels)


def _fit(predictor: Predictor, examples: Sequence[Example], criteria: Sequence[Criterion]) -> bool:
    """Give the predictor what these examples say; False, and nothing is changed, if that is too little."""
    encoder, learner = predictor.encoder, predictor.learner
    config = encoder.config
    found = Judge(examples, criteria, TrainConfig()).measure(encoder, predictor=predictor).calibrated
    if found is not None and learner is not None and any(map(config.knows, learner.fits)):
        found = at_temperature(found, config.temperature)  # the learner was put together with logits of this one
    encoder.config = with_calibration(config, found)
    return found is not None
