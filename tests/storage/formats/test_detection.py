"""What a file is, found out from its name and content."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.detection import detect, file_in
from storage.formats.rows import FormatError
from tests.storage.formats.reading import rows


def test_the_other_files_of_a_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "POSTS.CSV").write_text("id,text\n1,Fine.\n", "utf-8")
    (tmp_path / "picture.png").write_bytes(b"x")
    path, left = file_in(tmp_path)
    assert (path.name, left) == ("POSTS.CSV", ("picture.png",))
    assert detect(path).format.name == "csv"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("d.ann", "T1\tSLEEP 2 11\tlie awake\n", "annotation file of brat"),
        ("d.xml", "<?xml version='1.0'?><doc/>", "an XML file of a layout that no reader knows"),
        ("d.html", "<!doctype html><html></html>", "an HTML page"),
        ("d.txt", "# only\n# comments\n", "nothing but comments"),
        ("d.json", '{"id": 1, "text": {"a": 1}}', "No column looks like the text"),
    ],
)
def test_what_no_reader_knows_is_refused_by_its_name(name: str, content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(FormatError, match=reason):
        rows(tmp_path / name)
