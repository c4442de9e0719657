"""Adjudications come back from our own export as what they were; an import of it is the identity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from annotator.exchange.exporting import UNDER_CODES, export_file
from annotator.exchange.people import CODED
from annotator.exchange.use_cases import import_file
from storage.attributes import Attributes
from storage.exports import ExportFilter
from storage.records import AnnotatedSpan, Annotation, Post, Role, Span, SpanAttributes, SpanOrigin, Verdict
from storage.store import Store, open_store
from storage.team_records import Adjudication, Outcome

ALL = ExportFilter(unreviewed=True)


def adjudicated(store: Store) -> None:
    store.add_posts([Post("a", "😭 I lie awake until four.")])
    for name in ("ana", "ben", "cy"):
        store.ensure_reviewer(name)
    evidence = Annotation("a", "SLEEP_ISSUES", "ana", Verdict.EVIDENCE, (AnnotatedSpan(2, 7),))
    store.add_annotation(evidence, expected_revision=0)
    store.add_annotation(Annotation("a", "SLEEP_ISSUES", "ben", Verdict.NO_EVIDENCE), expected_revision=0)
    for revision, outcome, spans in ((0, Outcome.UNDECIDABLE, ()), (1, Outcome.EVIDENCE, (Span(4, 13),))):
        decision = Adjudication("a", "SLEEP_ISSUES", "cy", outcome, spans, reason=f"as {outcome}", seconds=2.5)
        store.add_adjudication(decision, expected_revision=revision)


def test_every_decision_comes_back_and_the_second_export_is_the_first(store: Store, tmp_path: Path) -> None:
    adjudicated(store)
    export_file(store, "jsonl", tmp_path / "first.jsonl", ALL)
    other = open_store(tmp_path / "other")
    other.save_criteria(store.criteria())
    report = import_file(other, tmp_path / "first.jsonl")
    export_file(other, "jsonl", tmp_path / "second.jsonl", ALL)
    assert (tmp_path / "second.jsonl").read_text("utf-8") == (tmp_path / "first.jsonl").read_text("utf-8")
    assert [(d.outcome, d.revision, d.reason) for d in other.adjudications()] == [
        ("undecidable", 1, "as undecidable"),
        ("evidence", 2, "as evidence"),
    ]
    assert ("adjudications[]", "taken", 2) in [(e["name"], e["outcome"], e["count"]) for e in report["ledger"]]
    assert import_file(other, tmp_path / "first.jsonl")["annotations"] == 0
    assert len(other.adjudications()) == 2
    assert other.undo_import(report["import_id"])["posts"] == 1
    assert other.adjudications() == []


def test_an_export_under_codes_says_so_and_doubles_no_answer_of_the_project(store: Store, tmp_path: Path) -> None:
    adjudicated(store)
    store.update_reviewer("cy", role=Role.ADJUDICATOR)
    there = (store.reviewers(), store.history("a"), store.adjudications())
    manifest = export_file(store, "jsonl", tmp_path / "coded.jsonl", replace(ALL, reader="cy"))
    assert (manifest["people"], manifest["left_out"][UNDER_CODES]) == ("codes", len(there[0]) - 1)
    report = import_file(store, tmp_path / "coded.jsonl")
    assert (store.reviewers(), store.history("a"), store.adjudications()) == there
    assert ("SLEEP_ISSUES", "left out", CODED, 2) in [
        (e["name"], e["outcome"], e["detail"], e["count"]) for e in report["ledger"]
    ]
    assert "people" not in export_file(store, "jsonl", tmp_path / "named.jsonl", replace(ALL, reader="ana"))


def test_a_decision_that_cannot_be_read_costs_itself(store: Store, tmp_path: Path) -> None:
    adjudicated(store)
    export_file(store, "jsonl", tmp_path / "first.jsonl", ALL)
    text = (tmp_path / "first.jsonl").read_text("utf-8").replace('"outcome":"undecidable"', '"outcome":"perhaps"')
    (tmp_path / "first.jsonl").write_text(text, "utf-8")
    other = open_store(tmp_path / "other")
    other.save_criteria(store.criteria())
    report = import_file(other, tmp_path / "first.jsonl")
    assert [d.outcome for d in other.adjudications()] == ["evidence"]
    assert len([i for i in other.import_issues(report["import_id"]) if "cannot be read" in i.reason]) == 1


def test_a_decision_moves_with_a_mended_text_and_is_masked_with_it(store: Store, tmp_path: Path) -> None:
    text = "canâ€™t sleep, ask ana@example.org"
    store.add_posts([Post("a", text, meta={"seen": "by u/somebody"})])
    for name in ("ana", "cy"):
        store.ensure_reviewer(name)
    start = text.index("sleep")
    store.replace_attributes(Attributes("Why?"))
    why = SpanAttributes("bo@example.org says so")
    predicted = Span(start, start + 5, 0.5, attributes=why)
    given = Annotation(
        "a",
        "SLEEP_ISSUES",
        "ana",
        Verdict.EVIDENCE,
        (AnnotatedSpan(start, start + 5, SpanOrigin.ACCEPTED, predicted, why),),
        rejected=(Span(start, start + 3, 0.4, attributes=why),),
        note="mail bo@example.org",
    )
    store.add_annotation(given, expected_revision=0)
    decision = Adjudication(
        "a", "SLEEP_ISSUES", "cy", Outcome.EVIDENCE, (Span(start, start + 5),), reason="see bo@example.org"
    )
    store.add_adjudication(decision, expected_revision=0)
    export_file(store, "jsonl", tmp_path / "first.jsonl", ALL)
    other = open_store(tmp_path / "other")
    other.save_criteria(store.criteria())
    other.replace_attributes(store.attributes())
    import_file(other, tmp_path / "first.jsonl", mend=True, mask=True)
    (post,), (found,), (answer,) = other.iter_posts(), other.adjudications(), other.history("a")
    assert [post.text[s.start : s.end] for s in (*found.spans, *answer.spans)] == ["sleep", "sleep"]
    (own,), (rejected,) = answer.spans, answer.rejected
    assert own.predicted is not None
    whys = [said.attributes.rationale for said in (own, own.predicted, rejected)]
    assert all(why.startswith("[MAIL]") and why.endswith(" says so") for why in whys)
    written = (post.text, str(post.meta), found.reason, answer.note)
    assert not any("@" in words or "u/" in words for words in written)
    assert found.reason.startswith("see [MAIL]")
    assert post.text.startswith("can’t")
