"""Posts that are taken out for good: with all that was said of them, and without a word left in the files."""

from __future__ import annotations

import pytest

from storage.records import AnnotatedSpan, Annotation, NotFound, Post, Role, Span, SpanOrigin, Verdict
from storage.store import Store
from storage.team_records import Adjudication, Outcome
from storage.withdrawal import NAME, OnPosts
from tests.builders import SLEEP, a_post, a_prediction, an_annotation
from tests.storage.imported import import_into

WORDS = "Zebrafish kept quaxolotl awake."


@pytest.fixture
def reviewed(store: Store) -> Store:
    """Two posts of an import and one of none, each with an answer and a prediction; the second was adjudicated."""
    kept, gone, other = a_post(id="kept"), Post("gone", WORDS, author="eve"), a_post(id="other")
    import_into(store, [kept, gone], [])
    store.add_posts([other])
    store.add_reviewer("jo", Role.ADJUDICATOR)
    span = AnnotatedSpan(0, len(WORDS), SpanOrigin.ADDED)
    for post in (kept, other):
        store.add_annotation(an_annotation(post), expected_revision=0)
    for name in ("ana", "ben"):
        store.ensure_reviewer(name)
        answer = Annotation("gone", SLEEP.id, name, Verdict.EVIDENCE, (span,), note="quaxolotl")
        store.add_annotation(answer, expected_revision=0)
    store.add_adjudication(
        Adjudication("gone", SLEEP.id, "jo", Outcome.EVIDENCE, (Span(0, len(WORDS)),)), expected_revision=0
    )
    store.add_predictions([a_prediction(post) for post in (kept, gone, other)])
    store.open_post("gone", "ana")
    return store


def test_a_withdrawn_post_goes_with_all_that_was_said_of_it_and_is_counted_no_more(reviewed: Store) -> None:
    before = reviewed.progress_counts(me="ana")
    assert reviewed.withdraw_posts(["gone"], by="ana") == OnPosts(1, 2, 2, 1, 1)
    assert [p.id for p in reviewed.iter_posts()] == ["kept", "other"]
    assert reviewed.count_posts() == 2
    assert reviewed.count_predicted_posts("m1") == 2
    after = reviewed.progress_counts(me="ana")
    assert (before["posts"], after["posts"]) == (3, 2)
    assert after["decisions"] < before["decisions"]
    assert len(reviewed.latest_annotations("kept")) == len(reviewed.latest_annotations("other")) == 1
    reviewed.check_whole()
    record = reviewed.imports()[0]
    assert (record["file_name"], record["created_by"], record["report"]) == (NAME, "ana", {"imported": 1})
    assert record["undone_at"] is not None


def test_no_word_of_it_stays_in_the_files(reviewed: Store) -> None:
    files = [reviewed.path, reviewed.path.with_name(f"{reviewed.path.name}-wal")]

    def held(word: bytes) -> bool:
        return any(word in path.read_bytes().lower() for path in files if path.exists())

    assert held(b"quaxolotl")
    reviewed.withdraw_posts(["gone"], by="ana")
    assert not held(b"quaxolotl")
    assert not held(b"zebrafish")
    assert held(b"cannot sleep")


def test_the_import_that_a_withdrawn_post_came_with_can_still_be_undone(reviewed: Store) -> None:
    reviewed.withdraw_posts(["gone"], by=None)
    reviewed.undo_import(reviewed.imports()[-1]["id"])
    assert [p.id for p in reviewed.iter_posts()] == ["other"]
    assert reviewed.count_posts() == 1
    assert reviewed.count_predicted_posts("m1") == 1


def test_the_same_post_can_be_imported_again(reviewed: Store) -> None:
    reviewed.withdraw_posts(["gone"], by=None)
    import_into(reviewed, [Post("gone", WORDS)], [])
    assert reviewed.count_posts() == 3
    assert reviewed.latest_annotations("gone") == []


def test_nothing_goes_where_one_of_the_posts_is_not_there(reviewed: Store) -> None:
    with pytest.raises(NotFound, match=r"There is no post typo\. Nothing was removed"):
        reviewed.withdraw_posts(["gone", "typo"], by=None)
    assert reviewed.count_posts() == 3
    assert len(reviewed.imports()) == 1


def test_the_posts_of_an_author_are_found(reviewed: Store) -> None:
    assert reviewed.posts_of_author("eve") == ["gone"]
    assert reviewed.posts_of_author("nobody") == []
    assert reviewed.on_posts(["gone", "kept"]) == OnPosts(2, 3, 2, 1, 2)
