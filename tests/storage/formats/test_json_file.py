"""JSON as one document: which shapes hold records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.formats.rows import FormatError, ImportRow
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, one, rows, said, write_json


@pytest.mark.parametrize(
    "value",
    [
        {"p1": {"text": SLEEP}, "p2": {"text": FOOD}},
        {"id": {"0": "p1", "1": "p2"}, "text": {"0": SLEEP, "1": FOOD}},
        {"id": ["p1", "p2"], "text": [SLEEP, FOOD]},
        {"version": 1, "posts": [{"id": "p1", "text": SLEEP}, {"id": "p2", "text": FOOD}]},
        {"classes": ["X"], "annotations": [[SLEEP, {"id": "p1", "entities": []}], None, [FOOD, {"id": "p2"}]]},
        {"data": {"p1": {"text": SLEEP}, "p2": {"text": FOOD}}},
    ],
)
def test_json_of_other_shapes_holds_the_same_posts(value: Any, tmp_path: Path) -> None:
    found = rows(write_json(tmp_path / "in.json", value))
    assert [(r.post_id, r.text) for r in found if isinstance(r, ImportRow)] == [("p1", SLEEP), ("p2", FOOD)]


@pytest.mark.parametrize("held_out", ["validation", "Dev"])
def test_a_list_for_each_split(held_out: str, tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 6, "label": "SLEEP"}]
    given = {"train": [{"id": 1, "text": SLEEP, "spans": spans}], held_out: [{"id": 1, "text": FOOD}]}
    found = [r for r in rows(write_json(tmp_path / "in.json", given)) if isinstance(r, ImportRow)]
    assert [(r.post_id, r.text, r.split) for r in found] == [("1", SLEEP, "train"), ("1", FOOD, held_out.lower())]
    assert [la.criterion for la in found[0].labels] == ["SLEEP"]
    assert found[0].part != found[1].part  # ids may begin anew


def test_objects_one_behind_the_other_over_several_lines(tmp_path: Path) -> None:
    given = [{"id": "p1", "text": SLEEP}, {"id": "p2", "text": FOOD}]
    (tmp_path / "in.json").write_text("\n".join(json.dumps(v, indent=2) for v in given))
    found = rows(tmp_path / "in.json")
    assert [(r.post_id, r.text) for r in found if isinstance(r, ImportRow)] == [("p1", SLEEP), ("p2", FOOD)]
    (tmp_path / "in.json").write_text(json.dumps(given, indent=2) + "\n]")
    with pytest.raises(
        FormatError, match=r"there is more after the end \(a JSON Lines file has one value on each line\)\.$"
    ):
        list(rows(tmp_path / "in.json"))


def test_texts_that_stand_too_deep_are_named(tmp_path: Path) -> None:
    users = [{"user": "u", "posts": [{"id": "a", "body": TEXT, "labels": []}]}]
    path = write_json(tmp_path / "in.json", {"corpus": "x", "groups": [{"group": "g", "users": users}]})
    with pytest.raises(FormatError, match=r"stand too deep, as groups\[\]\.users\[\]\.posts\[\]\.body: make it a list"):
        list(rows(path))


def test_a_post_inside_an_object_of_its_own_with_its_labels_beside_it(tmp_path: Path) -> None:
    label = {
        "criterion": "SLEEP",
        "start": 0,
        "end": len(SLEEP),
        "annotated_by": [{"annotator": "ana"}, {"annotator": "ben"}],
    }
    item = {"id": 9, "post": {"id": "p1", "text": TEXT, "author": "u"}, "labels": [label]}
    row = one(write_json(tmp_path / "in.json", [item]))
    assert (row.post_id, row.text, row.author, row.meta) == ("p1", TEXT, "u", {"id (outside of post)": 9})
    assert [(la.annotator, said(row)[la.criterion][0]) for la in row.labels] == [
        ("ana", "evidence"),
        ("ben", "evidence"),
    ]
    item = {"annotator": "ana", "text": TEXT, "annotations": [label | {"annotated_by": None}]}
    assert [la.annotator for la in one(write_json(tmp_path / "in.json", [item])).labels] == ["ana"]
    reply = {"id": "p2", "reply": TEXT, "parent": {"id": "p1", "text": "What another said before"}}
    assert one(write_json(tmp_path / "in.json", [reply])).text == TEXT
    several = {"data_row": {"id": "d", "text": TEXT}, "attributes": {}, "projects": {"p": {"labels": [label]}}}
    assert one(write_json(tmp_path / "in.json", several)).post_id == "d"


def test_spacys_training_data_of_version_2(tmp_path: Path) -> None:
    tokens = [{"orth": w, "ner": t} for w, t in (("I", "O"), ("lie", "B-SLEEP"), ("awake", "L-SLEEP"), (".", "-"))]
    paragraph = {"raw": "I lie awake.", "sentences": [{"tokens": tokens}]}
    row = one(write_json(tmp_path / "in.json", [{"id": 0, "paragraphs": [paragraph]}]))
    assert (row.post_id, row.text, said(row)) == ("0", "I lie awake.", {"SLEEP": ("evidence", ["lie awake"])})
