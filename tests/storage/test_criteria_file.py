from __future__ import annotations

from pathlib import Path

import pytest

from annotator.project import default_criteria
from storage.criteria_file import CriteriaInvalid, read_criteria, write_criteria
from storage.records import Criterion

TWO = [
    Criterion(
        "HOPE",
        "Hope",
        "The writer hopes.",
        "Mark hope.",
        position=0,
        examples=("It will get better.", "Tomorrow, surely."),
        counterexamples=("I hope you are well.",),
    ),
    Criterion("FEAR", "FEAR", "The writer fears.", "", position=1),
]


def a_file(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


HOPE = (
    '{"id": "HOPE", "name": "Hope", "text": "The writer hopes.", "guideline": "Mark hope.",'
    ' "examples": ["It will get better.", " Tomorrow, surely. ", "It will get better."], "counterexamples": "I hope you are well."}'
)
FEAR = '{"id": "FEAR", "text": "The writer fears."}'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.yaml", f"- {HOPE}\n- {FEAR}\n"),
        ("c.json", f'{{"criteria": [{HOPE}, {FEAR}]}}'),
        ("c.jsonl", f"{HOPE}\n\n{FEAR}\n"),
        (
            "c.csv",
            "\ufeffid,name,text,guideline,examples,counterexamples\nHOPE,Hope,The writer hopes.,Mark hope.,"
            '"It will get better.\n\nTomorrow, surely.",I hope you are well.\nFEAR,,The writer fears.,,,\n',
        ),
    ],
)
def test_every_kind_of_file_gives_the_same_criteria(tmp_path: Path, name: str, content: str) -> None:
    assert read_criteria(a_file(tmp_path, name, content)) == TWO


def test_what_was_written_reads_back_equal(tmp_path: Path) -> None:
    assert read_criteria(a_file(tmp_path, "c.yaml", write_criteria(TWO))) == TWO


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("c.txt", "x", "are read from"),
        ("c.yaml", "a: [", "not valid YAML in line"),
        ("c.yaml", "", "no list of criteria"),
        ("c.yaml", "- just text", "criterion 1: expected fields"),
        ("c.yaml", "- {id: A, text: one}\n- {id: A, text: two}", "A stands there twice"),
        ("c.yaml", "- {id: A}", "criterion 1 lacks its text"),
        ("c.yaml", "- {text: one}", "criterion 1 lacks its id"),
        ("c.yaml", "- {id: 'A B', text: one}", "may hold only letters"),
        ("c.yaml", "- {id: A, text: [one]}", "text must be text, not list"),
        (
            "c.yaml",
            "- {id: A, text: one, examples: {a: b}}",
            "criterion 1, examples must be a list of passages, not dict",
        ),
        ("c.yaml", "- {id: A, text: one, examples: [[b]]}", "criterion 1, examples must be text, not list"),
        (
            "c.yaml",
            "- {id: A, text: one, examples: [b], counterexamples: b}",
            "both as an example and as a counterexample",
        ),
        ("c.json", "{", "not valid JSON"),
        ("c.jsonl", '{"id": "A", "text": "one"}\nnope', "line 2 is not valid JSON"),
        ("c.csv", "id,words\nA,one\n", "lacks the column text"),
        ("c.csv", b"id,text\nA,caf\xe9\n", "not UTF-8"),
        ("c.json", '[{"id": "A", "text": "o\\u0000ne"}]', "NUL"),
        ("c.json", '[{"id": "A", "text": "one \\ud83d"}]', "half a character"),
        ("c.json", "[" * 50_000, "cannot be read as JSON"),
        ("c.yaml", "criteria: " + "[" * 50_000, "cannot be read as YAML"),
        ("c.yaml", "criteria: 2026-13-45", "cannot be read as YAML"),
        ("c.csv", 'id,text\nA,"' + "x" * 200_000, "not valid CSV"),
        ("c.yaml", "#" * (5 << 20), "larger than 4 MB"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(tmp_path: Path, name: str, content: str, words: str) -> None:
    with pytest.raises(CriteriaInvalid, match=words):
        read_criteria(a_file(tmp_path, name, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CriteriaInvalid, match="cannot be read"):
        read_criteria(tmp_path / "none.yaml")


def test_the_default_set_has_nine_criteria_with_guidelines() -> None:
    criteria = default_criteria()
    assert len(criteria) == 9
    assert all(c.guideline and c.text for c in criteria)
