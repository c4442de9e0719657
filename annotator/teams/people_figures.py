"""The lead's figures: per person how far, how fast and how like the others; per criterion what is open and what an older wording left.

Pure functions of rows; `annotator.teams.reports` asks the store for them and keeps the result.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.records import Criterion, Verdict
from storage.team_figures import Decision, Given, Judged

Wire = dict[str, Any]
IDLE_SECONDS = 300.0  # a decision that took longer counts as this long: somebody was away
VERDICTS = tuple(str(v) for v in Verdict)


def of_people(
    decisions: Sequence[Decision], given: Iterable[Given], judged: Iterable[Judged], others: Mapping[str, Wire]
) -> list[Wire]:
    """One row per person who was given or decided something, by name. others: agreement with the others, by person."""
    mine: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        mine[decision.reviewer].append(decision)
    assigned, done = Counter[str](), Counter[str]()
    for row in given:
        assigned[row.reviewer] += row.assigned
        done[row.reviewer] += row.done
    gold: dict[str, list[Judged]] = defaultdict(list)
    for judgement in judged:
        gold[judgement.reviewer].append(judgement)
    return [
        {
            "person": name,
            "assigned": assigned[name],
            "done": done[name],
            "left": assigned[name] - done[name],
            **_work(mine[name]),
            "gold": _against_gold(gold[name]),
            "others": others.get(name),
        }
        for name in sorted({*mine, *assigned})
    ]


def _work(decisions: Sequence[Decision]) -> Wire:
    days = {d.created_at[:10] for d in decisions}
    timed = [min(d.seconds, IDLE_SECONDS) for d in decisions if d.seconds is not None and not d.bulk]
    return {
        "decisions": len(decisions),
        "days": len(days),
        "per_day": len(decisions) / len(days) if days else None,
        "seconds": statistics.median(timed) if timed else None,
        "hours": sum(timed) / 3600,
        "bulk_share": _share(sum(d.bulk for d in decisions), len(decisions)),
        "unsure_share": _share(sum(d.verdict == Verdict.UNSURE for d in decisions), len(decisions)),
        "last": max((d.created_at for d in decisions), default=None),
    }


def _against_gold(judged: Sequence[Judged]) -> Wire:
    """Equal verdicts with gold of what several people answered, and with that part of it which was adjudicated."""
    decided = [j for j in judged if j.state == "adjudicated"]
    return {
        "units": len(judged),
        "same": _share(sum(j.verdict == j.gold for j in judged), len(judged)),
        "adjudicated": len(decided),
        "adjudicated_same": _share(sum(j.verdict == j.gold for j in decided), len(decided)),
        "confusion": [[sum((j.gold, j.verdict) == (g, v) for j in judged) for v in VERDICTS] for g in VERDICTS[:2]],
    }


def of_arms(decisions: Sequence[Decision], judged: Sequence[Judged]) -> list[Wire]:
    """With the model's suggestions and without them, what people decided: how far suggestions draw them. One row per arm that occurs;
    answers of which it is not known are in neither.
    """
    rows = []
    for hidden in sorted({d.hidden for d in decisions if d.hidden is not None}):
        some = [d for d in decisions if d.hidden == hidden]
        gold = [j for j in judged if j.hidden == hidden]
        sure = [d for d in some if d.verdict != Verdict.UNSURE]
        timed = [min(d.seconds, IDLE_SECONDS) for d in some if d.seconds is not None and not d.bulk]
        rows.append(
            {
                "suggestions": "hidden" if hidden else "shown",
                "decisions": len(some),
                "prevalence": _share(sum(d.verdict == Verdict.EVIDENCE for d in sure), len(sure)),
                "unsure_share": _share(len(some) - len(sure), len(some)),
                "seconds": statistics.median(timed) if timed else None,
                "gold_units": len(gold),
                "gold_same": _share(sum(j.verdict == j.gold for j in gold), len(gold)),
            }
        )
    return rows


def of_criteria(
    criteria: Sequence[Criterion],
    decisions: Iterable[Decision],
    standing: Mapping[str, Mapping[str, int]],
    agreement: Mapping[str, Wire],
) -> list[Wire]:
    """One row per criterion, in their order. agreement: its row of the agreement tables, by criterion id."""
    current = {c.id: c.version for c in criteria if c.active}
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    older: dict[str, Counter[str]] = defaultdict(Counter)
    for d in decisions:
        verdicts[d.criterion_id][d.verdict] += 1
        if d.criterion_version < current.get(d.criterion_id, 0):
            older[d.criterion_id][d.reviewer] += 1
    rows = []
    for criterion in criteria:
        counts, states = verdicts[criterion.id], standing.get(criterion.id, {})
        sure = counts[Verdict.EVIDENCE] + counts[Verdict.NO_EVIDENCE]
        figures = (agreement.get(criterion.id) or {}).get("figures", {})
        rows.append(
            {
                "criterion": criterion.id,
                "name": criterion.name,
                "version": criterion.version,
                "active": criterion.active,
                "decisions": counts.total(),
                "prevalence": _share(counts[Verdict.EVIDENCE], sure),
                "percent": figures.get("percent"),
                "alpha": figures.get("alpha"),
                "span_f1": figures.get("span_f1"),
                "open": states.get("open", 0),
                "adjudicated": states.get("adjudicated", 0) + states.get("undecidable", 0),
                "older": older[criterion.id].total(),
                "older_by_person": dict(sorted(older[criterion.id].items())),
            }
        )
    return rows


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
