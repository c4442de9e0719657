from __future__ import annotations

import numpy as np
import pytest

from encoder.examples import Label
from encoder.measure.evaluate import evaluate
from encoder.simple.features import features_of
from encoder.simple.fitting import LEAST_GAIN, settle
from encoder.simple.instant import InstantLearner
from encoder.simple.learner import SimpleLearner
from encoder.simple.tried import Reviewed, Tried
from encoder.simple.units import choose_unit
from storage.records import Post, Verdict
from tests.encoder.simple.answers import FOOD, NIGHTS, posts_with_answers

CRITERIA = [NIGHTS, FOOD]


def test_answer_by_answer_it_comes_to_what_an_exact_fit_learns() -> None:
    examples = posts_with_answers(36)
    instant = InstantLearner()
    for example in examples[:24]:
        for criterion in CRITERIA:
            instant.take(example.post, criterion.id, example.labels[criterion.id])
            instant.refit(criterion.id)
    posts = [e.post for e in examples[24:]]
    exact = SimpleLearner.fit(examples[:24], CRITERIA)
    for learner in (instant.learner(), exact):
        found = evaluate(learner.predict(posts, CRITERIA), examples[24:], CRITERIA, bootstrap=0)
        assert found.span_exact.f1 == pytest.approx(1.0)
    assert instant.answers == {"NIGHTS": 24, "FOOD": 24}


def test_one_class_only_leaves_it_silent() -> None:
    instant = InstantLearner()
    for example in posts_with_answers(8):
        instant.take(example.post, "NIGHTS", Label(Verdict.NO_EVIDENCE))
        instant.refit("NIGHTS")
    assert not instant.learner().knows("NIGHTS")


def test_contradictory_answers_leave_it_silent() -> None:
    """Every post is answered by chance: nothing that it says holds on the next one."""
    draw = np.random.default_rng(0)
    instant = InstantLearner()
    for number, example in enumerate(posts_with_answers(40)):
        spans = instant.learner().sentences(example.post)
        chosen = tuple(s for s in spans if draw.random() < 0.5)
        instant.take(example.post, "X", Label(Verdict.EVIDENCE if chosen else Verdict.NO_EVIDENCE, chosen))
        if number % 5 == 4:
            instant.refit("X")
    assert not instant.learner().knows("X")


def test_a_model_that_is_right_is_not_talked_over() -> None:
    """The model's logits are perfect: the learner has nothing to add and stays silent, or says the same."""
    examples = posts_with_answers(24)
    instant = InstantLearner(trusted=frozenset({"NIGHTS"}))
    given = {}
    for example in examples:
        truth = example.labels["NIGHTS"].has_evidence
        given[example.post.id] = np.array([8.0 if truth and n == 1 else -8.0 for n in range(3)])
        instant.take(example.post, "NIGHTS", example.labels["NIGHTS"], given=given[example.post.id])
        instant.refit("NIGHTS")
    learner = instant.learner()
    if learner.knows("NIGHTS"):
        found = [learner.predict_one(e.post, NIGHTS, given=given[e.post.id]) for e in examples]
        assert [bool(p.spans) for p in found] == [e.labels["NIGHTS"].has_evidence for e in examples]


def test_a_refit_takes_no_longer_than_it_may() -> None:
    instant = InstantLearner()
    for example in posts_with_answers(60):
        instant.take(example.post, "FOOD", example.labels["FOOD"])
    assert instant.refit("FOOD", seconds=0.001) < 0.5


def test_the_oldest_posts_go_when_there_are_too_many_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encoder.simple.instant.MOST_WORDS", 200)
    instant = InstantLearner()
    for example in posts_with_answers(30):
        instant.take(example.post, "FOOD", example.labels["FOOD"])
    assert 5 < instant.answers["FOOD"] < 15
    instant.refit("FOOD")


def test_two_reviewed_posts_teach_nothing_yet() -> None:
    learner = InstantLearner()
    for example in posts_with_answers(2):
        learner.take(example.post, NIGHTS.id, example.labels[NIGHTS.id])
        learner.refit(NIGHTS.id)
    assert not learner.learner().knows(NIGHTS.id)


def test_forty_criteria_and_another_script_are_learned_side_by_side() -> None:
    learner = InstantLearner()
    for number in range(16):
        post = Post(
            f"r{number}", f"今天天气很好。 {'我整夜睡不着。' if number % 2 else '狗在公园里。'} Текст {number}."
        )
        spans = tuple(s for s in features_of(post.text).sentences if "睡不着" in s.quote(post.text))
        label = Label(Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE, spans)
        for criterion in range(40):
            learner.take(post, f"C{criterion}", label)
            if number % 4 == 3:
                learner.refit(f"C{criterion}", seconds=0.02)
    assert len(learner.learner().fits) == 40


@pytest.mark.parametrize(("known", "helps"), [(False, True), (True, False)])
def test_an_order_that_beats_chance_helps_only_where_no_other_model_knows_the_criterion(
    known: bool, helps: bool
) -> None:
    """The evidence stands .8 standard deviations above the rest: too little to say chances, enough to say what to read."""
    draw, examples = np.random.default_rng(0), posts_with_answers(40)
    tried = []
    for example in examples:
        features = features_of(example.post.text)
        count = len(features.sentences)
        reviewed = Reviewed(features, example.labels["NIGHTS"], np.full(count, -3.0 if known else 0.0))
        own = draw.normal(0, 1, count) + 0.8 * reviewed.gold
        tried.append(Tried.of(reviewed, own, np.tile(np.log([0.98, 0.01, 0.01]), (len(features.words), 1))))
    settled = settle(tried, choose_unit(examples, "NIGHTS"))
    assert (settled.given_loss - settled.held_out_loss) * settled.sentences < LEAST_GAIN
    assert settled.helps is helps


def test_three_sentences_of_evidence_are_enough_to_see_a_good_order() -> None:
    """They stand in the upper quarter. Where weights are fitted without them, chances of their posts come out lower than those of the
    others, which says nothing about the order.
    """
    examples, tried = posts_with_answers(24), []
    low = np.linspace(-1, 1, 72)[np.random.default_rng(0).permutation(72)]
    for number, example in enumerate(examples):
        features = features_of(example.post.text)
        rare = number in (1, 7, 13)
        label = example.labels["NIGHTS"] if rare else Label(Verdict.NO_EVIDENCE)
        own = np.where(Reviewed(features, label, np.zeros(3)).gold, 0.6, low[3 * number : 3 * number + 3])
        tags = np.tile(np.log([0.98, 0.01, 0.01]), (len(features.words), 1))
        tried.append(Tried.of(Reviewed(features, label, np.zeros(3)), own, tags))
    settled = settle(tried, choose_unit(examples, "NIGHTS"), trusted=False)
    assert settled.positives == 3
    assert settled.ranks
    assert not settle(tried[:13], choose_unit(examples, "NIGHTS"), trusted=False).ranks
