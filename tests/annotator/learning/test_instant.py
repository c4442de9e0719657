"""The instant learner over a real store: what was decided improves what is shown, and nothing else is touched."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from annotator.learning.given import given_by
from annotator.learning.instant import InstantService, is_on, switch
from encoder.errors import ModelUnusable
from encoder.examples import Example
from encoder.predict import Predictor
from storage.queue_plan import QueueFilter, QueueOrder
from storage.records import ModelVersion, Post, Prediction, Span, Split, Verdict
from storage.rounds import RoundPost
from storage.store import Store, open_store
from storage.team_records import Round, RoundChange, RoundKind, Suggestions
from tests.builders import a_post, an_annotation
from tests.encoder.simple.answers import FOOD, NIGHTS, posts_with_answers

CRITERIA = (NIGHTS, FOOD)


class ServedModel:
    """A model that has read every post and knows no criterion; its answers lie in the store, as the model service's do."""

    version = "m1"

    def __init__(self, store: Store) -> None:
        self._store = store

    def status(self) -> str:
        return "ready"

    def predictions(self, post: Post) -> dict[str, Prediction]:
        return self._store.predictions(post.id, "m1")

    predict_post = predictions

    def predictor(self) -> Predictor:
        raise ModelUnusable("Its answers were written down.")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data")
    opened.save_criteria(CRITERIA)
    opened.ensure_reviewer("ana")
    opened.add_model(ModelVersion("m1", "m1"))
    opened.activate_model("m1", by=None)
    yield opened
    opened.close()


@pytest.fixture
def examples(store: Store) -> list[Example]:
    found = posts_with_answers(30)
    store.add_posts(Post(e.post.id, e.post.text, split=Split.TRAIN) for e in found)
    store.add_predictions(Prediction(e.post.id, c.id, "m1", (), 0.5, known=False) for e in found for c in CRITERIA)
    return found


@pytest.fixture
def service(store: Store) -> InstantService:
    return InstantService(store, ServedModel(store))  # type: ignore[arg-type]


def answer(store: Store, examples: Sequence[Example]) -> None:
    for example in examples:
        for criterion in CRITERIA:
            label = example.labels[criterion.id]
            quotes = [s.quote(example.post.text) for s in label.spans]
            store.add_annotation(an_annotation(example.post, *quotes, criterion=criterion), expected_revision=0)


def follow(service: InstantService) -> None:
    while service.follow():
        pass


def shown(service: InstantService, post: Post) -> Mapping[str, list[str]]:
    return {key: [s.quote(post.text) for s in p.spans] for key, p in service.predict_post(post).items()}


def test_a_criterion_that_no_model_knows_is_suggested_after_a_few_decisions(
    store: Store, service: InstantService, examples: list[Example]
) -> None:
    later = examples[25].post  # awake, and a dish
    follow(service)
    assert shown(service, later) == {"NIGHTS": [], "FOOD": []}

    answer(store, examples[:16])
    follow(service)

    truth = {key: [s.quote(later.text) for s in label.spans] for key, label in examples[25].labels.items()}
    assert shown(service, later) == truth
    (nights, food) = service.predict_post(later).values()
    assert nights.known
    assert nights.model_version == food.model_version == "m1 + 32 decisions"
    assert store.predictions(later.id, "m1")["NIGHTS"].known is False


def test_the_queue_is_reordered_by_what_was_learned(
    store: Store, service: InstantService, examples: list[Example]
) -> None:
    answer(store, examples[:16])
    follow(service)

    wanted = QueueFilter(order=QueueOrder.EVIDENCE)
    first = store.queue_ids(wanted, me="ana", model_version="m1", limit=5)
    by_id = {e.post.id: e for e in examples}
    assert all(any(label.has_evidence for label in by_id[post_id].labels.values()) for post_id in first)


def test_the_switch_turns_it_off_and_on_again(store: Store, service: InstantService, examples: list[Example]) -> None:
    answer(store, examples[:16])
    follow(service)
    assert is_on(store)

    switch(store, on=False)
    follow(service)
    assert shown(service, examples[25].post) == {"NIGHTS": [], "FOOD": []}

    switch(store, on=True)
    follow(service)
    assert shown(service, examples[25].post)["NIGHTS"]


def test_an_answer_that_is_taken_back_is_no_longer_learned_from(
    store: Store, service: InstantService, examples: list[Example]
) -> None:
    answer(store, examples[:16])
    follow(service)
    for example in examples[:16]:
        store.add_annotation(an_annotation(example.post, criterion=NIGHTS, verdict=Verdict.UNSURE), expected_revision=1)
    follow(service)

    found = service.predict_post(examples[25].post)
    assert found["NIGHTS"].known is False
    assert found["FOOD"].model_version == "m1 + 16 decisions"


def test_held_out_posts_teach_nothing(store: Store, service: InstantService) -> None:
    held_out = [Example(Post(f"d{e.post.id}", e.post.text, split=Split.DEV), e.labels) for e in posts_with_answers(16)]
    store.add_posts(e.post for e in held_out)
    store.add_predictions(Prediction(e.post.id, c.id, "m1", (), 0.5, known=False) for e in held_out for c in CRITERIA)
    answer(store, held_out)
    follow(service)
    assert service.predict_post(held_out[1].post)["NIGHTS"].known is False


def test_a_new_version_absorbs_what_was_learned(store: Store, service: InstantService, examples: list[Example]) -> None:
    answer(store, examples[:16])
    follow(service)
    trained = ModelVersion("m2", "m2", parent="m1", config={"data": {"last_annotation": store.last_annotation_id()}})
    store.add_model(trained)
    store.activate_model("m2", by=None)
    ServedModel.version = "m2"
    try:
        follow(service)
        assert service.predict_post(examples[25].post)["NIGHTS"].model_version == "m1"  # as stored, untouched
    finally:
        ServedModel.version = "m1"


def test_a_retired_criterion_is_no_longer_answered(
    store: Store, service: InstantService, examples: list[Example]
) -> None:
    answer(store, examples[:16])
    follow(service)
    store.save_criteria([dataclasses.replace(NIGHTS, text="Something quite different.", active=False), FOOD])
    follow(service)
    found = service.predict_post(examples[25].post)
    assert found["FOOD"].model_version == "m1 + 16 decisions"
    assert found["NIGHTS"].known is False


def test_what_a_prediction_says_of_its_sentences() -> None:
    post = a_post("I cannot sleep. The dog is well. All is fine.")
    sentences = (Span(0, 15), Span(16, 32), Span(33, 45))
    marked = Prediction(post.id, "X", "m1", (Span(0, 15, 0.9),), 0.1)
    logits = given_by(marked, sentences)
    assert logits is not None
    assert np.round(1 / (1 + np.exp(-logits)), 3).tolist() == [0.9, 0.02, 0.02]
    silent = given_by(Prediction(post.id, "X", "m1", (), 0.8), sentences)
    assert silent is not None
    assert np.round(1 / (1 + np.exp(-silent)), 3).tolist() == [0.1, 0.1, 0.1]
    assert given_by(Prediction(post.id, "X", "m1", (), 0.5, known=False), sentences) is None
    assert given_by(None, sentences) is None


def test_what_a_blind_round_holds_is_learned_only_once_it_is_closed(
    store: Store, service: InstantService, examples: list[Example]
) -> None:
    store.ensure_reviewer("ben")
    read_by_both = [RoundPost(e.post.id, 2) for e in examples[:16]]
    given = Round(0, "first", RoundKind.MAIN, True, Suggestions.SHOWN, ("ana", "ben"), {2: 1.0}, seed=1)
    opened = store.add_round(given, read_by_both, [])
    later = examples[25].post
    answer(store, examples[:16])
    follow(service)
    assert shown(service, later) == {"NIGHTS": [], "FOOD": []}

    store.change_round(opened.id, RoundChange(closed=True), expected_revision=opened.revision, by=None)
    follow(service)
    assert all(shown(service, later).values())
