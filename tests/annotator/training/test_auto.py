"""Automatic retraining: off by default, after enough posts, at most once per period."""

from __future__ import annotations

import datetime as dt

import pytest

from annotator.settings import Settings
from annotator.training.auto import AUTHOR, InvalidSchedule, Schedule, enqueue_if_due, schedule_of, set_schedule
from storage.jobs import Jobs
from storage.records import JobKind, ModelVersion, Split
from storage.store import Store
from tests.builders import a_post, an_annotation


@pytest.fixture
def jobs(store: Store) -> Jobs:
    store.add_model(ModelVersion("demo", "bundled"))
    store.activate_model("demo", by=None)
    return Jobs(store)


def review(store: Store, count: int) -> None:
    first = store.count_posts()
    for number in range(first, first + count):
        post = a_post("I cannot sleep. The dog is well.", id=f"p{number}", split=Split.TRAIN)
        store.add_posts([post])
        store.add_annotation(an_annotation(post, "I cannot sleep."), expected_revision=0)


def test_it_is_off_until_it_is_turned_on(store: Store, jobs: Jobs) -> None:
    review(store, 3)
    assert not schedule_of(store).enabled
    assert enqueue_if_due(store, jobs, Settings()) is None


def test_it_trains_when_enough_posts_have_been_reviewed(store: Store, jobs: Jobs) -> None:
    set_schedule(store, Schedule(enabled=True, posts=3))
    review(store, 2)
    assert enqueue_if_due(store, jobs, Settings()) is None
    review(store, 1)
    job = enqueue_if_due(store, jobs, Settings())
    assert job is not None
    assert (job.kind, job.created_by, job.payload["base"]) == (JobKind.TRAIN, AUTHOR, "demo")


def test_never_a_second_one_while_one_waits_or_within_the_period(store: Store, jobs: Jobs) -> None:
    set_schedule(store, Schedule(enabled=True, posts=1, hours=24))
    review(store, 1)
    job = enqueue_if_due(store, jobs, Settings())
    assert job is not None
    assert enqueue_if_due(store, jobs, Settings()) is None
    jobs.request_cancel(job.id)
    assert enqueue_if_due(store, jobs, Settings()) is None
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(hours=25)
    assert enqueue_if_due(store, jobs, Settings(), now=tomorrow) is not None


def test_posts_that_a_training_has_seen_do_not_start_another_even_if_its_model_was_set_aside(
    store: Store, jobs: Jobs
) -> None:
    set_schedule(store, Schedule(enabled=True, posts=2, hours=1))
    review(store, 2)
    enqueue_if_due(store, jobs, Settings())
    job = jobs.claim("w:1:x")
    assert job is not None
    jobs.finish(job, {"model": "v1", "promoted": False, "last_annotation": store.last_annotation_id()})
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(hours=25)
    assert enqueue_if_due(store, jobs, Settings(), now=tomorrow) is None
    review(store, 2)
    assert enqueue_if_due(store, jobs, Settings(), now=tomorrow) is not None


@pytest.mark.parametrize("values", [{"posts": 0}, {"hours": 0.0}, {"hours": 1e9}, {"preset": "fast"}])
def test_a_schedule_that_makes_no_sense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(InvalidSchedule):
        Schedule(**values)  # type: ignore[arg-type]
