"""What a person marked and rejected lately: what is kept of it between two questions is what a reading anew finds."""

from __future__ import annotations

import random

import pytest

from storage import wordings
from storage.records import Verdict
from storage.store import Store
from tests.builders import MOOD, SLEEP, a_post, a_span, an_annotation
from tests.storage.imported import begin_import, import_into, show_imports

POSTS = [a_post(id=f"p{n}") for n in range(4)]


def answer(store: Store, draw: random.Random) -> None:
    """Ana or ben answers: a passage, one that is rejected, neither, or unsure."""
    post, criterion, reviewer = draw.choice(POSTS), draw.choice((SLEEP, MOOD)), draw.choice(("ana", "ben"))
    said = an_annotation(post, *draw.choice([("cannot sleep",), ("dog",), ()]), criterion=criterion, reviewer=reviewer,
                         rejected=draw.choice([(), (a_span(post, "is well"),)]), verdict=draw.choice([None, Verdict.UNSURE]))  # fmt: skip
    known = store.annotations_of(post.id, reviewer).get(criterion.id)
    store.add_annotation(said, expected_revision=known.revision if known else 0)


def test_what_is_kept_is_what_a_reading_anew_finds(store: Store) -> None:
    draw, imports = random.Random(0), list[int]()
    store.add_posts(POSTS[:3])
    import_into(store, POSTS[3:], [])
    for step in range(40):
        answer(store, draw)
        if step % 10 == 4:
            new = a_post(id=f"i{step}")
            said = [an_annotation(new, "I cannot sleep", criterion=SLEEP)]
            imports.append(import_into(store, [new], said, on_step=lambda _: store.wordings_of("ana")))  # type: ignore[arg-type,return-value]
        if step % 20 == 15:
            store.undo_import(imports.pop(0))
        if step == 22:
            begin_import(store)
        if step == 26:
            show_imports(store)
        if draw.random() < 0.5:
            anew = Store(store.path)
            assert [store.wordings_of(n) for n in ("ana", "ben")] == [anew.wordings_of(n) for n in ("ana", "ben")]
            anew.close()


def test_answers_are_read_anew_once_as_many_came_as_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordings, "LATELY", 2)
    posts = [a_post(f"I am awake at {n} again.", id=f"p{n}") for n in range(6)]
    store.add_posts(posts)
    found = []
    for post in posts:
        store.add_annotation(an_annotation(post, f"awake at {post.id[1]}"), expected_revision=0)
        found.append(len(store.wordings_of("ana").marked[SLEEP.id]))
    assert found == [1, 2, 3, 2, 3, 4]


def test_more_answers_at_once_than_count_are_not_all_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordings, "LATELY", 2)
    posts = [a_post(f"I am awake at {n} again.", id=f"p{n}") for n in range(6)]
    store.add_posts(posts)
    store.wordings_of("ana")
    for post in posts:
        store.add_annotation(an_annotation(post, f"awake at {post.id[1]}"), expected_revision=0)
    assert store.wordings_of("ana").marked[SLEEP.id] == ["awake at 5", "awake at 4"]
