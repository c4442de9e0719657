"""What leaves in a format and comes back from it is the same, for whatever people type."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator import exchange
from annotator.exchange_labels import CriteriaMatcher, LabelTaker
from annotator.exchange_options import ImportOptions
from storage.formats.registry import FORMATS, Format, detect
from storage.formats.rows import ExportContext, ExportPost, ImportRow
from storage.records import AnnotatedSpan, Annotation, InvalidRecord, Post, Prediction, Span, SpanOrigin, Split, Verdict
from storage.store import Store, open_store
from tests.builders import MOOD, SLEEP, accepted, a_post, a_span, an_annotation

CRITERIA = (SLEEP, MOOD)
PIECES = [
    "a", "Z", "9", " ", "  ", "\n", "\r\n", "\r", "\t", "\x0b", "\x85", "\u2028", "\u2029", "\ufeff", "\x07", "\x1b",
    "😀", "👩‍👩‍👧", "🇩🇪", "e\u0301", "\u200d", "\ufe0f", "שלום", "مرحبا", "中文", "\U0001d54f", "ß", "İ",
    '"', "'", "“", "`", ",", ";", "|", "\\", "\\n", "/", "#", "<b>", "${x}", "{{y}}", "&amp;", "_x000D_", "_x0041_",
    "=1+1", "+", "-", "@", "'=", "B-X", "O", "# text = ", "null", "[1,2]", "{", "}", "]]>",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=14).map("".join).filter(lambda t: t.strip() != "")
ids = st.sampled_from(["p1", "a/b", "..", "=id", "Ünï-7", "x::y", "P1", "7", "007", "1e5", "null", "#1", "é" * 90])


@st.composite
def annotations(draw: st.DrawFn, post: Post) -> tuple[Annotation, ...]:
    found = []
    for criterion in CRITERIA:
        verdict = draw(st.sampled_from([None, Verdict.NO_EVIDENCE, Verdict.EVIDENCE]))
        if verdict is None:
            continue
        spans: set[tuple[int, int]] = set()
        for _ in range(draw(st.integers(1, 3)) if verdict is Verdict.EVIDENCE else 0):
            start = draw(st.integers(0, len(post.text) - 1))
            spans.add((start, draw(st.integers(start + 1, len(post.text)))))
        marked = tuple(AnnotatedSpan(s, e) for s, e in sorted(spans))
        found.append(Annotation(post.id, criterion.id, "ana", verdict, marked, created_at="2026-01-02T03:04:05Z"))
    return tuple(found)


@st.composite
def export_posts(draw: st.DrawFn) -> list[ExportPost]:
    items = []
    for post_id in draw(st.lists(ids, min_size=1, max_size=3, unique=True)):
        meta = draw(st.sampled_from([{}, {"n": 1, "ü": ["=x", None]}]))
        post = Post(post_id, draw(texts), split=Split.TRAIN, author=draw(st.sampled_from([None, "=ann"])), meta=meta)
        found = draw(annotations(post))
        items.append(ExportPost(post, found, history=found))
    return items


def answers_of(items: Sequence[ExportPost]) -> dict[str, tuple[str, dict[str, object]]]:
    """Text, and verdict and spans by criterion, of each post."""
    return {
        i.post.id: (i.post.text, {a.criterion_id: (a.verdict, [(s.start, s.end) for s in a.spans]) for a in i.answers})
        for i in items
    }


def reread(kind: Format, items: Sequence[ExportPost], folder: Path) -> dict[str, tuple[str, dict[str, object]]]:
    """Write the posts, find out the format from the file alone, read it, and place the labels."""
    path = folder / f"out{kind.suffix}"
    kind.write(items, path, ExportContext(CRITERIA))
    found = detect(path) if kind.name not in ("tsv", "gold") else None
    reader = found.format if found else kind
    texts_by_id: dict[str, str] = {}
    labels: dict[str, list[tuple[int, object]]] = {}
    for row in reader.read(path, encoding=found.encoding.name if found else "utf-8"):
        assert isinstance(row, ImportRow), row
        assert row.post_id is not None
        assert row.text is not None
        assert texts_by_id.setdefault(row.post_id, row.text) == row.text
        labels.setdefault(row.post_id, []).extend((row.number, label) for label in row.labels)
    taker = LabelTaker(CriteriaMatcher(CRITERIA, ImportOptions()), ImportOptions())
    result = {}
    for post_id, text in texts_by_id.items():
        taken = taker.take(post_id, text, labels[post_id])  # type: ignore[arg-type]
        assert taken.issues == []
        result[post_id] = (
            text,
            {a.criterion_id: (a.verdict, [(s.start, s.end) for s in a.spans]) for a in taken.annotations},
        )
    return result


EXACT = ["jsonl", "gold", "csv", "tsv", "xlsx", "parquet", "squad", "hf", "label-studio", "doccano", "prodigy", "argilla", "brat"]


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(items=export_posts())
def test_every_text_and_span_comes_back_from(name: str, items: list[ExportPost]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert reread(FORMATS[name], items, Path(folder)) == answers_of(items)
