"""What one moment of the store is asked once, and what is kept beyond it until it changes."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import pytest

from storage.records import Criterion
from storage.store import Store, open_store
from tests.statements import taken_down

SLEEP = Criterion("NIGHTS", "Sleep", "Sleeps too little or too much.", position=1)


@pytest.fixture
def other(store: Store, tmp_path: Path) -> Store:
    """Another program at the same file."""
    store.save_criteria([SLEEP])
    return open_store(tmp_path / "data")


def worded(text: str) -> Criterion:
    return dataclasses.replace(SLEEP, text=text)


def nights(store: Store, *, with_inactive: bool = False) -> list[tuple[int, str]]:
    return [(c.version, c.text) for c in store.criteria(with_inactive=with_inactive) if c.id == SLEEP.id]


def test_criteria_are_not_read_again_until_another_program_changes_one(store: Store, other: Store) -> None:
    before = store.criteria()
    with taken_down(store) as statements:
        assert store.criteria() == before
    assert not [s for s in statements if s.startswith("SELECT * FROM criterion") or "max(version)" in s]
    other.save_criteria([worded("Lies awake.")])
    assert nights(store) == [(2, "Lies awake.")]
    other.save_criteria([dataclasses.replace(worded("Lies awake."), active=False)])
    assert nights(store) == []
    assert nights(store, with_inactive=True) == [(2, "Lies awake.")]


def test_criteria_whose_change_is_taken_back_are_not_kept(store: Store, other: Store) -> None:
    store.criteria()
    with contextlib.suppress(RuntimeError), store.write():
        store.save_criteria([worded("Taken back.")])
        assert nights(store) == [(2, "Taken back.")]
        raise RuntimeError("half way")
    other.save_criteria([worded("Lies awake.")])
    assert nights(store) == [(2, "Lies awake.")]


def test_one_moment_is_asked_the_same_question_once_and_the_next_again(store: Store, other: Store) -> None:
    store.set_setting("colour", "red")
    with taken_down(store) as statements, store.read():
        assert store.setting("colour") == "red"
        other.set_setting("colour", "blue")
        assert store.setting("colour") == "red"
        assert store.setting("shape", "round") == "round"
    assert len([s for s in statements if s.startswith("SELECT value FROM setting")]) == 2
    assert store.setting("colour") == "blue"


def test_who_writes_sees_what_they_wrote(store: Store) -> None:
    store.set_setting("colour", "red")
    with store.read():
        assert store.setting("colour") == "red"
        store.set_setting("colour", "blue")
        assert store.setting("colour") == "blue"
    with store.write():
        store.set_setting("colour", "green")
        assert store.setting("colour") == "green"
