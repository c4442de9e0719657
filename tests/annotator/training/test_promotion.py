"""The promotion rule: higher macro F1, and no criterion with a say below the margin."""

from __future__ import annotations

import pytest

from annotator.training.promotion import (
    Figures,
    InvalidRule,
    PromotionRule,
    decide,
    nothing_held_out,
    posts_to_judge_by,
)

RULE = PromotionRule(margin=0.05, min_support=5, min_posts=20)


def figures(macro: float, **criteria: tuple[float, int]) -> Figures:
    return Figures(macro, criteria, posts=30)


def test_a_better_model_is_promoted_and_the_reason_gives_both_figures() -> None:
    found = decide(figures(0.6, SLEEP=(0.7, 9)), figures(0.5, SLEEP=(0.6, 9)), rule=RULE, judged_on="30 dev posts")
    assert found.promote
    assert (
        found.reason
        == "Macro F1, of which 1 is perfect: 0.500 before, 0.600 now, on 30 dev posts. No criterion lost more than 0.05."
    )


@pytest.mark.parametrize("macro", [0.5, 0.4])
def test_an_equal_or_worse_model_is_set_aside(macro: float) -> None:
    found = decide(figures(macro, SLEEP=(0.7, 9)), figures(0.5, SLEEP=(0.6, 9)), rule=RULE, judged_on="30 dev posts")
    assert not found.promote
    assert found.reason.endswith("not better.")


def test_a_loss_beyond_the_margin_on_one_criterion_sets_the_model_aside_and_names_it() -> None:
    candidate = figures(0.7, SLEEP=(0.9, 9), MOOD=(0.5, 9))
    active = figures(0.6, SLEEP=(0.6, 9), MOOD=(0.6, 9))
    found = decide(candidate, active, rule=RULE, judged_on="30 dev posts")
    assert not found.promote
    assert found.losses == {"MOOD": pytest.approx(-0.1)}
    assert "More was lost than the 0.05 that a criterion may lose: MOOD -0.10" in found.reason


def test_a_loss_within_the_margin_is_accepted() -> None:
    candidate = figures(0.7, SLEEP=(0.9, 9), MOOD=(0.56, 9))
    assert decide(candidate, figures(0.6, SLEEP=(0.6, 9), MOOD=(0.6, 9)), rule=RULE, judged_on="x").promote


def test_a_criterion_with_too_little_gold_has_no_say() -> None:
    candidate = figures(0.7, SLEEP=(0.9, 9), MOOD=(0.0, 4))
    assert decide(candidate, figures(0.6, SLEEP=(0.6, 9), MOOD=(1.0, 4)), rule=RULE, judged_on="x").promote


def test_a_criterion_that_the_candidate_does_not_know_counts_as_lost() -> None:
    found = decide(figures(0.9, SLEEP=(0.9, 9)), figures(0.5, SLEEP=(0.5, 9), MOOD=(0.5, 9)), rule=RULE, judged_on="x")
    assert found.losses == {"MOOD": -0.5}


def test_the_first_model_of_a_project_is_promoted() -> None:
    assert decide(figures(0.1, SLEEP=(0.1, 9)), None, rule=RULE, judged_on="x").promote


def test_without_gold_evidence_nothing_is_decided_by_the_rule() -> None:
    found = decide(figures(0.0, SLEEP=(0.0, 0)), figures(0.0, SLEEP=(0.0, 0)), rule=RULE, judged_on="3 dev posts")
    assert not found.promote
    assert "no evidence was found in 3 dev posts" in found.reason
    assert not nothing_held_out().promote


def test_few_dev_posts_are_judged_together_with_the_held_out_posts_of_the_corpus() -> None:
    assert posts_to_judge_by(dev=7, replay_dev=60, rule=RULE)[0]
    assert "60 held-out posts" in posts_to_judge_by(dev=7, replay_dev=60, rule=RULE)[1]
    assert not posts_to_judge_by(dev=20, replay_dev=60, rule=RULE)[0]


def test_few_dev_posts_without_a_corpus_decide_alone_and_that_is_said() -> None:
    pooled, words = posts_to_judge_by(dev=7, replay_dev=0, rule=RULE)
    assert not pooled
    assert words == "7 reviewed dev posts (only 7 of the 20 that make a sound comparison)"


@pytest.mark.parametrize("values", [{"margin": -0.1}, {"margin": 1.1}, {"min_support": 0}, {"min_posts": 0}])
def test_a_rule_that_makes_no_sense_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(InvalidRule):
        PromotionRule(**values)  # type: ignore[arg-type]


def test_a_model_that_the_simple_learner_beats_is_set_aside_and_the_reason_says_so() -> None:
    candidate, active = figures(0.6, SLEEP=(0.6, 9)), figures(0.5, SLEEP=(0.5, 9))

    behind = decide(candidate, active, rule=RULE, judged_on="30 dev posts", simple=figures(0.65, SLEEP=(0.64, 9)))
    assert (behind.promote, behind.simple_f1) == (False, 0.65)
    assert "The simple learner alone" in behind.reason
    assert "0.650" in behind.reason

    level = decide(candidate, active, rule=RULE, judged_on="30 dev posts", simple=figures(0.6, SLEEP=(0.6, 9)))
    assert level.promote


def test_a_criterion_that_the_simple_learner_answers_far_better_sets_the_model_aside() -> None:
    candidate, active = figures(0.6, SLEEP=(0.9, 9), MOOD=(0.3, 9)), figures(0.5, SLEEP=(0.5, 9), MOOD=(0.3, 9))
    found = decide(candidate, active, rule=RULE, judged_on="x", simple=figures(0.5, SLEEP=(0.4, 9), MOOD=(0.6, 9)))
    assert not found.promote
    assert found.losses == {"MOOD": pytest.approx(-0.3)}
    assert "on MOOD it is the better one" in found.reason


def test_a_criterion_with_too_little_gold_has_no_say_beside_the_simple_learner() -> None:
    active = figures(0.5, SLEEP=(0.5, 9), MOOD=(0.5, 2))
    candidate, simple = figures(0.6, SLEEP=(0.8, 9), MOOD=(0.4, 2)), figures(0.85, SLEEP=(0.7, 9), MOOD=(1.0, 2))
    assert decide(candidate, active, rule=RULE, judged_on="x", simple=simple).promote
    ahead = figures(0.85, SLEEP=(0.82, 9), MOOD=(0.88, 2))
    behind = decide(candidate, active, rule=RULE, judged_on="x", simple=ahead, names={"MOOD": "Mood"})
    assert (behind.promote, behind.simple_f1) == (False, 0.82)
    assert "(without Mood, of which there is too little evidence there), the new model 0.800" in behind.reason
    unknown = decide(figures(0.9, MOOD=(0.9, 2)), active, rule=RULE, judged_on="x", simple=simple)
    assert not unknown.promote
    none_enough = figures(0.5, MOOD=(0.5, 2))
    beside = decide(figures(0.6, MOOD=(0.6, 2)), none_enough, rule=RULE, judged_on="x", simple=figures(1, MOOD=(1, 2)))
    assert not beside.promote
