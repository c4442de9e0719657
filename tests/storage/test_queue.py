from __future__ import annotations

import pytest

from storage.queue import QueueCount, QueueFilter, QueueOrder, ReviewState, fts_query
from storage.records import InvalidRecord, Post, Prediction, Role, Span, Split, Verdict
from storage.store import Store
from tests.builders import MOOD, SLEEP, a_post, an_annotation


def predicted(post_id: str, no_evidence: float, *, score: float = 0.0) -> list[Prediction]:
    spans = (Span(0, 4, score),) if score else ()
    return [Prediction(post_id, c.id, "m1", spans, no_evidence) for c in (SLEEP, MOOD)]


@pytest.fixture
def filled(store: Store) -> Store:
    store.add_posts([a_post("sure and clear", id="sure"), a_post("torn between", id="torn", split=Split.DEV)])
    store.add_posts([Post("plain", "nothing read yet", split=Split.TRAIN, source="forum")])
    store.add_predictions(predicted("sure", 0.02, score=0.98) + predicted("torn", 0.5, score=0.5))
    return store


def ids(store: Store, **wanted: object) -> list[str]:
    asked = QueueFilter(**{"order": QueueOrder.UNCERTAIN, **wanted})  # type: ignore[arg-type]
    return store.queue_ids(asked, me="ana", model_version="m1", limit=10)


def test_the_least_certain_post_comes_first_and_posts_not_yet_read_last(filled: Store) -> None:
    assert ids(filled, order=QueueOrder.UNCERTAIN) == ["torn", "sure", "plain"]


def test_the_likeliest_evidence_comes_first_when_asked(filled: Store) -> None:
    assert ids(filled, order=QueueOrder.EVIDENCE) == ["sure", "torn", "plain"]


def test_random_order_is_the_same_each_time_and_mixes_early_posts_with_late_ones(store: Store) -> None:
    stored = [f"p{n:02}" for n in range(60)]
    store.add_posts([a_post(f"Post {n}.", id=post_id) for n, post_id in enumerate(stored)])
    wanted = QueueFilter(order=QueueOrder.RANDOM)
    first, again = (store.queue_ids(wanted, me="ana", model_version=None, limit=60) for _ in range(2))
    assert first == again
    assert sorted(first) == stored
    assert 10 <= len(set(first[:30]) & set(stored[:30])) <= 20


def test_a_post_leaves_the_queue_when_every_criterion_is_decided(filled: Store) -> None:
    post = filled.post("torn")
    filled.add_annotation(an_annotation(post), expected_revision=0)
    assert "torn" in ids(filled)
    filled.add_annotation(an_annotation(post, criterion=MOOD), expected_revision=0)
    assert "torn" not in ids(filled)
    assert ids(filled, state=ReviewState.REVIEWED) == ["torn"]
    assert filled.progress_counts(me="ana") == {
        "posts": 3,
        "reviewed_by_me": 1,
        "started_by_me": 1,
        "decisions": 2,
        "reviewers": 1,
    }


def test_a_skipped_post_waits_apart_until_it_is_opened_again(filled: Store) -> None:
    filled.skip_post("torn", "ana")
    assert ids(filled) == ["sure", "plain"]
    assert ids(filled, state=ReviewState.SKIPPED) == ["torn"]
    filled.open_post("torn", "ana")
    assert ids(filled) == ["torn", "sure", "plain"]


def test_a_post_that_is_gone_is_not_remembered_as_opened(filled: Store) -> None:
    filled.open_post("torn", "ana")
    filled.open_post("nowhere", "ana")
    assert filled.visited_posts("ana") == ["torn"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"split": Split.DEV}, ["torn"]),
        ({"source": "forum"}, ["plain"]),
        ({"query": "noth*"}, ["plain"]),
        ({"query": '"torn" <script> OR'}, []),
        ({"criterion": "SLEEP_ISSUES", "min_score": 0.9}, ["sure"]),
        ({"criterion": "SLEEP_ISSUES", "max_score": 0.6}, ["torn"]),
        ({"criterion": "SLEEP_ISSUES"}, ["torn", "sure"]),
        ({"reviewer": "ana"}, []),
    ],
)
def test_filters(filled: Store, wanted: dict[str, object], found: list[str]) -> None:
    assert ids(filled, **wanted) == found
    count = filled.count_queue(QueueFilter(**wanted), me="ana", model_version="m1")  # type: ignore[arg-type]
    assert count == QueueCount(len(found))


def test_posts_can_be_found_by_somebodys_verdict(filled: Store) -> None:
    filled.update_reviewer("ana", role=Role.ADJUDICATOR)  # who may see it before her own decision
    filled.add_annotation(
        an_annotation(filled.post("sure"), reviewer="ben", verdict=Verdict.UNSURE), expected_revision=0
    )
    assert ids(filled, verdict=Verdict.UNSURE, criterion=SLEEP.id) == ["sure"]
    assert ids(filled, reviewer="ben") == ["sure"]


def test_assigned_posts_can_be_asked_for(filled: Store) -> None:
    assert filled.assign(["torn", "plain"], "ana", by="ben") == 2
    assert filled.assign(["torn"], "ana", by="ben") == 0
    assert ids(filled, assigned_to="ana") == ["torn", "plain"]
    (item,) = filled.queue(QueueFilter(query="torn"), me="ana", model_version="m1")
    assert (item.post_id, item.decided, item.criteria, item.assigned) == ("torn", 0, 2, ("ana",))


def test_a_search_without_words_says_so() -> None:
    with pytest.raises(InvalidRecord, match="at least one word"):
        fts_query(" * ")


def test_the_posts_opened_last_come_first_in_the_visits(filled: Store) -> None:
    for post_id in ("sure", "torn", "sure"):
        filled.open_post(post_id, "ana")
    assert filled.visited_posts("ana") == ["sure", "torn"]
