"""Exports through the store: what is chosen, what is said of it, and that nothing is overwritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from annotator.exchange.exporting import ExportRefused, export_file
from annotator.exchange.use_cases import export_filter
from storage.exports import ExportFilter
from storage.formats.registry import WRITERS
from storage.formats.rows import FormatError
from storage.records import Split
from storage.store import Store
from tests.builders import MOOD, SLEEP, a_post, an_annotation


def test_filters_choose_what_is_exported(store: Store, tmp_path: Path) -> None:
    one, two = a_post("I lie awake.", id="one"), a_post("The dog sleeps.", id="two", split=Split.TEST)
    store.add_posts([one, two])
    store.add_annotation(an_annotation(one, "awake", created_at="2026-01-05T10:00:00Z"), expected_revision=0)
    store.add_annotation(an_annotation(two, reviewer="ben", created_at="2026-02-01T10:00:00Z"), expected_revision=0)

    def exported(**values: Any) -> list[str]:
        chosen = export_filter(values)
        export_file(store, "gold", tmp_path / "out.jsonl", chosen)
        return [json.loads(line)["post_id"] for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]

    assert exported() == ["one", "two"]
    assert exported(reviewer="ben") == ["two"]
    assert exported(verdicts="evidence") == ["one"]
    assert exported(splits=["test"]) == ["two"]
    assert exported(until="2026-01-05") == ["one"]
    assert exported(since="2026-01-06") == ["two"]
    assert exported(criteria="DEPRESSED_MOOD") == []
    assert exported(model_version="v9") == []
    assert exported(since="2026-01-05T10:00:01Z") == ["two"]
    wrong_days = ({"since": "yesterday"}, {"until": "2026-02-30"}, {"since": "2026-01-05T10:00:00+02:00"})
    for wrong in ({"verdicts": "maybe"}, {"color": "red"}, *wrong_days):
        with pytest.raises(ExportRefused):
            export_filter(wrong)


def test_an_export_tells_what_it_is_and_what_it_cannot_carry(store: Store, tmp_path: Path) -> None:
    post = a_post("I lie awake.")
    store.add_posts([post, a_post("Unread post.", id="p2")])
    store.add_annotation(an_annotation(post, "awake"), expected_revision=0)
    manifest = export_file(store, "squad", tmp_path / "out.json")
    written = json.loads((tmp_path / "out.json.manifest.json").read_text("utf-8"))
    assert {k: v for k, v in manifest.items() if k != "output"} == written
    assert (written["posts"], written["annotations"], written["spans"]) == (1, 1, 1)
    assert written["per_criterion"] == {"SLEEP_ISSUES": {"evidence": 1}}
    assert written["criteria"][0]["text"] == SLEEP.text
    assert written["files"][0]["name"] == "out.json"
    assert "predictions" in written["cannot_carry"]


def test_unanswered_is_not_the_same_as_reviewed_without_evidence(store: Store, tmp_path: Path) -> None:
    post = a_post("I lie awake.")
    store.add_posts([post])
    store.add_annotation(an_annotation(post), expected_revision=0)
    export_file(store, "gold", tmp_path / "out.jsonl")
    line = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert line["annotations"] == [{"criterion": "SLEEP_ISSUES", "verdict": "no_evidence", "spans": []}]


def test_an_export_never_overwrites_a_folder(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(ExportRefused, match="is there already"):
        export_file(store, "brat", tmp_path / "out")
    with pytest.raises(ExportRefused, match="is a folder"):
        export_file(store, "csv", tmp_path / "out")


def test_the_dataset_card_tells_what_is_inside_and_how_far_people_agreed(store: Store, tmp_path: Path) -> None:
    post = a_post("I lie awake.")
    store.add_posts([post])
    store.add_annotation(an_annotation(post, "awake"), expected_revision=0)
    export_file(store, "hf", tmp_path / "one", license_name="cc-by-4.0")
    card = (tmp_path / "one" / "README.md").read_text("utf-8")
    assert 'license: "cc-by-4.0"' in card
    assert "One reviewer: nothing can be said about agreement." in card
    assert "| train | 1 |" in card
    assert f"| SLEEP_ISSUES | {SLEEP.text} | 1 | 0 | 0 | 1 |" in card
    assert "1 passages were marked by a person without a proposal." in card
    assert "marked as evidence for 1 criterion: 1 answers" in card
    assert "1 answers were given, or imported, without a model's marks." in card
    store.add_annotation(an_annotation(post, reviewer="ben"), expected_revision=0)
    store.add_annotation(an_annotation(post, criterion=MOOD), expected_revision=0)
    store.add_annotation(an_annotation(post, criterion=MOOD, reviewer="ben"), expected_revision=0)
    export_file(store, "hf", tmp_path / "two")
    assert "1 of the 2 pairs of post and criterion" in (tmp_path / "two" / "README.md").read_text("utf-8")
    assert store.double_reviews(ExportFilter(criteria=("SLEEP_ISSUES",))) == (2, 1, 0)
    assert store.double_reviews(ExportFilter(splits=(Split.TEST,))) == (0, 0, 0)


@pytest.mark.parametrize("name", ["bogus", "webanno", "json"])
def test_a_refused_format_names_those_that_can_be_written(name: str, store: Store, tmp_path: Path) -> None:
    with pytest.raises(FormatError) as refused:
        export_file(store, name, tmp_path / "out")
    assert str(refused.value).endswith(f"Formats: {', '.join(WRITERS)}.")
    assert not any((tmp_path / "out").parent.glob("out*"))
