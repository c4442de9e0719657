"""Suggestions for criteria that the model was never taught: what their likeness finds, on any gold files.

`python -m benchmarks.cold_start --data GOLD.jsonl[.gz] --criteria FILE [--data ... --criteria ...] [--model bundled] [--seeds 3]`

Per criterion on held-out posts: average precision as a multiple of the share of evidence sentences, the area under the ROC curve,
and of the sentences that would be shown how many there are and how much oftener they are evidence than others; by the criterion's
text alone, and with four examples and four counterexamples (the negatives that resemble them most) drawn from the other posts.
`--data bundled --criteria annotator/data/criteria.yaml` takes the bundled corpus as if the model did not know its criteria; as it was
trained on them, these figures are too good.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from annotator.learning.likeness import COMPARED_POSTS
from benchmarks.loop import read_gold, worlds
from encoder.bundled.corpus import read_posts, read_test_posts
from encoder.examples import Example
from encoder.likeness import STANDS_OUT, Likeness, Vectors, likeness_to
from encoder.measure.metrics import Bools, average_precision, sentence_is_evidence
from encoder.network.hub import BUNDLED
from encoder.predict import Predictor
from encoder.text.sentences import sentences
from storage.criteria_file import read_criteria
from storage.records import Criterion

EXAMPLES = 4
POOL, HELD_OUT = 250, 150


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, action="append")
    parser.add_argument("--criteria", type=Path, required=True, action="append")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args(argv)
    predictor = Predictor.load(given.model, device="cpu", threads=1)
    print("| criterion | evidence | | AP / share | ROC area | shown | evidence among shown / share |")
    print("|---|---|---|---|---|---|---|")
    for data, criteria in zip(given.data, given.criteria, strict=True):
        gold = [*read_posts(), *read_test_posts()] if str(data) == BUNDLED else read_gold(data)
        measure(predictor, gold, read_criteria(criteria), given.seeds)


def measure(predictor: Predictor, gold: Sequence[Example], criteria: Sequence[Criterion], seeds: int) -> None:
    pool, held_out = worlds(gold, POOL, HELD_OUT, 0)
    pooled, tried = ([predictor.sentence_vectors(e.post) for e in some] for some in (pool, held_out))
    corpus = np.concatenate(pooled[:COMPARED_POSTS])
    for criterion in criteria:
        vectors, truth = labelled(held_out, tried, criterion.id)
        if truth.sum() < 3:
            continue
        text, none = predictor.passage_vectors([criterion.text]), vectors[:0]
        by_text = likeness_to(corpus, text, none, none)
        by_both = [likeness_to(corpus, text, *examples(pool, pooled, criterion.id, seed)) for seed in range(seeds)]
        for name, found in (("text", [by_text]), ("and examples", by_both)):
            ratio, area, shown, lift = np.nanmean([figures(f, vectors, truth) for f in found if f is not None], axis=0)
            cells = (criterion.id, f"{truth.mean():.1%} of {len(truth)}", name, f"{ratio:.2f}", f"{area:.2f}")
            print("", *cells, f"{shown:.1%}", f"{lift:.2f}", "", sep=" | ", flush=True)


def labelled(given: Sequence[Example], vectors: Sequence[Vectors], criterion_id: str) -> tuple[Vectors, Bools]:
    """The sentences of the posts that are labelled, and which of them are evidence."""
    kept = [
        (v, e.post, e.labels[criterion_id]) for e, v in zip(given, vectors, strict=True) if criterion_id in e.labels
    ]
    truth = [[sentence_is_evidence(s, label.spans) for s in sentences(post.text)] for _, post, label in kept]
    return np.concatenate([v for v, _, _ in kept]), np.array([t for post in truth for t in post], np.bool_)


def examples(
    pool: Sequence[Example], pooled: Sequence[Vectors], criterion_id: str, seed: int
) -> tuple[Vectors, Vectors]:
    vectors, truth = labelled(pool, pooled, criterion_id)
    rng = np.random.default_rng(seed)
    chosen = vectors[rng.choice(np.flatnonzero(truth), min(EXAMPLES, int(truth.sum())), replace=False)]
    others = vectors[~truth] - vectors.mean(0)
    unit = others / np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-9)
    nearest = np.argsort(-(unit @ (chosen - vectors.mean(0)).T).max(1))[: 15 * EXAMPLES]
    return chosen, vectors[~truth][rng.choice(nearest, EXAMPLES, replace=False)]


def figures(found: Likeness, vectors: Vectors, truth: Bools) -> tuple[float, float, float, float]:
    """AP and precision of what is shown as multiples of the share of evidence, the ROC area, and the share that is shown."""
    standing = found.standing(vectors)
    shown = standing >= STANDS_OUT
    order = standing.argsort().argsort() + 1
    positive, negative = int(truth.sum()), int((~truth).sum())
    area = (order[truth].sum() - positive * (positive + 1) / 2) / (positive * negative)
    lift = float(truth[shown].mean() / truth.mean()) if shown.any() else float("nan")
    return average_precision(truth, standing) / float(truth.mean()), float(area), float(shown.mean()), lift


if __name__ == "__main__":
    main()
