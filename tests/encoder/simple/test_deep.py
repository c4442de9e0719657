"""The vectors are made up here: they either tell evidence from the rest, or nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoder.examples import Example, Label
from encoder.measure.evaluate import evaluate
from encoder.simple.deep import View, drawn
from encoder.simple.features import features_of
from encoder.simple.files import load_learner, save_learner
from encoder.simple.learner import SimpleLearner
from storage.records import Criterion, Post, Verdict
from tests.builders import a_span

DISH = Criterion("DISH", "Dish", "Names something to eat.")
SIZE = 8


def a_meal(number: int) -> Example:
    """A post with a word that no other post has, which names a dish in every second one."""
    word = f"{'qxzvkjwp'[number % 8]}{'bdfghlmn'[number // 8]}u"
    post = Post(f"p{number}", f"We sat down. Then we had {word} with tea. It was late.")
    spans = (a_span(post, word),) if number % 2 else ()
    return Example(post, {DISH.id: Label(Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE, spans)})


def a_view(example: Example, *, telling: bool, noise: np.random.Generator) -> View:
    features, gold = features_of(example.post.text), example.labels[DISH.id].spans
    words, whole = (
        noise.normal(size=(n, SIZE)).astype(np.float32) for n in (len(features.words), len(features.sentences))
    )
    if telling:
        words[:, 3] += [8.0 * any(s.start <= a < s.end for s in gold) for a, _ in features.words]
        whole[:, 2] += [8.0 * any(s.overlaps(g) for g in gold) for s in features.sentences]
    return View(whole, words)


@pytest.fixture(scope="module")
def meals() -> list[Example]:
    return [a_meal(number) for number in range(60)]


def test_vectors_find_words_that_were_never_read_and_are_saved_with_the_rest(
    meals: list[Example], tmp_path: Path
) -> None:
    noise = np.random.default_rng(0)
    views = {e.post.id: a_view(e, telling=True, noise=noise) for e in meals}
    learner = SimpleLearner.fit(meals[:40], [DISH], views=views)
    save_learner(learner, tmp_path)
    loaded = load_learner(tmp_path)
    assert loaded is not None
    assert loaded.sees(DISH.id)
    posts = [e.post for e in meals[40:]]

    alone = evaluate(loaded.predict(posts, [DISH]), meals[40:], [DISH], bootstrap=0)
    together = evaluate(loaded.predict(posts, [DISH], views=views), meals[40:], [DISH], bootstrap=0)

    plain = SimpleLearner.fit(meals[:40], [DISH])
    assert learner.without_vectors([DISH.id]).predict(posts, [DISH], views=views) == plain.predict(posts, [DISH])
    of_another = {key: View(v.sentences[:, :4], v.words[:, :4]) for key, v in views.items()}
    assert learner.predict(posts, [DISH], views=of_another) == plain.predict(posts, [DISH])
    assert together.span_exact.f1 == pytest.approx(1.0)
    assert alone.span_exact.f1 < 1.0


def test_more_posts_change_the_weights_and_nothing_that_was_chosen(meals: list[Example], tmp_path: Path) -> None:
    noise = np.random.default_rng(3)
    views = {e.post.id: a_view(e, telling=True, noise=noise) for e in meals}
    save_learner(SimpleLearner.fit(meals[:24], [DISH], views=views), tmp_path)
    few = load_learner(tmp_path)
    assert few is not None
    before, after = few.fits[DISH.id], few.with_all(meals, views=views).fits[DISH.id]
    assert before.deep is not None
    assert after.deep is not None
    assert (after.deep.strengths, after.deep.word_mix is before.deep.word_mix) == (before.deep.strengths, True)
    assert replace(after.settled, posts=24, positives=before.settled.positives) == before.settled
    assert (after.settled.posts, after.settled.positives) == (60, 30)
    assert not np.allclose(after.deep.words.weights, before.deep.words.weights)
    again = few.with_all(meals[:24], views=views).fits[DISH.id].deep
    assert again is not None
    assert np.allclose(again.words.weights, before.deep.words.weights, atol=1e-5)


def test_vectors_that_say_nothing_leave_exactly_the_n_grams(meals: list[Example]) -> None:
    noise = np.random.default_rng(1)
    views = {e.post.id: a_view(e, telling=False, noise=noise) for e in meals}
    with_noise, without = SimpleLearner.fit(meals[:40], [DISH], views=views), SimpleLearner.fit(meals[:40], [DISH])
    assert not with_noise.sees(DISH.id)
    posts = [e.post for e in meals]
    assert with_noise.predict(posts, [DISH], views=views) == without.predict(posts, [DISH])


def test_posts_without_a_view_count_all_the_same(meals: list[Example]) -> None:
    noise = np.random.default_rng(2)
    views = {e.post.id: a_view(e, telling=True, noise=noise) for e in meals[:24]}
    learner = SimpleLearner.fit(meals[:40], [DISH], views=views)
    assert learner.sees(DISH.id)
    assert learner.fits[DISH.id].settled.posts == 40


def test_of_few_long_posts_the_shortest_are_learned_from_and_of_too_long_ones_none() -> None:
    assert drawn([30] * 20, 1000) == list(range(20))
    assert len(drawn([100] * 40, 1000)) == 10
    assert drawn([*[900] * 10, 2000, *[150] * 10], 1000) == list(range(11, 21))
    assert drawn([2000] * 40, 1000) == drawn([500] * 40, 1000) == []
