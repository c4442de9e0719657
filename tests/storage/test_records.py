from __future__ import annotations

import pytest

from storage.records import (
    AnnotatedSpan,
    Annotation,
    Criterion,
    InvalidRecord,
    Post,
    Span,
    SpanOrigin,
    Split,
    Verdict,
    merge_overlapping,
    split_of,
)


@pytest.mark.parametrize(("start", "end"), [(3, 3), (4, 3), (-1, 2)])
def test_a_span_that_is_empty_or_negative_is_refused(start: int, end: int) -> None:
    with pytest.raises(InvalidRecord, match="empty or negative"):
        Span(start, end)


def test_a_span_past_the_end_of_its_post_is_refused_and_says_where() -> None:
    with pytest.raises(InvalidRecord, match=r"Span 2:9 runs past post p1 \(5 characters\)"):
        Span(2, 9).check("12345", where="post p1")


def test_iou_counts_code_points() -> None:
    assert Span(0, 4).iou(Span(2, 6)) == pytest.approx(2 / 6)
    assert Span(0, 4).iou(Span(4, 6)) == 0


@pytest.mark.parametrize("text", ["", "  \n", "a\x00b", "half \ud83d pair"])
def test_a_post_without_storable_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidRecord):
        Post("p1", text)


def test_post_text_is_kept_verbatim() -> None:
    text = " e\u0301 \r\n\t👩‍👩‍👧  שלום "
    assert Post("p1", text).text == text


@pytest.mark.parametrize("id", ["", "A B", "A/B", "<b>"])
def test_a_criterion_id_with_odd_characters_is_refused(id: str) -> None:
    with pytest.raises(InvalidRecord):
        Criterion(id, "name", "text")


def test_evidence_needs_a_span_and_no_evidence_has_none() -> None:
    with pytest.raises(InvalidRecord, match="there is no span"):
        Annotation("p1", "C", "ana", Verdict.EVIDENCE)
    with pytest.raises(InvalidRecord, match="there are spans"):
        Annotation("p1", "C", "ana", Verdict.NO_EVIDENCE, (AnnotatedSpan(0, 1),))


def test_a_verdict_needs_every_predicted_span_decided() -> None:
    with pytest.raises(InvalidRecord, match="to be decided"):
        Annotation("p1", "C", "ana", Verdict.NO_EVIDENCE, undecided=(Span(0, 1),))
    assert not Annotation("p1", "C", "ana", None, undecided=(Span(0, 1),)).decided


def test_an_accepted_span_names_the_prediction_it_came_from() -> None:
    with pytest.raises(InvalidRecord):
        AnnotatedSpan(0, 3, SpanOrigin.ACCEPTED)


def test_the_split_depends_on_nothing_but_the_key() -> None:
    keys = [f"author-{i}" for i in range(2000)]
    splits = [split_of(k) for k in keys]
    assert splits == [split_of(k) for k in keys]
    assert all(0.12 < splits.count(s) / len(keys) < 0.18 for s in (Split.DEV, Split.TEST))


def test_overlapping_spans_merge_and_touching_ones_stay_apart() -> None:
    assert merge_overlapping([Span(0, 5, 0.2), Span(3, 8, 0.9), Span(8, 9)]) == (Span(0, 8, 0.9), Span(8, 9))
