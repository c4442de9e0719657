"""Mutated files of every format end in rows or in one clear line, within a time, and what is counted of them adds up."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import import_fuzz
from benchmarks.import_fuzz import Start, TookTooLong, check, fuzz, starts, within
from storage.formats.ledger import Ledger
from storage.store import Store

FILES, SECONDS = 30, 20.0  # generous: a machine that runs other tests beside this one


@pytest.mark.parametrize("name", starts())
def test_mutated_files_leave_no_trace_take_no_long_time_and_add_up(name: str, tmp_path: Path) -> None:
    tally = fuzz(name, starts()[name], FILES, tmp_path, seconds=SECONDS)
    assert (tally.files, tally.wrong) == (FILES, [])


@pytest.mark.parametrize("name", starts())
def test_the_files_to_begin_with_are_taken(name: str, store: Store, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    start = starts()[name]
    assert check(start.write(tmp_path / "in", start.parts), store, tmp_path) == (True, [])


# --- the check itself finds what it looks for


@pytest.mark.parametrize("lost", ["column", "label"])
def test_a_ledger_that_forgets_is_found_out(
    lost: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"id": "a", "text": "Well.", "spans": [[0, 4, "SLEEP_ISSUES"]]}) + "\n", "utf-8")
    assert check(path, store, tmp_path) == (True, [])
    counted = Ledger.count

    def forgetful(self: Ledger, what: str, name: str, *rest: Any, **more: Any) -> None:
        if what != lost:
            counted(self, what, name, *rest, **more)

    monkeypatch.setattr(Ledger, "count", forgetful)
    _, wrong = check(path, store, tmp_path)
    assert any(words.startswith(("key", lost)) for words in wrong)


def test_what_takes_too_long_is_stopped() -> None:
    with pytest.raises(TookTooLong), within(0.05):
        time.sleep(10)


def test_what_is_raised_is_counted_as_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("start")

    monkeypatch.setattr(import_fuzz, "read_rows", broken)
    tally = fuzz("csv", Start({"in.csv": b"id,text\n1,x\n"}), 2, tmp_path)
    assert [words for _, words in tally.wrong] == ["KeyError: 'start'"] * 2
