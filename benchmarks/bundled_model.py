"""Measures the bundled model on what it never saw: `python -m benchmarks.bundled_model [--write] [--fine-tune]`.

Four held-out voices, sentence by sentence, and whole posts written apart from the corpus; the two baselines, trained on the same
sentences, beside it. --write puts the figures into the model's `metrics.json` and card, and into `benchmarks/RESULTS.md`;
--fine-tune also measures what 20, 50 and 100 corrected posts change (several minutes).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bundled_rewording import REWORDED, fine_tuning
from encoder.bundled.corpus import HARD_NEGATIVES, Item, item_example, read_items, read_posts, read_test_posts
from encoder.examples import Example
from encoder.measure.baselines import KeywordBaseline, TfidfBaseline
from encoder.measure.evaluate import Evaluation, evaluate
from encoder.measure.metrics import expected_calibration_error, reliability_bins
from encoder.network.hub import BUNDLED_DIRECTORY
from encoder.predict import Predictor
from recipes.bundled_model.build import read_wordings
from recipes.bundled_model.card import write_card
from recipes.bundled_model.measure import RECALL_FIRST, calibration_groups, score_sentences
from storage.records import Criterion, Post, Prediction, Split, utc_now

RESULTS = Path(__file__).parent / "RESULTS.md"
_BEGIN, _END = "<!-- bundled model -->", "<!-- /bundled model -->"
_WORDS_PER_POST = 300


@dataclass(frozen=True)
class Sets:
    """Held-out data: items of the test voices, each as a post of its own, and whole posts."""

    items: list[Item]
    voices: list[Example]
    posts: list[Example]

    @classmethod
    def read(cls) -> Sets:
        items = [item for item in read_items() if item.split is Split.TEST]
        return cls(items, [item_example(item, n) for n, item in enumerate(items)], read_test_posts())


@dataclass(frozen=True)
class Measured:
    """One model's figures: sentences of the test voices, whole test posts, and the items as wholes."""

    voices: Evaluation
    posts: Evaluation
    item_micro_f1: float
    item_micro_f1_others: float
    false_highlights: Mapping[str, Mapping[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument("--bootstrap", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    first_load_seconds, predictor = timed_load(options.model)
    load_seconds, predictor = timed_load(options.model)
    criteria, sets = read_wordings()[0], Sets.read()
    models = {name: measure(predict, sets, criteria, thresholds, options.bootstrap)
              for name, (predict, thresholds) in _models(predictor, criteria).items()}  # fmt: skip
    extra = {
        "load_seconds": round(load_seconds, 2),
        "first_load_seconds_with_library_imports": round(first_load_seconds, 2),
        "ms_per_300_words_x_9_criteria": round(milliseconds_per_post(predictor, sets, criteria), 1),
        "ece": calibration_error(predictor, sets, criteria),
        "reworded": reworded(predictor, sets, criteria, models["model"]),
    }
    if options.fine_tune:
        extra["fine_tuning"] = fine_tuning(criteria)
    report = table(models, extra, sets)
    print(report)
    if options.write:
        metrics = json.dumps(as_metrics(models, extra), indent=1)
        (BUNDLED_DIRECTORY / "metrics.json").write_text(metrics + "\n", encoding="utf-8")
        write_card()
        before, rest = RESULTS.read_text("utf-8").split(_BEGIN)
        RESULTS.write_text(before + _BEGIN + "\n" + report + _END + rest.split(_END)[1], encoding="utf-8")


def timed_load(model: str) -> tuple[float, Predictor]:
    """Seconds to a model that is ready to predict, and it. The first time in a process also imports transformers."""
    begun = time.perf_counter()
    predictor = Predictor.load(model)
    return time.perf_counter() - begun, predictor


Predict = Callable[[Sequence[Post], Sequence[Criterion]], list[Prediction]]


def _models(
    predictor: Predictor, criteria: Sequence[Criterion]
) -> dict[str, tuple[Predict, Mapping[str, float] | None]]:
    """What predicts, giving every sentence its score where it can, and the thresholds that decide a highlight."""
    items, posts = read_items(), read_posts()

    def of(split: Split) -> list[Example]:
        own = [i for i in items if i.split is split]
        return [*(item_example(i, n) for n, i in enumerate(own)), *(p for p in posts if p.post.split is split)]

    own_dev = [i for i in items if i.split is Split.DEV]
    dev = calibration_groups(own_dev, [p for p in posts if p.post.split is Split.DEV])
    tfidf = TfidfBaseline().fit(of(Split.TRAIN), criteria, dev=[example for group in dev for example in group])
    keywords = KeywordBaseline().fit([], criteria)
    config = predictor.config
    own = {c.id: config.threshold(c.id) for c in criteria}
    return {
        "model": (lambda p, c: predictor.predict(p, c, threshold=0.0), own),
        "tfidf": (lambda p, c: tfidf.predict(p, c, all_sentences=True), tfidf.thresholds),
        "keywords": (keywords.predict, None),
    }


def measure(
    predict: Predict,
    sets: Sets,
    criteria: Sequence[Criterion],
    thresholds: Mapping[str, float] | None,
    bootstrap: int,
) -> Measured:
    voices = predict([e.post for e in sets.voices], criteria)
    posts = predict([e.post for e in sets.posts], criteria)
    lit = _highlighted_items(voices, sets.items, criteria, thresholds or {})
    gold = np.array([[c.id in item.labels for c in criteria] for item in sets.items])
    others = [k for k, c in enumerate(criteria) if c.id not in RECALL_FIRST]
    return Measured(
        evaluate(voices, sets.voices, criteria, thresholds=thresholds, bootstrap=bootstrap),
        evaluate(posts, sets.posts, criteria, thresholds=thresholds, bootstrap=bootstrap),
        _micro_f1(lit, gold),
        _micro_f1(lit[:, others], gold[:, others]),
        _false_highlights(lit, sets.items, criteria),
    )


def _micro_f1(lit: np.ndarray, gold: np.ndarray) -> float:
    return float(2 * (lit & gold).sum() / (lit.sum() + gold.sum()))


def _highlighted_items(
    predictions: Sequence[Prediction],
    items: Sequence[Item],
    criteria: Sequence[Criterion],
    thresholds: Mapping[str, float],
) -> np.ndarray:
    """Whether any sentence of each item is highlighted, (items, criteria)."""
    lit = [any(s.score is None or s.score >= thresholds.get(p.criterion_id, 0.0) for s in p.spans) for p in predictions]
    return np.array(lit).reshape(len(items), len(criteria))


def _false_highlights(
    lit: np.ndarray, items: Sequence[Item], criteria: Sequence[Criterion]
) -> dict[str, dict[str, float]]:
    """Share of the passages of each class that are highlighted: by criterion over all of the class, and for any criterion.

    `nearest`: highlighted for a criterion that the passage could be mistaken for, where that is known.
    """
    rates: dict[str, dict[str, float]] = {}
    for kind in (*HARD_NEGATIVES, "neutral"):
        rows = np.array([item.kind == kind for item in items])
        rates[kind] = {c.id: float(lit[rows, k].mean()) for k, c in enumerate(criteria)}
        rates[kind] |= {"any": float(lit[rows].any(1).mean()), "passages": int(rows.sum())}
        near = [lit[n, k] for n, item in enumerate(items) if item.kind == kind
                for k, c in enumerate(criteria) if c.id in item.near]  # fmt: skip
        if near:
            rates[kind]["nearest"] = float(np.mean(near))
    return rates


def milliseconds_per_post(
    predictor: Predictor, sets: Sets, criteria: Sequence[Criterion], *, rounds: int = 15
) -> float:
    """Median time for one post of 300 words and all criteria on one thread."""
    words = " ".join(e.post.text for e in sets.posts).split()
    posts = [Post(f"speed-{n}", " ".join(words[n * 40 : n * 40 + _WORDS_PER_POST])) for n in range(rounds)]
    predictor.predict(posts[:2], criteria)
    seconds = []
    for post in posts:
        begun = time.perf_counter()
        predictor.predict([post], criteria)
        seconds.append(time.perf_counter() - begun)
    return 1000 * statistics.median(seconds)


def calibration_error(predictor: Predictor, sets: Sets, criteria: Sequence[Criterion]) -> dict[str, float]:
    """ECE of sentence probabilities on the test voices, without and with the temperature."""
    scored = score_sentences(predictor.encoder, sets.voices, criteria)

    def error(temperature: float) -> float:
        chances = 1.0 / (1.0 + np.exp(-scored.logits / temperature))
        return round(float(expected_calibration_error(reliability_bins(chances.ravel(), scored.gold.ravel()))), 4)

    return {"before": error(1.0), "after": error(predictor.config.temperature)}


def reworded(predictor: Predictor, sets: Sets, criteria: Sequence[Criterion], before: Measured) -> dict[str, float]:
    """Micro F1 on the test voices with the criteria in other words, which training never saw."""
    changed = [replace(c, text=REWORDED[c.id]) for c in criteria]
    predictions = predictor.predict([e.post for e in sets.voices], changed)
    after = evaluate(predictions, sets.voices, changed, bootstrap=0)
    return {"before": round(before.voices.micro_f1, 4), "after": round(after.micro_f1, 4)}


def as_metrics(models: Mapping[str, Measured], extra: Mapping[str, Any]) -> dict[str, Any]:
    """What the Overview page reads."""

    def sets_of(found: Measured) -> dict[str, Any]:
        return {"test": found.voices.to_dict(), "test_posts": found.posts.to_dict()}

    beside = {name: sets_of(found) for name, found in models.items() if name != "model"}
    return {
        **sets_of(models["model"]),
        "beside": beside,
        "false_highlights": models["model"].false_highlights,
        "items": {
            name: {"micro_f1": found.item_micro_f1, "micro_f1_others": found.item_micro_f1_others}
            for name, found in models.items()
        },
        "measured_at": utc_now(),
        **extra,
    }


def table(models: Mapping[str, Measured], extra: Mapping[str, Any], sets: Sets) -> str:
    """The figures for people, in Markdown."""
    model = models["model"]
    lines = [
        "## The bundled model on held-out data",
        "",
        f"`python -m benchmarks.bundled_model --write --fine-tune`, {utc_now()[:10]}. {len(sets.items)} passages of four voices "
        f"that were never trained on, and {len(sets.posts)} whole posts written apart. Intervals: 95 %, bootstrap by post.",
        "",
        "| | keywords | TF-IDF + LR | bundled model |",
        "|---|---|---|---|",
    ]
    order = [models["keywords"], models["tfidf"], model]
    figures: list[tuple[str, Callable[[Measured], str]]] = [
        ("micro F1, passages of the test voices", lambda m: f"{m.item_micro_f1:.3f}"),
        ("the same without the criterion that puts recall first", lambda m: f"{m.item_micro_f1_others:.3f}"),
        ("micro F1, their sentences", lambda m: _f1(m.voices.micro)),
        ("macro F1, their sentences", lambda m: _f1(m.voices.macro)),
        ("micro average precision", lambda m: f"{m.voices.micro.average_precision or 0:.3f}"),
        ("spans exact F1, whole posts", lambda m: _f1(m.posts.span_exact)),
        ("spans overlapping F1, whole posts", lambda m: _f1(m.posts.span_overlap)),
        ("sentence micro F1, whole posts", lambda m: _f1(m.posts.micro)),
        ("the same without the criterion that puts recall first", lambda m: f"{micro_of_others(m.posts):.3f}"),
        ("micro average precision, whole posts", lambda m: f"{m.posts.micro.average_precision or 0:.3f}"),
        ("no-evidence accuracy, whole posts", lambda m: f"{m.posts.no_evidence_accuracy or 0:.3f}"),
        ("ECE, sentences of the test voices", lambda m: f"{m.voices.sentence_calibration.ece or 0:.3f}"),
        ("ECE, whole posts", lambda m: f"{m.posts.sentence_calibration.ece or 0:.3f}"),
    ]
    lines += [f"| {name} | " + " | ".join(show(m) for m in order) + " |" for name, show in figures]
    lines += ["", "### By criterion, sentences of the test voices", "", "```", model.voices.table(), "```"]
    lines += ["", "### By criterion, whole posts", "", "```", model.posts.table(), "```"]
    lines += [
        "",
        "### False highlights by class of hard negative (share of passages)",
        "",
        *_rates(model.false_highlights),
    ]
    lines += ["", "### Speed, calibration, wording, fine-tuning", "", "```json", json.dumps(extra, indent=1), "```", ""]
    return "\n".join(lines)


def micro_of_others(found: Evaluation) -> float:
    """Sentence micro F1 over the criteria that do not put recall first."""
    others = [s for key, s in found.criteria.items() if key not in RECALL_FIRST]
    hits = sum((s.recall or 0.0) * s.support for s in others)
    return 2 * hits / sum(s.support + s.predicted for s in others)


def _f1(scores: Any) -> str:
    interval = scores.f1_interval
    shown = f"{scores.f1 or 0:.3f}"
    return f"{shown} ({interval.low:.3f} to {interval.high:.3f})" if interval else shown


def _rates(rates: Mapping[str, Mapping[str, float]]) -> list[str]:
    columns = list(next(iter(rates.values())))
    criteria = [c for c in columns if c not in ("any", "passages", "nearest")]
    lines = ["| class | passages | any | " + " | ".join(criteria) + " |", "|---" * (len(criteria) + 3) + "|"]
    for kind, found in rates.items():
        shown = " | ".join(f"{found[c]:.1%}" for c in criteria)
        lines.append(f"| {kind} | {found['passages']} | {found['any']:.1%} | {shown} |")
    return [*lines, "", f"{', '.join(RECALL_FIRST)} has a threshold that puts recall first."]


if __name__ == "__main__":
    main()
