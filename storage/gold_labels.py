"""The gold rule for labels of whole posts: which level holds where several people labelled a post. Pure functions; the store asks them.

For each label by itself, as `storage.gold` has it for a criterion: the adjudication, if there is one; else, if one person gave it, theirs;
else, if all who gave it say the same, that; else nothing, until somebody adjudicates. Who did not give a label does not disagree.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from storage.records import OF_POST, Annotation
from storage.team_records import ONE_READER, Adjudication, Outcome, Standing


@dataclass(frozen=True, slots=True)
class SettledLabel:
    """How one label of a post stands. level: its gold, '' for none. rule: how it became gold. readers: who gave it.

    score: share of the pairs of readers with the same level; None with fewer than two.
    """

    standing: Standing
    level: str
    rule: str
    readers: int
    score: float | None


def settle_label(
    scale: str, answers: Sequence[Annotation], decision: Adjudication | None = None
) -> SettledLabel | None:
    """How the label stands; None where nobody gave it and nobody decided it. answers: each reader's latest labels of the post."""
    given = [level for a in answers if (level := dict(a.labels).get(scale))]
    pairs = list(itertools.combinations(given, 2))
    score = sum(one == other for one, other in pairs) / len(pairs) if pairs else None
    if decision is not None and decision.outcome is not Outcome.REOPENED:
        if decision.outcome is Outcome.UNDECIDABLE:
            return SettledLabel(Standing.UNDECIDABLE, "", "", len(given), score)
        return SettledLabel(Standing.ADJUDICATED, decision.level, "adjudicated", len(given), score)
    if not given:
        return None
    if len(given) == 1:
        return SettledLabel(Standing.SINGLE, given[0], ONE_READER, 1, None)
    if len(set(given)) > 1:
        return SettledLabel(Standing.OPEN, "", "", len(given), score)
    return SettledLabel(Standing.AGREED, given[0], "agreement", len(given), score)


def gold_labels(
    post_id: str,
    answers: Sequence[Annotation],
    decisions: Mapping[str, Adjudication],
    takes: Callable[[Annotation], bool] = lambda given: True,
) -> tuple[Annotation | None, dict[str, str]]:
    """The settled labels of a post as one answer, None if there is none; and by label how each became gold.

    answers: each reader's latest labels. decisions: by label. takes: which answers and decisions are asked for; a label is there if
    one of those that it became gold by is. The answer is in the name of the adjudicator of the newest decision in it; where nothing of
    it was decided, of the last reader who gave one of its labels.
    """
    names = sorted({name for a in answers for name, _ in a.labels} | set(decisions))
    labels, rules, said = [], {}, []
    for name in names:
        settled = settle_label(name, answers, decisions.get(name))
        if settled is None or not settled.level:
            continue
        decided = settled.standing is Standing.ADJUDICATED
        by = [_decided(post_id, decisions[name])] if decided else [a for a in answers if dict(a.labels).get(name)]
        if fitting := [a for a in by if takes(a)]:
            labels.append((name, settled.level))
            rules[name] = settled.rule
            said += [(decided, a.created_at or "", a.id or 0, a) for a in fitting]
    if not said:
        return None, {}
    return replace(max(said, key=lambda one: one[:3])[-1], labels=tuple(labels)), rules


def _decided(post_id: str, decision: Adjudication) -> Annotation:
    """The decision as an answer about the post, by the adjudicator."""
    return Annotation(post_id, OF_POST, decision.adjudicator, None, created_at=decision.created_at)
