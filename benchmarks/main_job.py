"""The figures of the product's main loop, on a fresh project: start-up, highlighting, import, next post, save.

`python -m benchmarks.main_job [--posts 1000]`

Start-up is measured on the real process (`python app.py`) over HTTP; the rest through the functions behind the page, with the
store on this machine's disk. Prints a markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from annotator.exchange.use_cases import import_file
from annotator.project import open_project
from annotator.review import decisions
from annotator.settings import Settings
from encoder.bundled.corpus import read_items
from storage.queue import QueueFilter
from storage.records import Post, Prediction, Reviewer, Role
from storage.store import Store

ROOT = Path(__file__).resolve().parent.parent
ME = Reviewer("simulated", Role.ADMIN)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1000)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        rows = [*start_up(Path(folder) / "fresh"), *highlighting(), *store_figures(Path(folder), given.posts)]
    print("| what | measured |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")
    print(f"\nLoad average {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs")


def start_up(data_dir: Path) -> list[tuple[str, str]]:
    """Seconds from the command to the page, to the model, and to the first post with predictions stored."""
    port = random.randint(20000, 40000)
    began = time.monotonic()
    command = [sys.executable, "app.py", "--data-dir", str(data_dir), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        page = wait_for(lambda: status(port) is not None, began)
        model = wait_for(lambda: (status(port) or {}).get("state") == "ready", began)
        database = data_dir / "evidence.db"
        first = wait_for(lambda: has_predictions(database), began)
    finally:
        process.terminate()
        process.wait(60)
    return [
        ("page answers after", f"{page:.1f} s"),
        ("model ready after", f"{model:.1f} s"),
        ("first post highlighted after", f"{first:.1f} s"),
    ]


def status(port: int) -> dict[str, str] | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=2) as answer:
            return dict(json.load(answer))
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def has_predictions(database: Path) -> bool:
    import sqlite3

    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        return bool(db.execute("SELECT count(*) FROM prediction").fetchone()[0])


def wait_for(condition: object, began: float) -> float:
    while not condition():  # type: ignore[operator]
        if time.monotonic() - began > 180:
            raise TimeoutError("the app did not get there within three minutes")
        time.sleep(0.05)
    return time.monotonic() - began


def highlighting() -> list[tuple[str, str]]:
    """Milliseconds of one CPU thread for a 300-word post and nine criteria with the bundled model."""
    from annotator.project import default_criteria
    from encoder.predict import Predictor

    began = time.perf_counter()
    predictor = Predictor.load("bundled", device="cpu", threads=1)
    loading = time.perf_counter() - began
    criteria = default_criteria()
    posts = [Post(f"b{n}", some_text(300, n)) for n in range(21)]
    times = []
    for post in posts:
        began = time.perf_counter()
        predictor.predict([post], criteria)
        times.append(1000 * (time.perf_counter() - began))
    return [
        ("loading the bundled model in a fresh process, imports included", f"{loading:.1f} s"),
        ("300 words x 9 criteria, one thread (median)", f"{statistics.median(times[1:]):.0f} ms"),
    ]


def store_figures(folder: Path, posts: int) -> list[tuple[str, str]]:
    file = folder / "posts.jsonl"
    with file.open("w", encoding="utf-8") as handle:
        for n in range(posts):
            handle.write(json.dumps({"post_id": f"p{n}", "text": some_text(300, n)}) + "\n")
    store = open_project(Settings(data_dir=folder / "project", empty=True)).store
    store.ensure_reviewer(ME.name, ME.role)
    began = time.perf_counter()
    report = import_file(store, file)
    importing = time.perf_counter() - began
    assert report["imported"] == posts
    opened, saved = review_times(store)
    return [
        (f"importing {posts} posts of 300 words", f"{importing:.1f} s"),
        ("opening the next post, server, p50 / p95", percentiles(opened)),
        ("saving a decision, server, p50 / p95", percentiles(saved)),
    ]


class StoredPredictions:
    """The served model as the page sees it when the queue has been predicted ahead, which is its normal state."""

    version = "bundled"

    def __init__(self, store: Store) -> None:
        self.store = store

    def status(self) -> str:
        return "ready"

    def predictions(self, post: Post) -> dict[str, Prediction]:
        return self.store.predictions(post.id, self.version)

    predict_post = stored = predictions

    def improved(self, post: Post, predictions: Mapping[str, Prediction]) -> Mapping[str, Prediction]:
        return predictions


def review_times(store: Store) -> tuple[list[float], list[float]]:
    """Milliseconds of 200 times opening the next post and saving one decision, through the page's use cases."""
    model, wanted = StoredPredictions(store), QueueFilter()
    criteria = store.criteria()
    opened, saved = [], []
    current: str | None = None
    for _ in range(200):
        began = time.perf_counter()
        current = decisions.next_post(store, model, ME, wanted, exclude=[current] if current else [])
        assert current is not None
        decisions.load_item(store, model, current, ME)
        decisions.progress(store, model, ME, wanted)
        store.open_post(current, ME.name)
        opened.append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        answer = decisions.save(store, ME, no_evidence(current, criteria[0].id))
        saved.append(1000 * (time.perf_counter() - began))
        assert answer["ok"], answer
        store.skip_post(current, ME.name)
    return opened, saved


def no_evidence(post_id: str, criterion_id: str) -> decisions.Wire:
    """The decision that the page sends for "no evidence"."""
    return {
        "post_id": post_id,
        "criterion_id": criterion_id,
        "criterion_version": 1,
        "verdict": "no_evidence",
        "spans": [],
        "rejected": [],
        "undecided": [],
        "expected_revision": 0,
        "op_id": uuid.uuid4().hex,
    }


def some_text(words: int, seed: int) -> str:
    """A post of sentences of the synthetic corpus, at least `words` words long."""
    rng = random.Random(seed)
    items = _sentences()
    chosen: list[str] = []
    while sum(len(s.split()) for s in chosen) < words:
        chosen.append(rng.choice(items))
    return " ".join(chosen)


_CACHE: list[str] = []


def _sentences() -> list[str]:
    if not _CACHE:
        _CACHE.extend(item.text for item in read_items())
    return _CACHE


def percentiles(times: list[float]) -> str:
    ordered = sorted(times)
    return f"{statistics.median(ordered):.1f} / {ordered[int(0.95 * len(ordered))]:.1f} ms"


if __name__ == "__main__":
    main()
