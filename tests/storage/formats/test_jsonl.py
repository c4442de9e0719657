"""JSON Lines: a broken line costs itself, other people's keys are found by name, ours come back complete."""

from __future__ import annotations

from pathlib import Path

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import (
    TEXT,
    one,
    outcomes,
    reasons,
    rows,
    write_lines,
)


def test_a_line_that_is_no_object_costs_itself_and_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": 1, "text": "One."}\nnonsense\n\n[1]\n{"id": 2, "text": "Two.\u2028Still two."}\n', "utf-8")
    found = rows(path)
    assert [(row.number, row.text) for row in found if isinstance(row, ImportRow)] == [
        (1, "One."),
        (5, "Two.\u2028Still two."),
    ]
    assert [number for number, _ in reasons(found)] == [2, 4]


def test_lists_of_objects_that_are_no_labels_are_named(tmp_path: Path) -> None:
    row = one(write_lines(tmp_path / "in.jsonl", {"id": 1, "text": TEXT, "ents": [{"s": 0, "l": "x"}], "n": 1}))
    assert row.labels == ()
    assert [d for (_, name, _, d) in row.account if name == "ents"] == ["a list of objects, not read as labels"]
    assert outcomes(row)["n"] == "kept in meta"


def test_words_by_label_are_passages_and_a_models_list_is_no_persons(tmp_path: Path) -> None:
    lists = {"pred_spans": [[0, 5, "SLEEP"]], "silver": [[0, 5, "FOOD"]], "model": "m", "gold_spans": [[0, 6, "SLEEP"]]}
    item = {
        "id": 1,
        "text": TEXT,
        "labels": ["SLEEP"],
        "evidence": {"SLEEP": ["lie awake"], "FOOD": "no taste"},
        **lists,
    }
    row = one(write_lines(tmp_path / "in.jsonl", item), criteria=("SLEEP",))
    assert [(str(la.kind), la.criterion, len(la.passages)) for la in row.labels] == [
        ("answer", "SLEEP", 1),
        ("answer", "FOOD", 1),
        ("prediction", "SLEEP", 1),
        ("prediction", "FOOD", 1),
        ("answer", "SLEEP", 1),
    ]
    assert row.meta == {"labels": ["SLEEP"], "model": "m"}
    other = {"id": 1, "text": TEXT, "evidence": {"source": "web", "note": "by hand"}}
    row = one(write_lines(tmp_path / "in.jsonl", other), criteria=("SLEEP",))
    assert (row.labels, row.meta) == ((), {"evidence": other["evidence"]})


def test_the_text_is_in_an_object_of_a_post_or_where_the_record_has_words_of_its_own(tmp_path: Path) -> None:
    for key, said in (("metadata", "I feel bad"), ("comment", "I feel bad"), ("comment", "so so")):
        item = {"id": 1, "talk": said, key: {"text": "what was said a turn before"}}
        found = rows(
            write_lines(tmp_path / "own.jsonl", item, {"id": 2, "talk": "and here are more words", key: {"text": "a"}})
        )
        assert [r.text for r in found if isinstance(r, ImportRow)] == [said, "and here are more words"]
    span = [{"start": 0, "end": 6, "label": "FOOD"}]
    post = {"id": "p1", "text": TEXT, "annotator": "inner"}
    path = tmp_path / "post.jsonl"
    assert one(write_lines(path, {"post": post, "annotator": "ana", "spans": span})).labels[0].annotator == "ana"
    assert one(write_lines(path, {"post": post | {"spans": span}, "annotator": "ana"})).labels[0].annotator == "inner"
