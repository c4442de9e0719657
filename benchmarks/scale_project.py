"""A project of N synthetic posts with predictions of nine criteria and three answers to ten posts, for the benchmarks of size.

The posts hold 120 made-up words. They come into the store as an import's do (staged, stored in steps, shown, indexed); `as_file`
reads them from JSON Lines first, as a person's import does, which costs three quarters of the whole.
"""

from __future__ import annotations

import functools
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotator.exchange.use_cases import import_file
from annotator.project import open_project
from annotator.settings import Settings
from storage.records import AnnotatedSpan, Annotation, Post, Prediction, Role, Span, Verdict
from storage.staging import Staging, import_folder
from storage.store import Store

REVIEWERS = ("ana", "ben", "cem", "dora", "eli")
MODEL = "bundled"
WORDS = 120
COMMON = ("the", "and", "sleep", "night", "tired", "work", "again", "friend", "doctor", "nothing")
"""Very common words; `sleep` is in most posts, `zebra` in one of a thousand."""


def project(data_dir: Path) -> Store:
    """The store in the directory, with its people; made if it is not there."""
    store = open_project(Settings(data_dir=data_dir, empty=True, first_model="bundled")).store
    for name in REVIEWERS:
        store.ensure_reviewer(name, Role.ADMIN if name == REVIEWERS[0] else Role.REVIEWER)
    return store


def fill(store: Store, first: int, size: int, *, as_file: bool = False) -> float:
    """Add posts number `first` on, with their predictions and answers. Returns seconds of processor time without making them up."""
    criteria = [c.id for c in store.criteria()]
    if as_file:
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", dir=store.path.parent, encoding="utf-8") as file:
            file.writelines(json.dumps(a_row(number, criteria)) + "\n" for number in range(first, first + size))
            file.flush()
            began = time.process_time()
            import_file(store, Path(file.name), "jsonl")
            return time.process_time() - began
    with import_folder(store.path.parent) as folder:
        staging = Staging(folder / "staging.db")
        made = 0.0
        began = time.process_time()
        for name in REVIEWERS:
            staging.add_reviewer(name, Role.REVIEWER)
        for number in range(first, first + size):
            before = time.process_time()
            row = a_row(number, criteria)
            made += time.process_time() - before
            _stage(staging, row)
        staging.close()
        store.publish(staging.path, file_name=f"posts from {first}", format_name="jsonl")
        store.index_posts()
        return time.process_time() - began - made


@functools.cache
def _vocabulary() -> tuple[list[str], list[float]]:
    rare = [f"word{n}" for n in range(20_000)]
    return [*COMMON, *rare], [*[0.2 / len(COMMON)] * len(COMMON), *[0.8 / len(rare)] * len(rare)]


@functools.cache
def _running() -> list[float]:
    total, sums = 0.0, []
    for weight in _vocabulary()[1]:
        total += weight
        sums.append(total)
    return sums


def a_row(number: int, criteria: Sequence[str]) -> dict[str, Any]:
    """The post of that number as a line of an import; always the same."""
    draw = random.Random(number)
    words = draw.choices(_vocabulary()[0], cum_weights=_running(), k=WORDS)
    if number % 1000 == 0:
        words[3] = "zebra"
    text = " ".join(words)
    predictions = []
    for criterion in criteria:
        found = draw.random() < 0.15
        start = text.index(" ", 100) + 1
        span = {"start": start, "end": text.index(" ", start + 30), "score": round(0.3 + 0.7 * draw.random(), 4)}
        predictions.append(
            {
                "criterion": criterion,
                "model_version": MODEL,
                "no_evidence_score": round(draw.random() ** (0.5 if found else 0.1), 4),
                "spans": [span] if found else [],
            }
        )
    row: dict[str, Any] = {"post_id": f"post{number:08d}", "text": text, "source": f"source{number % 40}"}
    row["predictions"] = predictions
    if number % 30 == 0:  # nine answers to every thirtieth post: three answers to ten posts
        row["annotations"] = [
            {
                "criterion": p["criterion"],
                "reviewer": reviewer,
                "verdict": "evidence" if p["spans"] else ("unsure" if draw.random() < 0.05 else "no_evidence"),
                "spans": p["spans"],
            }
            for reviewer in draw.sample(REVIEWERS, 2 if number % 300 == 0 else 1)
            for p in predictions
        ]
    return row


def _stage(staging: Staging, row: dict[str, Any]) -> None:
    post = Post(row["post_id"], row["text"], source=row["source"])
    staging.add_post(post, post.text_sha256)
    for found in row["predictions"]:
        spans = tuple(Span(s["start"], s["end"], s["score"]) for s in found["spans"])
        predicted = Prediction(post.id, found["criterion"], MODEL, spans, found["no_evidence_score"])
        staging.add_prediction(predicted, model_version=MODEL)
    for answer in row.get("annotations", ()):
        staging.add_annotation(
            Annotation(
                post_id=post.id,
                criterion_id=answer["criterion"],
                reviewer=answer["reviewer"],
                verdict=Verdict(answer["verdict"]),
                spans=tuple(AnnotatedSpan(s["start"], s["end"]) for s in answer["spans"]),
                criterion_version=1,
            )
        )
