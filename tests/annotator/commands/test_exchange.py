"""What `evidence import` says on standard error beside its JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from annotator.cli import main


def imported(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any, str]:
    """Import into the project beside the file: (exit code, the JSON on standard output, standard error)."""
    code = main(["import", str(path), "--data-dir", str(path.parent / "project")])
    out, said = capsys.readouterr()
    return code, json.loads(out), said


def test_what_an_import_did_not_take_as_it_stands_is_said_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, long = "id,text,labels,quote,stars", "x" * 300
    lines = [f'{long},"I can&#39;t sleep at night, and cry.",SLEEP_ISSUES;FATIGUE,cry,4', "b,So tired.,FATIGUE,tired,5"]
    (tmp_path / "in.csv").write_text("\n".join([header, *lines]) + "\n")
    code, report, said = imported(tmp_path / "in.csv", capsys)
    assert (code, report["annotations"], report["renamed"]) == (0, 1, 1)
    why = "2 labels stand beside 1 piece of evidence: which belongs to which cannot be told."
    for line in (
        "Kept with the posts: column 'labels', 1 time: not read",
        "Left out: label 'SLEEP_ISSUES;FATIGUE', 1 time",
    ):
        assert f"{line}: {why}" in said
    assert "1 id or name is kept as another one; the report says which (kind renamed)." in said
    assert "stars" not in said
    spans = {"id": "c", "text": "I can't sleep.", "entities": [[2, 12, "SLEEP_ISSUES"]]}
    (tmp_path / "in.jsonl").write_text(json.dumps(spans) + "\n")
    code, report, said = imported(tmp_path / "in.jsonl", capsys)
    assert (code, report["annotations"], report["odd_edges"]) == (0, 1, 1)
    assert "1 passage placed by offsets alone with an edge inside a word or on white space: do these count" in said
