"""Likeness to a criterion: what stands out in a corpus, and when a ranking is better than chance."""

from __future__ import annotations

import numpy as np
import pytest

from encoder.likeness import STANDS_OUT, likeness_to, rank

RNG = np.random.default_rng(3)
COMMON = RNG.normal(size=16) * 4
WANTED, OTHER = np.eye(16)[0] * 12, np.eye(16)[1] * 12
NONE = np.zeros((0, 16))


def near(*parts: np.ndarray, count: int) -> np.ndarray:
    """Sentences of one corpus: all hold COMMON."""
    return COMMON + sum(parts, np.zeros(16)) + RNG.normal(size=(count, 16))


CORPUS = np.concatenate([near(count=90), near(WANTED, count=4), near(OTHER, count=6)])


def test_what_the_text_asks_for_stands_out_of_what_all_sentences_share() -> None:
    found = likeness_to(CORPUS, near(WANTED, count=1), NONE, NONE)
    assert found is not None
    assert (found.standing(near(WANTED, count=20)) > STANDS_OUT).all()
    assert (found.standing(near(count=20)) < STANDS_OUT).mean() > 0.9
    assert np.abs(found.cosines(CORPUS)).max() <= 1


def test_examples_draw_towards_them_and_counterexamples_push_away() -> None:
    vague = near(WANTED / 2, OTHER / 2, count=1)
    before = likeness_to(CORPUS, vague, NONE, NONE)
    after = likeness_to(CORPUS, vague, near(WANTED, count=3), near(OTHER, count=3))
    assert before is not None
    assert after is not None
    for kind, sign in ((WANTED, 1), (OTHER, -1)):
        probe = near(kind, count=20)
        assert sign * (after.cosines(probe).mean() - before.cosines(probe).mean()) > 0.1


def test_too_small_a_corpus_and_one_without_differences_say_nothing() -> None:
    assert likeness_to(CORPUS[:20], near(WANTED, count=1), NONE, NONE) is None
    assert likeness_to(np.ones((50, 16)), near(WANTED, count=1), NONE, NONE) is None


@pytest.mark.parametrize(("lift", "verdict"), [(0.0, False), (-2.0, False), (2.0, True)])
def test_a_ranking_is_trusted_only_where_it_beats_chance(lift: float, verdict: bool) -> None:
    scores, gold = RNG.normal(size=400), np.arange(400) < 40
    found = rank([scores[:200] + lift * gold[:200], scores[200:]], [gold[:200], gold[200:]])
    assert found is not None
    assert found.beats_chance is verdict
    assert found.evidence == 40


def test_a_ranking_of_too_little_is_not_judged() -> None:
    assert rank([], []) is None
    assert rank([np.arange(9.0)], [np.arange(9) < 4]) is None
    assert rank([np.arange(9.0)], [np.ones(9, np.bool_)]) is None


def test_ties_count_half() -> None:
    found = rank([np.zeros(20)], [np.arange(20) < 10])
    assert found is not None
    assert found.area == 0.5
