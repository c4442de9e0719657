"""`evidence posts withdraw`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from annotator.cli import main
from storage.records import Annotation, Post, Verdict
from storage.store import Store, open_store
from tests.builders import SLEEP


def mine(store: Store) -> list[str]:
    """The posts of the test, beside those that a new project begins with."""
    return [p.id for p in store.iter_posts() if p.author in ("eve", "ben")]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(tmp_path / "project")
    store.save_criteria([SLEEP])
    store.add_posts([Post(f"p{n}", f"I lie awake, night {n}.", author="eve" if n < 3 else "ben") for n in range(5)])
    store.ensure_reviewer("ana")
    store.add_annotation(Annotation("p1", SLEEP.id, "ana", Verdict.NO_EVIDENCE), expected_revision=0)
    return store


def test_posts_go_by_id_by_list_and_by_author_and_only_where_that_is_agreed_to(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, listed = str(store.path.parent), tmp_path / "ids.txt"
    listed.write_text("p3\n\np1\n", "utf-8")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    command = ["posts", "withdraw", "p1", "--file", str(listed), "--data-dir", folder]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "To be removed for good: 2 posts, 1 answer of 1 person" in said
    assert "Nothing was removed. Say --yes" in said
    assert len(mine(store)) == 5
    assert main([*command, "--yes"]) == 0
    out = capsys.readouterr()
    assert json.loads(out.out) == {"posts": 2, "annotations": 1, "predictions": 0}
    assert "Backups and snapshots made before" in out.err
    assert main(["posts", "withdraw", "--author", "eve", "--yes", "--data-dir", folder]) == 0
    assert mine(store) == ["p4"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "Say which posts: their ids, --file with one a line, or --author."),
        (["typo"], "There is no post typo. Nothing was removed."),
        (["--author", "nobody"], "There is no post of the author 'nobody'."),
        (["--file", "no-such-file.txt"], "no-such-file.txt could not be read: No such file or directory."),
    ],
)
def test_what_is_not_there_is_said_and_nothing_goes(
    store: Store, capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    assert main(["posts", "withdraw", *given, "--yes", "--data-dir", str(store.path.parent)]) != 0
    assert said in capsys.readouterr().err
    assert len(mine(store)) == 5
