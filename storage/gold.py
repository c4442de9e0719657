"""The gold rule: which of several people's answers trains and is exported. Pure functions; the store asks them.

The adjudication, if there is one; else, if one person answered, theirs; else, if all agree, what the project's rule makes of them; else
nothing, until somebody adjudicates. `unsure` is never gold, nor is what cannot be decided.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from storage.attributes import joined
from storage.matching import Words, match
from storage.records import AnnotatedSpan, Annotation, Gold, Span, Verdict
from storage.team_records import ONE_READER, Adjudication, GoldRule, Outcome, SpanRule, Standing

DEFAULT_RULE = GoldRule()


@dataclass(frozen=True, slots=True)
class Settled:
    """How the answers stand, their gold (None if there is none), and how alike they are: 1 equal, 0 nothing in common.

    score: mean over pairs of people of 1 or 0 for verdicts and the F1 of matching spans; None with one answer.
    """

    standing: Standing
    gold: Gold | None
    score: float | None


def gold_of(
    latest: Sequence[Annotation],
    adjudication: Adjudication | None = None,
    *,
    rule: GoldRule = DEFAULT_RULE,
    text: Callable[[], str] = str,
) -> Gold | None:
    """Gold for one (post, criterion), or None while it is undecided. Arguments as `settle`."""
    settled = settle(latest, adjudication, rule=rule, text=text)
    return settled.gold if settled else None


def settle(
    latest: Sequence[Annotation],
    adjudication: Adjudication | None = None,
    *,
    rule: GoldRule = DEFAULT_RULE,
    text: Callable[[], str] = str,
) -> Settled | None:
    """How the answers to one (post, criterion) stand; None if there is none.

    latest: each person's latest annotation; those taken back (verdict None) do not count. adjudication: the latest one.
    text: the post's text, asked for only where spans differ.
    """
    decided = sorted((a for a in latest if a.verdict is not None), key=_recency)
    standing = adjudication if adjudication is not None and adjudication.outcome is not Outcome.REOPENED else None
    if not decided and standing is None:
        return None
    score, agreed = _likeness(decided, rule, text)
    if standing is not None:
        state = Standing.UNDECIDABLE if standing.outcome is Outcome.UNDECIDABLE else Standing.ADJUDICATED
        return Settled(state, _adjudicated(standing, decided), score)
    if len(decided) == 1:
        return Settled(Standing.SINGLE, _gold(decided[0], decided, ONE_READER), None)
    if not agreed:
        return Settled(Standing.OPEN, None, score)
    return Settled(Standing.AGREED, _gold(_joined(decided, rule, text), decided, f"agreement, {rule.spans}"), score)


def agree(one: Annotation, other: Annotation, words: Callable[[], Words], *, iou: float = DEFAULT_RULE.iou) -> bool:
    """Equal verdicts and, for evidence, spans that match one to one with none left over."""
    return likeness(one, other, words, iou=iou) == 1.0


def likeness(one: Annotation, other: Annotation, words: Callable[[], Words], *, iou: float = DEFAULT_RULE.iou) -> float:
    """0 for different verdicts, 1 for equal ones without spans, else the F1 of matching spans."""
    if one.verdict is not other.verdict:
        return 0.0
    mine, theirs = _ranges(one), _ranges(other)
    if mine == theirs:
        return 1.0
    return 2 * len(match(mine, theirs, words(), threshold=iou)) / (len(mine) + len(theirs))


def say_the_same(one: Annotation, other: Annotation, words: Callable[[], Words], *, iou: float) -> bool:
    """Whether both give the evidence that they share the same level and flags."""
    if not any(span.attributes for span in (*one.spans, *other.spans)):
        return True
    said = [[(s.attributes.severity, frozenset(s.attributes.flags)) for s in answer.spans] for answer in (one, other)]
    return all(said[0][i] == said[1][j] for i, j in match(_ranges(one), _ranges(other), words(), threshold=iou))


def _likeness(decided: Sequence[Annotation], rule: GoldRule, text: Callable[[], str]) -> tuple[float | None, bool]:
    if len(decided) < 2:
        return None, True
    words = _once(text)
    scores = [likeness(a, b, words, iou=rule.iou) for a, b in itertools.combinations(decided, 2)]
    agreed = all(score == 1.0 for score in scores)
    if agreed and rule.attributes:
        agreed = all(say_the_same(a, b, words, iou=rule.iou) for a, b in itertools.combinations(decided, 2))
    return sum(scores) / len(scores), agreed


def _joined(decided: Sequence[Annotation], rule: GoldRule, text: Callable[[], str]) -> Annotation:
    """The latest answer with its spans as the rule makes them of all that match."""
    latest = decided[-1]
    attributed = any(span.attributes for a in decided for span in a.spans)
    alike = len(decided) == 1 or rule.spans is SpanRule.LATEST or all(_ranges(a) == _ranges(latest) for a in decided)
    if alike and not attributed:
        return latest
    words = _once(text)()
    groups = [[span] for span in latest.spans]
    for other in decided[:-1]:
        for i, j in match(_ranges(latest), _ranges(other), words, threshold=rule.iou):
            groups[i].append(other.spans[j])
    drawn = [group[0] if alike else _span_of(group, rule.spans) for group in groups]
    said = [joined([span.attributes for span in group]) for group in groups]
    spans = [replace(span, attributes=of) for span, of in zip(drawn, said, strict=True)]
    return replace(latest, spans=tuple(sorted(spans)))


def _span_of(group: Sequence[AnnotatedSpan], rule: SpanRule) -> AnnotatedSpan:
    """One span of those that match; the latest answer's comes first."""
    if rule is SpanRule.LONGEST:
        return max(group, key=lambda span: span.end - span.start)
    starts, ends = [span.start for span in group], [span.end for span in group]
    start, end = (min(starts), max(ends)) if rule is SpanRule.UNION else (max(starts), min(ends))
    if start >= end:  # three people can each match the latest without all sharing a character
        return group[0]
    drawn = [span for span in group if (span.start, span.end) == (start, end)]
    return drawn[0] if drawn else AnnotatedSpan(start, end)


def _gold(chosen: Annotation, decided: Sequence[Annotation], rule: str) -> Gold | None:
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
        rule=rule,
    )


def _adjudicated(adjudication: Adjudication, decided: Sequence[Annotation]) -> Gold | None:
    """The decision as an answer: by the adjudicator, with the spans that the others rejected where none of its own lies."""
    if adjudication.outcome is Outcome.UNDECIDABLE:
        return None
    newest = decided[-1] if decided else None
    rejected = {span for a in decided for span in a.rejected if not any(span.overlaps(s) for s in adjudication.spans)}
    answer = Annotation(
        post_id=adjudication.post_id,
        criterion_id=adjudication.criterion_id,
        reviewer=adjudication.adjudicator,
        verdict=Verdict(adjudication.outcome),
        spans=tuple(AnnotatedSpan(s.start, s.end, attributes=s.attributes) for s in adjudication.spans),
        rejected=tuple(sorted(rejected, key=_place)),
        criterion_version=adjudication.criterion_version,
        revision=adjudication.revision,
        note=adjudication.reason,
        seconds=adjudication.seconds,
        created_at=adjudication.created_at,
        id=newest.id if newest else None,
    )
    return _gold(answer, decided, "adjudicated")


def _once(text: Callable[[], str]) -> Callable[[], Words]:
    found: list[Words] = []

    def words() -> Words:
        if not found:
            found.append(Words.of(text()))
        return found[0]

    return words


def _ranges(annotation: Annotation) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in annotation.spans]


def _place(span: Span) -> tuple[int, int]:
    return span.start, span.end


def _recency(annotation: Annotation) -> tuple[str, int]:
    return (annotation.created_at or "", annotation.id or 0)
