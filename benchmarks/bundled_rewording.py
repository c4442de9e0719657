"""Criteria in words that the bundled model never read, and fine-tuning on corrected posts in wording it never saw."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from annotator.training.plan import PRESETS
from encoder.bundled.corpus import Composer, item_example, read_items, read_posts
from encoder.examples import Example
from encoder.measure.baselines import TfidfBaseline
from encoder.measure.evaluate import evaluate
from encoder.predict import Predictor
from encoder.training.train import Task, train
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
_REST, _OLD = 150, 150


def fine_tuning(criteria: Sequence[Criterion]) -> dict[str, Any]:
    """F1 on new wording and on old before and after 20, 50 and 100 corrected posts, against TF-IDF refitted with the same.

    The new wording is that of two test voices: half of their passages are made into posts to correct. `rest` are posts of the other
    half, whose phrases no correction contains; `recurring` are other posts of the same half, `old` are posts of the dev voices.
    `rest_tfidf` knows all that the bundled model was trained on and the corrections, `rest_tfidf_alone` the corrections only.
    """
    items = read_items()
    voices = sorted({i.voice for i in items if i.split is Split.TEST})[:_NEW_VOICES]
    new = [i for i in items if i.voice in voices]
    corrected = _posts(new[0::2], 100, seed=1)
    rest, recurring = _posts(new[1::2], _REST, seed=2), _posts(new[0::2], _REST, seed=6)
    old = [i for i in items if i.split is Split.DEV]
    kept = _posts(old, _OLD, seed=3)
    own = [i for i in items if i.split is Split.TRAIN]
    replay = _posts(own, 400, seed=4)
    chosen_by = _posts(old, 40, seed=5)
    learned = [item_example(item, n) for n, item in enumerate(own)]
    learned += [e for e in read_posts() if e.post.split is Split.TRAIN]
    before = Predictor.load("bundled")
    measured = {"rest": rest, "recurring": recurring, "old": kept}
    found: dict[str, Any] = {"0": {name: _micro(before, posts, criteria) for name, posts in measured.items()}}
    found["0"]["rest_tfidf"] = _tfidf(learned, rest, chosen_by, criteria)
    for count in (20, 50, 100):
        found[str(count)] = _after(corrected[:count], measured, replay, chosen_by, criteria)
        found[str(count)]["rest_tfidf"] = _tfidf([*learned, *corrected[:count]], rest, chosen_by, criteria)
        found[str(count)]["rest_tfidf_alone"] = _tfidf(corrected[:count], rest, chosen_by, criteria)
    return found


def _after(
    corrected: Sequence[Example],
    measured: Mapping[str, Sequence[Example]],
    replay: Sequence[Example],
    chosen_by: Sequence[Example],
    criteria: Sequence[Criterion],
) -> dict[str, float]:
    config = next(preset.config for preset in PRESETS if preset.id == "quick")
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        tuned = Path(folder) / "tuned"
        train(Task(corrected, chosen_by, criteria, base="bundled", output=tuned, config=config, replay=replay))
        seconds = time.perf_counter() - begun
        predictor = Predictor.load(tuned)
        scores = {name: _micro(predictor, posts, criteria) for name, posts in measured.items()}
    return {**scores, "seconds": round(seconds, 1)}


def _tfidf(
    learned: Sequence[Example], rest: Sequence[Example], chosen_by: Sequence[Example], criteria: Sequence[Criterion]
) -> float:
    baseline = TfidfBaseline().fit(learned, criteria, dev=chosen_by)
    predictions = baseline.predict([e.post for e in rest], criteria)
    return round(evaluate(predictions, rest, criteria, bootstrap=0).micro_f1, 3)


def _posts(items: Sequence[Any], count: int, *, seed: int) -> list[Example]:
    composer = Composer(items, seed)
    return [composer.compose().example for _ in range(count)]


def _micro(predictor: Predictor, examples: Sequence[Example], criteria: Sequence[Criterion]) -> float:
    predictions = predictor.predict([e.post for e in examples], criteria)
    return round(evaluate(predictions, examples, criteria, bootstrap=0).micro_f1, 3)
