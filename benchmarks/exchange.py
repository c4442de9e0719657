"""How long 100,000 posts of 300 words take in and out, in which memory, and how long a reviewer's save waits meanwhile.

    python -m benchmarks.exchange [--posts 100000] [--format jsonl] [--folder DIR]

Prints one JSON line per measurement. Each import and export runs in a process of its own; memory is its peak above what the same
process needs to open the project.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

WORDS = """
i the and to a of my it me that was not so have in but for is just all day sleep tired feel work friends nothing eat
home anymore night again really think never always cannot because people life weeks happy sad alone phone bed
""".split()  # noqa: SIM905 (prose reads better than a list)


def a_text(rng: random.Random, words: int) -> str:
    pieces = []
    while len(pieces) < words:
        sentence = rng.choices(WORDS, k=rng.randint(6, 16))
        pieces += [sentence[0].capitalize(), *sentence[1:-1], sentence[-1] + "."]
    return " ".join(pieces[:words])


def write_posts(path: Path, count: int, *, words: int = 300, seed: int = 0) -> None:
    """Posts as gold lines: every fifth has evidence for two criteria and "no evidence" for a third."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            text = a_text(rng, words)
            line: dict[str, Any] = {
                "post_id": f"p{number}",
                "text": text,
                "author": f"a{number // 4}",
                "annotations": [],
            }
            if number % 5 == 0:
                end = text.index(".") + 1
                spans = [{"start": 0, "end": end}]
                line["annotations"] = [
                    {"criterion": "SLEEP_ISSUES", "verdict": "evidence", "spans": spans},
                    {"criterion": "FATIGUE", "verdict": "evidence", "spans": spans},
                    {"criterion": "ANHEDONIA", "verdict": "no_evidence", "spans": []},
                ]
            file.write(json.dumps(line) + "\n")


def open_project(folder: Path) -> Any:
    from annotator.project import default_criteria
    from storage.store import open_store

    store = open_store(folder)
    store.save_criteria(default_criteria())
    store.ensure_reviewer("ana")
    return store


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_import(folder: Path, file: Path, answer: Any) -> None:
    from annotator.exchange.use_cases import import_file

    store = open_project(folder)
    idle, began, cpu = peak_mb(), time.perf_counter(), time.process_time()
    report = import_file(store, file)
    seconds = time.perf_counter() - began
    figures = {"seconds": round(seconds, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
    answer.put(figures | {"memory_mb": round(peak_mb() - idle), "imported": report["imported"]})


def measure_export(folder: Path, name: str, output: Path, answer: Any) -> None:
    from annotator.exchange.exporting import export_file
    from storage.exports import ExportFilter

    store = open_project(folder)
    idle, began, cpu = peak_mb(), time.perf_counter(), time.process_time()
    manifest = export_file(store, name, output, ExportFilter(unreviewed=True))
    seconds = time.perf_counter() - began
    size = sum(p.stat().st_size for p in output.parent.rglob("*") if p.is_file() and p.name.startswith(output.name))
    answer.put(
        {
            "seconds": round(seconds, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1),
            "memory_mb": round(peak_mb() - idle),
            "posts": manifest["posts"],
            "megabytes": size >> 20,
        }
    )


def in_process(target: Any, *arguments: Any) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=target, args=(*arguments, answer))
    process.start()
    found: dict[str, Any] = answer.get()
    process.join()
    return found


class Reviewing:
    """A reviewer who saves a decision ten times a second while something else goes on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._save)
        self.waits: list[float] = []

    def __enter__(self) -> Reviewing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _save(self) -> None:
        from storage.records import Annotation, Post, Verdict

        store = open_project(self._folder)
        if not store.known_post_ids(["reviewed"]):
            store.add_posts([Post("reviewed", "A post under review.")])
        revision = len(store.history("reviewed"))
        while not self._over.wait(0.1):
            began = time.perf_counter()
            decision = Annotation("reviewed", "FATIGUE", "ana", Verdict.NO_EVIDENCE)
            store.add_annotation(decision, expected_revision=revision)
            revision += 1
            self.waits.append((time.perf_counter() - began) * 1000)
        store.close()

    def figures(self) -> dict[str, float]:
        waits = sorted(self.waits) or [0.0]
        p95 = waits[int(len(waits) * 0.95)]
        return {
            "saves": len(waits),
            "p50_ms": round(statistics.median(waits), 1),
            "p95_ms": round(p95, 1),
            "max_ms": round(waits[-1]),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument(
        "--format", nargs="*", default=["jsonl", "csv", "parquet", "squad", "hf", "label-studio", "xlsx"]
    )
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        file = folder / "posts.jsonl"
        write_posts(file, arguments.posts)
        print(
            json.dumps(
                {"posts": arguments.posts, "megabytes": file.stat().st_size >> 20, "python": sys.version.split()[0]}
            )
        )
        with Reviewing(folder / "data") as reviewing:
            found = in_process(measure_import, folder / "data", file)
        print(json.dumps({"import": "jsonl", **found, "reviewing": reviewing.figures()}), flush=True)
        for number, kind in enumerate(arguments.format):
            output = folder / f"out-{number}" / "out"
            with Reviewing(folder / "data") as reviewing:
                found = in_process(measure_export, folder / "data", kind, output)
            print(json.dumps({"export": kind, **found, "reviewing": reviewing.figures()}), flush=True)


if __name__ == "__main__":
    main()
