"""Columns of several people: each one's answers are theirs; columns that merely look alike are nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.raters import raters_of
from storage.formats.rows import ImportRow
from tests.storage.formats.reading import SLEEP, TEXT, rows, write_lines

CRITERIA = ("SLEEP_ISSUES", "FOOD")


def answers(tmp_path: Path, header: str, cells: str) -> list[tuple[str | None, str, str | None, int]]:
    (tmp_path / "in.csv").write_text(f"id,text,{header}\n1,{TEXT},{cells}\n", "utf-8")
    (row,) = rows(tmp_path / "in.csv", criteria=CRITERIA)
    assert isinstance(row, ImportRow)
    return [(la.annotator, la.criterion, la.verdict, len(la.passages)) for la in row.labels if not la.left_out]


@pytest.mark.parametrize(
    ("header", "cells", "wanted"),
    [
        (
            "criterion,evidence,label_ana,label_ben",
            f"FOOD,{SLEEP},1,0",
            [("ana", "FOOD", "evidence", 1), ("ben", "FOOD", "no_evidence", 0)],
        ),
        (
            "criterion,Evidence (A1),Evidence (A2),gold",
            f"FOOD,lie awake,{SLEEP},no",
            [("A1", "FOOD", "evidence", 1), ("A2", "FOOD", "evidence", 1), (None, "FOOD", "no_evidence", 0)],
        ),
        (
            "SLEEP_ISSUES_rater1,SLEEP_ISSUES_rater2,FOOD (rater2)",
            "0,no,0",
            [
                ("rater1", "SLEEP_ISSUES", "no_evidence", 0),
                ("rater2", "SLEEP_ISSUES", "no_evidence", 0),
                ("rater2", "FOOD", "no_evidence", 0),
            ],
        ),
        ("criterion,annotator_1,annotator_2", "FOOD,no,yes", [("annotator_1", "FOOD", "no_evidence", 0)]),
        (
            "criterion,A1,A1_span,A2,A2_span",
            "FOOD,1,lie awake,0,",
            [("A1", "FOOD", "evidence", 1), ("A2", "FOOD", "no_evidence", 0)],
        ),
    ],
)
def test_the_columns_of_each_person(header: str, cells: str, wanted: object, tmp_path: Path) -> None:
    assert answers(tmp_path, header, cells) == wanted


SPAN = [[0, 6, "FOOD"]]
OF_ANA = {"annotator": "ana", "spans": [{"start": 0, "end": 6, "label": "FOOD"}]}


@pytest.mark.parametrize(
    ("item", "people"),
    [
        ({"labels_ana": SPAN, "labels_ben": SPAN}, ["ana", "ben"]),
        ({"spans_symptoms": SPAN, "spans_triggers": [[0, 6, "HEAT"]]}, [None, None]),
        ({"annotator_1": SPAN, "annotator_2": [[0, 6, "HEAT"]]}, ["annotator_1", "annotator_2"]),
        ({"annotations": {"A1": SPAN, "A2": SPAN}}, ["A1", "A2"]),
        ({"spans": {"sc": SPAN}}, [None]),
        (
            {"annotations": [OF_ANA, {"annotator": "ben", "labels": SPAN}, {"annotator": "cy", "labels": []}]},
            ["ana", "ben"],
        ),
    ],
)
def test_lists_of_labels_of_several_people(item: dict[str, object], people: list[str | None], tmp_path: Path) -> None:
    (row,) = rows(write_lines(tmp_path / "in.jsonl", {"text": TEXT} | item))
    assert isinstance(row, ImportRow)
    assert [la.annotator for la in row.labels if not la.left_out] == people
    assert {len(la.passages) for la in row.labels if not la.left_out} == {1}


@pytest.mark.parametrize(
    "columns",
    [
        ("label_gold", "label_pred"),
        ("label_main", "label_sub"),
        ("span_start", "span_end"),
        ("label_ana", "text"),
        ("label_sleep", "label_heat"),
        ("label_ana", "label_text"),
        ("SLEEP_ISSUES_past", "SLEEP_ISSUES_now"),
    ],
)
def test_columns_that_are_no_peoples(columns: tuple[str, str]) -> None:
    assert raters_of(columns, [dict.fromkeys(columns, "1")], CRITERIA) == {}
