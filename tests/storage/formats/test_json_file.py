"""JSON as one document: which shapes hold records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import FOOD, SLEEP, rows, write_json


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
