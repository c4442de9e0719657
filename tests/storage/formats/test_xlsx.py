"""Workbooks as people keep them: several sheets, titles, merged cells, formulas, numbers and dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.formats.ledger import Ledger
from storage.formats.rows import FormatError, ImportRow
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, entries, reasons, rows, said


def workbook(path: Path, *sheets: tuple[str, list[list[Any]]], change: Callable[[Any], None] | None = None) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, cells in sheets:
        sheet = book.create_sheet(name)
        for row in cells:
            sheet.append(row)
    if change is not None:
        change(book)
    book.save(path)
    return path


def texts(path: Path, **options: Any) -> list[tuple[str | None, str | None]]:
    return [(r.post_id, r.text) for r in rows(path, **options) if isinstance(r, ImportRow)]


POSTS: list[list[Any]] = [["id", "text"], ["p1", SLEEP], ["p2", FOOD]]


def test_a_cover_sheet_is_passed_over_and_said(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "in.xlsx", ("About", [["Contact: the data office, room 12, every day"]]), ("Posts", POSTS)
    )
    ledger = Ledger()
    assert texts(path, ledger=ledger) == [("p1", SLEEP), ("p2", FOOD)]
    assert entries(ledger) == [("sheet", "About", "left out"), ("sheet", "Posts", "taken")]


def test_a_hidden_sheet_is_read_only_when_it_is_chosen(tmp_path: Path) -> None:
    def hide(book: Any) -> None:
        book["Old"].sheet_state = "hidden"

    path = workbook(tmp_path / "in.xlsx", ("Old", [["id", "text"], ["o1", "Old one."]]), ("New", POSTS), change=hide)
    ledger = Ledger()
    assert texts(path, ledger=ledger) == [("p1", SLEEP), ("p2", FOOD)]
    assert ("sheet", "Old", "left out") in entries(ledger)
    assert texts(path, sheet="old") == [("o1", "Old one.")]
    with pytest.raises(FormatError, match=r"has no sheet 'x'\. Its sheets: 'Old' \(hidden\), 'New'"):
        rows(path, sheet="x")


def test_sheets_of_posts_are_all_read_and_their_ids_kept_apart(tmp_path: Path) -> None:
    path = workbook(tmp_path / "in.xlsx", ("2021", [["id", "text"], [1, SLEEP]]), ("2022", [["id", "text"], [1, FOOD]]))
    found = [(r.post_id, r.part) for r in rows(path) if isinstance(r, ImportRow)]
    assert found == [("1", "2021"), ("1", "2022")]


def test_a_header_below_a_title_and_to_the_right_is_found(tmp_path: Path) -> None:
    cells = [["Pilot study, wave 2"], [], [None, "id", "text", None], [None, "p1", SLEEP, "x"]]
    (row,) = rows(workbook(tmp_path / "in.xlsx", ("Sheet", cells)))
    assert isinstance(row, ImportRow)
    assert (row.number, row.post_id, row.text, row.meta) == (4, "p1", SLEEP, {"column 4": "x"})


def test_row_numbers_are_those_of_the_sheet(tmp_path: Path) -> None:
    cells: list[list[Any]] = [["id", "text"], [], ["p1", SLEEP], [], ["p2", None], ["p3", "#VALUE!"]]
    found = rows(workbook(tmp_path / "in.xlsx", ("Sheet", cells)))
    assert [r.number for r in found if isinstance(r, ImportRow)] == [3, 5]
    assert reasons(found) == [(6, "the text is an error value of a spreadsheet's formula (#VALUE!)")]


def test_merged_cells_hold_for_each_of_their_rows(tmp_path: Path) -> None:
    def merge(book: Any) -> None:
        book["Sheet"].merge_cells("A2:A3")
        book["Sheet"].merge_cells("B2:B3")

    cells: list[list[Any]] = [
        ["id", "text", "criterion", "start", "end"],
        ["p1", TEXT, "SLEEP_ISSUES", 0, 23],
        [None, None, "ANHEDONIA", 24, 42],
        ["p2", "Fine.", None, None, None],
    ]
    first, second, third = rows(workbook(tmp_path / "in.xlsx", ("Sheet", cells), change=merge))
    assert said(first) == {"SLEEP_ISSUES": ("evidence", [SLEEP])}
    assert said(second) == {"ANHEDONIA": ("evidence", [FOOD])}
    assert [r.post_id for r in (first, second, third) if isinstance(r, ImportRow)] == ["p1", "p1", "p2"]


def test_a_formula_without_a_saved_value_is_named(tmp_path: Path) -> None:
    cells: list[list[Any]] = [["id", "text"], ["p1", '="a"&"b"'], ["p2", "- tired"]]
    found = rows(workbook(tmp_path / "in.xlsx", ("Sheet", cells)))
    assert reasons(found) == [
        (2, "the text is a formula without a saved value; open the file in the spreadsheet and save it")
    ]
    assert len(found) == 2


def test_numbers_dates_and_truth_are_texts_in_the_words_of_a_spreadsheet(tmp_path: Path) -> None:
    cells: list[list[Any]] = [
        ["id", "text"],
        [7, 911],
        ["b", True],
        ["c", dt.datetime(2024, 3, 1)],
        ["d", 0.5],
        [8.0, "x"],
    ]
    assert texts(workbook(tmp_path / "in.xlsx", ("Sheet", cells))) == [
        ("7", "911"),
        ("b", "TRUE"),
        ("c", "2024-03-01"),
        ("d", "0.5"),
        ("8", "x"),
    ]


def test_a_sheet_of_labels_beside_a_sheet_of_posts_is_read_too(tmp_path: Path) -> None:
    labels = [["post_id", "criterion", "quote"], ["p1", "SLEEP_ISSUES", SLEEP]]
    found = rows(workbook(tmp_path / "in.xlsx", ("Posts", POSTS), ("Labels", labels)))
    assert [(r.post_id, r.text) for r in found if isinstance(r, ImportRow)] == [
        ("p1", SLEEP),
        ("p2", FOOD),
        ("p1", None),
    ]


def test_a_damaged_workbook_is_refused_in_one_line(tmp_path: Path) -> None:
    whole = workbook(tmp_path / "in.xlsx", ("Posts", POSTS)).read_bytes()
    for cut in (len(whole) // 3, len(whole) - 20):
        (tmp_path / "cut.xlsx").write_bytes(whole[:cut])
        with pytest.raises(FormatError, match=r"cut\.xlsx is"):
            rows(tmp_path / "cut.xlsx")


def test_comments_of_cells_and_hidden_rows_are_said(tmp_path: Path) -> None:
    from openpyxl.comments import Comment

    def change(book: Any) -> None:
        book["posts"]["B2"].comment = Comment("not sure", "ana")
        book["posts"].row_dimensions[3].hidden = True

    ledger = Ledger()
    found = texts(workbook(tmp_path / "in.xlsx", ("posts", POSTS), change=change), ledger=ledger)
    assert found == [("p1", SLEEP), ("p2", FOOD)]
    assert [(str(e.outcome), e.detail, e.count) for e in ledger if e.what == "sheet"] == [
        ("left out", "comments on cells are not read", 1),
        ("taken", "hidden rows, read like the others", 1),
    ]
