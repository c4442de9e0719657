"""Headers over two rows, and rows below a header that say what its columns mean: neither becomes a post."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.headers import header_row, header_rows
from storage.formats.ledger import Ledger
from storage.formats.rows import ImportRow
from tests.storage.formats.reading import SLEEP, TEXT, reasons, rows, said

QUALTRICS = [
    ["StartDate", "ResponseId", "Q1"],
    ["Start Date", "Response ID", "Your day"],
    ['{"ImportId":"startDate"}', '{"ImportId":"_recordId"}', '{"ImportId":"QID1_TEXT"}'],
    ["2026-01-01", "R_1", TEXT],
]
CODES = [["id", "text", "v1"], ["Respondent", "Text of it", "Sleep issues"], ["1", TEXT, "1"], ["2", "Fine.", "9"]]


@pytest.mark.parametrize(
    ("table", "last", "names"),
    [
        (QUALTRICS, 2, QUALTRICS[0]),
        (CODES, 1, CODES[0]),
        ([CODES[0], ["1", TEXT, "no"], ["2", TEXT, "1"], ["3", "Fine.", "0"]], 0, CODES[0]),
        ([CODES[0], ["none", TEXT, "missing"], ["2", TEXT, "1"], ["3", "Fine.", "0"]], 0, CODES[0]),
        (
            [
                ["id", "text", "a", "b"],
                ["p1", TEXT, "unwilling", "refused"],
                *([f"p{n}", TEXT, "1", "0"] for n in (2, 3)),
            ],
            0,
            ["id", "text", "a", "b"],
        ),
        (
            [["text", "v1", "v2"], [TEXT, "unwilling", "refused"], [TEXT, "1", "0"], [SLEEP, "0", "0"]],
            0,
            ["text", "v1", "v2"],
        ),
        (
            [["id", "text", "SLEEP", "", "FOOD", ""], ["", "", "label", "evidence", "label", "evidence"], ["1", TEXT]],
            1,
            ["id", "text", "SLEEP label", "SLEEP evidence", "FOOD label", "FOOD evidence"],
        ),
        ([["id", "text", "a", ""], ["1", TEXT, "x", "y"]], 0, ["id", "text", "a", ""]),
        ([["id", "text", "a", ""], ["", "", "x", ""]], 0, ["id", "text", "a", ""]),
    ],
)
def test_the_rows_of_a_header(table: list[list[str]], last: int, names: list[str]) -> None:
    place = header_row(table)
    assert place == 0
    found = header_rows(table, place)
    assert (found.last, list(found.names)) == (last, names)


def test_the_names_of_groups_above_the_names_of_columns_are_no_header() -> None:
    table = [["Post", "", "Sleep", ""], ["ID", "Text", "SLEEP", "SLEEP evidence"], ["1", TEXT, "1", SLEEP]]
    assert header_row(table) == 1


def test_what_is_left_out_of_a_header_is_said_and_a_row_of_totals_is_refused(tmp_path: Path) -> None:
    lines = ["id,text,v1", "Respondent,Text of it,Sleep issues", f"1,{TEXT},1", "2,Fine.,9", ",Total,2"]
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n", "utf-8")
    ledger = Ledger()
    found = rows(tmp_path / "in.csv", ledger=ledger)
    assert [(r.number, r.post_id) for r in found if isinstance(r, ImportRow)] == [(3, "1"), (4, "2")]
    assert reasons(found) == [(5, "is a row of totals without an id, no post: Total")]
    assert [e.detail for e in ledger if e.name == "names of columns"] == [
        "row 2 says what the columns mean, and is no post: Respondent, Text of it, Sleep issues"
    ]


def test_a_header_over_two_rows_of_a_workbook(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for cells in (
        ["id", "text", "SLEEP", None],
        [None, None, "label", "evidence"],
        [1, TEXT, 1, SLEEP],
        [2, "Fine.", 0, "n/a"],
    ):
        book.active.append(cells)
    book.active.merge_cells("C1:D1")
    book.active.merge_cells("A1:A2")
    book.save(tmp_path / "in.xlsx")
    one, two = rows(tmp_path / "in.xlsx", criteria=("SLEEP",))
    assert (said(one), said(two)) == ({"SLEEP": ("evidence", [SLEEP])}, {"SLEEP": ("no_evidence", [])})
