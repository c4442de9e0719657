"""Columns of tokens and tags in the kinds that are met."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import left_out, one, rows, said


def tokens(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.mark.parametrize(
    "tags",
    [
        ["B-S", "I-S", "I-S", "U-W"],
        ["B-S", "I-S", "L-S", "S-W"],
        ["I-S", "I-S", "I-S", "B-W"],
        ["B_S", "I_S", "E_S", "S_W"],
    ],
)
def test_bio_and_its_relatives_say_the_same(tags: list[str], tmp_path: Path) -> None:
    words = ["lie", "awake", "now", "worthless"]
    lines = ["I\tO", *(f"{w}\t{t}" for w, t in zip(words, tags, strict=True)), ".\tO"]
    row = one(tokens(tmp_path / "in.conll", *lines))
    assert (row.text, said(row)) == (
        "I lie awake now worthless .",
        {"S": ("evidence", ["lie awake now"]), "W": ("evidence", ["worthless"])},
    )


def test_a_token_that_is_a_number_sign_is_no_comment(tmp_path: Path) -> None:
    row = one(tokens(tmp_path / "in.conll", "I O", "# O", "lie B-S", "awake I-S"))
    assert (row.text, said(row)) == ("I # lie awake", {"S": ("evidence", ["lie awake"])})


def test_lines_without_a_token_and_marks_of_documents_cost_nothing_else(tmp_path: Path) -> None:
    lines = ["-DOCSTART- -X- O", "", "I O", " O", "lie B-S", "awake I-S", "", "-DOCSTART- -X- O", "", "Fine O", ". O"]
    first, second = rows(tokens(tmp_path / "in.conll", *lines))
    assert isinstance(first, ImportRow)
    assert said(first) == {"S": ("evidence", ["lie awake"])}
    assert first.notes == (("line", "line 4 has no token, or no tag: left out"),)
    assert isinstance(second, ImportRow)
    assert second.text == "Fine ."


def test_a_tag_that_is_none_is_reported(tmp_path: Path) -> None:
    row = one(
        tokens(
            tmp_path / "in.conll",
            "I O",
            "lie B-S",
            "awake WHAT",
            ". O",
            "Well O",
            ", O",
            "no O",
            ". O",
            "Yes O",
            ". O",
            "So O",
        ),
        "conll",
    )
    assert left_out(row) == {"WHAT": "is no tag of the kinds B-, I-, O, E-, S-, L-, U-"}


def test_the_text_and_the_id_of_a_comment_are_taken(tmp_path: Path) -> None:
    row = one(
        tokens(
            tmp_path / "in.conll", "# sent_id = s1", "# text = I lie awake.", "I\tO", "lie\tB-S", "awake\tI-S", ".\tO"
        )
    )
    assert (row.post_id, row.text, said(row)) == ("s1", "I lie awake.", {"S": ("evidence", ["lie awake"])})
