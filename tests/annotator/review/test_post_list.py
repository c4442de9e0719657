"""The list of posts: finding them, and what is done to many at once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from annotator.people.accounts import NotAllowed
from annotator.review import post_list
from storage.jobs import Jobs
from storage.queue import QueueFilter, QueueOrder, ReviewState
from storage.records import InvalidRecord, JobStatus, ModelVersion, NotFound, Reviewer, Role, Split
from storage.store import Store
from tests.annotator.review.test_decisions import WrittenModel
from tests.builders import a_post, an_annotation

ANA = Reviewer("ana")
ADMIN = Reviewer("ana", Role.ADMIN)
MANY = [f"m{n}" for n in range(150)]
EVERYTHING = QueueFilter(order=QueueOrder.NEWEST, state=ReviewState.ANY)


@pytest.fixture
def posts(store: Store) -> list[str]:
    store.add_posts(
        [a_post("I cannot sleep.", id="p1"), a_post("The dog is well.", id="p2"), a_post("Nothing.", id="p3")]
    )
    return ["p1", "p2", "p3"]


def test_posts_are_listed_with_how_far_their_review_is(store: Store, posts: list[str]) -> None:
    for criterion in store.criteria():
        store.add_annotation(an_annotation(store.post("p1"), criterion=criterion), expected_revision=0)
    store.skip_post("p2", "ana")
    found = post_list.find_posts(store, WrittenModel(), ANA, EVERYTHING)
    assert found["total"] == 3
    assert {p["post_id"]: p["state"] for p in found["posts"]} == {"p1": "reviewed", "p2": "skipped", "p3": "open"}


def test_words_find_posts_and_a_page_holds_as_many_as_asked_for(store: Store, posts: list[str]) -> None:
    model = WrittenModel()
    words = QueueFilter(state=ReviewState.ANY, query="dog")
    assert [p["post_id"] for p in post_list.find_posts(store, model, ANA, words)["posts"]] == ["p2"]
    page = post_list.find_posts(store, model, ANA, EVERYTHING, post_list.Portion(limit=2, offset=2))
    assert (page["total"], len(page["posts"])) == (3, 1)
    assert sorted(post_list.all_ids(store, model, ANA, EVERYTHING)) == posts


def test_everybody_may_take_posts_and_only_curators_give_them_to_others(store: Store, posts: list[str]) -> None:
    assert post_list.assign(store, ["p1"], "ana", by=ANA) == 1
    with pytest.raises(NotAllowed):
        post_list.assign(store, ["p1"], "ben", by=ANA)
    assert post_list.assign(store, ["p1", "p2"], "ben", by=ADMIN) == 2
    with pytest.raises(NotFound):
        post_list.assign(store, ["p1"], "nobody", by=ADMIN)


def test_only_an_admin_moves_posts_to_another_split(store: Store, posts: list[str]) -> None:
    with pytest.raises(NotAllowed):
        post_list.change_split(store, ["p1"], "test", by=ANA)
    assert post_list.change_split(store, ["p1", "p2"], "test", by=ADMIN) == 2
    assert store.post("p1").split is Split.TEST
    with pytest.raises(InvalidRecord, match="train, dev or test"):
        post_list.change_split(store, ["p1"], "holdout", by=ADMIN)


def test_only_an_admin_withdraws_posts_and_not_any_number_at_once(store: Store, posts: list[str]) -> None:
    with pytest.raises(NotAllowed):
        post_list.withdraw(store, ["p1"], by=ANA)
    with pytest.raises(InvalidRecord, match="at most 1 posts"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(post_list, "MOST_WITHDRAWN", 1)
        post_list.withdraw(store, ["p1", "p2"], by=ADMIN)
    said = post_list.withdraw(store, ["p1"], by=ADMIN)
    assert said["count"] == 1
    assert "Backups and snapshots" in said["words"]
    assert sorted(p.id for p in store.iter_posts()) == [p for p in posts if p != "p1"]


@pytest.mark.parametrize("ids", [[], ["p1", "gone"], [f"p{n}" for n in range(2000)]])
def test_a_choice_that_cannot_be_right_changes_nothing(ids: list[str], store: Store, posts: list[str]) -> None:
    with pytest.raises(InvalidRecord):
        post_list.change_split(store, ids, "test", by=ADMIN)
    assert store.post("p1").split is Split.TRAIN


class Reads(WrittenModel):
    """A model that notes what it is asked to read first."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def prefetch(self, post_ids: Sequence[str]) -> None:
        self.asked = list(post_ids)


@pytest.fixture
def many(store: Store) -> list[str]:
    store.add_posts(a_post(f"Post {post_id}.", id=post_id) for post_id in MANY)
    return MANY


def test_a_few_posts_are_read_by_the_app_and_many_by_a_job(store: Store, many: list[str]) -> None:
    model, jobs = Reads(), Jobs(store)
    store.add_model(ModelVersion(str(model.version), "kept-in-the-tests"))
    assert post_list.predict(store, jobs, model, many[:3], by=ADMIN) == {"count": 3, "job": None}
    assert model.asked == many[:3]
    found = post_list.predict(store, jobs, model, many, by=ADMIN)
    assert (found["count"], found["job"]["status"]) == (150, "queued")
    job = jobs.get(found["job"]["id"])
    assert job.payload == {"model": model.version, "posts": many}
    assert post_list.prediction_job(jobs) == found["job"]
    with pytest.raises(NotAllowed):
        post_list.stop_prediction(jobs, job.id, by=ANA)
    assert post_list.stop_prediction(jobs, job.id, by=ADMIN)["status"] == JobStatus.CANCELLED
    assert post_list.prediction_job(jobs) is None


def test_a_reviewer_asks_for_a_hundred_posts_at_once(store: Store, many: list[str]) -> None:
    model = Reads()
    assert post_list.predict(store, Jobs(store), model, many, by=ANA) == {"count": 100, "job": None}
    assert model.asked == many[:100]


def test_posts_can_be_given_back_and_taken_from_others_by_curators(store: Store, posts: list[str]) -> None:
    post_list.assign(store, posts[:2], ANA.name, by=ANA)
    with pytest.raises(NotAllowed):
        post_list.unassign(store, posts[:1], ANA.name, by=Reviewer("ben", Role.REVIEWER))
    assert post_list.unassign(store, posts[:1], ANA.name, by=ANA) == 1
    assert post_list.unassign(store, posts, ANA.name, by=Reviewer("ben", Role.ADJUDICATOR)) == 1


def test_a_search_shows_the_words_that_it_found(store: Store) -> None:
    text = "Nothing of interest here. " * 20 + "Then a zebrafish kept me up. " + "The end. " * 20
    store.add_posts([a_post(text, id="long")])
    model = WrittenModel()
    found = post_list.find_posts(store, model, ANA, QueueFilter(state=ReviewState.ANY, query="zebrafish"))
    assert "a zebrafish kept me up" in found["posts"][0]["excerpt"]
