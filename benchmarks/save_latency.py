"""How long a save takes while nothing else happens, and while a training runs in the supervised worker on the same machine.

`python benchmarks/save_latency.py --data-dir DIR [--saves 400]`

Makes a project with corrected posts, then saves decisions at a reviewer's pace through `annotator.review.decisions.save`, the code
behind the page's save. Prints p50 and p95 in milliseconds for both, their ratio, and the seconds from 50 corrections to the new version in
service.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from annotator.project import open_project
from annotator.review import decisions
from annotator.settings import Settings
from annotator.supervisor import Supervisor
from annotator.training.plan import preset_config
from annotator.training.run import TrainingWish, enqueue_training
from encoder.bundled.corpus import Composer, read_items
from storage.jobs import Jobs
from storage.records import AnnotatedSpan, Annotation, Job, JobStatus, Post, Reviewer, Role, Split
from storage.store import Store

ME = Reviewer("simulated", Role.ADMIN)
PAUSE_SECONDS = 0.1


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--saves", type=int, default=400)
    parser.add_argument("--corrections", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(argv)
    settings = Settings(data_dir=given.data_dir, device="cpu", threads=given.threads)
    project = open_project(settings)
    store, jobs = project.store, project.jobs
    store.ensure_reviewer(ME.name, ME.role)
    correct(store, given.corrections)
    idle = save_times(store, given.saves, while_=lambda: True)
    supervisor = Supervisor(settings, jobs)
    supervisor.start()
    began = time.monotonic()
    job = enqueue_training(jobs, TrainingWish(preset_config("quick", settings, store.active_model())), by=ME.name)
    training = save_times(store, 1_000_000, while_=lambda: not over(jobs, job))
    seconds = time.monotonic() - began
    supervisor.stop()
    done = jobs.get(job.id)
    report = {"idle": figures(idle), "training": figures(training), "seconds_to_a_new_version": round(seconds, 1)}
    report |= {"job": str(done.status), "result": done.result, "error": done.error, "load": os.getloadavg()}
    report["p95_ratio"] = round(report["training"]["p95"] / report["idle"]["p95"], 2)
    print(json.dumps(report, indent=1))


def correct(store: Store, count: int) -> None:
    """Posts of voices that the bundled model has not seen, with the corpus' own answers."""
    items = [i for i in read_items() if i.split is Split.TEST]
    compose = Composer(items, 7).compose
    for number in range(count):
        example = compose().example
        post = Post(example.post.id, example.post.text, split=Split.DEV if number % 5 == 4 else Split.TRAIN)
        store.add_posts([post])
        for criterion in store.criteria():
            label = example.labels[criterion.id]
            spans = tuple(AnnotatedSpan(s.start, s.end) for s in label.spans)
            annotation = Annotation(post.id, criterion.id, ME.name, label.verdict, spans)
            store.add_annotation(annotation, expected_revision=0)
    store.add_posts([Post("latency", "A post to save decisions on.", split=Split.TEST)])


def save_times(store: Store, count: int, *, while_: Callable[[], bool]) -> list[float]:
    """Seconds of each save, one every tenth of a second."""
    criterion = store.criteria()[0]
    revision = max((a.revision for a in store.annotations_of("latency", ME.name).values()), default=0)
    found = []
    while len(found) < count and while_():
        decision: dict[str, Any] = {
            "post_id": "latency",
            "criterion_id": criterion.id,
            "criterion_version": criterion.version,
            "verdict": "no_evidence",
            "spans": [],
            "rejected": [],
            "undecided": [],
            "expected_revision": revision,
            "op_id": uuid.uuid4().hex,
        }
        began = time.perf_counter()
        saved = decisions.save(store, ME, decision)
        found.append(time.perf_counter() - began)
        revision = saved["revision"]
        time.sleep(PAUSE_SECONDS)
    return found


def over(jobs: Jobs, job: Job) -> bool:
    return jobs.get(job.id).status not in (JobStatus.QUEUED, JobStatus.RUNNING)


def figures(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds: median, 95th percentile, worst; and how many saves."""
    cuts = statistics.quantiles(seconds, n=20)
    milliseconds = {"p50": statistics.median(seconds), "p95": cuts[-1], "worst": max(seconds)}
    return {"saves": len(seconds), **{name: round(value * 1000, 2) for name, value in milliseconds.items()}}


if __name__ == "__main__":
    main()
