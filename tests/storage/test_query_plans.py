"""What SQLite does for each question of the queue, the lists and the counts: no reading of a whole table, no sorting of one.

The statements are those that the store sends, taken down while it works; each is then explained.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import Any

import pytest

from storage import queue
from storage.queue import QueueFilter, QueueOrder, ReviewState
from storage.records import Post, Prediction, Role, Span, Split, Verdict
from storage.store import Store
from tests.builders import MOOD, SLEEP, an_annotation
from tests.statements import taken_down

SMALL = {"criterion", "import", "verdict_count", "post_count", "v", "reviewer", "round"}
"""Tables with a row per criterion, import, person, round or combination of them, however many posts there are."""
ME = {"me": "ana", "model_version": "m1"}
FILTERS = [
    QueueFilter(),
    QueueFilter(criterion=SLEEP.id),
    QueueFilter(min_score=0.95),
    QueueFilter(criterion=SLEEP.id, min_score=0.5, max_score=0.9),
    QueueFilter(verdict=Verdict.UNSURE),
    QueueFilter(criterion=SLEEP.id, verdict=Verdict.EVIDENCE),
    QueueFilter(reviewer="ben"),
    QueueFilter(split=Split.DEV),
    QueueFilter(source="forum"),
    QueueFilter(assigned_to="ana"),
    QueueFilter(outside_rounds=True),
    QueueFilter(query="awake"),
    QueueFilter(
        query="awake", source="forum", split=Split.TRAIN, min_score=0.2, assigned_to="ana", verdict=Verdict.UNSURE
    ),
]


@pytest.fixture
def filled(store: Store) -> Store:
    posts = [Post(f"p{n}", f"awake again {n}", source="forum" if n % 2 else "clinic") for n in range(60)]
    store.add_posts(posts)
    store.add_reviewer("ben", Role.REVIEWER) if "ben" not in {r.name for r in store.reviewers()} else None
    for post in posts[:40]:
        store.add_predictions(Prediction(post.id, c.id, "m1", (Span(0, 5, 0.6),), 0.4) for c in (SLEEP, MOOD))
    for post in posts[:20]:
        for criterion in (SLEEP, MOOD):
            store.add_annotation(an_annotation(post, criterion=criterion), expected_revision=0)
    store.assign([p.id for p in posts[:9]], "ana", by=None)
    return store


def asked(given: QueueFilter, **changes: Any) -> QueueFilter:
    """The filter with the changes; the order of rounds is always that of a person."""
    if changes["order"] is QueueOrder.ROUND:
        changes["assigned_to"] = "ana"
    return dataclasses.replace(given, **changes)


def trouble(store: Store, statement: str) -> list[str]:
    """The steps of the statement's plan that read or sort a table of posts as a whole."""
    with store.read() as db:
        steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}")]
    read = {match[1] for step in steps if (match := re.match(r"(?:SCAN|SEARCH) (?:main\.)?(\w+)", step))}
    found = [
        step
        for step in steps
        if (match := re.match(r"SCAN (?:main\.)?(\w+)", step))
        and match[1] not in SMALL
        and "INDEX" not in step  # a walk along an index ends at its limit
        and not re.search(r"SCAN (CONSTANT|given|json_each|j|\d)", step)
    ]
    for_each = itertools.dropwhile(lambda step: not step.startswith("CORRELATED"), steps)
    found += [step for step in for_each if "annotation_head_verdict" in step]  # all answers of a verdict, for each post
    of_one_post = re.match(r"SEARCH \w+ .*\(post_id=\?", steps[0])
    return found + [step for step in steps if "TEMP B-TREE" in step and read - SMALL and not of_one_post]


def explained(store: Store, statements: list[str]) -> dict[str, list[str]]:
    questions = {s for s in statements if s.lstrip().upper().startswith(("SELECT", "WITH"))}
    assert questions
    return {s: steps for s in questions if (steps := trouble(store, s))}


@pytest.mark.parametrize("few", [0, 5000], ids=["walked", "looked up"])
@pytest.mark.parametrize("order", list(QueueOrder))
def test_no_question_of_the_queue_reads_or_sorts_all_posts(
    filled: Store, order: QueueOrder, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "FEW_POSTS", few)
    with taken_down(filled) as statements:
        for given, state in itertools.product(FILTERS, ReviewState):
            wanted = asked(given, order=order, state=state)
            page = filled.queue(wanted, limit=3, **ME)
            if page:
                filled.queue(wanted, limit=3, after=page[-1].place, **ME)
            filled.queue_ids(wanted, limit=3, **ME)
            filled.count_queue(wanted, **ME)
            filled.next_in_queue(wanted, exclude=["p1"], **ME)
    assert explained(filled, statements) == {}


def test_nor_do_the_counts_and_the_lists_of_a_page(filled: Store) -> None:
    with taken_down(filled) as statements:
        filled.progress_counts(me="ana")
        filled.verdict_counts()
        filled.span_origin_counts()
        filled.count_predicted_posts("m1")
        filled.posts_without_prediction("m1", [SLEEP.id, MOOD.id], limit=3)
        filled.visited_posts("ana")
        filled.is_skipped("p1", "ana")
        filled.sources()
        filled.annotations_of("p1", "ana")
        filled.latest_annotations("p1")
        filled.answers_of_others("p1", "ben")
        filled.answers_of_others("p1", "ben", criterion_id=SLEEP.id)
        filled.history("p1")
        filled.recent_annotations("ana")
        filled.predictions("p1", "m1")
        filled.posts(["p1", "p2"])
        filled.known_post_ids(["p1"])
    assert explained(filled, statements) == {}


def test_what_waits_for_adjudication_is_counted_without_reading_all_answers(filled: Store) -> None:
    filled.count_disagreements()
    filled.add_annotation(an_annotation(Post("p1", "awake again 1"), reviewer="ben"), expected_revision=0)
    with taken_down(filled) as statements:
        assert filled.count_disagreements() == 0
        assert filled.standing_counts() == {SLEEP.id: {"agreed": 1}}
    with filled.read() as db:
        asked = [s for s in statements if s.startswith(("SELECT", "DELETE"))]
        steps = {row[3] for s in asked for row in db.execute(f"EXPLAIN QUERY PLAN {s}")}
    assert "SEARCH h USING PRIMARY KEY (post_id=?)" in steps
    assert not [step for step in steps if re.match(r"SCAN (h|d|annotation|annotation_head|adjudication)\b", step)]


def test_answers_are_read_in_the_order_that_they_are_kept_in(filled: Store) -> None:
    with taken_down(filled) as statements:
        filled.gold()
        filled.gold(split=Split.DEV)
    steps = itertools.chain.from_iterable(explained(filled, statements).values())
    assert {step for step in steps if step not in ("SCAN annotation_head", "SCAN h", "SCAN d")} == set()


def test_the_walks_are_as_good_while_an_import_is_unfinished(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "FEW_POSTS", 0)
    with filled.write() as db:
        db.conn.execute(
            "INSERT INTO import (file_name, format, created_at, pending) VALUES ('a', 'csv', '2026', 'removing')"
        )
    with taken_down(filled) as statements:
        for order, given in itertools.product(QueueOrder, FILTERS):
            wanted = asked(given, order=order)
            assert filled.queue_ids(wanted, limit=3, **ME) == filled.queue_ids(wanted, limit=3, **ME)
            filled.next_in_queue(wanted, **ME)
    assert explained(filled, statements) == {}


@pytest.mark.parametrize("order", list(QueueOrder))
def test_a_list_goes_on_at_its_place_by_both_columns_of_its_index(
    filled: Store, order: QueueOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "FEW_POSTS", 0)
    wanted = asked(QueueFilter(state=ReviewState.ANY), order=order)
    pages = filled.queue(wanted, limit=3, **ME)
    with taken_down(filled) as statements:
        for item in pages[-1:]:
            filled.queue(wanted, limit=3, after=item.place, **ME)
    with filled.read() as db:
        walks = [s for s in statements if "INDEXED BY" in s and "ORDER BY" in s]
        sought = [db.execute(f"EXPLAIN QUERY PLAN {s}").fetchone()[3] for s in walks]
    assert bool(sought) == bool(pages)
    assert all(re.search(r"\(.*=\? AND \w+[<>]\?\)", step) for step in sought[:1])
