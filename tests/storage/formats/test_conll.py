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
        ["B-S", "M-S", "E-S", "S-W"],
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
    assert left_out(row) == {"WHAT": "is no tag of the kinds B-, I-, O, E-, S-, L-, U-, M-, W-"}


def test_the_text_and_the_id_of_a_comment_are_taken(tmp_path: Path) -> None:
    row = one(
        tokens(
            tmp_path / "in.conll", "# sent_id = s1", "# text = I lie awake.", "I\tO", "lie\tB-S", "awake\tI-S", ".\tO"
        )
    )
    assert (row.post_id, row.text, said(row)) == ("s1", "I lie awake.", {"S": ("evidence", ["lie awake"])})


def test_tags_that_conll_u_notes_and_a_second_layer_of_tags(tmp_path: Path) -> None:
    words = ["1-2 don't _", "1 do ner=B-S", "2 n't NER=I-S|SpaceAfter=No", "3 sleep _"]
    lines = [f"{n}\t{w}" + "\t_" * 7 + f"\t{note}" for n, w, note in map(str.split, words)]
    row = one(tokens(tmp_path / "in.conllu", "# sent_id = s1", "# text = don't sleep", *lines))
    assert (row.post_id, row.text, said(row)) == ("s1", "don't sleep", {"S": ("evidence", ["don't"])})
    lines = ["#\thttp://a.example", "1\tlie\tB-S\tO", "2\tawake\tI-S\tB-W", "3\tnow\tO\tO"]
    row = one(tokens(tmp_path / "in.tsv", *lines), criteria=["S"])
    assert said(row) == {"S": ("evidence", ["lie awake"]), "W": ("evidence", ["awake"])}


def test_names_in_capitals_alone_are_tags_too(tmp_path: Path) -> None:
    row = one(tokens(tmp_path / "in.txt", "I O", "lie SLEEP", "awake SLEEP", "tired FATIGUE", ". O"))
    assert said(row) == {"SLEEP": ("evidence", ["lie awake"]), "FATIGUE": ("evidence", ["tired"])}


def test_a_table_of_tokens_is_a_post_for_each_text(tmp_path: Path) -> None:
    lines = ["Sentence #,Word,POS,Tag", "Sentence: 1,I,PRP,O", ",lie,VBP,B-S", "Sentence: 2,food,NN,U-A", ",bad,JJ,O"]
    found = rows(tokens(tmp_path / "in.csv", *lines))
    assert [(r.post_id, r.text, said(r)) for r in found if isinstance(r, ImportRow)] == [
        ("Sentence: 1", "I lie", {"S": ("evidence", ["lie"])}),
        ("Sentence: 2", "food bad", {"A": ("evidence", ["food"])}),
    ]


@pytest.mark.parametrize("first_of_last", [1, 400])
def test_a_column_with_labels_of_the_last_one_may_be_anothers_wherever_they_come(
    first_of_last: int, tmp_path: Path
) -> None:
    lines = ["lie B-SLEEP O", "awake I-SLEEP O", ""]
    for number in range(1, 401):
        lines += [f"w{number} O {'B-SLEEP' if number == first_of_last else 'O'}", ""]
    found = rows(tokens(tmp_path / "in.conll", *lines), criteria=("SLEEP",))
    assert said(found[0]) == {}
    assert sum(bool(said(row)) for row in found) == 1


def test_a_column_with_other_labels_is_a_layer_of_the_same_answer(tmp_path: Path) -> None:
    row = one(tokens(tmp_path / "in.conll", "lie B-SLEEP B-FOOD", "awake I-SLEEP O"), criteria=("SLEEP", "FOOD"))
    assert said(row) == {"SLEEP": ("evidence", ["lie awake"]), "FOOD": ("evidence", ["lie"])}
