"""Prodigy: accepted spans of each person; what was rejected, chosen or related is reported or kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import (
    FOOD,
    SLEEP,
    TEXT,
    left_out,
    one,
    rows,
    said,
    write_lines,
)

S, F = "SLEEP_ISSUES", "ANHEDONIA"
BOTH = {S: ("evidence", [SLEEP]), F: ("evidence", [FOOD])}


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


@pytest.mark.parametrize(
    ("who", "annotator"),
    [
        ({"_annotator_id": "db-ana", "_session_id": "db-x"}, "db-ana"),
        ({"_session_id": "db-ana"}, "db-ana"),
        ({"_session_id": "2024-01-05_10-11-12"}, None),
    ],
)
def test_whose_the_spans_are(who: dict[str, str], annotator: str | None, tmp_path: Path) -> None:
    item = {"text": TEXT, "spans": [{"start": 0, "end": 23, "label": "SLEEP_ISSUES"}], "answer": "accept", **who}
    assert [la.annotator for la in one(write_lines(tmp_path / "in.jsonl", item)).labels] == [annotator]


def test_lists_of_labels_under_other_keys_are_read_too(tmp_path: Path) -> None:
    item = {"text": TEXT, "answer": "accept", "_input_hash": 1, "highlights": [[24, 42, "ANHEDONIA"]]}
    assert said(one(write_lines(tmp_path / "in.jsonl", item))) == {"ANHEDONIA": ("evidence", [FOOD])}
