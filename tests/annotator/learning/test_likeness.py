"""Suggestions before anything is learned, over a real store and a reader whose vectors are the words themselves."""

from __future__ import annotations

import dataclasses
import types
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from annotator.learning.instant import InstantService, switch
from annotator.learning.likeness import HIGHEST_SCORE
from encoder.text.sentences import sentences
from storage.records import Criterion, Post, Prediction, Split
from storage.store import Store, open_store
from tests.builders import an_annotation

SIZE = 64
NIGHTS = Criterion("NIGHTS", "Nights", "The writer lies awake at night.")
_AWAKE = ("I lie awake at night.", "Again awake all night long.", "Night after night I am awake.")
_WHO = ("dog", "neighbour", "bus", "garden", "teacher", "river", "baker")
_DOES = ("waits", "sings", "stops", "rests", "calls")
_WHERE = ("the station", "our house", "a bridge", "the market", "some trees", "the school")


def posts() -> list[Post]:
    """Sixty posts of four sentences; every sixth has one about lying awake."""
    lines = [f"The {w} {d} near {p}." for w in _WHO for d in _DOES for p in _WHERE]
    found = []
    for number in range(60):
        told = [lines[(number * 37 + step * 11) % len(lines)] for step in range(4)]
        if number % 6 == 0:
            told[number % 4] = _AWAKE[number % 3]
        found.append(Post(f"p{number}", " ".join(told), split=Split.TRAIN))
    return found


class WordReader:
    """Reads a sentence as the sum of its words' random vectors; it knows no criterion. alone: as of Predictor.reads_alone."""

    version = "m1"
    known_criteria: frozenset[str] = frozenset()
    encoder = types.SimpleNamespace(hidden_size=SIZE)

    def __init__(self, *, alone: bool = True) -> None:
        self.reads_alone = alone

    def sentence_vectors(self, post: Post) -> np.ndarray:
        return np.stack([self._of(s.quote(post.text)) for s in sentences(post.text)])

    def passage_vectors(self, passages: Sequence[str]) -> np.ndarray:
        return np.stack([self._of(p) for p in passages]) if passages else np.zeros((0, SIZE))

    def _of(self, text: str) -> np.ndarray:
        words = {word.strip(".,!?") for word in text.lower().split()}
        return np.sum([np.random.default_rng(zlib.crc32(w.encode())).normal(size=SIZE) for w in sorted(words)], axis=0)


class Models:
    """The model service as far as suggestions need it."""

    version = "m1"

    def __init__(self, store: Store, reader: WordReader) -> None:
        self._store, self._reader = store, reader

    def status(self) -> str:
        return "ready"

    def predictor(self) -> WordReader:
        return self._reader

    def predictions(self, post: Post) -> dict[str, Prediction]:
        return self._store.predictions(post.id, "m1")

    predict_post = predictions


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data")
    opened.save_criteria([NIGHTS])
    opened.ensure_reviewer("ana")
    found = posts()
    opened.add_posts(found)
    opened.add_predictions(Prediction(p.id, "NIGHTS", "m1", (), 0.5, known=False) for p in found)
    yield opened
    opened.close()


def a_service(store: Store, reader: WordReader | None = None) -> InstantService:
    service = InstantService(store, Models(store, reader or WordReader()))  # type: ignore[arg-type]
    while service.follow():
        pass
    return service


def shown(service: InstantService, post: Post) -> tuple[bool, list[str], str]:
    found = service.predict_post(post)["NIGHTS"]
    return found.known, [s.quote(post.text) for s in found.spans], found.model_version


def awake_posts(store: Store) -> list[Post]:
    return [p for p in store.iter_posts() if "awake" in p.text]


def test_a_new_criterion_has_suggestions_before_any_decision_and_says_what_they_are(store: Store) -> None:
    service, post = a_service(store), awake_posts(store)[0]
    known, quotes, version = shown(service, post)
    assert (known, version) == (False, "m1 + likeness")
    assert any("awake" in quote for quote in quotes)
    assert all(0 <= s.score <= HIGHEST_SCORE for s in service.predict_post(post)["NIGHTS"].spans if s.score is not None)
    assert service.hint(NIGHTS).startswith(
        "Not learned yet: what is marked here, if anything, resembles the criterion's wording."
    )
    assert store.predictions(post.id, "m1")["NIGHTS"].spans == ()  # what is stored is the model's own


def test_new_examples_count_at_once(store: Store) -> None:
    vague = dataclasses.replace(NIGHTS, text="The bus stops near the station.")
    store.save_criteria([vague])
    service, posts = a_service(store), awake_posts(store)
    before = sum("awake" in " ".join(shown(service, p)[1]) for p in posts)
    store.save_criteria([dataclasses.replace(vague, examples=("I lie awake at night.", "I lay awake until four."))])
    service.follow()
    assert sum("awake" in " ".join(shown(service, p)[1]) for p in posts) > before
    assert "and 2 examples" in service.hint(store.criteria()[0])


def test_what_ranks_no_better_than_chance_on_the_decisions_is_not_shown(store: Store) -> None:
    service = a_service(store)
    for post in awake_posts(store)[:8]:  # what resembles the wording is never the evidence
        other = next(s for s in sentences(post.text) if "awake" not in s.quote(post.text))
        store.add_annotation(an_annotation(post, other.quote(post.text), criterion=NIGHTS), expected_revision=0)
    while service.follow():
        pass
    hidden = service.predict_post(awake_posts(store)[-1])["NIGHTS"]
    if not hidden.known:  # the instant learner has not taken over
        assert hidden.spans == ()
    assert "no more often than others" in service.hint(NIGHTS)


def test_the_instant_learner_takes_over(store: Store) -> None:
    service = a_service(store)
    for post in posts()[:48]:
        quotes = [s.quote(post.text) for s in sentences(post.text) if "awake" in s.quote(post.text)]
        store.add_annotation(an_annotation(post, *quotes, criterion=NIGHTS), expected_revision=0)
    while service.follow():
        pass
    assert shown(service, awake_posts(store)[-1])[::2] == (True, "m1 + 48 decisions")


def test_a_model_that_cannot_compare_and_a_project_with_too_few_sentences_say_so(store: Store, tmp_path: Path) -> None:
    post = awake_posts(store)[0]
    together = a_service(store, WordReader(alone=False))
    assert shown(together, post) == (False, [], "m1")
    assert "reads posts and criteria together" in together.hint(NIGHTS)

    small = open_store(tmp_path / "small")
    small.save_criteria([NIGHTS])
    small.add_posts([post])
    few = a_service(small)
    assert (
        few.improved(post, {"NIGHTS": Prediction(post.id, "NIGHTS", "m1", (), 0.5, known=False)})["NIGHTS"].spans == ()
    )
    assert "it takes 30 sentences" in few.hint(NIGHTS)
    small.close()


def test_turned_off_nothing_is_suggested(store: Store) -> None:
    switch(store, on=False)
    service = a_service(store)
    assert shown(service, awake_posts(store)[0]) == (False, [], "m1")
    assert service.hint(NIGHTS) == ""
