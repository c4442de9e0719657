"""Coded segments, labels in one cell or in numbered columns: a segment is never a post, and a label never loses its passage."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from storage.formats.paired import pairs_of
from storage.formats.rows import ImportRow
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, left_out, one, rows, said, write_lines

S, F = "SLEEP_ISSUES", "FATIGUE"
BOTH = {S: ("evidence", [SLEEP]), F: ("evidence", [FOOD])}


def table(path: Path, *lines: list[str]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
    return path


SEGMENTS = {
    "MAXQDA": (
        ["Color", "Document name", "Code", "Beginning", "End", "Segment", "Modified by"],
        ["●", "p1", S, "1", "1", SLEEP, "ana"],
        ["●", "p1", F, "1", "1", FOOD, "ana"],
    ),
    "Taguette": (["id", "document", "tag", "content"], ["1", "p1", S, SLEEP], ["2", "p1", F, FOOD]),
    "ATLAS.ti": (
        ["ID", "Document", "Quotation Content", "Codes", "Comment"],
        ["1:1", "p1", SLEEP, S, ""],
        ["1:2", "p1", FOOD, F, ""],
    ),
    "QualCoder": (
        ["codename", "filename", "pos0", "pos1", "seltext", "owner"],
        [S, "p1", "0", "23", SLEEP, "ana"],
        [F, "p1", "24", "42", FOOD, "ana"],
    ),
}


@pytest.mark.parametrize("tool", SEGMENTS)
def test_coded_segments_are_labels_of_their_document(tool: str, tmp_path: Path) -> None:
    found = rows(table(tmp_path / "codes.csv", *SEGMENTS[tool]), criteria=(S, F))
    assert [(row.post_id, row.text) for row in found if isinstance(row, ImportRow)] == [("p1", None)] * 2
    assert {k: v for row in found for k, v in said(row, TEXT).items()} == BOTH
    by = {la.annotator for row in found if isinstance(row, ImportRow) for la in row.labels}
    assert by == ({"ana"} if tool in ("MAXQDA", "QualCoder") else {None})


@pytest.mark.parametrize("tool", SEGMENTS)
def test_coded_segments_beside_the_texts(tool: str, tmp_path: Path) -> None:
    folder = table(tmp_path / "in" / "codes.csv", *SEGMENTS[tool]).parent
    (folder / "p1.txt").write_text(TEXT, "utf-8")
    found = [row for row in rows(folder, criteria=(S, F)) if isinstance(row, ImportRow)]
    assert [row.text for row in found if row.text] == [TEXT]
    assert {k: v for row in found for k, v in said(row, TEXT).items()} == BOTH


@pytest.mark.parametrize(
    ("header", "cells", "wanted"),
    [
        (["label", "quote"], [f"{S}|{F}", f"{SLEEP}|{FOOD}"], BOTH),
        (["labels", "evidence"], [f"{S}, {F}", f"{SLEEP} | {FOOD}"], BOTH),
        (["labels", "evidence"], [f'["{S}", "{F}"]', f'["{SLEEP}", "{FOOD}"]'], BOTH),
        (["Code", "Coded text"], [S, SLEEP], {S: ("evidence", [SLEEP])}),
        (["label", "rationale"], [S, SLEEP.lower()], {S: ("evidence", [SLEEP.lower()])}),
        (["label", "rationale"], [S, "The writer lies awake."], {}),
        (["label", "char_start", "char_end"], [S, "0", "23"], {S: ("evidence", [SLEEP])}),
        (["symptom1", "evidence1", "symptom2", "evidence2"], [S, SLEEP, F, FOOD], BOTH),
        (["label_1", "verdict_1", "quote_1", "label_2", "verdict_2", "quote_2"], [S, "1", SLEEP, F, "0", ""],
         {S: ("evidence", [SLEEP]), F: ("no_evidence", [])}),
    ],
)  # fmt: skip
def test_labels_and_their_passages_in_other_columns(
    header: list[str], cells: list[str], wanted: object, tmp_path: Path
) -> None:
    found = rows(table(tmp_path / "in.csv", ["id", "text", *header], ["1", TEXT, *cells]), criteria=(S, F))
    assert said(found[0]) == wanted


def test_labels_that_are_not_as_many_as_their_passages_are_said(tmp_path: Path) -> None:
    lines = (["id", "text", "labels", "evidence"], ["1", TEXT, f"{S}; {F}", SLEEP])
    row = one(table(tmp_path / "in.csv", *lines), criteria=(S, F))
    assert left_out(row) == {
        f"{S}; {F}": "2 labels stand beside 1 piece of evidence: which belongs to which cannot be told"
    }
    assert row.meta == {"labels": f"{S}; {F}", "evidence": SLEEP}


def test_lists_of_labels_and_passages_beside_each_other(tmp_path: Path) -> None:
    first = {"id": "a", "text": TEXT, "labels": [S, F], "rationales": [SLEEP, FOOD]}
    row = one(write_lines(tmp_path / "in.jsonl", first), criteria=(S, F))
    assert said(row) == BOTH
    places = {"id": "a", "text": TEXT, "labels": [S, F], "spans": [[0, 23], [24, 42]]}
    assert said(one(write_lines(tmp_path / "in.jsonl", places), criteria=(S, F))) == BOTH


@pytest.mark.parametrize(
    ("labels", "evidence", "wanted"),
    [
        ("Sad, tired", "a; b", None),
        ("sad|tired", "a|b", [("sad", "a"), ("tired", "b")]),
        (S, "a|b", None),
        ([S], ["a", "b"], [(S, ["a", "b"])]),
        ([S, F], [["a", "b"], ["c"]], [(S, ["a", "b"]), (F, ["c"])]),
        (f"{S}|{F}", "a|b|c", "2 labels stand beside 3 pieces of evidence: which belongs to which cannot be told"),
    ],
)
def test_pairs(labels: object, evidence: object, wanted: object) -> None:
    assert pairs_of(labels, evidence, (S, F)) == wanted
