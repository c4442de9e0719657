"""The dev set's verdict on a model in training: sentence macro F1, and the temperature and thresholds that go with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from encoder.config import EncoderConfig, TrainConfig
from encoder.examples import Example
from encoder.measure.calibrate import Calibrated, calibrate
from encoder.measure.metrics import Bools, Floats, macro_f1, sentence_is_evidence
from encoder.network.decode import best_span
from encoder.network.model import EvidenceEncoder
from encoder.predict import Predictor
from encoder.text.windows import PostScores
from storage.records import Criterion, Post

Gather = Callable[[list[Any]], list[Any]]


@dataclass(frozen=True)
class Judged:
    """macro_f1: mean sentence F1 over the criteria with gold evidence, at the thresholds that `calibrated` holds.

    calibrated: None if dev has too little evidence to calibrate on; then the model's own thresholds were used.
    """

    macro_f1: float
    calibrated: Calibrated | None


@dataclass(frozen=True)
class _Answers:
    """Logits and labels of one post by criterion number, only for reviewed criteria."""

    logits: dict[int, Floats]
    gold: dict[int, Bools]


class Judge:
    """Measures encoders on the same dev examples."""

    def __init__(
        self,
        dev: Sequence[Example],
        criteria: Sequence[Criterion],
        config: TrainConfig,
        *,
        process: int = 0,
        processes: int = 1,
        gather: Gather = lambda found: found,
    ) -> None:
        self._criteria = list(criteria)
        self._config = config
        self._mine = list(dev)[process::processes]
        self._gather = gather

    def measure(
        self,
        encoder: EvidenceEncoder,
        *,
        predictor: Predictor | None = None,
        each_post: Callable[[], None] = lambda: None,
    ) -> Judged:
        """Score the dev posts. `each_post` is called between posts and may raise to stop. Leaves the encoder's mode as it was.

        predictor: one of this encoder that may remember scores.
        """
        training = encoder.training
        try:
            mine = list(self._answers(encoder, predictor or Predictor(encoder, "in training"), each_post))
        finally:
            encoder.train(training)
        answers: list[_Answers] = self._gather(mine)
        logits, gold = self._by_criterion(answers)
        found = None
        if self._config.calibrate:
            found = calibrate(
                logits,
                gold,
                recall_first=self._config.recall_first,
                recall_target=self._config.recall_target,
                start=_calibration_of(encoder.config),
            )
        return Judged(_macro_f1(logits, gold, encoder.config, found), found)

    def _answers(
        self, encoder: EvidenceEncoder, predictor: Predictor, each_post: Callable[[], None]
    ) -> Iterator[_Answers]:
        asked = [c for c in self._criteria if encoder.config.knows(c.id)]
        number = {c.id: k for k, c in enumerate(self._criteria)}
        posts: list[Post] = [e.post for e in self._mine]
        scores = predictor.iter_scores(posts, asked, batch_size=16)
        for example, found in zip(self._mine, scores, strict=True):
            each_post()
            logits: dict[int, Floats] = {}
            gold: dict[int, Bools] = {}
            for column, criterion in enumerate(asked):
                label = example.labels.get(criterion.id)
                if label is None:
                    continue
                key = number[criterion.id]
                if encoder.config.span_head == "softmax":
                    logits[key], gold[key] = _lead(found, column, encoder.config), np.array([label.has_evidence])
                    continue
                column_logits = found.sentences[:, column].astype(np.float64)
                finite = np.isfinite(column_logits)
                truth = np.array([sentence_is_evidence(s, label.spans) for s in found.read.sentences], dtype=np.bool_)
                logits[key], gold[key] = column_logits[finite], truth[finite]
            yield _Answers(logits, gold)

    def _by_criterion(self, answers: Sequence[_Answers]) -> tuple[dict[str, Floats], dict[str, Bools]]:
        logits: dict[str, Floats] = {}
        gold: dict[str, Bools] = {}
        for number, criterion in enumerate(self._criteria):
            reviewed = [a for a in answers if number in a.logits]
            if reviewed:
                logits[criterion.id] = np.concatenate([a.logits[number] for a in reviewed])
                gold[criterion.id] = np.concatenate([a.gold[number] for a in reviewed])
        return logits, gold


def _calibration_of(config: EncoderConfig) -> Calibrated | None:
    """What the model was calibrated to before this training; None if it never was."""
    if not config.thresholds:
        return None
    return Calibrated(config.temperature, config.thresholds, config.default_threshold)


def with_calibration(config: EncoderConfig, found: Calibrated | None) -> EncoderConfig:
    """The encoder's config with new temperature and thresholds; a criterion that dev says nothing about keeps its own."""
    if found is None:
        return config
    return config.changed(
        temperature=found.temperature,
        thresholds={**config.thresholds, **found.thresholds},
        default_threshold=found.default_threshold,
    )


def _lead(found: PostScores, column: int, config: EncoderConfig) -> Floats:
    """The best span's lead over "no span", shape (1,): what the softmax head decides by."""
    best = best_span(found.tokens[:, column, 1], found.tokens[:, column, 2], config.max_span_tokens)
    return np.array([best[2] if best else -60.0], dtype=np.float64)


def _macro_f1(
    logits: dict[str, Floats], gold: dict[str, Bools], config: EncoderConfig, found: Calibrated | None
) -> float:
    """Mean F1 over the criteria with gold evidence; 0 if none has."""
    decided = with_calibration(config, found)
    counts = []
    for key, truth in gold.items():
        lit = expit(logits[key] / decided.temperature) >= decided.threshold(key)
        counts.append((np.sum(lit & truth), np.sum(lit & ~truth), np.sum(~lit & truth)))
    mean = float(macro_f1(*np.array(counts).T)) if counts else 0.0
    return 0.0 if np.isnan(mean) else mean
