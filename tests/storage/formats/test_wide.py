"""Wide tables: columns of criteria are found by their names, signs and all, and a verdict's word or a number is never a passage."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.passages import names_places
from storage.formats.rows import ImportRow
from tests.storage.formats.reading import SLEEP, TEXT, left_out, rows, said, write_lines

CRITERIA = ("SLEEP_ISSUES", "Sleep issues", "mood+", "mood-", "मन की", "मन का")


def a_row(path: Path, header: str, cells: str) -> object:
    (path / "in.csv").write_text(f"id,text,{header}\n1,{TEXT},{cells}\n2,Fine.,,\n", "utf-8")
    return rows(path / "in.csv", criteria=CRITERIA)[0]


@pytest.mark.parametrize(
    ("header", "cells", "wanted"),
    [
        ("SLEEP_ISSUES,Sleep Issues Beleg", f"ja,{SLEEP}", {"SLEEP_ISSUES": ("evidence", [SLEEP])}),
        ("sleep-issues,evidence_sleep_issues", f"1.0,{SLEEP}", {"SLEEP_ISSUES": ("evidence", [SLEEP])}),
        ("SLEEP_ISSUES (quote),x", f"{SLEEP},", {"SLEEP_ISSUES": ("evidence", [SLEEP])}),
        ("mood+,mood-", "1,0", {"mood-": ("no_evidence", [])}),
        ("मन की,मन का", "0,lie awake", {"मन की": ("no_evidence", []), "मन का": ("evidence", ["lie awake"])}),
        ("label.SLEEP_ISSUES,SLEEP_ISSUES_span", f"1,{SLEEP}", {"SLEEP_ISSUES": ("evidence", [SLEEP])}),
        ("labels[SLEEP_ISSUES],SLEEP_ISSUES_span", "0,n/a", {"SLEEP_ISSUES": ("no_evidence", [])}),
        ("SLEEP_ISSUES,SLEEP_ISSUES_text", f"x,{SLEEP}", {"SLEEP_ISSUES": ("evidence", [SLEEP])}),
        ("SLEEP_ISSUES,SLEEP_ISSUES status", f"{SLEEP},yes", {"SLEEP_ISSUES": ("evidence", [SLEEP])}),
        ("SLEEP_ISSUES,note", "0.0,0", {"SLEEP_ISSUES": ("no_evidence", [])}),
    ],
)
def test_the_columns_of_a_criterion(header: str, cells: str, wanted: object, tmp_path: Path) -> None:
    assert said(a_row(tmp_path, header, cells)) == wanted  # type: ignore[arg-type]


def test_a_cell_may_hold_a_passage_or_say_that_there_is_none(tmp_path: Path) -> None:
    lines = [
        f'{n},"{TEXT} {n}",{cell}' for n, cell in enumerate(["lie awake", "no", "until four", "3", "has no taste"])
    ]
    (tmp_path / "in.csv").write_text("\n".join(["id,text,SLEEP_ISSUES", *lines]) + "\n", "utf-8")
    found = rows(tmp_path / "in.csv", criteria=CRITERIA)
    assert [list(said(row).values()) for row in found] == [
        [("evidence", ["lie awake"])],
        [("no_evidence", [])],
        [("evidence", ["until four"])],
        [],
        [("evidence", ["has no taste"])],
    ]
    assert left_out(found[3]) == {"SLEEP_ISSUES": "'3' is no verdict"}


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [("0", {"SLEEP_ISSUES": ("no_evidence", [])}), ("no", {"SLEEP_ISSUES": ("no_evidence", [])}), ("1", {})],
)
def test_a_column_of_evidence_that_only_says_whether_there_is_any(cell: str, wanted: object, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(f"id,text,criterion,evidence\na,0 of 10 no 1,SLEEP_ISSUES,{cell}\n", "utf-8")
    assert said(rows(tmp_path / "in.csv")[0]) == wanted


def test_places_of_characters_are_passages_where_the_name_says_so(tmp_path: Path) -> None:
    places = [*range(2, 11), *range(24, 28)]
    record = {"id": 1, "text": TEXT, "SLEEP_ISSUES spans": places, "mood+": [0, 6, 24, 42], "mood-": [0, 1, 2]}
    (row,) = rows(write_lines(tmp_path / "in.jsonl", record), criteria=CRITERIA)
    assert said(row) == {"SLEEP_ISSUES": ("evidence", ["lie awake", "Food"])}
    assert "neither pairs of start and end" in left_out(row)["mood+"]
    assert "neither pairs of start and end" in left_out(row)["mood-"]  # perhaps the numbers of sentences


def test_a_scale_of_severity_gives_no_verdicts(tmp_path: Path) -> None:
    lines = [f'{n},"{TEXT} {n}",{cell}' for n, cell in enumerate("0123")]
    (tmp_path / "in.csv").write_text("\n".join(["id,text,SLEEP_ISSUES", *lines]) + "\n", "utf-8")
    assert [said(row) for row in rows(tmp_path / "in.csv", criteria=CRITERIA)] == [{}, {}, {}, {}]


def test_a_yes_without_a_passage_is_kept_and_said(tmp_path: Path) -> None:
    row = a_row(tmp_path, "SLEEP_ISSUES", "yes")
    assert isinstance(row, ImportRow)
    assert row.meta == {"SLEEP_ISSUES": "yes"}
    assert left_out(row) == {"SLEEP_ISSUES": "evidence is claimed, but no passage is named; kept in meta"}


@pytest.mark.parametrize("cell", ["keine", "n/a", "mild"])
def test_words_for_nothing_and_degrees_are_no_evidence_even_where_the_text_has_them(cell: str, tmp_path: Path) -> None:
    lines = [f'{n},"I say {cell} and lie awake. {n}",{value}' for n, value in enumerate(["lie awake", cell])]
    (tmp_path / "in.csv").write_text("\n".join(["id,text,SLEEP_ISSUES", *lines]) + "\n", "utf-8")
    found = rows(tmp_path / "in.csv", criteria=CRITERIA)
    assert [said(row) for row in found] == [{"SLEEP_ISSUES": ("evidence", ["lie awake"])}, {}]


@pytest.mark.parametrize(
    ("key", "places"),
    [
        ("PARANOIA spans", True),
        ("guideline_offsets", True),
        ("sent_idx_positions", False),
        ("tokenSpans", False),
        ("line_span", False),
    ],
)
def test_a_name_says_what_its_places_count(key: str, places: bool) -> None:
    assert names_places(key) is places


@pytest.mark.parametrize(
    ("cell", "passages"),
    [
        ("2-13", [(2, 13)]),
        ("2:13; [15..20]", [(2, 13), (15, 20)]),
        ("[2, 13]", [(2, 13)]),
        ("24-7", ["24-7"]),
        ("13-2", ["13-2"]),
    ],
)
def test_ranges_in_a_cell_of_places(cell: str, passages: list[object], tmp_path: Path) -> None:
    text = "I can't sleep, I cry 24-7."
    for name, wanted in (("span", passages), ("quote", passages if cell.startswith("[") else [cell])):
        (tmp_path / "in.csv").write_text(f'id,text,label,{name}\n1,"{text}",SLEEP_ISSUES,"{cell}"\n')
        (row,) = rows(tmp_path / "in.csv", criteria=CRITERIA)
        assert isinstance(row, ImportRow)
        found = [(p.start, p.end) if p.quote is None else p.quote for la in row.labels for p in la.passages]
        assert found == wanted or (name, cell) == ("quote", "2:13; [15..20]")


@pytest.mark.parametrize("again", ["evidence.1", "evidence (2)", "Evidence_2"])
def test_columns_of_evidence_of_one_name_belong_to_the_criterion_before_them(again: str, tmp_path: Path) -> None:
    header = f"id,text,SLEEP_ISSUES,evidence,FATIGUE,{again}"
    lines = ["1,I lie awake.,1,lie awake,0,", "2,So tired.,0,,1,So tired"]
    (tmp_path / "in.csv").write_text("\n".join([header, *lines]) + "\n")
    found = rows(tmp_path / "in.csv", criteria=["SLEEP_ISSUES", "FATIGUE"])
    no = ("no_evidence", [])
    assert [said(row) for row in found] == [
        {"SLEEP_ISSUES": ("evidence", ["lie awake"]), "FATIGUE": no},
        {"SLEEP_ISSUES": no, "FATIGUE": ("evidence", ["So tired"])},
    ]
    (tmp_path / "in.csv").write_text("\n".join([header.replace("FATIGUE", "remarks"), *lines]) + "\n")
    assert all("So tired" not in str(la) for row in rows(tmp_path / "in.csv", criteria=CRITERIA) for la in row.labels)


def test_a_column_of_a_criterion_that_holds_a_scale_is_said(tmp_path: Path) -> None:
    """Its 0 and 1 are no answers where a -1 or a 2 stands in it too, and that is no secret."""
    lines = [f'{n},"{TEXT} {n}",{cell}' for n, cell in enumerate(["1", "0", "-1"])]
    (tmp_path / "in.csv").write_text("\n".join(["id,text,SLEEP_ISSUES", *lines]) + "\n", "utf-8")
    found = [row for row in rows(tmp_path / "in.csv", criteria=CRITERIA) if isinstance(row, ImportRow)]
    assert not any(row.labels for row in found)
    assert all(any("none of it is read" in detail for *_, detail in row.account) for row in found)


def test_numbers_of_tags_without_names_are_said(tmp_path: Path) -> None:
    item = {"id": "a", "tokens": ["I", "lie", "awake"], "ner_tags": [0, 1, 2], "label_names": ["O", "B-S", "I-S"]}
    (row,) = rows(write_lines(tmp_path / "in.jsonl", item))
    assert isinstance(row, ImportRow)
    assert [name for _, name, _, detail in row.account if "numbers beside words" in detail] == ["ner_tags"]
