"""The gold rule: which of several reviewers' answers trains and is exported. Pure functions.

The adjudicator's latest annotation; else, if there is one reviewer, theirs; else, if all reviewers' latest verdicts are
equal and (for evidence) each span overlaps one of every other's with IoU >= .5, the most recent of them; else undecided.
`unsure` is never gold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storage.records import Annotation, Gold, Role, Verdict

AGREEMENT_IOU = 0.5


def gold_of(latest: Sequence[Annotation], roles: Mapping[str, Role]) -> Gold | None:
    """Gold for one (post, criterion), or None while it is undecided.

    latest: each reviewer's latest annotation of the pair; withdrawn ones (verdict None) do not count.
    roles: role by reviewer name; a name that is missing counts as a plain reviewer.
    """
    decided = [a for a in latest if a.verdict is not None]
    if not decided:
        return None
    adjudicated = [a for a in decided if roles.get(a.reviewer) is Role.ADJUDICATOR]
    voters = adjudicated or decided
    chosen = max(voters, key=_recency)
    if not adjudicated and not all(agree(a, b) for a in decided for b in decided if a is not b):
        return None
    if chosen.verdict is None or chosen.verdict is Verdict.UNSURE:
        return None
    return Gold(
        post_id=chosen.post_id,
        criterion_id=chosen.criterion_id,
        verdict=chosen.verdict,
        spans=tuple(s.span for s in chosen.spans),
        rejected=chosen.rejected,
        reviewers=tuple(sorted(a.reviewer for a in decided)),
        annotation=chosen,
    )


def agree(one: Annotation, other: Annotation) -> bool:
    """Equal verdicts and, for evidence, every span of `one` matched by one of `other` with IoU >= .5."""
    if one.verdict is not other.verdict:
        return False
    return all(any(a.span.iou(b.span) >= AGREEMENT_IOU for b in other.spans) for a in one.spans)


def _recency(annotation: Annotation) -> tuple[str, int]:
    return (annotation.created_at or "", annotation.id or 0)
