"""Criteria in words that the bundled model never read, and fine-tuning on corrected posts in wording it never saw."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from encoder.baselines import TfidfBaseline
from encoder.config import TrainConfig
from encoder.demo.corpus import Composer, read_items
from encoder.evaluate import evaluate
from encoder.examples import Example
from encoder.predict import Predictor
from encoder.train import train
from storage.records import Criterion, Split

REWORDED: Mapping[str, str] = {
    "DEPRESSED_MOOD": "Spirits have been low for weeks: gloom, despair, crying spells or feeling dead inside.",
    "ANHEDONIA": "Former pleasures leave the person cold; they have stopped caring about pastimes and company.",
    "APPETITE_CHANGE": "Off their food or overeating; kilos lost or gained for no intended reason.",
    "SLEEP_ISSUES": "Nights are bad or far too long.",
    "PSYCHOMOTOR": "Agitated or slowed down in body and talk.",
    "FATIGUE": "Weary all the time, strength gone, every chore a mountain.",
    "WORTHLESSNESS": "Harsh self-condemnation, undeserved guilt, seeing oneself as good for nothing.",
    "COGNITIVE_ISSUES": "Attention, memory and choosing have become hard.",
    "SUICIDAL_THOUGHTS": "Would rather be dead, imagines not existing, or is preparing to go.",
}
_NEW_VOICES = 2
_REST, _OLD = 60, 120


def fine_tuning(criteria: Sequence[Criterion]) -> dict[str, Any]:
    """F1 on new wording and on old before and after 20, 50 and 100 corrected posts, against TF-IDF refitted on the same.

    The new wording is that of two test voices: half of their passages are made into posts to correct, the rest is measured on.
    """
    items = read_items()
    voices = sorted({i.voice for i in items if i.split is Split.TEST})[:_NEW_VOICES]
    new = [i for i in items if i.voice in voices]
    corrected = _posts(new[0::2], 100, seed=1)
    rest = _posts(new[1::2], _REST, seed=2)
    old = [i for i in items if i.split is Split.DEV]
    kept = _posts(old, _OLD, seed=3)
    replay = _posts([i for i in items if i.split is Split.TRAIN], 400, seed=4)
    chosen_by = _posts(old, 20, seed=5)
    before = Predictor.load("demo")
    found: dict[str, Any] = {"0": {"rest": _micro(before, rest, criteria), "old": _micro(before, kept, criteria)}}
    for count in (20, 50, 100):
        found[str(count)] = _after(corrected[:count], rest, kept, replay, chosen_by, criteria)
    return found


def _after(
    corrected: Sequence[Example],
    rest: Sequence[Example],
    kept: Sequence[Example],
    replay: Sequence[Example],
    chosen_by: Sequence[Example],
    criteria: Sequence[Criterion],
) -> dict[str, float]:
    config = TrainConfig(
        max_steps=100,
        batch_size=8,
        learning_rate=1e-3,
        head_learning_rate=2e-3,
        token_masking=0.08,
        eval_steps=50,
        patience=0,
    )
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        train(corrected, chosen_by, criteria, base="demo", output=Path(folder) / "tuned", config=config, replay=replay)
        seconds = time.perf_counter() - begun
        tuned = Predictor.load(Path(folder) / "tuned")
        scores = {"rest": _micro(tuned, rest, criteria), "old": _micro(tuned, kept, criteria)}
    baseline = TfidfBaseline().fit([*replay, *corrected], criteria, dev=chosen_by)
    predictions = baseline.predict([e.post for e in rest], criteria)
    scores["rest_tfidf"] = round(evaluate(predictions, rest, criteria, bootstrap=0).micro_f1, 3)
    return {**scores, "seconds": round(seconds, 1)}


def _posts(items: Sequence[Any], count: int, *, seed: int) -> list[Example]:
    composer = Composer(items, seed)
    return [composer.compose().example for _ in range(count)]


def _micro(predictor: Predictor, examples: Sequence[Example], criteria: Sequence[Criterion]) -> float:
    predictions = predictor.predict([e.post for e in examples], criteria)
    return round(evaluate(predictions, examples, criteria, bootstrap=0).micro_f1, 3)
