"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.files import is_remote, replacing, sync_tree, unused


def test_what_stood_there_stays_until_the_new_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path, mode=0o600) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_failure_on_the_way_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "old")]


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        path = unused(tmp_path / "evidence.db")
        path.touch()
        names.append(path.name)
    assert names == ["evidence.db", "evidence-2.db", "evidence-3.db"]


def test_a_tree_is_synced_with_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_text("x")
    sync_tree(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_tree(tmp_path / "gone")


@pytest.mark.parametrize(
    ("text", "elsewhere"),
    [
        ("s3://bucket/posts", True), ("HF://datasets/a/b", True), ("simplecache::s3://bucket/x", True), ("C://posts", False),
        ("posts/a.jsonl", False), ("hub:someone/posts", False), ("notes: see http://x", False),
    ],
)  # fmt: skip
def test_an_address_is_told_from_a_path(text: str, elsewhere: bool) -> None:
    assert is_remote(text) is elsewhere
