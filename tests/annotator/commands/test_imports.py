"""`evidence imports undo` where people have worked on what the import brought."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from annotator.cli import main
from storage.records import Annotation, Post, Role, Span, Verdict
from storage.store import open_store
from storage.team_records import Adjudication, Outcome
from tests.builders import SLEEP


def test_peoples_answers_go_with_an_import_only_where_they_are_named_and_agreed_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, table = tmp_path / "project", tmp_path / "more.csv"
    store = open_store(folder)
    store.save_criteria([SLEEP])
    store.add_posts([Post("p1", "The dog is well.")])
    for name in ("ben", "cem"):
        store.ensure_reviewer(name)
    store.add_reviewer("jo", Role.ADJUDICATOR)
    table.write_text("id,text,label,evidence\np3,I lie awake.,SLEEP_ISSUES,I lie awake.\n")
    assert main(["import", str(table), "--data-dir", str(folder)]) == 0
    for post_id, name in (("p1", "ben"), ("p3", "ben"), ("p3", "cem")):
        answer = Annotation(post_id, SLEEP.id, name, Verdict.NO_EVIDENCE)
        store.add_annotation(answer, expected_revision=0)
    store.add_adjudication(
        Adjudication("p3", SLEEP.id, "jo", Outcome.EVIDENCE, (Span(0, 12),)),
        expected_revision=0,
    )
    (record,) = store.imports()
    undo = ["imports", "undo", str(record["id"]), "--data-dir", str(folder)]
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    capsys.readouterr()
    assert main(undo) == 2
    said = capsys.readouterr().err
    assert "1 post would go, WITH 2 answers and 1 decision of who adjudicated that 3 people gave to them since" in said
    assert "Nothing was removed. Say --yes" in said
    assert store.count_posts() == 2
    assert main([*undo, "--yes"]) == 0
    assert store.count_posts() == 1
    assert store.work_on_import(record["id"]) == (0, 0, 0)
