"""Columns of several people: each one's answers are theirs; columns that merely look alike are nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.ledger import Ledger
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
            "criterion,evidence,label_ana,label_ben,raters",
            f"FOOD,{SLEEP},1,0,ana;ben",
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
            "criterion,evidence,verdict,label_A1,label_A2",
            f"FOOD,{SLEEP},1,1,0",
            [("A1", "FOOD", "evidence", 1), ("A2", "FOOD", "no_evidence", 0), (None, "FOOD", "evidence", 1)],
        ),
        ("criterion,evidence,label_A1,label_A2", f"FOOD,{SLEEP},,", [(None, "FOOD", "evidence", 1)]),
        (
            "criterion,A1,A1_span,A2,A2_span",
            "FOOD,1,lie awake,0,",
            [("A1", "FOOD", "evidence", 1), ("A2", "FOOD", "no_evidence", 0)],
        ),
    ],
)
def test_the_columns_of_each_person(header: str, cells: str, wanted: object, tmp_path: Path) -> None:
    assert answers(tmp_path, header, cells) == wanted


def test_words_are_people_where_something_says_so_and_else_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(
        f"id,text,criterion,evidence,label_ana,label_ben\n1,{TEXT},FOOD,awake,1,0\n", "utf-8"
    )
    (row,) = rows(tmp_path / "in.csv")
    assert isinstance(row, ImportRow)
    assert [(la.annotator, la.verdict) for la in row.labels] == [(None, "evidence")]
    assert row.meta == {"label_ana": "1", "label_ben": "0"}
    assert sum("nothing says that these are people" in detail for *_, detail in row.account) == 2
    ledger = Ledger()
    (row,) = rows(tmp_path / "in.csv", reviewers=("Ana", "ben"), ledger=ledger)
    assert isinstance(row, ImportRow)
    assert [(la.annotator, la.verdict) for la in row.labels] == [("ana", "evidence"), ("ben", "no_evidence")]
    assert [e.detail for e in ledger] == ["columns of ana: label_ana", "columns of ben: label_ben"]


@pytest.mark.parametrize("criteria", [("A1", "A2"), ()])
def test_columns_of_criteria_that_are_called_like_people_are_theirs(criteria: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(f"id,text,A1,A2,evidence (A2)\n1,{TEXT},0,1,lie awake\n", "utf-8")
    (row,) = rows(tmp_path / "in.csv", criteria=criteria)
    assert isinstance(row, ImportRow)
    assert [(la.annotator, la.criterion, la.verdict) for la in row.labels] == [
        (None, c, v) for c, v in zip(criteria, ("no_evidence", "evidence"), strict=False)
    ]
    assert row.meta == ({} if criteria else {"A1": "0", "A2": "1", "evidence (A2)": "lie awake"})


SPAN = [[0, 6, "FOOD"]]
OF_ANA = {"annotator": "ana", "spans": [{"start": 0, "end": 6, "label": "FOOD"}]}


@pytest.mark.parametrize(
    ("item", "people"),
    [
        ({"labels_ana": SPAN, "labels_ben": SPAN, "annotators": ["ana", "ben"]}, ["ana", "ben"]),
        ({"labels_ana": SPAN, "labels_ben": SPAN}, [None, None]),
        ({"entities_symptoms": SPAN, "entities_causes": SPAN}, [None, None]),
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
        ("present_current", "present_past"),
        ("label_ana", "label_text"),
        ("SLEEP_ISSUES_past", "SLEEP_ISSUES_now"),
    ],
)
def test_columns_that_are_no_peoples(columns: tuple[str, str]) -> None:
    known = {"gold", "pred", "main", "sub", "start", "end", "sleep", "heat", "text"}  # were they all people's names
    assert raters_of(columns, [dict.fromkeys(columns, "1")], CRITERIA, known) == {}
