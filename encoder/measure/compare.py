"""Two models on the same reviewed posts: which is better, by how much, how surely, and where they differ. No torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from encoder.examples import Example
from encoder.measure.metrics import (
    Floats,
    Interval,
    mean_of_defined,
    percentile_interval,
    post_weights,
    precision_recall_f1,
)
from encoder.measure.outcomes import Outcomes, Pair, outcomes
from storage.records import Criterion, Prediction, Span, Verdict


@dataclass(frozen=True, slots=True)
class Difference:
    """F1 of both models and `after - before`, with its 95 % interval by post; None where there is no gold evidence.

    better: the share of bootstrap rounds in which `after` is ahead, from 0 to 1; ties count half.
    """

    support: int
    before: float | None
    after: float | None
    change: float | None
    interval: Interval | None
    better: float | None


@dataclass(frozen=True, slots=True)
class DifferingPair:
    """A reviewed (post, criterion) on which the two models highlight different passages.

    gain: how many more sentences `after` gets right than `before`; negative if it is worse.
    """

    post_id: str
    criterion_id: str
    verdict: Verdict
    gold: tuple[Span, ...]
    before: tuple[Span, ...]
    after: tuple[Span, ...]
    gain: int


@dataclass(frozen=True)
class Comparison:
    """Sentence-level F1 of two models side by side, and the pairs where they differ, the largest gains and losses first."""

    criteria: Mapping[str, Difference]
    micro: Difference
    macro: Difference
    differing: tuple[DifferingPair, ...]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def table(self) -> str:
        """A table for people, one line per criterion."""
        lines = [f"{'criterion':<22} {'gold':>5} {'before':>6} {'after':>6} {'change':>7}  95% of change"]
        for name, d in [*self.criteria.items(), ("micro", self.micro), ("macro", self.macro)]:
            if d.before is None or d.after is None or d.change is None:
                lines.append(f"{name:<22} {d.support:>5} {'-':>6} {'-':>6} {'-':>7}")
                continue
            interval = f"{d.interval.low:+.3f} to {d.interval.high:+.3f}" if d.interval else ""
            lines.append(
                f"{name:<22} {d.support:>5} {d.before:6.3f} {d.after:6.3f} {d.change:+7.3f}  {interval}".rstrip()
            )
        lines.append(f"{len(self.differing)} pairs of post and criterion are highlighted differently")
        return "\n".join(lines)


def compare(
    before: Iterable[Prediction],
    after: Iterable[Prediction],
    examples: Sequence[Example],
    criteria: Sequence[Criterion],
    *,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Judge two models' predictions on the same examples; the bootstrap draws the same posts for both.

    Raises BadExamples if a reviewed pair was not predicted by one of them.
    """
    old, new = outcomes(before, examples, criteria), outcomes(after, examples, criteria)
    weights = post_weights(len(examples), rounds=max(1, bootstrap), seed=seed)
    whole = np.ones((1, len(examples)))
    per_round = [_figures(side, weights) for side in (old, new)]
    overall = [_figures(side, whole)[0] for side in (old, new)]
    tp, _, fn = old.sentence_counts()
    support = (tp + fn).sum(axis=0).astype(int)
    names = [*(c.id for c in criteria), "micro", "macro"]
    supports = [*support.tolist(), int(support.sum()), int(support.sum())]
    differences = {
        name: _difference(supports[i], overall[0][i], overall[1][i], per_round[0][:, i], per_round[1][:, i])
        for i, name in enumerate(names)
    }
    micro, macro = differences.pop("micro"), differences.pop("macro")
    return Comparison(differences, micro, macro, _differing(old, new))


def _figures(side: Outcomes, weights: Floats) -> Floats:
    """F1 in each bootstrap round of every criterion, then micro, then macro, shape (rounds, criteria + 2)."""
    drawn = [weights @ table for table in side.sentence_counts()]
    each = np.where(drawn[0] + drawn[2] == 0, np.nan, precision_recall_f1(*drawn)[2])
    totals = [table.sum(axis=1) for table in drawn]
    micro = np.where(totals[0] + totals[2] == 0, np.nan, precision_recall_f1(*totals)[2])
    return np.column_stack([each, micro, mean_of_defined(each)])


def _difference(support: int, before: float, after: float, rounds_before: Floats, rounds_after: Floats) -> Difference:
    if not support:
        return Difference(0, None, None, None, None, None)
    change = rounds_after - rounds_before
    change = change[np.isfinite(change)]
    ahead = float(np.mean(change > 0) + 0.5 * np.mean(change == 0)) if change.size else None
    return Difference(support, float(before), float(after), float(after - before), percentile_interval(change), ahead)


def _differing(old: Outcomes, new: Outcomes) -> tuple[DifferingPair, ...]:
    before = {(p.post, p.criterion): p for p in old.pairs}
    right_before, right_after = _right_sentences(old), _right_sentences(new)
    found = []
    for pair in new.pairs:
        key = (pair.post, pair.criterion)
        other = before[key]
        if _extents(pair) != _extents(other):
            found.append(
                DifferingPair(
                    new.examples[pair.post].post.id,
                    new.criteria[pair.criterion].id,
                    pair.label.verdict,
                    pair.label.spans,
                    other.highlighted,
                    pair.highlighted,
                    right_after.get(key, 0) - right_before.get(key, 0),
                )
            )
    return tuple(sorted(found, key=lambda d: -abs(d.gain)))


def _extents(pair: Pair) -> set[tuple[int, int]]:
    return {(s.start, s.end) for s in pair.highlighted}


def _right_sentences(side: Outcomes) -> dict[tuple[int, int], int]:
    """How many sentences are highlighted as they should be, by (post, criterion) index."""
    right: dict[tuple[int, int], int] = {}
    for column, rows in enumerate(side.rows):
        counts = np.bincount(rows.post, weights=rows.gold == rows.predicted)
        right.update({(post, column): int(count) for post, count in enumerate(counts)})
    return right
