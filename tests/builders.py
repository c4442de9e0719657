"""Builders: the least that makes a record valid, with offsets found from words rather than counted by hand."""

from __future__ import annotations

from storage.records import AnnotatedSpan, Annotation, Criterion, Post, Prediction, Span, SpanOrigin, Split, Verdict

SLEEP = Criterion("SLEEP_ISSUES", "Sleep problems", "The writer cannot sleep.", "Mark nights awake.", position=0)
MOOD = Criterion("DEPRESSED_MOOD", "Depressed mood", "The writer feels sad.", "Mark low mood.", position=1)


def a_post(
    text: str = "I cannot sleep. The dog is well.", *, id: str = "p1", split: Split | None = Split.TRAIN
) -> Post:
    return Post(id=id, text=text, split=split)


def a_span(post: Post, words: str, *, score: float | None = None) -> Span:
    """The span of `words` in the post; they must stand there exactly once."""
    assert post.text.count(words) == 1, f"{words!r} stands {post.text.count(words)} times in {post.id}"
    start = post.text.index(words)
    return Span(start, start + len(words), score)


def a_prediction(
    post: Post, *words: str, criterion: Criterion = SLEEP, model: str = "m1", score: float = 0.8
) -> Prediction:
    spans = tuple(sorted(a_span(post, w, score=score) for w in words))
    return Prediction(post.id, criterion.id, model, spans, no_evidence_score=1 - score if spans else 0.9)


def an_annotation(
    post: Post,
    *words: str,
    criterion: Criterion = SLEEP,
    reviewer: str = "ana",
    verdict: Verdict | None = None,
    **changes: object,
) -> Annotation:
    """An annotation that adds the spans of `words`; without words the verdict is no_evidence unless given."""
    spans = tuple(AnnotatedSpan(s.start, s.end, SpanOrigin.ADDED) for s in sorted(a_span(post, w) for w in words))
    chosen = verdict or (Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE)
    return Annotation(post.id, criterion.id, reviewer, chosen, spans, **changes)  # type: ignore[arg-type]


def accepted(span: Span) -> AnnotatedSpan:
    return AnnotatedSpan(span.start, span.end, SpanOrigin.ACCEPTED, span)
