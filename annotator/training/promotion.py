"""The promotion rule: is a new model better than the one in service? Pure functions of two evaluations.

A candidate is put in service when its macro F1 on the held-out posts is higher than the active model's and no lower than the
simple learner's alone, and no criterion with enough gold evidence lost more than the margin against either. The others count in the
macro F1 beside the active model, not in that beside the simple learner, unless none has enough: two sentences would outweigh what
the folds of the train posts found. It is judged on the project's dev posts; while these are too few, held-out posts of the
model's own corpus are judged together with them, and where there is no such corpus, the few posts alone: the decision then says
so. The candidate's thresholds were fitted on these posts; the active model's are fitted on them too before the two are compared,
so that neither has an advantage. Test posts decide nothing and are reported beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from types import MappingProxyType
from typing import Any

from annotator.words import counted
from storage.records import EvidenceError


class InvalidRule(EvidenceError, ValueError):
    """A promotion rule that makes no sense."""


@dataclass(frozen=True, slots=True)
class PromotionRule:
    """margin: how much F1 a criterion may lose. min_support: gold sentences that a criterion needs to have a say.
    min_posts: dev posts from which the project's own posts decide alone."""

    margin: float = 0.05
    min_support: int = 5
    min_posts: int = 20

    def with_say(self, judged: Figures) -> frozenset[str]:
        """The criteria with enough gold evidence to be judged by; all of them where none has enough."""
        enough = frozenset(cid for cid, (_, support) in judged.criteria.items() if support >= self.min_support)
        return enough or frozenset(judged.criteria)

    def __post_init__(self) -> None:
        if not 0.0 <= self.margin <= 1.0:
            raise InvalidRule(f"The margin is {self.margin}; it needs a number from 0 to 1.")
        if self.min_support < 1 or self.min_posts < 1:
            raise InvalidRule("The rule needs at least one gold sentence and one post.")


@dataclass(frozen=True, slots=True)
class Figures:
    """What the rule looks at: the macro F1, and per criterion F1 and number of gold sentences; `posts` it was measured on."""

    macro_f1: float
    criteria: Mapping[str, tuple[float, int]]
    posts: int

    @classmethod
    def of(cls, evaluation: Mapping[str, Any]) -> Figures:
        """The figures of an `Evaluation.to_dict()`."""
        criteria = {
            cid: (scores["f1"] or 0.0, int(scores["support"])) for cid, scores in evaluation["criteria"].items()
        }
        return cls(evaluation["macro"]["f1"] or 0.0, criteria, int(evaluation["posts"]))

    def macro_f1_of(self, criteria: frozenset[str]) -> float:
        """The macro F1 of some criteria; one that is not known counts as 0."""
        if criteria >= self.criteria.keys():
            return self.macro_f1
        return fmean(self.criteria.get(cid, (0.0, 0))[0] for cid in criteria)


@dataclass(frozen=True, slots=True)
class Decision:
    """`promote`, and the reason for a person. `losses`: criteria beyond the margin, with their change of F1.
    simple_f1: of the criteria with enough evidence alone, and so not to be set beside candidate_f1.
    """

    promote: bool
    reason: str
    candidate_f1: float | None
    active_f1: float | None
    losses: Mapping[str, float]
    judged_on: str
    simple_f1: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def decide(
    candidate: Figures,
    active: Figures | None,
    *,
    rule: PromotionRule,
    judged_on: str,
    simple: Figures | None = None,
    names: Mapping[str, str] = MappingProxyType({}),
) -> Decision:
    """Judge the candidate by the active model, and by the simple learner alone, on the same posts; `judged_on` names them in the
    reason, `names` the criteria by their ids. simple: None where the answers teach it nothing.
    """
    if active is None:
        return Decision(True, "No model was in service before.", candidate.macro_f1, None, {}, judged_on)
    if not any(support for _, support in active.criteria.values()):
        reason = f"Nothing to judge by: no evidence was found in {judged_on}. Review posts of the dev split, or decide yourself."
        return Decision(False, reason, None, None, {}, judged_on)
    losses = _losses(candidate, active, rule)
    below = {} if simple is None else _losses(candidate, simple, rule)
    say = rule.with_say(active)
    own_f1, simple_f1 = candidate.macro_f1_of(say), None if simple is None else simple.macro_f1_of(say)
    floor = simple_f1 is None or own_f1 >= simple_f1
    promote = candidate.macro_f1 > active.macro_f1 and floor and not losses and not below
    lost = [(names.get(cid, cid), change) for cid, change in losses.items()]
    reason = _reason(candidate, active, lost, rule, judged_on)
    if simple_f1 is not None and (not floor or below):
        few = [cid for cid, (_, support) in active.criteria.items() if support and cid not in say]
        told = [sorted(names.get(cid, cid) for cid in some) for some in (below, few)]
        reason = _below_simple(own_f1, simple_f1, judged_on, *told)
    return Decision(promote, reason, candidate.macro_f1, active.macro_f1, losses | below, judged_on, simple_f1)


def _losses(candidate: Figures, other: Figures, rule: PromotionRule) -> dict[str, float]:
    """Criteria with a say on which the candidate is behind the other by more than the margin, with the change of F1."""
    return {
        cid: candidate.criteria.get(cid, (0.0, 0))[0] - f1
        for cid, (f1, support) in other.criteria.items()
        if support >= rule.min_support and candidate.criteria.get(cid, (0.0, 0))[0] < f1 - rule.margin
    }


def _below_simple(
    candidate: float, simple: float, judged_on: str, below: Sequence[str], left_out: Sequence[str]
) -> str:
    """below, left_out: names of criteria that the candidate lost on, and that have no say."""
    if left_out:
        judged_on += f" (without {', '.join(left_out)}, of which there is too little evidence there)"
    where = f"; on {', '.join(below)} it is the better one by more than the margin" if below else ""
    return (
        f"The simple learner alone, fitted on the same answers in seconds, reaches macro F1 {simple:.3f} on"
        f" {judged_on}, the new model {candidate:.3f}{where}. A model has to be worth its training."
    )


def nothing_held_out() -> Decision:
    """There is not one post to judge by."""
    reason = "Nothing to judge by: no post of the dev split is reviewed yet. Review some, or decide yourself."
    return Decision(False, reason, None, None, {}, "no posts")


def posts_to_judge_by(*, dev: int, replay_dev: int, rule: PromotionRule) -> tuple[bool, str]:
    """Whether the corpus' held-out posts are judged together with the project's dev posts, and the words for it."""
    if dev >= rule.min_posts or not replay_dev:
        few = "" if dev >= rule.min_posts else f" (only {dev} of the {rule.min_posts} that make a sound comparison)"
        return False, f"{counted(dev, 'reviewed dev post')}{few}"
    return (
        True,
        f"{counted(dev, 'reviewed dev post')} and, as these are few, {replay_dev} held-out posts of the bundled corpus",
    )


def _reason(
    candidate: Figures, active: Figures, losses: Sequence[tuple[str, float]], rule: PromotionRule, judged_on: str
) -> str:
    change = (
        f"Macro F1, of which 1 is perfect: {active.macro_f1:.3f} before, {candidate.macro_f1:.3f} now, on {judged_on}"
    )
    if losses:
        lost = ", ".join(f"{name} {change:+.2f}" for name, change in sorted(losses))
        return f"{change}. More was lost than the {rule.margin:.2f} that a criterion may lose: {lost}."
    if candidate.macro_f1 <= active.macro_f1:
        return f"{change}. That is not better."
    return f"{change}. No criterion lost more than {rule.margin:.2f}."
