"""Agreement and the lead's figures on a study of N posts, each read by three of ten people for one of the project's criteria.

`python -m benchmarks.team_scale --posts 100000 --data-dir DIR [--make-only]`

The texts are synthetic (120 words in sentences of twelve). Three of ten answers are evidence; readers take a passage mostly from the same
place, with borders some words apart. Prints wall and processor seconds, which other work on the machine makes longer.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from annotator.project import open_project
from annotator.settings import Settings
from annotator.teams import measuring
from annotator.teams.reports import Reports, work_out
from annotator.teams.rounds import RoundPlan, set_up
from storage.heads import replace_heads
from storage.records import Post, Reviewer, Role, Split
from storage.store import Store

PEOPLE = tuple(f"reader{n}" for n in range(10))
READERS, WORDS, SENTENCE = 3, 120, 12
PIECE = 10_000
ANNOTATION = (
    "INSERT INTO main.annotation (post_id, criterion_id, criterion_version, reviewer, revision, verdict, spans, rejected, undecided, note,"
    " seconds, bulk, created_at) VALUES (?, ?, 1, ?, 1, ?, ?, '[]', '[]', '', ?, ?, ?)"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--make-only", action="store_true")
    given = parser.parse_args()
    store = open_project(Settings(data_dir=given.data_dir, empty=True)).store
    make(store, given.posts)
    if given.make_only:
        return
    plan = RoundPlan("timed", PEOPLE, overlap={1: 0.7, 2: 0.2, 5: 0.1}, unread=False)
    if not any(r.name == plan.name for r in store.rounds()):
        lead = Reviewer("lead", Role.ADMIN)
        store.ensure_reviewer(lead.name, lead.role)
        timed("a round of all posts given to ten people", lambda: set_up(store, plan, model_version=None, by=lead))
    timed("disagreements brought up to date", store.refresh_standing)
    timed("agreement, all tables, 1000 resamples", lambda: measuring.report(store))
    timed("the lead's report, agreement and all", lambda: work_out(store))
    reports = Reports(store)
    reports.report()
    reports.finish()
    timed("the lead's page, nothing changed", reports.report)
    post, person = name_of(0), readers_of(0)[0]
    answer = next(iter(store.annotations_of(post, person).values()))
    store.add_annotation(replace(answer, id=None, op_id=None, created_at=None), expected_revision=answer.revision)
    timed("the lead's page, one answer later", reports.report)
    reports.finish()
    timed("the lead's page after a restart", Reports(store).report)


def make(store: Store, posts: int) -> None:
    """Posts and answers up to `posts`, in pieces."""
    for name in PEOPLE:
        store.ensure_reviewer(name)
    criteria = [c.id for c in store.criteria()]
    while (there := store.count_posts()) < posts:
        texts = {number: a_text(number) for number in range(there, min(posts, there + PIECE))}
        store.add_posts([Post(id=name_of(n), text=t, split=Split.TRAIN, source=f"s{n % 7}") for n, t in texts.items()])
        with store.write() as db:
            first = db.execute("SELECT ifnull(max(id), 0) FROM annotation").fetchone()[0]
            db.conn.executemany(ANNOTATION, [row for n, text in texts.items() for row in answers(n, text, criteria)])
            db.conn.execute(replace_heads("main.annotation a WHERE a.id > ?"), [first])
            _give(db, list(texts))


def _give(db: Any, numbers: list[int]) -> None:
    db.conn.execute(
        "INSERT OR IGNORE INTO round (id, name, kind, blind, suggestions, people, overlap, seed, chosen, revision, created_at) VALUES"
        " (1, 'main', 'main', 0, 'shown', ?, '{\"3\": 1.0}', 0, '{}', 1, '2026-11-01T00:00:00Z')",
        [json.dumps(PEOPLE)],
    )
    db.conn.executemany("INSERT INTO round_post VALUES (1, ?, ?, ?, 0)", [(name_of(n), READERS, n) for n in numbers])
    db.conn.executemany(
        "INSERT INTO assignment (post_id, reviewer, assigned_at, round_id) VALUES (?, ?, '2026-11-01T00:00:00Z', 1)",
        [(name_of(n), person) for n in numbers for person in readers_of(n)],
    )


def name_of(number: int) -> str:
    return f"post{number:08d}"


def readers_of(number: int) -> list[str]:
    return random.Random(f"readers:{number}").sample(PEOPLE, READERS)


def a_text(number: int) -> str:
    draw = random.Random(number)
    words = [f"word{draw.randrange(5000)}" for _ in range(WORDS)]
    return " ".join(" ".join(words[n : n + SENTENCE]) + "." for n in range(0, WORDS, SENTENCE))


def answers(number: int, text: str, criteria: list[str]) -> list[tuple[Any, ...]]:
    draw = random.Random(f"answers:{number}")
    starts = [0, *(i + 1 for i, letter in enumerate(text) if letter == " ")]
    place, likely = draw.randrange(len(starts) - 25), draw.random() < 0.3
    rows = []
    for reader in readers_of(number):
        evidence = likely if draw.random() < 0.9 else not likely
        first = max(0, place + draw.choice([0, 0, 0, 1, -1, 3]))
        span = [starts[first], starts[first + draw.choice([8, 8, 8, 10, 12])] - 1, "added", None]
        verdict = "unsure" if draw.random() < 0.03 else "evidence" if evidence else "no_evidence"
        day = f"2026-11-{1 + number * 28 // 100_000 % 28:02d}T{8 + number % 10:02d}:{number % 60:02d}:{draw.randrange(60):02d}Z"
        spans = json.dumps([span] if verdict == "evidence" else [])
        seconds, bulk = round(draw.lognormvariate(2, 0.7), 1), int(draw.random() < 0.1)
        rows.append((name_of(number), criteria[number % len(criteria)], reader, verdict, spans, seconds, bulk, day))
    return rows


def timed(name: str, call: Callable[[], Any]) -> Any:
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    print(
        f"{name}: {time.perf_counter() - wall:.2f} s, {time.process_time() - cpu:.2f} s of processor time", flush=True
    )
    return result


if __name__ == "__main__":
    main()
