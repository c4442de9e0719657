"""The ledger of every format: each key of a file stands in it exactly as often as in the file, whatever becomes of it."""

from __future__ import annotations

import collections
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from storage.formats.ledger import COLUMN, Ledger
from storage.formats.rows import ImportRow, RowError
from storage.formats.values import is_empty
from tests.storage.formats.reading import SLEEP, TEXT, rows, write_lines

SPAN = {"start": 0, "end": 23, "label": "SLEEP_ISSUES"}
VALUES: list[Any] = [
    "x",
    7,
    0.5,
    True,
    None,
    "",
    [],
    {},
    [1, 2],
    ["a"],
    {"k": 1},
    [SPAN],
    [[0, 23, "SLEEP_ISSUES"]],
    "[1",
]
KEYS = [
    "id",
    "text",
    "label",
    "labels",
    "entities",
    "spans",
    "annotations",
    "meta",
    "answer",
    "cats",
    "split",
    "author",
    "verdict",
]
KEYS += ["status", "criterion", "start", "evidence", "comment", "n", "tokens", "history", "predictions", "title"]

SHAPES: dict[str, dict[str, Any]] = {
    "jsonl": {
        "id": "a",
        "text": TEXT,
        "annotations": [{"criterion": "SLEEP_ISSUES", "verdict": "evidence", "spans": [SPAN]}],
    },
    "doccano": {"id": 1, "text": TEXT, "label": [[0, 23, "SLEEP_ISSUES"]]},
    "prodigy": {"text": TEXT, "spans": [SPAN], "answer": "accept", "_input_hash": 1, "meta": {"id": "p"}},
    "argilla": {"id": "a", "fields": {"text": TEXT}, "responses": {"q": [{"value": [SPAN], "status": "submitted"}]}},
    "label-studio": {
        "id": 1,
        "data": {"text": TEXT},
        "annotations": [{"result": [{"value": {"start": 0, "end": 23, "labels": ["A"]}}]}],
    },
    "squad": {
        "context": TEXT,
        "qas": [{"id": "q", "question": "SLEEP_ISSUES", "answers": [{"text": SLEEP, "answer_start": 0}]}],
    },
}


def counted(found: list[Any]) -> Ledger:
    ledger = Ledger()
    for row in found:
        ledger.add(row.account, lost="refused" if isinstance(row, RowError) else None)
    return ledger


def keys_of(items: list[Mapping[str, Any]]) -> collections.Counter[str]:
    return collections.Counter(str(k) for item in items for k, v in item.items() if not is_empty(v))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed", range(25))
def test_every_key_is_counted_once_for_each_object_that_has_it(name: str, seed: int, tmp_path: Path) -> None:
    made = random.Random(seed)
    items = []
    for _ in range(6):
        item = dict(SHAPES[name])
        for key in made.sample(KEYS, made.randint(0, 6)):
            item[key] = made.choice(VALUES)
        if made.random() < 0.3:
            del item[made.choice(list(item))]
        items.append(item)
    ledger = counted(rows(write_lines(tmp_path / "in.jsonl", *items, SHAPES[name]), name))
    wanted = keys_of([*items, SHAPES[name]])
    assert {k: ledger.total(COLUMN, k) for k in wanted} == dict(wanted)


@pytest.mark.parametrize("count", [3, 300])
def test_a_table_with_many_columns_is_kept_whole(count: int, tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(count)]
    lines = [",".join(["id", "text", *names]), ",".join(["1", "I lie awake.", *("v" for _ in names)])]
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n", "utf-8")
    (row,) = rows(tmp_path / "in.csv")
    assert isinstance(row, ImportRow)
    assert row.meta == dict.fromkeys(names, "v")


def test_what_is_lost_with_its_row_is_left_out() -> None:
    ledger = Ledger()
    (row,) = [RowError(1, "no text", {})]
    ledger.add(row.account, lost="its row was refused")
    assert list(ledger) == []


def test_names_beyond_a_limit_are_counted_together() -> None:
    from storage.formats.ledger import MAX_NAMES, OTHER, Outcome

    ledger = Ledger()
    for n in range(MAX_NAMES + 5):
        ledger.count(COLUMN, f"k{n}", Outcome.KEPT)
    assert ledger.total(COLUMN, OTHER) == 5
    assert sum(e.count for e in ledger) == MAX_NAMES + 5


def test_objects_inside_objects_are_counted_by_their_own_keys(tmp_path: Path) -> None:
    item = {"id": 1, "data": {"text": TEXT, "x": 1}, "annotations": [{"result": [], "lead_time": 3, "odd": {"a": 1}}]}
    path = tmp_path / "in.json"
    path.write_text(json.dumps([item]), "utf-8")
    ledger = counted(rows(path, "label-studio"))
    assert [ledger.total(COLUMN, n) for n in ("data.x", "annotations[].lead_time", "annotations[].odd")] == [1, 1, 1]
