"""What leaves in a format and comes back from it is the same, for whatever people type."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.exchange.exporting import export_file
from annotator.exchange.labels import LabelTaker
from annotator.exchange.matching import CriteriaMatcher
from annotator.exchange.options import ImportOptions
from annotator.exchange.use_cases import import_file
from storage.exports import ExportFilter
from storage.formats.detection import detect
from storage.formats.registry import FORMATS, WRITERS, Format
from storage.formats.rows import ExportContext, ExportPost, ImportRow, Source
from storage.formats.texts import is_placeholder
from storage.records import AnnotatedSpan, Annotation, InvalidRecord, Post, Prediction, Span, SpanOrigin, Split, Verdict
from storage.store import Store, open_store
from tests.builders import MOOD, SLEEP, a_post, a_span, accepted, an_annotation

CRITERIA = (SLEEP, MOOD)
PIECES = [
    "a", "Z", "9", " ", "  ", "\n", "\r\n", "\r", "\t", "\x0b", "\x85", "\u2028", "\u2029", "\ufeff", "\x07", "\x1b",
    "😀", "👩‍👩‍👧", "🇩🇪", "e\u0301", "\u200d", "\ufe0f", "שלום", "مرحبا", "中文", "\U0001d54f", "ß", "İ",
    '"', "'", "“", "`", ",", ";", "|", "\\", "\\n", "/", "#", "<b>", "${x}", "{{y}}", "&amp;", "_x000D_", "_x0041_",
    "=1+1", "+", "-", "@", "'=", "B-X", "O", "# text = ", "null", "[1,2]", "{", "}", "]]>",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=14).map("".join)
texts = texts.filter(lambda t: t.strip() != "" and not is_placeholder(t))
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
    for row in reader.read(Source(path, found.encoding.name if found else "utf-8")):
        assert isinstance(row, ImportRow), row
        assert row.post_id is not None
        assert row.text is not None
        assert texts_by_id.setdefault(row.post_id, row.text) == row.text
        labels.setdefault(row.post_id, []).extend((row.number, label) for label in row.labels)
    taker = LabelTaker(CriteriaMatcher(CRITERIA, ImportOptions()), ImportOptions())
    result = {}
    for post_id, text in texts_by_id.items():
        taken = taker.take(post_id, text, labels[post_id])  # type: ignore[arg-type]
        assert [i for i in taken.issues if "on white space" not in i.reason] == []  # spans here begin anywhere
        result[post_id] = (
            text,
            {a.criterion_id: (a.verdict, [(s.start, s.end) for s in a.spans]) for a in taken.annotations},
        )
    return result


EXACT = [
    "jsonl",
    "gold",
    "csv",
    "tsv",
    "xlsx",
    "parquet",
    "squad",
    "hf",
    "label-studio",
    "doccano",
    "prodigy",
    "argilla",
    "brat",
]


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(items=export_posts())
def test_every_text_and_span_comes_back_from(name: str, items: list[ExportPost]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert reread(FORMATS[name], items, Path(folder)) == answers_of(items)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(items=export_posts())
def test_bio_columns_bring_back_every_span_that_they_can_carry(items: list[ExportPost]) -> None:
    carried = [ExportPost(i.post, tuple(filter(None, map(_flat, [i.post] * 2, i.answers)))) for i in items]
    with tempfile.TemporaryDirectory() as folder:
        assert reread(FORMATS["conll"], carried, Path(folder)) == answers_of(carried)


def _flat(post: Post, answer: Annotation) -> Annotation | None:
    """The answer with only those spans that tags can say: no white edges, no overlap."""
    kept: list[AnnotatedSpan] = []
    for span in answer.spans:
        words = post.text[span.start : span.end]
        if words == words.strip() and (not kept or span.start >= kept[-1].end):
            kept.append(span)
    if answer.verdict is Verdict.EVIDENCE and not kept:
        return None
    return Annotation(post.id, answer.criterion_id, "ana", answer.verdict, tuple(kept))


# --- and the check itself: a writer that is wrong by one character does not pass it


def _moved(item: ExportPost) -> ExportPost:
    """The post with every span one character further right, still inside the text."""
    answers = tuple(
        replace(a, spans=tuple(AnnotatedSpan(s.start + 1, s.end + 1) for s in a.spans)) for a in item.answers
    )
    return ExportPost(item.post, answers, history=answers)


@pytest.mark.parametrize("name", [*EXACT, "conll"])
def test_a_writer_that_shifts_spans_is_found_out(name: str, tmp_path: Path) -> None:
    post = Post("p1", "😀 I lie awake at night.", split=Split.TRAIN)
    answer = Annotation(
        "p1", SLEEP.id, "ana", Verdict.EVIDENCE, (AnnotatedSpan(4, 13),), created_at="2026-01-02T03:04:05Z"
    )
    items = [ExportPost(post, (answer,), history=(answer,))]
    (tmp_path / "good").mkdir()
    assert reread(FORMATS[name], items, tmp_path / "good") == answers_of(items)
    shifted = [_moved(item) for item in items]
    assert reread(FORMATS[name], shifted, tmp_path) != answers_of(items)


@pytest.mark.parametrize("name", ["jsonl", "csv", "label-studio", "prodigy", "squad", "brat"])
def test_offsets_that_do_not_fit_their_quote_are_found_out_on_the_way_in(name: str, tmp_path: Path) -> None:
    """Formats that hold the words beside the offsets: a file whose offsets were shifted by another program."""
    text = "Well. I lie awake at night. The dog is fine."
    post = a_post(text, id="p1")
    store = a_store(tmp_path / "store")
    store.add_posts([post])
    store.ensure_reviewer("ana")
    store.add_annotation(an_annotation(post, "I lie awake at night."), expected_revision=0)
    path = tmp_path / f"out{FORMATS[name].suffix}"
    export_file(store, name, path)
    for file in [path] if path.is_file() else path.glob("*.ann"):
        content = file.read_text("utf-8")
        shifted = re.sub(r"(?<![\d.])6(?=[,\s}])", "7", content)
        assert shifted != content
        file.write_text(shifted, "utf-8")
    empty = a_store(tmp_path / "empty")
    report = import_file(empty, path)
    assert report["aligned"] >= 1
    assert gold_of(empty) == gold_of(store)


# --- through the store


def a_store(path: Path) -> Store:
    store = open_store(path)
    store.save_criteria(CRITERIA)
    return store


@pytest.fixture
def reviewed(tmp_path: Path) -> Store:
    """A store with two reviewers' answers, a revision taken back, an adjusted and a rejected prediction, and predictions."""
    store = a_store(tmp_path / "reviewed")
    for name in ("ana", "ben"):
        store.ensure_reviewer(name)
    one = a_post("I cannot sleep 😀. I lie awake.\r\nThe dog is well.", id="one")
    two = a_post("=SUM(1) “quoted”, and\u2028more", id="two")
    two = replace(two, author="=ann", source="a forum", posted_at="2025-12-31", meta={"n": 1, "tags": ["a", None]})
    store.add_posts([one, two, a_post("Nobody read this.", id="three")])
    awake, sleepless = a_span(one, "I lie awake.", score=0.75), a_span(one, "I cannot sleep", score=0.5)
    store.add_predictions(
        [Prediction("one", SLEEP.id, "v7", (sleepless, awake), 0.25, created_at="2026-01-01T00:00:00Z")]
    )
    wider = AnnotatedSpan(sleepless.start, sleepless.end + 2, SpanOrigin.ADJUSTED, sleepless)
    decided = Annotation(
        "one",
        SLEEP.id,
        "ana",
        Verdict.EVIDENCE,
        (wider, accepted(awake)),
        model_version="v7",
        note="hm\n=1",
        seconds=2.5,
    )
    store.add_annotation(decided, expected_revision=0)
    rejected = Annotation(
        "one", MOOD.id, "ana", Verdict.NO_EVIDENCE, rejected=(Span(0, 3, 0.5),), model_version="v7", bulk=True
    )
    store.add_annotation(rejected, expected_revision=0)
    store.add_annotation(an_annotation(two, "=SUM(1)"), expected_revision=0)
    store.add_annotation(an_annotation(two, "“quoted”"), expected_revision=1)
    store.add_annotation(an_annotation(two, "“quoted”", reviewer="ben"), expected_revision=0)
    return store


def gold_of(store: Store) -> dict[str, tuple[str, dict[str, object]]]:
    items = [i for i in store.iter_export(ExportFilter()) if i.answers]
    return answers_of(items)


@pytest.mark.parametrize("name", [n for n in WRITERS if FORMATS[n].reads and n != "redsm5"])
def test_gold_survives_the_way_out_and_into_an_empty_project(name: str, reviewed: Store, tmp_path: Path) -> None:
    path = tmp_path / f"out{FORMATS[name].suffix}"
    manifest = export_file(reviewed, name, path)
    empty = a_store(tmp_path / "empty")
    report = import_file(empty, path, format=name if name in ("gold", "tsv") else "auto")
    assert (report["rejected"], report["labels_refused"], report["unaligned"]) == ([], 0, 0)
    assert report["imported"] == manifest["posts"]
    assert gold_of(empty) == gold_of(reviewed)


@pytest.mark.parametrize("name", [n for n in WRITERS if FORMATS[n].is_folder and FORMATS[n].reads])
def test_a_folder_format_also_travels_as_a_zip_file(name: str, reviewed: Store, tmp_path: Path) -> None:
    export_file(reviewed, name, tmp_path / "out.zip")
    empty = a_store(tmp_path / "empty")
    assert import_file(empty, tmp_path / "out.zip")["format"] == name
    evidence = {
        (p, c) for p, (_, found) in gold_of(reviewed).items() for c, (v, _) in found.items() if v is Verdict.EVIDENCE
    }  # type: ignore[misc]
    assert {(g.post_id, g.criterion_id) for g in empty.gold() if g.verdict is Verdict.EVIDENCE} == evidence


def test_the_complete_format_brings_back_every_revision_and_prediction(reviewed: Store, tmp_path: Path) -> None:
    export_file(reviewed, "jsonl", tmp_path / "all.jsonl")
    empty = a_store(tmp_path / "empty")
    import_file(empty, tmp_path / "all.jsonl")
    chosen = ExportFilter(unreviewed=True)
    for before, after in zip(
        reviewed.iter_export(chosen, complete=True), empty.iter_export(chosen, complete=True), strict=True
    ):
        assert (before.post.id, before.post.text, before.post.split) == (
            after.post.id,
            after.post.text,
            after.post.split,
        )
        assert list(map(_told, before.history)) == list(map(_told, after.history))
        assert before.predictions == after.predictions


def _told(revision: Annotation) -> tuple[object, ...]:
    """Everything of a revision but its number in the database."""
    r = revision
    who = (r.post_id, r.criterion_id, r.reviewer, r.revision, r.verdict, r.created_at)
    return (*who, r.spans, r.rejected, r.undecided, r.note, r.seconds, r.model_version, r.criterion_version)


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_data_gives_the_same_bytes(name: str, reviewed: Store, tmp_path: Path) -> None:
    suffix = FORMATS[name].suffix or ".zip"
    for folder in ("first", "second"):
        export_file(reviewed, name, tmp_path / folder / f"out{suffix}")
    first, second = (sorted((tmp_path / f).iterdir()) for f in ("first", "second"))
    assert [p.name for p in first] == [p.name for p in second]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


@pytest.mark.parametrize("name", WRITERS)
def test_a_shifted_offset_is_never_written(name: str, reviewed: Store, tmp_path: Path) -> None:
    class Shifted(Store):
        def iter_export(self, chosen, *, complete=False):  # type: ignore[no-untyped-def]
            for item in super().iter_export(chosen, complete=complete):
                length = len(item.post.text)
                moved = tuple(
                    Annotation(
                        a.post_id,
                        a.criterion_id,
                        a.reviewer,
                        Verdict.EVIDENCE,
                        (AnnotatedSpan(length - 1, length + 3),),
                    )
                    for a in item.answers
                )
                yield ExportPost(item.post, moved)

    path = tmp_path / f"out{FORMATS[name].suffix}"
    with pytest.raises(InvalidRecord, match="runs past"):
        export_file(Shifted(reviewed.path), name, path)
    assert not path.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["reviewed"]


@pytest.mark.parametrize(
    "name", ["jsonl", "gold", "csv", "tsv", "xlsx", "parquet", "squad", "doccano", "prodigy", "conll"]
)
def test_an_export_of_what_was_imported_from_an_export_is_the_same_file(
    name: str, reviewed: Store, tmp_path: Path
) -> None:
    first, second = tmp_path / f"first{FORMATS[name].suffix}", tmp_path / f"second{FORMATS[name].suffix}"
    chosen = ExportFilter(reviewer="ana") if name != "jsonl" else ExportFilter(unreviewed=True)
    export_file(reviewed, name, first, chosen)
    again = a_store(tmp_path / "again")
    import_file(again, first, format=name, annotator="ana")
    export_file(again, name, second, chosen)
    assert read_lines(second) == read_lines(first)


def read_lines(path: Path) -> object:
    from openpyxl import load_workbook

    if path.suffix == ".xlsx":
        return [[c.value for c in row] for row in load_workbook(path).active.iter_rows()]  # type: ignore[union-attr]
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path).to_pylist()
    return path.read_text("utf-8").splitlines()
