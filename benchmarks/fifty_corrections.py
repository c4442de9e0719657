"""Fifty corrected posts to a new version in service: time, memory, size and what it is worth, through the worker as the app runs it.

`python -m benchmarks.fifty_corrections [--first-model auto|bundled] [--seed 0] [--threads 1]`

The posts are composed of sentences by voices of the corpus' test split, wording that no shipped model has seen; ten more are dev posts.
`auto` begins with real Gemma where its extra is installed. Quick settings, the usual promotion rule.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from annotator.models.loading import load_predictor
from annotator.project import open_project
from annotator.settings import from_environment
from annotator.training.plan import preset_config
from annotator.training.run import TrainingWish, enqueue_training
from annotator.worker import Worker
from benchmarks.retrain_loop import ME, answer, worlds
from encoder.measure.evaluate import evaluate
from storage.records import JobKind, ModelVersion, Post, Split

POSTS, DEV_POSTS, HELD_OUT = 50, 10, 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first-model", choices=["auto", "bundled"], default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    pool, held_out = worlds(POSTS + DEV_POSTS, HELD_OUT, given.seed)
    settings = from_environment(
        {
            "data_dir": Path(tempfile.mkdtemp(prefix="fifty-")),
            "device": "cpu",
            "threads": given.threads,
            "predict_ahead": 0,
            "first_model": given.first_model,
        }
    )
    project = open_project(settings)
    store, jobs = project.store, project.jobs
    store.ensure_reviewer(ME.name, ME.role)
    store.add_posts(
        Post(e.post.id, e.post.text, split=Split.DEV if n % 6 == 5 else Split.TRAIN) for n, e in enumerate(pool)
    )
    for example in pool:
        answer(store, example)
    active = store.active_model()
    assert active is not None

    def held_out_f1(model: ModelVersion) -> float:
        predictor, criteria = load_predictor(settings, model), store.criteria()
        return evaluate(
            predictor.predict([e.post for e in held_out], criteria), held_out, criteria, bootstrap=0
        ).macro_f1

    before = held_out_f1(active)
    job = enqueue_training(jobs, TrainingWish(preset_config("quick", settings, active)), by=ME.name)
    wall, cpu = time.monotonic(), time.process_time()
    worker = Worker(settings)
    while worker.run_one() is not JobKind.TRAIN:
        pass
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    result = jobs.get(job.id).result or {}
    made = next(m for m in store.models() if m.job_id == job.id)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{active.id}: {wall:.0f} s, {cpu:.0f} s of processor time, at most {memory:.1f} GB, {made.size_bytes / 1e6:.0f} MB"
    )
    print(f"macro F1 on {HELD_OUT} posts of other voices: {before:.3f} before, {held_out_f1(made):.3f} after")
    print(result.get("reason") or jobs.get(job.id).error)


if __name__ == "__main__":
    main()
