"""Visitors of the public demo: each alone, nothing kept, and only so many at once."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.models.serving import ModelService
from annotator.problems import Busy
from annotator.project import Project, demo_posts, open_project
from annotator.review import decisions, history
from annotator.review.visitors import IDLE_SECONDS, Visitors
from annotator.settings import Settings
from annotator.web.gate import PERSON, VISITOR
from storage.records import Reviewer, Role
from storage.store import Store
from tests.builders import a_prediction, an_annotation
from tests.clock import Clock

HOUR = 3600.0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return open_project(Settings(data_dir=tmp_path, demo=True, demo_visitors=3))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def visitors(project: Project, clock: Clock) -> Iterator[Visitors]:
    kept = Visitors(project.store, project.settings, clock=clock)
    yield kept
    kept.close()


def a_visitor(number: int) -> Reviewer:
    return Reviewer(f"visitor-{number}", Role.REVIEWER)


def decide(store: Store, visitor: Reviewer, note: str = "") -> None:
    post, criterion = demo_posts()[0], store.criteria()[0]
    words = post.text.split(".")[0]
    store.add_annotation(
        an_annotation(post, words, criterion=criterion, reviewer=visitor.name, note=note), expected_revision=0
    )


def test_a_visitor_finds_the_demo_posts_and_their_own_decisions_again(visitors: Visitors) -> None:
    me = a_visitor(1)
    decide(visitors.store_of(me, "demo"), me)
    again = visitors.store_of(me, "demo")
    assert again.count_posts() == len(demo_posts())
    assert again.progress_counts(me=me.name)["decisions"] == 1


def test_a_visitor_sees_nothing_of_another(visitors: Visitors, project: Project) -> None:
    one, other = a_visitor(1), a_visitor(2)
    decide(visitors.store_of(one, "demo"), one, note="words of the first")
    decide(visitors.store_of(other, "demo"), other)
    post_id = demo_posts()[0].id
    model = ModelService(project.store, project.settings)
    seen: list[Any] = [
        history.history(visitors.store_of(other, "demo"), post_id, other),
        decisions.load_item(visitors.store_of(other, "demo"), model, post_id, other),
        visitors.store_of(other, "demo").verdict_counts(),
        [r.name for r in visitors.store_of(other, "demo").reviewers()],
        decisions.trail(visitors.store_of(other, "demo"), other),
        model.version,
    ]
    assert "words of the first" not in str(seen)
    assert one.name not in str(seen)


def test_nothing_that_a_visitor_decides_reaches_the_projects_database(visitors: Visitors, project: Project) -> None:
    me = a_visitor(1)
    decide(visitors.store_of(me, "demo"), me, note="an unlikely sequence of words")
    assert list(project.store.iter_annotations()) == []
    assert me.name not in [r.name for r in project.store.reviewers()]
    project.store.close()
    for path in project.settings.data_dir.rglob("*"):
        if path.is_file():
            assert b"an unlikely sequence of words" not in path.read_bytes()


def test_a_visit_is_forgotten_two_hours_after_its_visitor_was_last_seen(visitors: Visitors, clock: Clock) -> None:
    me = a_visitor(1)
    decide(visitors.store_of(me, "demo"), me)
    clock.now += 1.5 * HOUR
    assert visitors.store_of(me, "demo").progress_counts(me=me.name)["decisions"] == 1
    clock.now += 1.9 * HOUR
    visitors.forget_expired()
    assert len(visitors) == 1
    clock.now += 0.2 * HOUR
    visitors.forget_expired()
    assert len(visitors) == 0
    assert visitors.store_of(me, "demo").progress_counts(me=me.name)["decisions"] == 0


def test_starting_anew_forgets_ones_own_decisions_only(visitors: Visitors) -> None:
    one, other = a_visitor(1), a_visitor(2)
    for each in (one, other):
        decide(visitors.store_of(each, "demo"), each)
    visitors.forget(one.name)
    decisions = [visitors.store_of(v, "demo").progress_counts(me=v.name)["decisions"] for v in (one, other)]
    assert decisions == [0, 1]


def test_when_all_places_are_taken_the_next_visitor_is_asked_to_wait(visitors: Visitors, clock: Clock) -> None:
    begun = []
    for number in range(3):
        begun.append(visitors.store_of(a_visitor(number), "demo"))
        clock.now += 1
    with pytest.raises(Busy, match="Many visitors"):
        visitors.store_of(a_visitor(3), "demo")
    clock.now += IDLE_SECONDS - 2
    visitors.store_of(a_visitor(0), "demo")  # is here again, so another has been idle for longest
    clock.now += 2
    visitors.store_of(a_visitor(3), "demo")
    assert len(visitors) == 3
    assert [visitors.store_of(a_visitor(number), "demo") for number in (0, 2)] == [begun[0], begun[2]]


def test_what_the_model_reads_meanwhile_appears_in_a_visit_that_has_begun(visitors: Visitors, project: Project) -> None:
    me, post = a_visitor(1), demo_posts()[0]
    assert visitors.store_of(me, "demo").predictions(post.id, "demo") == {}
    made = a_prediction(post, post.text.split(".")[0], criterion=project.store.criteria()[0], model="demo")
    project.store.add_predictions([made])
    assert len(visitors.store_of(me, "demo").predictions(post.id, "demo")) == 1


def test_calls_of_one_visitor_at_the_same_time_share_one_store(visitors: Visitors) -> None:
    found: list[Store] = []
    threads = [threading.Thread(target=lambda: found.append(visitors.store_of(a_visitor(1), "demo"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(store) for store in found}) == 1


def test_pages_of_a_visitor_work_in_the_visitors_store_and_those_of_others_in_the_projects(project: Project) -> None:
    pytest.importorskip("gradio")
    from annotator.ui.context import Context

    context = Context(project, ModelService(project.store, project.settings))

    class Asked:
        def __init__(self, person: Reviewer, **scope: Any) -> None:
            self.scope = {PERSON: person, **scope}

    own = context.of(Asked(a_visitor(1), **{VISITOR: True}))
    assert own.store is not project.store
    assert own.project.store is own.store
    assert own.store.reviewer("visitor-1").role is Role.REVIEWER
    assert context.store is project.store
    assert (
        context.of(Asked(Reviewer("visitor-1", Role.REVIEWER))) is context
    )  # somebody who signed in under such a name
    context.close()
    assert context.visitors is not None
    assert len(context.visitors) == 0


def test_one_address_takes_a_quarter_of_the_places_and_leaves_the_rest(project: Project, clock: Clock) -> None:
    many = Visitors(project.store, dataclasses.replace(project.settings, demo_visitors=44), clock=clock)
    for number in range(11):
        many.store_of(a_visitor(number), "demo", "203.0.113.5")
    with pytest.raises(Busy, match="from your network"):
        many.store_of(a_visitor(11), "demo", "203.0.113.5")
    many.store_of(a_visitor(12), "demo", "198.51.100.7")
    clock.now += IDLE_SECONDS
    many.store_of(a_visitor(11), "demo", "203.0.113.5")  # in the place of the one who was idle for longest
    assert len(many) == 12
    many.close()


def test_where_all_places_are_taken_the_address_with_most_gives_one_up(project: Project, clock: Clock) -> None:
    many = Visitors(project.store, dataclasses.replace(project.settings, demo_visitors=8), clock=clock)
    for number in range(8):
        many.store_of(a_visitor(number), "demo", f"203.0.113.{number // 2}")
    newcomer = many.store_of(a_visitor(100), "demo", "198.51.100.7")
    assert newcomer.count_posts() == len(demo_posts())
    assert len(many) == 8
    many.close()
