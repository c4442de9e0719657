"""Our coefficients of agreement beside those of other packages, on random data.

`python -m benchmarks.agreement_oracles --oracle VENV/bin/python [--studies 20] [--texts 40]`

VENV is an environment with `krippendorff` and `pygamma-agreement` (see `benchmarks.agreement_peers.oracle`). Compared: alpha on verdicts
and on sentences of random studies of two to five people, and of random texts the disorder of the best alignment, which is exact on both
sides, and gamma, whose chance part is drawn on both sides. Prints the largest difference of each.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from annotator.teams.agreement.gamma import gamma
from annotator.teams.agreement.tables import Agreement
from encoder.text.sentences import sentence_ranges
from tests.annotator.teams.answers import Given, answers_of

VERDICTS = ("no_evidence", "evidence", "unsure")
SAMPLES = 30
ORACLE = Path(__file__).parent / "agreement_peers" / "oracle.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", required=True, type=Path)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--texts", type=int, default=40)
    given = parser.parse_args()
    studies = [a_study(seed) for seed in range(given.studies)]
    texts = [a_text(seed) for seed in range(given.texts)]
    counts = [table for study in studies for table in (by_verdict(study), by_sentence(study))]
    asked = {"counts": counts, "texts": [people for _, people in texts], "samples": SAMPLES}
    done = subprocess.run([given.oracle, ORACLE], input=json.dumps(asked), capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout.splitlines()[-1])
    ours = [value for study in studies for value in alphas(study)]
    report("alpha on verdicts", ours[::2], theirs["alphas"][::2])
    report("alpha on sentences", ours[1::2], theirs["alphas"][1::2])
    found = [gamma([text], samples=SAMPLES, seed=1) for text in texts]
    report("disorder of the best alignment", [g.observed for g in found], [g["disorder"] for g in theirs["gammas"]])
    report("expected disorder (drawn)", [g.expected for g in found], [g["expected"] for g in theirs["gammas"]])
    report("gamma (drawn)", [g.value or 0.0 for g in found], [g["gamma"] for g in theirs["gammas"]])


def report(name: str, ours: list[float], theirs: list[float]) -> None:
    apart = np.abs(np.array(ours) - np.array(theirs))
    print(f"| {name} | {len(ours)} | {apart.max():.2e} | {apart.mean():.2e} |", flush=True)


Study = tuple[dict[str, str], list[Given]]


def a_study(seed: int) -> Study:
    draw = random.Random(seed)
    people = ["ann", "ben", "cem", "dag", "eli"][: draw.randint(2, 5)]
    texts = {
        f"p{n:02d}": " ".join(f"Sentence {k} of it {'x' * draw.randrange(9)}." for k in range(draw.randint(2, 8)))
        for n in range(30)
    }
    given: list[Given] = []
    for post, text in texts.items():
        for person in draw.sample(people, draw.randint(1, len(people))):
            verdict = draw.choices(VERDICTS, [5, 4, 1])[0]
            starts = (
                draw.sample(range(0, len(text) - 6, 7), min(2, (len(text) - 6) // 7)) if verdict == "evidence" else []
            )
            given.append(
                (post, "C", person, verdict, [(s, min(len(text), s + draw.choice([3, 6]))) for s in sorted(starts)])
            )
    return texts, given


def alphas(study: Study) -> tuple[float, float]:
    row = Agreement(answers_of(*study), replicates=2).by_criterion()[0]
    return row.figures["alpha"].value or 0.0, row.figures["sentence_alpha"].value or 0.0


def by_verdict(study: Study) -> list[list[int]]:
    units: dict[str, list[int]] = {}
    for post, _, _, verdict, _ in study[1]:
        units.setdefault(post, [0, 0, 0])[VERDICTS.index(verdict)] += 1
    return list(units.values())


def by_sentence(study: Study) -> list[list[int]]:
    texts, given = study
    units: dict[Any, list[int]] = {}
    for post, _, _, verdict, spans in given:
        if verdict != "unsure":
            for start, end in sentence_ranges(texts[post]):
                units.setdefault((post, start), [0, 0])[any(s < end and start < e for s, e in spans)] += 1
    return list(units.values())


def a_text(seed: int) -> tuple[int, list[list[tuple[int, int]]]]:
    """A text of 200 characters that two or three people marked, mostly in the same places."""
    draw = random.Random(f"text {seed}")
    places = sorted(draw.sample(range(0, 180, 20), draw.randint(1, 4)))
    people = []
    for _ in range(draw.randint(2, 3)):
        kept = [p for p in places if draw.random() < 0.8] or places[:1]
        people.append([(p + draw.randint(0, 3), p + 10 + draw.randint(0, 6)) for p in kept])
    return 200, people


if __name__ == "__main__":
    main()
