from __future__ import annotations

import dataclasses
import time

import pytest

from storage.posts import PLACE_BY_AUTHOR
from storage.records import Criterion, InvalidRecord, NotFound, Post, Split
from storage.serving import serving_alone
from storage.store import Store
from tests.builders import SLEEP, a_post, a_prediction, an_annotation
from tests.storage.imported import import_into


def test_a_post_comes_back_verbatim(store: Store) -> None:
    text = "  e\u0301\r\n\t👩‍👩‍👧  שלום <script>alert(1)</script> ${x} {{y}} `z` \\n "
    store.add_posts([Post("p1", text, author="a", source="s", posted_at="2020", meta={"k": [1, None]})])
    post = store.post("p1")
    assert (post.text, post.author, post.source, post.posted_at, post.meta) == (
        text,
        "a",
        "s",
        "2020",
        {"k": [1, None]},
    )


def test_a_post_whose_id_is_taken_is_left_out_and_reported(store: Store) -> None:
    store.add_posts([a_post("first")])
    assert store.add_posts([a_post("second"), a_post("other", id="p2")]) == (1, ["p1"])
    assert store.post("p1").text == "first"


def test_posts_of_one_author_share_a_split(store: Store) -> None:
    store.add_posts([Post(f"p{i}", "text", author="same") for i in range(50)])
    assert len({p.split for p in store.iter_posts()}) == 1


def test_iterating_goes_over_every_post_in_order_of_storage(store: Store) -> None:
    ids = [f"p{i}" for i in range(25)]
    store.add_posts([a_post(id=i) for i in ids])
    assert [p.id for p in store.iter_posts(batch_size=10)] == ids


def test_a_changed_wording_becomes_a_new_version_and_the_old_one_stays(store: Store) -> None:
    changed = Criterion(SLEEP.id, SLEEP.name, "The writer sleeps badly.", SLEEP.guideline, position=SLEEP.position)
    (saved,) = store.save_criteria([changed], by="ana")
    assert saved.version == 2
    assert [c.text for c in store.criterion_versions(SLEEP.id)] == [SLEEP.text, changed.text]
    assert [v for v in range(4) if store.has_criterion_version(SLEEP.id, v)] == [1, 2]
    assert not store.has_criterion_version("NOWHERE", 1)
    assert next(c for c in store.criteria() if c.id == SLEEP.id).text == changed.text


def test_the_same_wording_keeps_its_version(store: Store) -> None:
    (saved,) = store.save_criteria([SLEEP])
    assert saved.version == 1


def test_a_criterion_out_of_use_is_not_listed_unless_asked_for(store: Store) -> None:
    store.save_criteria([Criterion(SLEEP.id, SLEEP.name, SLEEP.text, SLEEP.guideline, active=False)])
    assert SLEEP.id not in {c.id for c in store.criteria()}
    assert SLEEP.id in {c.id for c in store.criteria(with_inactive=True)}


def test_undoing_an_import_removes_its_posts_and_what_hangs_on_them(store: Store) -> None:
    kept = a_post("I stay awake all night.", id="kept")
    store.add_posts([kept])
    gone = a_post(id="gone")
    import_id = import_into(store, [gone], [an_annotation(kept, "stay awake")])
    store.add_predictions([a_prediction(gone, "I cannot sleep.")])
    store.open_post("gone", "ana")
    store.add_annotation(an_annotation(gone), expected_revision=0)
    store.add_annotation(an_annotation(kept), expected_revision=1)
    assert store.undo_import(import_id) == {"posts": 1, "annotations": 2}
    assert [p.id for p in store.iter_posts()] == ["kept"]
    assert [a.revision for a in store.latest_annotations("kept")] == [2]
    with pytest.raises(InvalidRecord, match="undone before"):
        store.undo_import(import_id)
    with pytest.raises(NotFound):
        store.undo_import(999)


def test_moving_posts_to_another_split_is_explicit(store: Store) -> None:
    store.add_posts([a_post(id="a"), a_post(id="b")])
    assert store.set_split(["a"], Split.TEST) == 1
    assert [p.split for p in store.posts(["a", "b"])] == [Split.TEST, Split.TRAIN]


def test_a_thousand_posts_of_300_words_are_stored_in_well_under_five_seconds(store: Store) -> None:
    started = time.monotonic()
    store.add_posts(Post(f"p{i}", "word " * 300 + str(i)) for i in range(1000))
    assert time.monotonic() - started < 5
    assert store.count_posts() == 1000


def test_an_import_gives_way_for_half_its_time_only_while_an_app_serves(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("storage.imports.time.sleep", pauses.append)
    import_into(store, [a_post(id=f"p{n}") for n in range(3000)], [])
    alone = sum(pauses)
    pauses.clear()
    with serving_alone(store.path.parent):
        import_into(store, [a_post(id=f"q{n}") for n in range(3000)], [])
    assert 0 < alone < sum(pauses) / 3


def test_an_authors_posts_are_found_around_one_in_order_of_time(store: Store) -> None:
    days = {"c": "2026-03-01", "a": "2026-01-01", "none": None, "b": "2026-02-01", "b2": "2026-02-01"}
    posts = [dataclasses.replace(a_post(f"Post {id}.", id=id), author="ann", posted_at=at) for id, at in days.items()]
    store.add_posts(
        [*posts, dataclasses.replace(a_post("By another.", id="x"), author="bo"), a_post("Nobody's.", id="y")]
    )
    earlier, later = store.posts_around("b", most=2)
    assert ([p.id for p in earlier], [p.id for p in later]) == (["none", "a"], ["b2", "c"])
    assert store.place_by_author("b") == (3, 5)
    assert (store.posts_around("x", most=2), store.place_by_author("x"), store.place_by_author("y")) == (
        ([], []),
        (1, 1),
        (0, 0),
    )
    with store.read() as db:
        plan = db.execute(f"EXPLAIN QUERY PLAN {PLACE_BY_AUTHOR}", ["b"])
        assert "COVERING INDEX post_author" in " ".join(row[-1] for row in plan)
