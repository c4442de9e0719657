"""SQuAD: a question is a negative only where it says so; passages of several questions unite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import (
    FOOD,
    SLEEP,
    TEXT,
    left_out,
    one,
    rows,
    said,
    write_json,
    write_lines,
)

S, F = "SLEEP_ISSUES", "ANHEDONIA"
BOTH = {S: ("evidence", [SLEEP]), F: ("evidence", [FOOD])}


def squad(path: Path, *questions: dict[str, Any]) -> Path:
    asked = [{"id": f"q{n}", **q} for n, q in enumerate(questions)]
    return write_json(
        path, {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": TEXT, "qas": asked}]}]}
    )


def test_a_question_is_a_negative_only_where_it_is_marked_as_impossible(tmp_path: Path) -> None:
    row = one(
        squad(
            tmp_path / "in.json",
            {"question": S, "answers": [{"text": SLEEP, "answer_start": 0}]},
            {
                "question": "A",
                "is_impossible": True,
                "answers": [],
                "plausible_answers": [{"text": FOOD, "answer_start": 24}],
            },
            {"question": "B", "is_impossible": True, "answers": [{"text": "", "answer_start": -1}]},
            {"question": "C"},
            {"question": "D", "is_impossible": False, "answers": []},
            {"question": "E", "is_impossible": True, "answers": [{"text": FOOD, "answer_start": 24}]},
        )
    )
    assert said(row) == {S: ("evidence", [SLEEP]), "A": ("no_evidence", []), "B": ("no_evidence", [])}
    assert left_out(row) == {
        "C": "was not answered",
        "D": "has no answer, and is not marked as impossible",
        "E": "is marked as impossible, but has answers",
    }


def test_articles_of_one_title_are_posts_of_their_own(tmp_path: Path) -> None:
    articles = [{"title": "wave", "paragraphs": [{"context": t, "qas": []}]} for t in (SLEEP, FOOD)]
    found = rows(write_json(tmp_path / "in.json", {"data": articles}))
    assert [r.post_id for r in found if isinstance(r, ImportRow)] == ["wave", "wave-2"]


def test_flat_questions_are_read_too(tmp_path: Path) -> None:
    item = {"id": "q1", "context": TEXT, "question": S, "answers": {"text": [SLEEP], "answer_start": [0]}}
    row = one(write_lines(tmp_path / "in.jsonl", item))
    assert (row.post_id, row.text, said(row)) == (None, TEXT, {S: ("evidence", [SLEEP])})


def test_questions_without_an_answer_say_so_and_plausible_answers_are_none(tmp_path: Path) -> None:
    plausible = [{"text": FOOD, "answer_start": 24}]
    questions: list[dict[str, Any]] = [
        {
            "id": "1",
            "question": "ANHEDONIA",
            "answers": [],
            "is_impossible": True,
            "plausible_answers": plausible,
        },
        {"id": "2", "question": "DEPRESSED_MOOD", "answers": [], "is_impossible": "false"},
    ]
    row = one(squad(tmp_path / "in.json", *questions))
    assert said(row) == {"ANHEDONIA": ("no_evidence", [])}
    assert left_out(row) == {"DEPRESSED_MOOD": "has no answer, and is not marked as impossible"}
