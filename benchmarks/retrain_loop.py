"""The loop with a simulated reviewer: rounds of corrections, retraining after each, uncertain posts first against random order.

`python benchmarks/retrain_loop.py [--rounds 5] [--per-round 20] [--seed 0] [--write]`

The pool is composed of sentences by voices of the corpus' test split: wording that the bundled model has not seen. Each round the
simulated reviewer answers the next posts of the queue as the corpus does, the model is trained further by a real training job,
and the new version is measured on posts of these voices that are never in the pool. Every round's version goes on, as the rule
would decide on few dev posts. Results: `retrain_loop.json`, `retrain_loop.md` and, with matplotlib, `retrain_loop.png` in the output
folder (a temporary one unless named); `--write` puts them into RESULTS.md, between the marks "retrain loop", and docs/.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotator.models.loading import load_predictor
from annotator.models.registry import put_in_service
from annotator.project import open_project
from annotator.settings import Settings
from annotator.training.plan import preset_config
from annotator.training.promotion import PromotionRule
from annotator.training.run import TrainingWish, enqueue_training
from annotator.worker import Worker
from encoder.bundled.corpus import Composer, read_items
from encoder.examples import Example
from encoder.measure.evaluate import evaluate
from storage.jobs import Jobs
from storage.queue import QueueFilter, QueueOrder
from storage.records import AnnotatedSpan, Annotation, JobKind, Post, Reviewer, Role, Split, utc_now
from storage.store import Store

ME = Reviewer("simulated", Role.ADMIN)


RESULTS = Path(__file__).parent / "RESULTS.md"
PICTURE = Path(__file__).parent.parent / "docs" / "retrain-loop.png"
BEGIN, END = "<!-- retrain loop -->", "<!-- /retrain loop -->"


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    if given.output is None:
        given.output = Path(tempfile.mkdtemp(prefix="retrain-loop-"))
    given.output.mkdir(parents=True, exist_ok=True)
    before = os.getloadavg()[0]
    pool, held_out = worlds(given.pool, given.test, given.seed)
    results: dict[str, Any] = {
        "rounds": given.rounds,
        "per_round": given.per_round,
        "seed": given.seed,
        "steps": given.steps,
        "orders": {},
    }
    for order in (QueueOrder.UNCERTAIN, QueueOrder.RANDOM):
        data_dir = given.output / f"{order}"
        if data_dir.exists():
            raise SystemExit(f"{data_dir} holds an earlier run. Name another folder with --output.")
        results["orders"][str(order)] = run(data_dir, order, pool, held_out, given)
        (given.output / "retrain_loop.json").write_text(json.dumps(results, indent=1), "utf-8")
    report = table(results, f"{utc_now()[:10]}, {os.cpu_count()} CPU cores, load average {before:.1f} before the start")
    (given.output / "retrain_loop.md").write_text(report, "utf-8")
    print(report)
    picture = plot(results, given.output / "retrain_loop.png")
    print(f"All of it is in {given.output}.")
    if given.write:
        write_results(report, given.output / "retrain_loop.png" if picture else None)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="folder for projects and results (default: a temporary one)")
    parser.add_argument("--write", action="store_true", help="put the results into RESULTS.md and docs/")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--per-round", type=int, default=20)
    parser.add_argument("--pool", type=int, default=300, help="unreviewed posts to choose from")
    parser.add_argument("--test", type=int, default=120, help="posts that are only measured on")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def worlds(pool: int, test: int, seed: int) -> tuple[list[Example], list[Example]]:
    """Posts to review and posts to measure on, from the same unseen voices but of different sentences."""
    items = [i for i in read_items() if i.split is Split.TEST]
    even, odd = items[::2], items[1::2]
    compose = [Composer(part, seed).compose for part in (even, odd)]
    return [compose[0]().example for _ in range(pool)], [compose[1]().example for _ in range(test)]


def run(
    data_dir: Path, order: QueueOrder, pool: Sequence[Example], held_out: Sequence[Example], given: argparse.Namespace
) -> list[dict[str, Any]]:
    """One project reviewed in one order. Returns a row per round, beginning with the untouched bundled model."""
    settings = Settings(data_dir=data_dir, device="cpu", threads=given.threads, predict_ahead=0)
    project = open_project(settings)
    store, jobs = project.store, project.jobs
    store.ensure_reviewer(ME.name, ME.role)
    answers = {e.post.id: e for e in pool}
    # every sixth post is a dev post; the order of review does not know which
    store.add_posts(
        Post(e.post.id, e.post.text, split=Split.DEV if n % 6 == 5 else Split.TRAIN, source="loop")
        for n, e in enumerate(pool)
    )
    rows = [{"round": 0, "corrections": 0, "seconds": 0.0, **measured(store, settings, held_out)}]
    for number in range(1, given.rounds + 1):
        predict_pool(store, jobs, settings)
        for post_id in next_posts(store, order, given.per_round):
            answer(store, answers[post_id])
        began = time.monotonic()
        train(store, jobs, settings, given)
        seconds = time.monotonic() - began
        rows.append(
            {
                "round": number,
                "corrections": number * given.per_round,
                "seconds": round(seconds, 1),
                **measured(store, settings, held_out),
            }
        )
        print(f"{order} round {number}: macro F1 {rows[-1]['macro_f1']:.3f} ({seconds:.0f} s)", flush=True)
    return rows


def predict_pool(store: Store, jobs: Jobs, settings: Settings) -> None:
    active = store.active_model()
    assert active is not None
    if not jobs.jobs(kind=JobKind.PREDICT, statuses=["queued"]):  # type: ignore[list-item]
        jobs.enqueue(JobKind.PREDICT, {"model": active.id})
    worker = Worker(settings)
    while worker.run_one() is not None:
        pass


def next_posts(store: Store, order: QueueOrder, count: int) -> list[str]:
    active = store.active_model()
    assert active is not None
    wanted = QueueFilter(order=order, source="loop")
    return store.queue_ids(wanted, me=ME.name, model_version=active.id, limit=count)


def answer(store: Store, example: Example) -> None:
    """Store the corpus' own answer to every criterion, as a reviewer who never errs would."""
    for criterion in store.criteria():
        label = example.labels[criterion.id]
        spans = tuple(AnnotatedSpan(s.start, s.end) for s in label.spans)
        store.add_annotation(
            Annotation(example.post.id, criterion.id, ME.name, label.verdict, spans), expected_revision=0
        )


def train(store: Store, jobs: Jobs, settings: Settings, given: argparse.Namespace) -> None:
    """Train further from the version in service and put the result in service, whatever the rule says."""
    config = preset_config("quick", settings, store.active_model()).changed(
        max_steps=given.steps, seed=given.seed, threads=given.threads
    )
    job = enqueue_training(jobs, TrainingWish(config, rule=PromotionRule()), by=ME.name)
    worker = Worker(settings)
    while worker.run_one() is not JobKind.TRAIN:
        pass
    result = jobs.get(job.id).result
    if result is None:
        raise SystemExit(f"The training failed: {jobs.get(job.id).error}")
    if not result["promoted"]:
        put_in_service(store, jobs, settings, result["model"], by=ME, note="the loop measures every round")


def measured(store: Store, settings: Settings, held_out: Sequence[Example]) -> dict[str, Any]:
    """Macro and micro F1 of the version in service on the held-out posts."""
    active = store.active_model()
    assert active is not None
    predictor = load_predictor(settings, active)
    criteria = store.criteria()
    found = evaluate(predictor.predict([e.post for e in held_out], criteria), held_out, criteria, bootstrap=500)
    interval = found.macro.f1_interval
    return {
        "macro_f1": found.macro_f1,
        "micro_f1": found.micro_f1,
        "interval": interval and [interval.low, interval.high],
        "model": active.id,
    }


def table(results: dict[str, Any], machine: str) -> str:
    """The section for RESULTS.md."""
    uncertain, random = (results["orders"][str(o)] for o in (QueueOrder.UNCERTAIN, QueueOrder.RANDOM))
    command = f"python benchmarks/retrain_loop.py --rounds {results['rounds']} --per-round {results['per_round']}"
    lines = [f"`{command} --seed {results['seed']} --write`, {machine}, quick preset with {results['steps']} steps", ""]
    lines += [
        "| corrected posts | uncertain first: macro F1 | random: macro F1 | seconds of training |",
        "|---|---|---|---|",
    ]
    for a, b in zip(uncertain, random, strict=True):
        seconds = f"{a['seconds']:.0f} / {b['seconds']:.0f}" if a["round"] else ""
        lines.append(f"| {a['corrections']} | {with_interval(a)} | {with_interval(b)} | {seconds} |")
    return "\n".join(lines) + "\n"


def with_interval(row: dict[str, Any]) -> str:
    interval = f" ({row['interval'][0]:.2f} to {row['interval'][1]:.2f})" if row["interval"] else ""
    return f"{row['macro_f1']:.3f}{interval}"


def plot(results: dict[str, Any], path: Path) -> bool:
    """Draw both orders with their 95 % intervals; False without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        print("matplotlib is not installed: no plot.")
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.8), layout="constrained")
    for order, style, color in (("uncertain", "o-", "#1b4965"), ("random", "s--", "#c8553d")):
        rows = results["orders"][order]
        posts, values = [r["corrections"] for r in rows], [r["macro_f1"] for r in rows]
        axes.plot(
            posts, values, style, ms=5, color=color, label="uncertain first" if order == "uncertain" else "random order"
        )
        if all(r["interval"] for r in rows):
            axes.fill_between(posts, *zip(*(r["interval"] for r in rows), strict=True), color=color, alpha=0.12, lw=0)
    axes.set(xlabel="corrected posts", ylabel="macro F1 on unseen voices", xticks=posts)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", lw=0.7)
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(path, dpi=100)
    return True


def write_results(report: str, picture: Path | None) -> None:
    """Put the report between its marks in RESULTS.md (at the end if there are none), and the picture into docs/."""
    if picture is not None:
        shutil.copyfile(picture, PICTURE)
        report += f"\n![Macro F1 by corrected posts](../docs/{PICTURE.name})\n"
    text = RESULTS.read_text("utf-8")
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n## Simulated reviewer\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    RESULTS.write_text(f"{before}{BEGIN}\n{report}{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
