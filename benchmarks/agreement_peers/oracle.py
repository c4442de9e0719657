"""Coefficients of other people's packages, in an environment of their own: `pip install krippendorff pygamma-agreement`.

Reads one JSON object from standard input (see `benchmarks.agreement_oracles`), writes one to standard output. Neither package may be a
dependency of the program: the first is GPL, the second needs a solver that is.
"""

from __future__ import annotations

import json
import sys

import krippendorff
import numpy as np
from pyannote.core import Segment
from pygamma_agreement import Continuum, PositionalSporadicDissimilarity, ShuffleContinuumSampler


def main() -> None:
    given = json.load(sys.stdin)
    alphas = [
        krippendorff.alpha(value_counts=np.array(counts), level_of_measurement="nominal") for counts in given["counts"]
    ]
    json.dump({"alphas": alphas, "gammas": [gamma(people, given["samples"]) for people in given["texts"]]}, sys.stdout)


def gamma(people: list[list[list[int]]], samples: int) -> dict[str, float]:
    """One text: the spans of each person. disorder: of the best alignment, per span of a person."""
    continuum = Continuum()
    for number, spans in enumerate(people):
        continuum.add_annotator(str(number))
        for start, end in spans:
            continuum.add(str(number), Segment(start, end), "x")
    dissimilarity = PositionalSporadicDissimilarity(delta_empty=1.0)
    best = continuum.get_best_alignment(dissimilarity)
    np.random.seed(1)
    found = continuum.compute_gamma(dissimilarity, n_samples=samples, sampler=ShuffleContinuumSampler())
    return {"disorder": float(best.disorder), "expected": float(found.expected_disorder), "gamma": float(found.gamma)}


if __name__ == "__main__":
    main()
