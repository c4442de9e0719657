"""Labels in the spellings that are met in files: a positive is never read as a negative, and what cannot be read says so."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, left_out, one, rows, said, write_json, write_lines

S, F = "SLEEP_ISSUES", "ANHEDONIA"
BOTH = {S: ("evidence", [SLEEP]), F: ("evidence", [FOOD])}

SPELLINGS: dict[str, Any] = {
    "start and end beside the label": [{"start": 0, "end": 23, "label": S}, {"start": 24, "end": 42, "label": F}],
    "with offsets": [{"start_offset": 0, "end_offset": 23, "tag": S}, {"begin": 24, "stop": 42, "type": F}],
    "in words": [{"startChar": "0", "endChar": "23", "category": S}, {"from": 24.0, "to": 42.0, "class": F}],
    "pairs": [{"criterion": S, "offsets": [[0, 23]]}, {"criterion": F, "span": [24, 42]}],
    "offset and length": [{"label": S, "offset": 0, "length": 23}, {"label": F, "start": 24, "length": 18}],
    "as AutoML and UBIAI write them": [
        {"startOffset": 0, "endOffset": 23, "displayName": S},
        {"start": 24, "end": 42, "text": FOOD, "entityLabel": F},
    ],
    "words alone": [{"label": S, "quote": SLEEP}, {"label": F, "evidence": FOOD}],
    "words and a start": [{"label": S, "start": 0, "text": SLEEP}, {"label": F, "answer_start": 24, "text": FOOD}],
    "lists": [[0, 23, S], [24, 42, F]],
    "label first": [[S, 0, 23], [F, 24, 42]],
    "with words and score": [[0, 23, S, SLEEP], [24, 42, F, 0.9]],
    "lists beside each other": {"start": [0, 24], "end": [23, 42], "label": [S, F]},
    "by label": {S: [[0, 23]], F: [{"start": 24, "end": 42}]},
    "by label, one pair": {S: [0, 23], F: [24, 42]},
    "several labels of a span": [{"start": 0, "end": 23, "labels": [S]}, {"start": 24, "end": 42, "labels": [F]}],
    "spans in spans": [{"label": S, "spans": [{"start": 0, "end": 23}]}, {"label": F, "spans": [[24, 42]]}],
    "lists in a list": [[{"start": 0, "end": 23, "label": S}], [{"start": 24, "end": 42, "label": F}]],
    "one object": {"start": 0, "end": 23, "label": S},
}


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("key", ["annotations", "entities", "spans", "highlights"])
def test_every_spelling_is_evidence_under_any_key(name: str, key: str, tmp_path: Path) -> None:
    value = SPELLINGS[name]
    row = one(write_json(tmp_path / "in.json", [{"id": "a", "text": TEXT, key: value}]), "json")
    assert said(row) == ({S: BOTH[S]} if name == "one object" else BOTH)
    assert left_out(row) == {}


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("written", ["json", "python"])
def test_the_same_lists_are_read_from_a_cell_of_a_table(name: str, written: str, tmp_path: Path) -> None:
    import json

    value = SPELLINGS[name]
    with (tmp_path / "in.csv").open("w", newline="") as file:
        cell = json.dumps(value) if written == "json" else repr(value)
        csv.writer(file).writerows([["id", "text", "annotations"], ["a", TEXT, cell]])
    assert said(one(tmp_path / "in.csv")) == ({S: BOTH[S]} if name == "one object" else BOTH)


def test_spans_in_parquet_are_read_as_the_datasets_library_writes_them(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    spans = [{"start": 0, "end": 23, "label": S}, {"start": 24, "end": 42, "label": F}]
    beside = {"start": [0, 24], "end": [23, 42], "label": [S, F]}
    for name, value in (("objects", spans), ("beside", beside)):
        pq.write_table(pa.Table.from_pylist([{"id": "a", "text": TEXT, "spans": value}]), tmp_path / f"{name}.parquet")
        assert said(one(tmp_path / f"{name}.parquet")) == BOTH


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"label": S}, "neither a verdict nor a passage"),
        ({"label": S, "spans": []}, "neither a verdict nor a passage"),
        ({"label": S, "start": "x", "end": 3}, "'x' is no number"),
        ({"label": S, "start": 3}, "has a start without an end"),
        ({"label": S, "start": 0, "end": 23, "negated": True}, "marked negated: True"),
        ({"label": S, "start": 0, "end": 23, "polarity": "negative"}, "marked polarity: negative"),
        ({"label": S, "start": 0, "end": 23, "status": "rejected"}, "marked status: rejected"),
        ({"label": S, "start": 0, "end": 23, "accepted": False}, "marked accepted: False"),
        ({"label": S, "verdict": "perhaps"}, "'perhaps' is no verdict; use evidence, no_evidence or unsure"),
        ([0, "x", S], "'x' is no number"),
    ],
)
def test_a_label_that_cannot_be_understood_costs_itself_and_is_never_a_negative(
    item: Any, reason: str, tmp_path: Path
) -> None:
    good = {"label": F, "start": 24, "end": 42}
    row = one(write_json(tmp_path / "in.json", [{"id": "a", "text": TEXT, "annotations": [item, good]}]), "json")
    assert (said(row), left_out(row)) == ({F: BOTH[F]}, {S: reason})


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("no_evidence", "no_evidence"),
        ("absent", "no_evidence"),
        (0, "no_evidence"),
        (False, "no_evidence"),
        ("unsure", "unsure"),
    ],
)
def test_a_verdict_is_stored_where_the_file_says_it_in_a_listed_word(word: Any, verdict: str, tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "in.jsonl", {"id": "a", "text": TEXT, "annotations": [{"criterion": S, "verdict": word}]}
    )
    assert said(one(path)) == {S: (verdict, [])}


def test_labels_of_the_whole_post_are_kept_and_said(tmp_path: Path) -> None:
    path = write_json(tmp_path / "in.json", [{"id": "a", "text": TEXT, "class": "suicide", "labels": [S, F]}])
    row = one(path)
    assert row.meta == {"class": "suicide", "labels": [S, F]}
    details = {name: detail for (_, name, outcome, detail) in row.account if outcome == "kept in meta"}
    assert details["class"] == "a label of the whole post, not read as an answer"


def test_tokens_and_tags_are_a_text_and_its_labels(tmp_path: Path) -> None:
    item = {"id": "a", "tokens": ["I", "lie", "awake", "."], "ner_tags": ["O", f"B-{S}", f"I-{S}", "O"]}
    row = one(write_lines(tmp_path / "in.jsonl", item))
    assert (row.text, said(row)) == ("I lie awake .", {S: ("evidence", ["lie awake"])})


def test_a_wide_table_has_columns_for_each_criterion(tmp_path: Path) -> None:
    lines = [f"id,text,{S},{S}_evidence,{F},mood", f'1,"{TEXT}",1,"{SLEEP}",0,low', f'2,"{TEXT} Yes.",,,,high']
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n", "utf-8")
    first, second = rows(tmp_path / "in.csv", criteria=[S, F])
    assert isinstance(first, ImportRow)
    assert said(first) == {S: ("evidence", [SLEEP]), F: ("no_evidence", [])}
    assert first.meta == {"mood": "low"}
    assert said(second) == {}


@pytest.mark.parametrize(
    "inner",
    [
        {"present": True, "evidence": [SLEEP]},
        [{"indices": [0, 23]}],
        {"quotes": [SLEEP]},
        {"verdict": "evidence", "spans": [[0, 23]]},
    ],
)
def test_objects_under_a_labels_name(inner: Any, tmp_path: Path) -> None:
    item = {"id": 1, "text": TEXT, "symptoms": {"SLEEP_ISSUES": inner, "ANHEDONIA": {"present": False, "evidence": []}}}
    assert said(one(write_lines(tmp_path / "in.jsonl", item))) == {
        "SLEEP_ISSUES": ("evidence", [SLEEP]), "ANHEDONIA": ("no_evidence", []),
    }  # fmt: skip


def test_criteria_as_language_models_write_them(tmp_path: Path) -> None:
    """The label is the id or the name, its verdict stands under any of the usual keys, also where that key may be the label's."""
    criteria = [
        {"id": "SLEEP_ISSUES", "present": True, "evidence": [SLEEP]},
        {"id": "A2", "present": False, "quotes": []},
        {"name": "FATIGUE", "label": 1, "quotes": [FOOD]},
        {"name": "MOOD", "label": 0, "quotes": []},
        {"name": "GUILT", "label": -1},
        {"criterion": "APPETITE", "status": "not met", "evidence": [FOOD]},
        {"criterion": "DEATH", "present": "partially", "evidence": [FOOD]},
        {"criterion": "SLOWING", "status": "unlikely", "evidence": [FOOD]},
    ]
    row = one(write_lines(tmp_path / "in.jsonl", {"id": "p", "text": TEXT, "criteria": criteria}))
    assert said(row) == {
        "SLEEP_ISSUES": ("evidence", [SLEEP]),
        "A2": ("no_evidence", []),
        "FATIGUE": ("evidence", [FOOD]),
        "MOOD": ("no_evidence", []),
        "APPETITE": ("no_evidence", []),
    }
    assert sorted(left_out(row)) == ["DEATH", "GUILT", "SLOWING"]


def test_objects_with_an_id_and_no_label_are_no_labels(tmp_path: Path) -> None:
    replies = [{"id": "abcdef", "status": "no", "body": "So do I."}, {"id": "t1_ab", "highlights": ["a"]}]
    assert one(write_lines(tmp_path / "in.jsonl", {"id": "p", "text": TEXT, "replies": replies})).labels == ()


@pytest.mark.parametrize(
    "value",
    [
        [{"name": "ana", "labels": [{"label": "S", "start": 0, "end": 6}]}, {"name": "ben", "labels": [["S", 2, 6]]}],
        {"ana": [{"label": "S", "start": 0, "end": 6}], "ben": [{"label": "S", "start": 2, "end": 6}]},
    ],
)
def test_each_of_the_annotators_has_labels_of_their_own(value: object, tmp_path: Path) -> None:
    row = one(write_lines(tmp_path / "in.jsonl", {"id": "p", "text": TEXT, "annotators": value}))
    assert [(la.annotator, la.criterion, la.passages[0].start) for la in row.labels] == [
        ("ana", "S", 0),
        ("ben", "S", 2),
    ]


def test_a_name_over_a_list_of_labels_that_may_be_a_person_is_said(tmp_path: Path) -> None:
    value = {"ana": [{"label": "S", "start": 0, "end": 6}], "entities": [{"label": "T", "start": 2, "end": 6}]}
    row = one(write_lines(tmp_path / "in.jsonl", {"id": "p", "text": TEXT, "annotations": value}))
    assert [la.annotator for la in row.labels] == [None, None]
    assert [name for _, name, _, detail in row.account if "may be who" in detail] == ["annotations[].ana"]
