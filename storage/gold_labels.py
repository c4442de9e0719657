"""The gold rule for labels of whole posts: which level holds where several people labelled a post. Pure functions; the store asks them.

For each label by itself, as `storage.gold` has it for a criterion: the adjudication, if there is one; else, if one person gave it, theirs;
else, if all who gave it say the same, that; else nothing, until somebody adjudicates. Who did not give a label does not disagree.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
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
    post_id: str, answers: Sequence[Annotation], decisions: Mapping[str, Adjudication]
) -> tuple[Annotation | None, dict[str, str]]:
    """The settled labels of a post as one answer, None if there is none; and by label how each became gold.

    answers: each reader's latest labels, oldest first. decisions: by label.
    """
    names = sorted({name for a in answers for name, _ in a.labels} | set(decisions))
    found = {name: settle_label(name, answers, decisions.get(name)) for name in names}
    gold = {name: settled for name, settled in found.items() if settled is not None and settled.level}
    if not gold:
        return None, {}
    labels = tuple((name, settled.level) for name, settled in gold.items())
    decided = [decisions[name] for name in gold if gold[name].standing is Standing.ADJUDICATED]
    if answers:
        answer = replace(answers[-1], labels=labels)
    else:
        answer = Annotation(
            post_id, OF_POST, decided[-1].adjudicator, None, labels=labels, created_at=decided[-1].created_at
        )
    return answer, {name: settled.rule for name, settled in gold.items()}
