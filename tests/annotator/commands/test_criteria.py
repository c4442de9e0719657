"""`evidence criteria` in a project that it begins."""

from __future__ import annotations

from pathlib import Path

from annotator.cli import main
from storage.store import open_store


def test_a_project_that_begins_with_criteria_of_its_own_never_had_the_default_ones(tmp_path: Path) -> None:
    own, folder = tmp_path / "own.yaml", tmp_path / "project"
    own.write_text("attributes: {flags: [past]}\ncriteria:\n- {id: HOPE, name: Hope, text: The writer hopes.}\n")
    assert main(["criteria", "load", str(own), "--data-dir", str(folder)]) == 0
    store = open_store(folder)
    assert [(c.id, c.version, c.active) for c in store.criteria(with_inactive=True)] == [("HOPE", 1, True)]
    assert store.attributes().flags == ("past",)
    store.close()


def test_one_that_keeps_the_others_begins_with_the_default_ones(tmp_path: Path) -> None:
    own, folder = tmp_path / "own.yaml", tmp_path / "project"
    own.write_text("- {id: HOPE, name: Hope, text: The writer hopes.}\n")
    assert main(["criteria", "load", str(own), "--keep-others", "--data-dir", str(folder)]) == 0
    store = open_store(folder)
    assert len(store.criteria()) == 10
    store.close()
