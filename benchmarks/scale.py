"""What grows with the corpus: every question of the pages, on a project of N posts with predictions of nine criteria.

`python -m benchmarks.scale --posts 100000 --data-dir DIR [--piece 100000] [--as-file] [--make-only | --measure-only]`

The project is made by `benchmarks.scale_project`, in pieces. Figures are milliseconds of processor time of this process, which
other work on the machine does not change much; a queue is asked 200 times, each post being put off before the next is asked
for. Prints a markdown table.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from annotator.exchange.exporting import export_file
from annotator.review import decisions, post_list
from annotator.training.plan import plan_training
from benchmarks.scale_project import MODEL, fill, project
from storage import backup
from storage.exports import ExportFilter
from storage.queue import QueueFilter, QueueOrder, ReviewState
from storage.records import Reviewer, Role, Verdict
from storage.store import Store

ME = Reviewer("ana", Role.ADMIN)


class Model:
    """The model in service as the pages see it: everything is predicted already."""

    version = MODEL

    def status(self) -> str:
        return "ready"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--piece", type=int, default=100_000)
    parser.add_argument("--as-file", action="store_true", help="read the posts from a file, as an import does")
    parser.add_argument("--make-only", action="store_true", help="the next piece that is missing, and no figures")
    parser.add_argument("--measure-only", action="store_true")
    given = parser.parse_args(argv)
    store = project(given.data_dir)
    while not given.measure_only and (there := store.count_posts()) < given.posts:
        size = min(given.piece, given.posts - there)
        print(
            f"{size} posts more: {fill(store, there, size, as_file=given.as_file):.1f} s of processor time", flush=True
        )
        if given.make_only:
            return
    rows = [*queue_rows(store), *page_rows(store), *work_rows(store)]
    print(
        f"\n| {store.count_posts():,} posts, {store.progress_counts(me=ME.name)['decisions']:,} answers | CPU ms |\n|---|---|"
    )
    for name, value in rows:
        print(f"| {name} | {value} |")
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


# --- what is measured


def milliseconds(call: Callable[[], Any], times: int = 5) -> str:
    """The median of several calls, and the first where it is much more."""
    taken = []
    for _ in range(times):
        began = time.thread_time()
        call()
        taken.append(1000 * (time.thread_time() - began))
    median = statistics.median(taken)
    return f"{median:.2f}" + (f" (first {taken[0]:.1f})" if taken[0] > 2 * median + 1 else "")


def queue_rows(store: Store) -> list[tuple[str, str]]:
    filters: dict[str, dict[str, Any]] = {
        "": {},
        "with evidence for a criterion": {"criterion": store.criteria()[3].id},
        "score from .95": {"min_score": 0.95},
        "score from .95 for a criterion": {"min_score": 0.95, "criterion": store.criteria()[3].id},
        "a very common word": {"query": "sleep"},
        "a rare word": {"query": "zebra"},
        "one source of forty": {"source": "source7"},
        "test posts": {"split": "test"},
        "somebody was unsure": {"verdict": Verdict.UNSURE},
        "read by ben": {"reviewer": "ben"},
        "no such source": {"source": "nowhere"},
    }
    rows = []
    for order in QueueOrder:
        for name, values in filters.items():
            if (
                not name or order is QueueOrder.UNCERTAIN
            ) and order is not QueueOrder.ROUND:  # a round is a person's own list
                rows.append((f"next post, {order}{', ' + name if name else ''}", next_posts(store, order, values)))
    return rows


def next_posts(store: Store, order: QueueOrder, values: dict[str, Any]) -> str:
    """p50 and p95 of 200 next posts, and the first, for which nothing is remembered."""
    wanted, taken, put_off = QueueFilter(order=order, **values), [], []
    for _ in range(200):
        began = time.thread_time()
        post_id = store.next_in_queue(wanted, me=ME.name, model_version=MODEL)
        taken.append(1000 * (time.thread_time() - began))
        if post_id is None:
            break
        store.skip_post(post_id, ME.name)
        put_off.append(post_id)
    with store.write() as db:
        db.conn.executemany(
            "DELETE FROM post_visit WHERE reviewer = ? AND post_id = ?", [(ME.name, p) for p in put_off]
        )
    ordered = sorted(taken)
    return f"{statistics.median(taken):.2f}, p95 {ordered[int(0.95 * (len(ordered) - 1))]:.2f}, first {taken[0]:.1f}"


def page_rows(store: Store) -> list[tuple[str, str]]:
    model: Any = Model()
    newest = QueueFilter(order=QueueOrder.NEWEST, state=ReviewState.ANY)
    some = QueueFilter(order=QueueOrder.NEWEST, state=ReviewState.ANY, query="sleep")
    deep = min(50_000, store.count_posts() // 2)
    place = store.queue(newest, me=ME.name, model_version=MODEL, limit=1, offset=deep)[0].place
    criteria = [c.id for c in store.criteria()]
    return [
        ("opening Review: first post", milliseconds(lambda: decisions.first_post(store, model, ME, QueueFilter()))),
        ("opening Review: progress", milliseconds(lambda: decisions.progress(store, model, ME, QueueFilter()))),
        ("progress with a filter", milliseconds(lambda: decisions.progress(store, model, ME, QueueFilter(query="sleep")))),
        ("Posts, page 1 with total", milliseconds(lambda: post_list.find_posts(store, model, ME, newest, post_list.Portion(limit=50)))),
        ("Posts, a common word, page 1", milliseconds(lambda: post_list.find_posts(store, model, ME, some, post_list.Portion(limit=50)))),
        (f"Posts, {deep:,} posts further on", milliseconds(
            lambda: post_list.find_posts(store, model, ME, newest, post_list.Portion(limit=50, after=place)))),
        ("sources", milliseconds(store.sources)),
        ("Overview: progress", milliseconds(lambda: store.progress_counts(me=ME.name))),
        ("Overview: verdicts and span origins", milliseconds(
            lambda: (store.verdict_counts(), store.span_origin_counts()))),
        ("Overview: to adjudicate", milliseconds(store.count_disagreements, 3)),
        ("predicted posts", milliseconds(lambda: store.count_predicted_posts(MODEL))),
        ("posts without prediction", milliseconds(
            lambda: store.posts_without_prediction(MODEL, criteria, limit=100), 3)),
        ("Retrain plan", milliseconds(lambda: plan_training(store), 3)),
    ]  # fmt: skip


def work_rows(store: Store) -> list[tuple[str, str]]:
    rows = []
    with tempfile.TemporaryDirectory(dir=store.path.parent) as folder:
        answered = ExportFilter(verdicts=(Verdict.EVIDENCE, Verdict.NO_EVIDENCE))
        for name, what, chosen in (("csv", "gold", None), ("jsonl", "gold", answered), ("jsonl", "all posts", None)):
            target = Path(folder) / f"{what}.{name}"
            rows.append(
                (
                    f"export of {what}, {name}",
                    milliseconds(lambda t=target, n=name, c=chosen: export_file(store, n, t, c), 1),
                )
            )
        rows.append(("backup", milliseconds(lambda: backup.back_up(store, Path(folder)), 1)))
    return rows


if __name__ == "__main__":
    sys.exit(main())
