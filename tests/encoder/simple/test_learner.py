from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from encoder.errors import BadExamples, ModelUnusable
from encoder.examples import Example, Label
from encoder.measure.evaluate import evaluate
from encoder.simple.features import FeatureCache, features_of
from encoder.simple.files import SERVED, files_of, load_learner, save_learner
from encoder.simple.learner import SimpleLearner
from storage.records import Criterion, Post, Verdict
from tests.encoder.simple.answers import FOOD, NIGHTS, posts_with_answers

CRITERIA = [NIGHTS, FOOD]


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return posts_with_answers(36)


@pytest.fixture(scope="module")
def learner(examples: list[Example]) -> SimpleLearner:
    return SimpleLearner.fit(examples[:24], CRITERIA)


def test_each_criterion_is_answered_in_its_own_unit(learner: SimpleLearner, examples: list[Example]) -> None:
    posts = [e.post for e in examples[24:]]
    found = evaluate(learner.predict(posts, CRITERIA), examples[24:], CRITERIA, bootstrap=0)
    assert found.span_exact.f1 == pytest.approx(1.0)
    assert found.detection.f1 == pytest.approx(1.0)


def test_every_sentence_has_a_probability_when_asked_for(learner: SimpleLearner, examples: list[Example]) -> None:
    (nights,) = learner.predict([examples[25].post], [NIGHTS], threshold=0.0)
    scores = [s.score or 0.0 for s in nights.spans]
    assert len(scores) == 3
    assert np.argmax(scores) == 1
    assert nights.no_evidence_score == pytest.approx(1 - max(scores))


def test_a_criterion_without_both_answers_stays_unknown(examples: list[Example]) -> None:
    only_no = [Example(e.post, {**e.labels, "NEVER": Label(Verdict.NO_EVIDENCE)}) for e in examples[:12]]
    never = Criterion("NEVER", "Never", "Nothing is ever this.")
    learner = SimpleLearner.fit(only_no, [*CRITERIA, never])
    (found,) = learner.predict([examples[0].post], [never])
    assert (found.known, found.spans, found.no_evidence_score) == (False, (), 0.5)


def test_nothing_to_learn_from_is_said(examples: list[Example]) -> None:
    with pytest.raises(BadExamples, match="Nothing to learn from"):
        SimpleLearner.fit(examples[:2], [Criterion("OTHER", "Other", "Another thing.")])


def test_the_same_answers_give_the_same_learner(learner: SimpleLearner, examples: list[Example]) -> None:
    again = SimpleLearner.fit(examples[:24], CRITERIA)
    posts = [e.post for e in examples]
    assert again.predict(posts, CRITERIA) == learner.predict(posts, CRITERIA)


def test_what_another_model_knows_is_not_lost(examples: list[Example]) -> None:
    """The other model's logits are right; the answers are of words that the learner has never seen."""
    given = {
        e.post.id: {
            "NIGHTS": np.array(
                [4.0 if e.labels["NIGHTS"].has_evidence and n == 1 else -4.0 for n in range(3)], np.float64
            )
        }
        for e in examples
    }
    learner = SimpleLearner.fit(examples[:4], [NIGHTS], given=given)
    found = learner.predict([e.post for e in examples], [NIGHTS], given=given)
    assert [p.no_evidence_score < 0.5 for p in found] == [e.labels["NIGHTS"].has_evidence for e in examples]


def test_a_saved_learner_answers_the_same_and_holds_no_text(
    learner: SimpleLearner, examples: list[Example], tmp_path: Path
) -> None:
    save_learner(learner, tmp_path)
    loaded = load_learner(tmp_path)
    assert loaded is not None
    posts = [e.post for e in examples[24:]]
    for a, b in zip(loaded.predict(posts, CRITERIA), learner.predict(posts, CRITERIA), strict=True):
        assert [(s.start, s.end) for s in a.spans] == [(s.start, s.end) for s in b.spans]
        assert a.no_evidence_score == pytest.approx(b.no_evidence_score, abs=1e-4)
    written = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert b"awake" not in written
    assert b"apple" not in written


def test_a_directory_without_a_learner_has_none(tmp_path: Path) -> None:
    assert load_learner(tmp_path) is None


@pytest.mark.parametrize("damage", ["weights", "json", "format"])
def test_a_damaged_learner_is_refused_in_one_line(learner: SimpleLearner, tmp_path: Path, damage: str) -> None:
    save_learner(learner, tmp_path)
    weights, fits = files_of(SERVED, tmp_path)
    if damage == "weights":
        weights.write_bytes(b"half")
    elif damage == "json":
        fits.write_text("{", "utf-8")
    else:
        fits.write_text(json.dumps({**json.loads(fits.read_text("utf-8")), "format": 99}), "utf-8")
    with pytest.raises(ModelUnusable, match="train once more"):
        load_learner(tmp_path)


def test_the_cache_forgets_the_least_recently_used() -> None:
    cache = FeatureCache(most=2)
    first, second, third = (Post(f"p{n}", f"text number {n}") for n in range(3))
    kept = cache.of(first)
    cache.of(second)
    assert cache.of(first) is kept
    cache.of(third)
    assert cache.of(first) is kept
    assert len(cache) == 2


def test_odd_texts_have_features() -> None:
    for text in ("🙂", "...", "word", "\u200d\u200d x", "नमस्ते दुनिया", "a" * 5000, "ＡＢＣ ﷽\r\n\r\nx"):
        found = features_of(text)
        assert len(found.sentence_rows) == len(found.sentences)
        assert len(found.word_rows) == len(found.words) == len(found.sentence_of)
