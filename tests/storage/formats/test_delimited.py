"""CSV and TSV: a spreadsheet runs nothing that a post says, and the cells come back as they were."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from storage.formats.delimited import guard, unguard
from storage.formats.registry import format_named
from storage.formats.rows import ExportContext, ExportPost
from tests.builders import a_post

FORMULAS = [
    "=1+1",
    " =1+1",
    "\n=1+1",
    "\u00a0=1+1",
    "\t=1",
    "\r\n@SUM(A1)",
    "+1",
    "-1",
    "@x",
    "\uff1d1+1",
    "'=1",
    "''  =1",
    "\tx",
]


@pytest.mark.parametrize("cell", FORMULAS)
def test_what_a_spreadsheet_would_run_is_guarded_and_comes_back(cell: str) -> None:
    guarded = guard(cell)
    assert guarded == "'" + cell
    assert unguard(guarded) == cell


@pytest.mark.parametrize("cell", ["", "I cannot sleep", "a = b", "'quoted'", "  indented", "3 - 2", "''"])
def test_what_it_would_not_run_stays_as_it_is(cell: str) -> None:
    assert guard(cell) == cell == unguard(cell)


@pytest.mark.parametrize(("name", "delimiter"), [("csv", ","), ("tsv", "\t")])
@pytest.mark.parametrize("file_name", ["out.csv", "out.tsv", "out.txt", "out"])
def test_a_table_has_its_own_delimiter_whatever_the_file_is_called(
    tmp_path: Path, name: str, delimiter: str, file_name: str
) -> None:
    post = a_post("One, two;\tthree.\n =4")
    format_named(name).write([ExportPost(post, (), (), ())], tmp_path / file_name, ExportContext(criteria=[]))
    with (tmp_path / file_name).open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file, delimiter=delimiter)
    assert header[:2] == ["post_id", "text"]
    assert row[1] == post.text
