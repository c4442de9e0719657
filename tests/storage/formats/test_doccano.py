"""doccano: all its keys of labels, in all their forms; what is no passage is kept and said."""

from __future__ import annotations

from pathlib import Path

from tests.storage.formats.reading import (
    FOOD,
    SLEEP,
    TEXT,
    left_out,
    one,
    said,
    write_lines,
)

S, F = "SLEEP_ISSUES", "ANHEDONIA"
BOTH = {S: ("evidence", [SLEEP]), F: ("evidence", [FOOD])}


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


def test_relations_and_comments_are_kept_and_labels_of_the_whole_post_are_said(tmp_path: Path) -> None:
    entity = {"id": 1, "label": "SLEEP_ISSUES", "start_offset": 0, "end_offset": 23}
    item = {
        "id": 5,
        "text": TEXT,
        "entities": [entity],
        "relations": [{"from_id": 1, "to_id": 2, "type": "x"}],
        "Comments": ["hm"],
    }
    row = one(write_lines(tmp_path / "in.jsonl", item))
    assert said(row) == {"SLEEP_ISSUES": ("evidence", [SLEEP])}
    assert dict(row.meta) == {"relations": item["relations"], "Comments": ["hm"]}
    row = one(write_lines(tmp_path / "in.jsonl", {"id": 5, "text": TEXT, "label": ["Depressed"]}))
    assert left_out(row) == {"Depressed": "a label of the whole post, without a passage"}
    assert dict(row.meta) == {"label": ["Depressed"]}
