"""A folder of files of one tool's format is read file by file, with splits from their names, and ids apart in each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storage.formats.detection import detect
from storage.formats.rows import FormatError, ImportRow, RowError
from tests.storage.formats.reading import SLEEP, TEXT, rows, said, write_json

WEBANNO = (
    "#FORMAT=WebAnno TSV 3.3\n#T_SP=custom.Symptom|label\n\n\n#Text=I lie\n1-1\t0-1\tI\t_\t\n1-2\t2-5\tlie\tSLEEP\t\n"
)


def test_exports_of_label_studio_by_split(tmp_path: Path) -> None:
    region = {"type": "labels", "value": {"start": 0, "end": 23, "text": SLEEP, "labels": ["SLEEP_ISSUES"]}}
    for split in ("train", "test"):
        task = {"id": 1, "data": {"text": f"{TEXT} {split}"}, "annotations": [{"result": [region]}]}
        write_json(tmp_path / f"{split}.json", [task])
    found = rows(tmp_path)
    assert [(r.number, r.post_id, r.split, r.part) for r in found if isinstance(r, ImportRow)] == [
        (1, "1", "test", "test"),
        (2, "1", "train", "train"),
    ]
    assert all(said(row) == {"SLEEP_ISSUES": ("evidence", [SLEEP])} for row in found)


def test_a_project_of_inception_has_a_file_for_each_person(tmp_path: Path) -> None:
    for document, person in (("one.txt", "ana"), ("one.txt", "ben"), ("two.txt", "ana")):
        folder = tmp_path / "annotation" / document
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{person}.tsv").write_text(WEBANNO, "utf-8")
    found = [r for r in rows(tmp_path) if isinstance(r, ImportRow)]
    assert [(r.post_id, r.labels[0].annotator) for r in found] == [
        ("one.txt", "ana"),
        ("one.txt", "ben"),
        ("two.txt", "ana"),
    ]


def test_a_file_that_cannot_be_read_costs_itself(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(WEBANNO, "utf-8")
    (tmp_path / "b.tsv").write_text(WEBANNO.split("#Text")[0], "utf-8")
    first, second = rows(tmp_path)
    assert isinstance(first, ImportRow)
    assert second == RowError(2, "b.tsv: b.tsv holds no text (#Text=).")


def test_files_of_several_kinds_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(WEBANNO, "utf-8")
    (tmp_path / "b.json").write_text(json.dumps([{"id": 1, "text": TEXT}]), "utf-8")
    with pytest.raises(FormatError, match=r"2 data files \(a\.tsv, b\.json\)"):
        detect(tmp_path)
