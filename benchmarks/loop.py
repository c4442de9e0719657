"""The loop on any gold file: posts arrive in an order, the model suggests, gold answers, the instant learner learns.

`python -m benchmarks.loop --data GOLD.jsonl[.gz] --criteria FILE [--budgets 0,10,20,50,100,200] [--seeds 3] [--output FOLDER]`

For each number of reviewed posts it measures on held-out posts (those of the split `test`): average precision of sentences (macro
over the criteria with evidence), span F1 (exact, IoU .5, characters, overlapping), and on the posts as they arrive the gestures
and characters that a person has to move from the suggestions to gold. Compared are the orders of `--orders`, the TF-IDF baseline
and the simple learner fitted alone on the same answers, and the model without the instant learner. No post's text is written.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from encoder.errors import BadExamples
from encoder.examples import Example, Label, read_examples
from encoder.measure.baselines import TfidfBaseline
from encoder.measure.evaluate import evaluate
from encoder.measure.metrics import Floats, character_counts, exact_hits
from encoder.simple.features import FeatureCache
from encoder.simple.instant import InstantLearner
from encoder.simple.learner import Given, SimpleLearner
from storage.criteria_file import read_criteria
from storage.records import Criterion, Prediction, Span, Split, utc_now

FIGURES = ("average_precision", "exact", "match", "characters", "overlap")
LOOKED_AT = 60
"""Posts of the pool that are rescored to choose the next one, as the app rescores those that it has read ahead."""


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    examples = read_gold(given.data)
    criteria = read_criteria(given.criteria)
    base = Base(criteria) if given.model else None
    folder = given.output or Path(tempfile.mkdtemp(prefix="loop-"))
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for seed in range(given.seeds):
        pool, held_out = worlds(examples, given.pool, given.test, seed)
        logits = base.logits([*pool, *held_out]) if base else {}
        for order in given.orders.split(","):
            found = run(Setting(order, seed, criteria, logits, base), pool, held_out, given.budgets)
            rows += found
            print(*(f"{r['posts']}: AP {r['average_precision']:.3f}" for r in found), order, seed, flush=True)
        rows += alone(seed, pool, held_out, criteria, given.budgets, base, logits)
        (folder / "loop.json").write_text(json.dumps(rows, indent=1), "utf-8")
    report = table(rows, given)
    (folder / "loop.md").write_text(report, "utf-8")
    plot(rows, folder / "loop.png", given.data.name)
    print(report, f"All of it is in {folder}.", sep="\n")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="gold file, also gzipped")
    parser.add_argument("--criteria", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    parser.add_argument(
        "--budgets", type=lambda text: [int(x) for x in text.split(",")], default=[0, 10, 20, 50, 100, 200]
    )
    parser.add_argument("--orders", default="random,uncertain,evidence,mixed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pool", type=int, default=700)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--model", default="", help="a model whose suggestions the learner starts from; none without")
    return parser.parse_args(argv)


def read_gold(path: Path) -> list[Example]:
    if path.suffix != ".gz":
        return read_examples(path)
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as plain:
        with gzip.open(path) as packed:
            shutil.copyfileobj(packed, plain)
        plain.flush()
        return read_examples(plain.name)


def worlds(examples: Sequence[Example], pool: int, test: int, seed: int) -> tuple[list[Example], list[Example]]:
    """Posts to review and posts to measure on: drawn from train and dev, and from test."""
    draw = np.random.default_rng(seed).permutation(len(examples))
    shuffled = [examples[i] for i in draw]
    held_out = [e for e in shuffled if e.post.split is Split.TEST]
    if not held_out:
        raise SystemExit("The gold file has no posts of the split test to measure on.")
    return [e for e in shuffled if e.post.split is not Split.TEST][:pool], held_out[:test]


class Base:
    """A model that suggests before anything was reviewed."""

    def __init__(self, criteria: Sequence[Criterion], model: str = "bundled") -> None:
        from encoder.predict import Predictor

        self.criteria = criteria
        self.predictor = Predictor.load(model, device="cpu", threads=1)
        self.trusted = frozenset(c.id for c in criteria if self.predictor.config.knows(c.id))

    def logits(self, examples: Sequence[Example]) -> Given:
        from encoder.training.floor import given_logits

        return given_logits(self.predictor, examples, self.criteria)


@dataclass
class Setting:
    order: str
    seed: int
    criteria: Sequence[Criterion]
    logits: Given
    base: Base | None
    cache: FeatureCache = field(default_factory=lambda: FeatureCache(8192))


def run(
    setting: Setting, pool: Sequence[Example], held_out: Sequence[Example], budgets: Sequence[int]
) -> list[dict[str, Any]]:
    """One reviewer's way through the pool. A row per budget."""
    trusted = setting.base.trusted if setting.base else frozenset()
    instant = InstantLearner(trusted=trusted, cache=setting.cache)
    left, rows = list(pool), []
    rng = np.random.default_rng([setting.seed, 7])
    work, seconds, decisions = [0, 0], [], 0
    for reviewed in range(max(budgets) + 1):
        if reviewed in budgets:
            figures = measured(answers(setting, instant.learner()), held_out, setting.criteria)
            cost = {"gestures": work[0] / max(1, decisions), "moved": work[1] / max(1, decisions)}
            cpu = float(np.quantile(seconds, 0.95)) if seconds else 0.0
            rows.append(
                {"order": setting.order, "seed": setting.seed, "posts": reviewed, **figures, **cost, "seconds": cpu}
            )
            work, seconds, decisions = [0, 0], [], 0
        if not left or reviewed == max(budgets):
            continue
        example = left.pop(choose(setting, instant, left, rng))
        suggest = answers(setting, instant.learner())
        for criterion in setting.criteria:
            label = example.labels.get(criterion.id)
            if label is None:
                continue
            shown = suggest([example], criterion, None)[0]
            work[0] += gestures(shown.spans, label)
            work[1] += moved(shown.spans, label)
            decisions += 1
            began = time.thread_time()
            logits = setting.logits.get(example.post.id, {}).get(criterion.id)
            instant.take(example.post, criterion.id, label, given=logits)
            instant.refit(criterion.id)
            seconds.append(time.thread_time() - began)
    return rows


Suggest = Callable[[Sequence[Example], Criterion, float | None], list[Prediction]]


def answers(setting: Setting, learner: SimpleLearner) -> Suggest:
    """What is shown: the instant learner where it speaks, else the model, else nothing."""

    def suggest(examples: Sequence[Example], criterion: Criterion, threshold: float | None) -> list[Prediction]:
        found = []
        for example in examples:
            logits = setting.logits.get(example.post.id, {}).get(criterion.id)
            if learner.knows(criterion.id) or logits is None:
                found.append(learner.predict_one(example.post, criterion, given=logits, threshold=threshold))
            else:
                found.append(of_logits(setting, example, criterion, logits, threshold))
        return found

    return suggest


def of_logits(
    setting: Setting, example: Example, criterion: Criterion, logits: Floats, threshold: float | None
) -> Prediction:
    assert setting.base is not None
    chances = expit(logits)
    least = setting.base.predictor.config.threshold(criterion.id) if threshold is None else threshold
    passages = setting.cache.of(example.post).sentences
    spans = tuple(Span(s.start, s.end, float(p)) for s, p in zip(passages, chances, strict=True) if p >= least)
    return Prediction(example.post.id, criterion.id, "model", spans, 1 - float(max(chances, default=0.0)))


def choose(setting: Setting, instant: InstantLearner, left: Sequence[Example], rng: np.random.Generator) -> int:
    """The place of the next post in `left`, by the order of the setting, among the first LOOKED_AT."""
    some = left[:LOOKED_AT]
    if setting.order == "random" or (setting.order == "mixed" and rng.random() < 0.25):
        return 0
    learner = instant.learner()
    suggest = answers(setting, learner)
    chances = np.array([[1 - p.no_evidence_score for p in suggest(some, c, 0.0)] for c in setting.criteria])
    known = np.array(
        [learner.knows(c.id) or c.id in (setting.base.trusted if setting.base else ()) for c in setting.criteria]
    )
    if not known.any():
        return 0
    return int(np.argmax(worth(setting.order, chances[known])))


def worth(order: str, chances: Floats) -> Floats:
    """How much is learned from each post. chances: of evidence, (criteria, posts)."""
    uncertainty = 1 - np.abs(2 * chances - 1)
    if order == "uncertain":
        return uncertainty.max(0)
    rarity = 1 / np.maximum(chances.mean(1, keepdims=True), 0.02)
    if order == "evidence":
        return (chances * rarity).sum(0)
    return ((uncertainty + chances) * rarity).sum(0)


def alone(
    seed: int,
    pool: Sequence[Example],
    held_out: Sequence[Example],
    criteria: Sequence[Criterion],
    budgets: Sequence[int],
    base: Base | None,
    logits: Given,
) -> list[dict[str, Any]]:
    """TF-IDF and the simple learner by themselves on posts in random order, and the model as it is."""
    rows = []
    for count in budgets:
        for name, fit in (("tf-idf", tfidf), ("simple", simple)):
            began = time.thread_time()
            suggest = fit(pool[:count], criteria)
            figures = measured(suggest, held_out, criteria)
            rows.append({"order": name, "seed": seed, "posts": count, **figures, "seconds": time.thread_time() - began})
    if base is not None:
        setting = Setting("model", seed, criteria, logits, base)
        figures = measured(answers(setting, SimpleLearner({})), held_out, criteria)
        rows += [{"order": "model alone", "seed": seed, "posts": count, **figures, "seconds": 0.0} for count in budgets]
    return rows


def _nothing(examples: Sequence[Example], criterion: Criterion, threshold: float | None) -> list[Prediction]:
    return [Prediction(e.post.id, criterion.id, "none", (), 1.0, known=False) for e in examples]


def tfidf(train: Sequence[Example], criteria: Sequence[Criterion]) -> Suggest:
    try:
        fitted = TfidfBaseline().fit(train, criteria)
    except (BadExamples, ValueError):
        return _nothing
    return lambda examples, c, threshold: fitted.predict(
        [e.post for e in examples], [c], all_sentences=threshold is not None
    )


def simple(train: Sequence[Example], criteria: Sequence[Criterion]) -> Suggest:
    try:
        fitted = SimpleLearner.fit(train, criteria)
    except BadExamples:
        return _nothing
    return lambda examples, c, threshold: fitted.predict([e.post for e in examples], [c], threshold=threshold)


def measured(suggest: Suggest, held_out: Sequence[Example], criteria: Sequence[Criterion]) -> dict[str, float]:
    """FIGURES on the held-out posts."""
    shown = [p for c in criteria for p in suggest(held_out, c, None)]
    ranked = [p for c in criteria for p in suggest(held_out, c, 0.0)]
    found = evaluate(shown, held_out, criteria, ranked=ranked, bootstrap=0)
    spans = (found.span_exact, found.span_match, found.span_characters, found.span_overlap)
    values = [found.macro.average_precision, *(s.f1 for s in spans)]
    share = [s.support for s in found.criteria.values()]
    return {**{name: value or 0.0 for name, value in zip(FIGURES, values, strict=True)}, "support": float(sum(share))}


def gestures(spans: Sequence[Span], label: Label) -> int:
    """Keys or drags from what is shown to gold: one to confirm, one for each span that is wrong, has other edges or is missing."""
    exact = exact_hits(spans, label.spans)
    return 1 + max(len(spans) - exact, len(label.spans) - exact)


def moved(spans: Sequence[Span], label: Label) -> int:
    """Characters that have to be taken out of what is shown or put into it."""
    shared, predicted, gold = character_counts(spans, label.spans)
    return predicted + gold - 2 * shared


def table(rows: Sequence[Mapping[str, Any]], given: argparse.Namespace) -> str:
    """A table for RESULTS.md: mean over the seeds, and the range of the average precision."""
    machine = f"{utc_now()[:10]}, {os.cpu_count()} CPU cores, load average {os.getloadavg()[0]:.1f}"
    lines = [f"{given.data.name}, {given.seeds} seeds, {given.test} test posts; {machine}", ""]
    lines += [
        "| order | posts | AP (lowest to highest seed) | exact F1 | IoU .5 F1 | character F1 | overlap F1 | gestures | CPU s |"
    ]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    for order in dict.fromkeys(r["order"] for r in rows):
        for count in given.budgets:
            some = [r for r in rows if (r["order"], r["posts"]) == (order, count)]
            mean = {name: float(np.mean([r[name] for r in some])) for name in (*FIGURES, "seconds")}
            each = [r["average_precision"] for r in some]
            cost = [r["gestures"] for r in some if "gestures" in r]
            lines.append(
                f"| {order} | {count} | {mean['average_precision']:.3f} ({min(each):.3f} to {max(each):.3f})"
                f" | {mean['exact']:.3f} | {mean['match']:.3f} | {mean['characters']:.3f} | {mean['overlap']:.3f}"
                f" | {f'{np.mean(cost):.2f}' if cost and count else ''} | {mean['seconds']:.2f} |"
            )
        area = [area_under(rows, order, seed, given.budgets) for seed in range(given.seeds)]
        lines.append(f"| {order} | area | {np.mean(area):.3f} ({min(area):.3f} to {max(area):.3f}) | | | | | | |")
    return "\n".join(lines) + "\n"


def area_under(rows: Sequence[Mapping[str, Any]], order: str, seed: int, budgets: Sequence[int]) -> float:
    """The mean height of the curve of average precision over the reviewed posts."""
    curve = {r["posts"]: r["average_precision"] for r in rows if (r["order"], r["seed"]) == (order, seed)}
    return float(np.trapezoid([curve[b] for b in budgets], budgets) / (budgets[-1] - budgets[0]))


def plot(rows: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """The curves with the range of the seeds; nothing without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        print("matplotlib is not installed: no picture.")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for order in dict.fromkeys(r["order"] for r in rows):
        posts = sorted({r["posts"] for r in rows})
        for place, name in zip(axes, ("average_precision", "exact"), strict=True):
            values = [[r[name] for r in rows if (r["order"], r["posts"]) == (order, p)] for p in posts]
            place.plot(posts, [np.mean(v) for v in values], "o-", ms=3, label=order)
            place.fill_between(posts, [min(v) for v in values], [max(v) for v in values], alpha=0.1, lw=0)
            place.set(xlabel="reviewed posts", title=f"{title}: {name.replace('_', ' ')}")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
