"""Vectors of words beside n-grams: what they add, and that they are multiplied without being written out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoder.errors import ModelUnusable
from encoder.examples import Example, Label
from encoder.network.bases import GEMMA_TERMS
from encoder.simple.features import features_of
from encoder.simple.files import SERVED, files_of, load_learner, save_learner
from encoder.simple.instant import InstantLearner
from encoder.simple.learner import SimpleLearner
from encoder.simple.rows import BUCKETS, Rows, used_columns
from encoder.simple.vectors import SENTENCE_BLOCKS, TERMS, WORD_BLOCKS, WithVectors, table_of, word_vectors
from storage.records import Criterion, Post, Span, Verdict

ANIMALS = Criterion("ANIMALS", "Animals", "Speaks of an animal.")
KNOWN = {
    "dog": True,
    "cat": True,
    "horse": True,
    "pig": True,
    "table": False,
    "lamp": False,
    "window": False,
    "shoe": False,
}
UNSEEN = {"cow": True, "rabbit": True, "sofa": False, "mirror": False}


def _example(number: int, word: str, evidence: bool) -> Example:
    text = f"I saw it by noon. There was a {word} in it. We left soon."
    at = text.index(word)
    spans = (Span(at, at + len(word)),) if evidence else ()
    verdict = Verdict.EVIDENCE if evidence else Verdict.NO_EVIDENCE
    return Example(Post(f"p{number}", text), {"ANIMALS": Label(verdict, spans)})


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return [_example(n, word, is_one) for n, (word, is_one) in enumerate([*KNOWN.items()] * 2)]


def _best(learner: SimpleLearner, word: str) -> float:
    return 1 - learner.predict_one(_example(99, word, False).post, ANIMALS).no_evidence_score


def test_what_was_learned_holds_for_words_like_those_that_were_answered(examples: list[Example]) -> None:
    at_once = InstantLearner()
    for example in examples:
        at_once.take(example.post, "ANIMALS", example.labels["ANIMALS"])
        at_once.refit("ANIMALS")
    for learner in (SimpleLearner.fit(examples, [ANIMALS]), at_once.learner()):
        found = {word: _best(learner, word) for word in UNSEEN}
        assert min(found[w] for w, is_one in UNSEEN.items() if is_one) > max(
            found[w] for w, is_one in UNSEEN.items() if not is_one
        )


@pytest.mark.parametrize("blocks", [SENTENCE_BLOCKS, WORD_BLOCKS])
def test_products_are_those_of_the_table_written_out(blocks: int) -> None:
    found = [features_of("The dog ran. A zzqx sat, and the cat!"), features_of(""), features_of("Dogs, DOGS and cats.")]
    parts = [f.sentence_rows if blocks == SENTENCE_BLOCKS else f.word_rows for f in found]
    table = table_of(parts, used_columns(parts), blocks)
    whole = _written_out(table)
    assert (
        whole.shape
        == table.shape
        == (sum(len(p) for p in parts), len(used_columns(parts)) + blocks * word_vectors().size)
    )
    rng = np.random.default_rng(0)
    weights, slopes = rng.normal(size=(table.shape[1], 3)), rng.normal(size=(table.shape[0], 3))
    np.testing.assert_allclose(table @ weights, whole @ weights, atol=1e-9)
    np.testing.assert_allclose(table[np.arange(2)] @ weights[:, 0], (whole @ weights)[:2, 0], atol=1e-9)
    np.testing.assert_allclose(table.transposed() @ slopes, whole.T @ slopes, atol=1e-9)
    lengths = np.linalg.norm(whole[:, len(used_columns(parts)) :], axis=1)
    assert lengths.max() > 0.1, "no vector is in the table"


def _written_out(table: WithVectors) -> np.ndarray:
    columns, at = [table.places[:, : table.ngrams].toarray()], table.ngrams
    for block in table.vectors:
        columns.append(table.places[:, at : at + len(block)].toarray() @ block)
        at += len(block)
    return np.concatenate(columns, axis=1)


def test_words_are_known_in_other_letters_case_and_others_are_not() -> None:
    rows = word_vectors().rows(["the", "Dog", "DOG", "xqzzyx", "🙂🙂🙂"])
    assert (rows >= 0).tolist() == [True, True, True, False, False]
    np.testing.assert_allclose((word_vectors().table[rows[:3]] ** 2).sum(1), 1, atol=0.9)


def test_rows_stand_beside_each_other() -> None:
    one = Rows(np.array([0, 2, 2, 3]), np.array([5, 1, 7], np.int32), np.array([1, 2, 3], np.float32))
    other = Rows(np.array([0, 1, 2, 2]), np.array([BUCKETS, BUCKETS + 4], np.int32), np.array([4, 5], np.float32))
    both = one.beside(other)
    assert both.starts.tolist() == [0, 3, 4, 5]
    assert both.ids.tolist() == [5, 1, BUCKETS, BUCKETS + 4, 7]
    assert both.values.tolist() == [1, 2, 4, 5, 3]


def test_a_learner_of_before_there_were_vectors_answers_with_its_n_grams(examples: list[Example]) -> None:
    fit = SimpleLearner.fit(examples, [ANIMALS]).fits["ANIMALS"]
    sentence = replace(fit.sentence, weights=fit.sentence.weights[: len(fit.sentence_columns)])
    words = replace(fit.words, weights=fit.words.weights[: len(fit.word_columns)])
    before = SimpleLearner({"ANIMALS": replace(fit, sentence=sentence, words=words)})
    assert _best(before, "dog") > _best(before, "lamp")
    assert _best(before, "cow") == pytest.approx(_best(before, "xqzzyx"), abs=0.02)  # no word is like another


def test_a_saved_learner_carries_the_terms_and_wants_the_same_vectors(examples: list[Example], tmp_path: Path) -> None:
    save_learner(SimpleLearner.fit(examples, [ANIMALS]), tmp_path)
    terms = (tmp_path / TERMS).read_text("utf-8")
    assert GEMMA_TERMS.removeprefix("https://") in terms
    (tmp_path / TERMS).write_text("What the base is under.\n", "utf-8")
    for _ in range(2):
        save_learner(SimpleLearner.fit(examples, [ANIMALS]), tmp_path)
        assert (tmp_path / TERMS).read_text("utf-8") == f"What the base is under.\n\n{terms}"
    assert load_learner(tmp_path) is not None
    _, fits = files_of(SERVED, tmp_path)
    said = json.loads(fits.read_text("utf-8"))
    fits.write_text(json.dumps({**said, "word_vectors": "of another release"}), "utf-8")
    with pytest.raises(ModelUnusable, match="train once more"):
        load_learner(tmp_path)
