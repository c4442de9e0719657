"""Two models on the same reviewed posts: which is better, by how much, how surely, and where they differ. No torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from encoder.examples import Example
from encoder.measure.metrics import Floats, Interval, criterion_f1, macro_f1, percentile_interval, post_weights
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
    """F1 of two models side by side, and the pairs where they differ, the largest gains and losses first.

    criteria, micro, macro: over sentences. span_exact, span_match, span_characters: over spans, as in Evaluation: two models that
    mark in different units are compared by these.
    """

    criteria: Mapping[str, Difference]
    micro: Difference
    macro: Difference
    differing: tuple[DifferingPair, ...]
    span_exact: Difference
    span_match: Difference
    span_characters: Difference

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def table(self) -> str:
        """A table for people, one line per criterion."""
        lines = [f"{'criterion':<22} {'gold':>5} {'before':>6} {'after':>6} {'change':>7}  95% of change"]
        named = [*self.criteria.items(), ("micro", self.micro), ("macro", self.macro)]
        named += [("spans, exact", self.span_exact), ("spans, IoU .5", self.span_match)]
        for name, d in [*named, ("spans, characters", self.span_characters)]:
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
    counts = old.span_counts()
    names = [*(c.id for c in criteria), "micro", "macro", *_SPANS]
    supports = [*support.tolist(), int(support.sum()), int(support.sum())]
    supports += [int(x.sum()) for x in (counts.gold, counts.gold, counts.gold_characters)]
    differences = {
        name: _difference(supports[i], overall[0][i], overall[1][i], per_round[0][:, i], per_round[1][:, i])
        for i, name in enumerate(names)
    }
    rest = {name: differences.pop(name) for name in ("micro", "macro", *_SPANS)}
    return Comparison(differences, differing=_differing(old, new), **rest)


_SPANS = ("span_exact", "span_match", "span_characters")


def _figures(side: Outcomes, weights: Floats) -> Floats:
    """F1 in each bootstrap round: every criterion, micro, macro, then those of _SPANS; shape (rounds, criteria + 5)."""
    drawn = [weights @ table for table in side.sentence_counts()]
    micro = criterion_f1(*(table.sum(axis=1) for table in drawn))
    return np.column_stack([criterion_f1(*drawn), micro, macro_f1(*drawn), *_span_figures(side, weights)])


def _span_figures(side: Outcomes, weights: Floats) -> list[Floats]:
    counts = side.span_counts()
    triples = (
        (counts.exact, counts.predicted, counts.gold),
        (counts.matching, counts.predicted, counts.gold),
        (counts.shared_characters, counts.predicted_characters, counts.gold_characters),
    )
    figures = []
    for hits, predicted, gold in triples:
        right, found, wanted = (weights @ x for x in (hits, predicted, gold))
        figures.append(criterion_f1(right, found - right, wanted - right))
    return figures


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
