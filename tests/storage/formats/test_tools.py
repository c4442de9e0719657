"""Files of other tools: SQuAD, doccano, Prodigy, Argilla."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, left_out, one, rows, said, write_json, write_lines

S, F = "SLEEP_ISSUES", "ANHEDONIA"
BOTH = {S: ("evidence", [SLEEP]), F: ("evidence", [FOOD])}


# --- SQuAD


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


# --- doccano, Prodigy, Argilla


def test_doccano_reads_all_its_keys_of_labels(tmp_path: Path) -> None:
    item = {
        "id": 1,
        "text": TEXT,
        "label": [],
        "entities": [[0, 23, S]],
        "cats": ["severe"],
        "relations": [{"id": 1}],
        "Comments": ["x"],
    }
    row = one(write_lines(tmp_path / "in.jsonl", item))
    assert said(row) == {S: ("evidence", [SLEEP])}
    assert row.meta == {"cats": ["severe"], "relations": [{"id": 1}], "Comments": ["x"]}


def test_prodigys_refusals_are_reported_and_token_spans_are_placed(tmp_path: Path) -> None:
    tokens = [
        {"text": "I", "start": 0, "end": 1},
        {"text": "lie", "start": 2, "end": 5},
        {"text": "awake", "start": 6, "end": 11},
    ]
    spans = [{"token_start": 1, "token_end": 2, "label": S}]
    accepted, rejected, choice = rows(
        write_lines(
            tmp_path / "in.jsonl",
            {"text": "I lie awake", "tokens": tokens, "spans": spans, "answer": "accept"},
            {"text": SLEEP, "spans": [{"start": 0, "end": 23, "label": S}], "answer": "reject"},
            {"text": FOOD, "label": F, "answer": "accept"},
        )
    )
    assert said(accepted) == {S: ("evidence", ["lie awake"])}
    assert (said(rejected), left_out(rejected)) == ({}, {S: "the example was not accepted (answer: reject)"})
    assert isinstance(choice, ImportRow)
    assert (said(choice), choice.meta["label"]) == ({}, F)


@pytest.mark.parametrize("version", [1, 2])
def test_argilla_takes_each_label_and_keeps_other_answers(version: int, tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 23, "label": S}, {"start": 24, "end": 42, "label": F}]
    answers: Any = {"marks": spans, "severity": 3, "remark": "look again"}
    if version == 2:
        responses: Any = {q: [{"value": v, "user_id": "u1", "status": "submitted"}] for q, v in answers.items()}
        responses["later"] = [{"value": spans[:1], "user_id": "u2", "status": "draft"}]
        responses["none"] = [{"value": [], "user_id": "u2", "status": "submitted"}]
    else:
        responses = [{"user_id": "u1", "status": "submitted", "values": {q: {"value": v} for q, v in answers.items()}}]
    row = one(write_lines(tmp_path / "in.jsonl", {"id": "a", "fields": {"text": TEXT}, "responses": responses}))
    assert said(row) == BOTH
    assert row.meta == {"severity": [{"value": 3, "by": "u1"}], "remark": [{"value": "look again", "by": "u1"}]}
    if version == 2:
        assert left_out(row)["none"] == "an empty response says nothing of a label"
        assert left_out(row)[S] == "its response was not submitted (status: draft)"
