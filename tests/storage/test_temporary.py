"""The store in memory: it takes over what everybody may see and nothing of anybody, and cannot grow without end."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.records import Role, StoreUnavailable
from storage.store import Store
from storage.temporary import TemporaryStore
from tests.builders import SLEEP, a_post, a_prediction, an_annotation

MEGABYTE = 2**20


def a_copy(source: Store, *, most_bytes: int = 4 * MEGABYTE, most_posts: int = 100) -> TemporaryStore:
    copy = TemporaryStore(most_bytes=most_bytes)
    copy.copy_public(source, model_version="m1", most_posts=most_posts)
    return copy


def test_posts_criteria_and_predictions_are_copied_and_can_be_searched(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_predictions([a_prediction(post, "I cannot sleep.")])
    copy = a_copy(store)
    assert copy.post("p1").text == post.text
    assert [c.id for c in copy.criteria()] == [c.id for c in store.criteria()]
    assert copy.predictions("p1", "m1")[SLEEP.id].spans == store.predictions("p1", "m1")[SLEEP.id].spans
    with copy.read() as db:
        assert db.execute("SELECT count(*) FROM post_fts WHERE post_fts MATCH 'dog'").fetchone()[0] == 1


def test_no_person_and_no_decision_is_copied(store: Store) -> None:
    store.add_posts([a_post()])
    store.add_annotation(an_annotation(a_post(), "I cannot sleep."), expected_revision=0)
    store.add_reviewer("adam", Role.ADMIN, password_hash="x")
    store.set_setting("secret", "value")
    copy = a_copy(store)
    with copy.read() as db:
        full = {
            name
            for name in db.table_names()
            if not name.startswith(("sqlite", "_", "post_fts")) and db.execute(f"SELECT 1 FROM [{name}]").fetchone()
        }
    assert full == {"post", "post_count", "criterion", "queue_change"}  # the counts are of posts and criteria


def test_a_second_copy_adds_what_the_model_has_read_since(store: Store) -> None:
    store.add_posts([a_post()])
    copy = a_copy(store)
    store.add_predictions([a_prediction(a_post(), "I cannot sleep.")])
    copy.copy_public(store, model_version="m1", most_posts=100)
    assert copy.count_predicted_posts("m1") == 1


def test_only_the_first_posts_are_copied(store: Store) -> None:
    posts = [a_post(id=f"p{n}") for n in range(5)]
    store.add_posts([a_post(f"Text {p.id}.", id=p.id) for p in posts])
    store.add_predictions([a_prediction(a_post(f"Text {p.id}.", id=p.id), f"Text {p.id}.") for p in posts])
    copy = a_copy(store, most_posts=2)
    assert copy.count_posts() == 2
    assert copy.count_predicted_posts("m1") == 2


def test_what_is_decided_in_it_reaches_no_other_store(store: Store) -> None:
    store.add_posts([a_post()])
    one, other = a_copy(store), a_copy(store)
    for each in (one, other):
        each.ensure_reviewer("visitor")
    one.add_annotation(an_annotation(a_post(), "I cannot sleep.", reviewer="visitor"), expected_revision=0)
    assert len(one.history("p1")) == 1
    assert other.history("p1") == store.history("p1") == []


def test_a_store_that_is_full_says_so_and_keeps_what_it_has(store: Store) -> None:
    store.add_posts([a_post()])
    copy = a_copy(store, most_bytes=MEGABYTE)
    copy.ensure_reviewer("visitor")
    saved = 0
    with pytest.raises(StoreUnavailable, match="no more room"):
        while True:
            note = an_annotation(a_post(), reviewer="visitor", note="n" * 4000)
            saved = copy.add_annotation(note, expected_revision=saved).revision
    assert len(copy.history("p1")) == saved > 10
    assert copy.bytes <= MEGABYTE


def test_once_closed_it_says_that_the_visit_is_over(store: Store) -> None:
    copy = a_copy(store)
    copy.close()
    copy.close()
    with pytest.raises(StoreUnavailable, match="visit has ended"):
        copy.posts([])


def test_the_store_that_was_copied_can_still_be_written(store: Store, tmp_path: Path) -> None:
    a_copy(store)
    store.add_posts([a_post()])
    assert store.count_posts() == 1
    assert not (tmp_path / ":memory:").exists()
