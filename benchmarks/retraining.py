"""What a retraining gives on criteria that the model does not know, beside the simple learner and TF-IDF on the same posts.

`python -m benchmarks.retraining --data GOLD.jsonl[.gz] --criteria FILE [--model bundled|encoder/bundled/gemma] [--posts 200] [--seeds 1]`

The reviewed posts are drawn from the splits train and dev of the file, 15 of 100 are dev posts as in a project, and it is measured on posts
of the split test. Real trainings with the preset's settings, as the Retrain page runs them, on one thread. TF-IDF and the simple learner
learn from all reviewed posts, and so does the retraining once it has been measured on its dev posts. No post's text is written.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from annotator.training.plan import BUNDLED_PARAMETERS, GEMMA_PARAMETERS, PRESETS
from benchmarks.loop import FIGURES, Suggest, measured, read_gold, simple, tfidf, worlds
from encoder.config import TrainConfig
from encoder.examples import Example, split_examples
from encoder.predict import Predictor
from encoder.simple.learner import SimpleLearner
from encoder.training.train import Task, train
from storage.criteria_file import read_criteria
from storage.records import Criterion, Split, split_of


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    examples, criteria = read_gold(given.data), read_criteria(given.criteria)
    rows: list[dict[str, Any]] = []
    for seed in range(given.seed, given.seed + given.seeds):
        pool, held_out = worlds(examples, given.posts, given.test, seed)
        for name, fit in (("TF-IDF", tfidf), ("simple learner", simple)):
            rows.append(row(name, seed, fit(pool, criteria), held_out, criteria))
        began = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            predictor = retrained(Path(folder) / "model", pool, criteria, given)
            seconds = time.process_time() - began
            with predictor.remembering():
                figures = row("retrained", seed, suggest_of(predictor), held_out, criteria)
            rows.append(figures | {"cpu_seconds": round(seconds, 1)})
            learner = predictor.learner
            if learner is not None:
                rows.append(row("its n-grams alone", seed, by_itself(learner), held_out, criteria))
    for found in rows:
        print(json.dumps(found))


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="gold file, also gzipped")
    parser.add_argument("--criteria", type=Path, required=True)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--preset", default="quick", choices=[p.id for p in PRESETS])
    parser.add_argument("--set", default="{}", type=json.loads, help="settings to change, as JSON")
    parser.add_argument("--posts", type=int, default=200)
    parser.add_argument("--test", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    return parser.parse_args(argv)


def retrained(
    output: Path, reviewed: Sequence[Example], criteria: Sequence[Criterion], given: argparse.Namespace
) -> Predictor:
    parts = split_examples([replace(e, post=replace(e.post, split=split_of(e.post.id, test=0.0))) for e in reviewed])
    preset = next(p for p in PRESETS if p.id == given.preset)
    size = BUNDLED_PARAMETERS if given.model == "bundled" else GEMMA_PARAMETERS
    config = TrainConfig.from_dict({**preset.config_for(size).to_dict(), "threads": 1, **given.set})
    task = Task(
        parts[Split.TRAIN], parts[Split.DEV], criteria, base=given.model, output=output, config=config, device="cpu"
    )
    result = train(task)
    print(*result.log, sep="\n")
    return Predictor.load(output, device="cpu", threads=1)


def by_itself(learner: SimpleLearner) -> Suggest:
    """What the learner says without the encoder."""
    return lambda examples, c, threshold: learner.predict([e.post for e in examples], [c], threshold=threshold)


def suggest_of(predictor: Predictor) -> Suggest:
    def suggest(examples: Sequence[Example], criterion: Criterion, threshold: float | None) -> list[Any]:
        return predictor.predict([e.post for e in examples], [criterion], threshold=threshold)

    return suggest


def row(
    name: str, seed: int, suggest: Suggest, held_out: Sequence[Example], criteria: Sequence[Criterion]
) -> dict[str, Any]:
    figures = measured(suggest, held_out, criteria)
    return {"model": name, "seed": seed, **{key: round(figures[key], 4) for key in FIGURES}}


if __name__ == "__main__":
    main()
