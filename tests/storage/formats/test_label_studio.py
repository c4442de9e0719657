"""Label Studio's exports: tasks, the short JSON and the CSV, with regions that cannot be read among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.formats.rows import ImportRow, RowError
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, left_out, one, outcomes, reasons, rows, said, write_json

BOTH = {"SLEEP_ISSUES": ("evidence", [SLEEP]), "ANHEDONIA": ("evidence", [FOOD])}


def region(label: str, start: Any, end: Any, text: str | None = None, **more: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": [label]} | ({} if text is None else {"text": text})
    return {"id": label, "from_name": "label", "to_name": "text", "type": "labels", "value": value, **more}


def task(data: dict[str, Any], *results: dict[str, Any], **annotation: Any) -> list[dict[str, Any]]:
    return [{"id": 7, "data": data, "annotations": [{"completed_by": 1, "result": list(results), **annotation}]}]


def test_the_text_is_where_the_regions_words_stand(tmp_path: Path) -> None:
    data = {
        "body": SLEEP,
        "permalink": "https://forum.example/" + "why-" * 40,
        "title": "A question to all of you who are here",
    }
    row = one(write_json(tmp_path / "in.json", task(data, region("SLEEP_ISSUES", 0, 23, SLEEP))))
    assert (row.post_id, row.text) == ("7", SLEEP)
    assert row.meta == {"permalink": data["permalink"], "title": data["title"]}


def test_without_words_the_text_is_what_the_region_names_or_what_was_chosen(tmp_path: Path) -> None:
    found = region("SLEEP_ISSUES", 0, 23) | {"to_name": "body"}
    path = write_json(tmp_path / "in.json", task({"body": SLEEP, "text": "Something else here"}, found))
    assert one(path).text == SLEEP
    assert one(path, columns={"text": "text"}).text == "Something else here"


def test_an_html_region_is_read_by_its_global_offsets(tmp_path: Path) -> None:
    value = {
        "start": "/div[1]/text()[1]",
        "end": "/div[1]/text()[1]",
        "startOffset": 0,
        "endOffset": 23,
        "globalOffsets": {"start": 0, "end": 23},
        "hypertextlabels": ["SLEEP_ISSUES"],
    }
    result = {"id": "q", "from_name": "l", "to_name": "text", "type": "hypertextlabels", "value": value}
    assert said(one(write_json(tmp_path / "in.json", task({"text": SLEEP}, result)))) == {
        "SLEEP_ISSUES": ("evidence", [SLEEP])
    }


def test_a_region_that_cannot_be_read_costs_itself(tmp_path: Path) -> None:
    bad = region("FATIGUE", "/div[1]", "/div[2]")
    row = one(write_json(tmp_path / "in.json", task({"text": TEXT}, bad, region("ANHEDONIA", 24, 42))))
    assert said(row) == {"ANHEDONIA": ("evidence", [FOOD])}
    assert left_out(row) == {"FATIGUE": "its region '/div[1]' to '/div[2]': '/div[1]' is no number"}


def test_choices_relations_and_ratings_are_kept_and_said(tmp_path: Path) -> None:
    choice = {"id": "c", "from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": ["low"]}}
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    rating = {"id": "r", "from_name": "worry", "to_name": "text", "type": "rating", "value": {"rating": 4}}
    row = one(write_json(tmp_path / "in.json", task({"text": SLEEP}, choice, relation, rating)))
    assert row.meta["mood"] == [{"choices": ["low"]}]
    assert row.meta["worry"] == [{"rating": 4}]
    assert row.meta["relations"][0]["from_id"] == "a"
    assert left_out(row) == {"low": "a choice of 'mood', without a passage; kept in meta"}


def test_a_choice_named_like_a_field_of_the_data_stands_beside_it(tmp_path: Path) -> None:
    choice = {"id": "c", "from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": ["low"]}}
    row = one(write_json(tmp_path / "in.json", task({"text": SLEEP, "mood": "as asked"}, choice)))
    assert row.meta == {"mood": "as asked", "mood (annotated)": [{"choices": ["low"]}]}


def test_a_region_marked_as_negated_is_not_taken_as_evidence(tmp_path: Path) -> None:
    mark = {"id": "SLEEP_ISSUES", "from_name": "how", "to_name": "text", "type": "choices"}
    mark["value"] = {"start": 0, "end": 23, "choices": ["Negated"]}  # type: ignore[assignment]
    row = one(write_json(tmp_path / "in.json", task({"text": SLEEP}, region("SLEEP_ISSUES", 0, 23), mark)))
    assert said(row) == {}
    assert left_out(row)["SLEEP_ISSUES"] == "marked Negated"


def test_cancelled_annotations_are_reported_not_taken(tmp_path: Path) -> None:
    row = one(
        write_json(tmp_path / "in.json", task({"text": SLEEP}, region("SLEEP_ISSUES", 0, 23), was_cancelled=True))
    )
    assert (said(row), left_out(row)) == ({}, {"SLEEP_ISSUES": "its annotation was cancelled (skipped)"})


def test_whose_annotation_is_the_ground_truth_is_kept(tmp_path: Path) -> None:
    found = one(
        write_json(tmp_path / "in.json", task({"text": TEXT}, region("SLEEP_ISSUES", 0, 23), ground_truth=True))
    )
    assert found.meta["ground_truth"] == [la.annotator for la in found.labels] == ["annotator 1"]


def test_a_note_on_a_region_is_the_answers_note(tmp_path: Path) -> None:
    row = one(
        write_json(
            tmp_path / "in.json", task({"text": SLEEP}, region("SLEEP_ISSUES", 0, 23, meta={"text": ["since May"]}))
        )
    )
    assert row.labels[0].note == "since May"


@pytest.mark.parametrize("key", ["label", "tag", "evidence_marks"])
def test_the_short_json_and_the_csv_hold_the_same_labels(key: str, tmp_path: Path) -> None:
    found = [
        {"start": 0, "end": 23, "text": SLEEP, "labels": ["SLEEP_ISSUES"]},
        {"start": 24, "end": 42, "text": FOOD, "labels": ["ANHEDONIA"]},
    ]
    item = {"text": TEXT, "id": 11, key: found, "annotator": 1, "annotation_id": 5, "lead_time": 12.5}
    assert said(one(write_json(tmp_path / "in.json", [item]))) == BOTH
    import csv

    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text", "id", key, "annotator"], [TEXT, 11, json.dumps(found), "ana"]])
    row = one(tmp_path / "in.csv")
    assert (row.post_id, said(row)) == ("11", BOTH)


def test_every_key_of_a_task_is_in_its_account(tmp_path: Path) -> None:
    path = write_json(tmp_path / "in.json", task({"text": SLEEP, "n": 1}, region("SLEEP_ISSUES", 0, 23), lead_time=3.2))
    row = one(path)
    assert isinstance(row, ImportRow)
    found = outcomes(row)
    assert {"id", "data", "data.text", "data.n", "annotations", "annotations[].result[].value.labels"} <= found.keys()
    assert found["annotations[].lead_time"] == "left out"


def test_a_taxonomy_with_a_place_is_a_label_and_a_control_called_absent_takes_its_labels_back(tmp_path: Path) -> None:
    def at(start: int, end: int, control: str, **value: Any) -> dict[str, Any]:
        return {"id": control, "from_name": control, "to_name": "text", "value": {"start": start, "end": end, **value}}

    path_to = at(0, 23, "topics", taxonomy=[["Body", "SLEEP_ISSUES"]])
    row = one(
        write_json(tmp_path / "in.json", task({"text": TEXT}, path_to, at(24, 42, "absent", labels=["ANHEDONIA"])))
    )
    assert said(row) == {"SLEEP_ISSUES": ("evidence", [SLEEP])}
    assert left_out(row) == {"ANHEDONIA": "marked absent"}


def test_words_of_a_page_are_found_in_its_source(tmp_path: Path) -> None:
    source = "<p>I lie <b>awake</b> &amp; think.</p>"
    value = {"start": "/p[1]", "end": "/p[1]/b[1]", "text": "awake & think", "hypertextlabels": ["SLEEP_ISSUES"]}
    value["globalOffsets"] = {"start": 6, "end": 19}  # type: ignore[assignment]
    result = {"id": "q", "from_name": "l", "to_name": "html", "type": "hypertextlabels", "value": value}
    row = one(write_json(tmp_path / "in.json", task({"html": source}, result)))
    assert said(row) == {"SLEEP_ISSUES": ("evidence", ["awake</b> &amp; think"])}


def test_an_address_is_no_text_and_tasks_that_nobody_annotated_are_posts(tmp_path: Path) -> None:
    data = [{"data": {"audio": "/data/upload/1.wav", "words": SLEEP}}, {"data": {"audio": "https://a.example/2.mp3"}}]
    first, second = rows(write_json(tmp_path / "in.json", data))
    assert isinstance(first, ImportRow)
    assert (first.text, first.meta) == (SLEEP, {"audio": "/data/upload/1.wav"})
    assert reasons([second]) == [(2, "holds no text: its data are addresses of files alone")]


def test_a_text_that_is_an_address_is_not_replaced_by_what_stands_beside_it(tmp_path: Path) -> None:
    task = {"id": 1, "data": {"text": "https://i.redd.it/x", "author": "bob"}, "annotations": []}
    path = tmp_path / "in.json"
    path.write_text(json.dumps([task]), "utf-8")
    assert [isinstance(row, RowError) for row in rows(path)] == [True]


def test_a_verdict_as_a_regions_label_is_about_its_control(tmp_path: Path) -> None:
    """A control for each criterion with the labels present and absent: not two criteria of these names."""
    regions = [
        {"from_name": name, "to_name": "text", "type": "labels", "id": name,
         "value": {"start": 0, "end": 6, "text": TEXT[:6], "labels": [word]}}
        for name, word in (("SLEEP_ISSUES", "present"), ("MOOD", "absent"), ("FATIGUE", "unclear"))
    ]  # fmt: skip
    row = one(write_json(tmp_path / "in.json", [{"data": {"text": TEXT}, "annotations": [{"result": regions}]}]))
    assert said(row) == {"SLEEP_ISSUES": ("evidence", [TEXT[:6]])}
    assert left_out(row) == {"MOOD": "marked absent", "FATIGUE": "marked unclear"}
