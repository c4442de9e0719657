"""A label that is marked as negated, rejected or not accepted is never taken, in whatever format and word it is marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.formats.standing import takes_back
from tests.storage.formats.reading import TEXT, left_out, one, rows, said, write_lines


@pytest.mark.parametrize(
    ("name", "value", "back"),
    [
        ("Negated", True, True), ("is_negated", "1", True), ("negation", "negated", True), ("negated", "no", False),
        ("Negation", False, False), ("polarity", -1, True), ("Polarity", "Negative", True), ("polarity", "positive", False),
        ("assertion", "absent", True), ("assertion", "present", False), ("accepted", False, True), ("accepted", 1, False),
        ("severity", "negative", False), ("status", "ok", False),
    ],
)  # fmt: skip
def test_what_takes_a_label_back(name: str, value: Any, back: bool) -> None:
    assert takes_back(name, value) is back


@pytest.mark.parametrize(
    ("name", "no", "yes"),
    [("negated", "True", "False"), ("polarity", "NEG", "POS"), ("status", "rejected", "accepted")],
)
def test_in_a_row_of_a_table(name: str, no: str, yes: str, tmp_path: Path) -> None:
    lines = [f"1,{TEXT},SLEEP_ISSUES,0,23,{yes}", f"1,{TEXT},ANHEDONIA,24,42,{no}"]
    (tmp_path / "in.csv").write_text("\n".join([f"id,text,label,start,end,{name}", *lines]), "utf-8")
    first, second = rows(tmp_path / "in.csv")
    assert list(said(first)) == ["SLEEP_ISSUES"]
    assert left_out(second) == {"ANHEDONIA": f"marked {name}: {no}"}


@pytest.mark.parametrize(
    ("more", "taken"),
    [({"status": "rejected"}, False), ({"answer": "ignore"}, False), ({"was_cancelled": True}, False), ({"polarity": "negative"}, True),
     ({"status": "validated"}, True)],
)  # fmt: skip
@pytest.mark.parametrize("key", ["spans", "entities", "highlights"])
def test_a_post_that_was_dismissed_as_a_whole(key: str, more: dict[str, Any], taken: bool, tmp_path: Path) -> None:
    item = {"id": 1, "text": TEXT, key: [{"start": 0, "end": 23, "label": "SLEEP_ISSUES"}], **more}
    row = one(write_lines(tmp_path / "in.jsonl", item))
    assert bool(said(row)) is taken
    assert bool(left_out(row)) is not taken


def test_by_brats_attributes(tmp_path: Path) -> None:
    attributes = ["Negated T1", "Polarity T2 Negative", "Negated T3 False", "Severity T4 high"]
    lines = [f"T{n}\tL{n} 0 1\tI\nA{n}\t{a}\n" for n, a in enumerate(attributes, start=1)]
    (tmp_path / "a.ann").write_text("".join(lines), "utf-8")
    (tmp_path / "a.txt").write_text(TEXT, "utf-8")
    row = one(tmp_path)
    assert list(said(row)) == ["L3", "L4"]
    assert left_out(row) == {"L1": "marked Negated (A1)", "L2": "marked Polarity Negative (A2)"}


def test_by_features_of_webanno(tmp_path: Path) -> None:
    head = "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.Symptom|Negated|comment|Category\n\n\n#Text=I lie\n"
    (tmp_path / "a.tsv").write_text(f"{head}1-1\t0-1\tI\ttrue\tx\tMOOD\t\n1-2\t2-5\tlie\tfalse\ty\tSLEEP\t\n", "utf-8")
    row = one(tmp_path / "a.tsv")
    assert said(row) == {"SLEEP": ("evidence", ["lie"])}
    assert left_out(row) == {"MOOD": "marked Negated: true"}


def test_by_features_of_a_cas(tmp_path: Path) -> None:
    import cassis

    types = cassis.TypeSystem()
    kind = types.create_type("custom.Symptom", supertypeName="uima.tcas.Annotation")
    for name, range_ in (("comment", "String"), ("negated", "Boolean"), ("Category", "String")):
        types.create_feature(domainType=kind, name=name, rangeType=f"uima.cas.{range_}")
    cas = cassis.Cas(types)
    cas.sofa_string, cas.sofa_mime = TEXT, "text/plain"
    cas.add(kind(begin=0, end=23, comment="hm", negated=False, Category="SLEEP_ISSUES"))
    cas.add(kind(begin=24, end=42, negated=True, Category="ANHEDONIA"))
    (tmp_path / "a.json").write_text(json.dumps(json.loads(cas.to_json())), "utf-8")
    row = one(tmp_path / "a.json")
    assert list(said(row)) == ["SLEEP_ISSUES"]
    assert left_out(row) == {"ANHEDONIA": "marked negated: True"}


@pytest.mark.parametrize(
    ("about", "taken"),
    [({"negated": True}, False), ({"negated": False, "severity": 2}, True), (["negated"], False),
     ([{"name": "polarity", "value": "negative"}], False), ([{"name": "polarity", "value": "positive"}], True)],
)  # fmt: skip
def test_by_what_is_said_of_a_span_in_an_object_of_its_own(about: Any, taken: bool, tmp_path: Path) -> None:
    item = {"id": 1, "text": TEXT, "spans": [{"start": 0, "end": 23, "label": "SLEEP_ISSUES", "attributes": about}]}
    assert bool(said(one(write_lines(tmp_path / "in.jsonl", item)))) is taken
