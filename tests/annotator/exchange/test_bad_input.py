"""What is refused on the way in, and why; nothing is half-imported."""

from __future__ import annotations

import errno
import zipfile
from pathlib import Path
from typing import Any

import pytest

from annotator.exchange import importing as exchange_import
from annotator.exchange.exporting import ExportRefused, export_file
from annotator.exchange.hub_datasets import Destination, HubRefused, push_to_hub
from annotator.exchange.options import ImportRefused
from annotator.exchange.use_cases import import_file, report_lines
from storage.formats import budget
from storage.formats.rows import FormatError
from storage.store import Store
from tests.annotator.exchange_rows import jsonl, post_ids
from tests.builders import a_post


def refused(store: Store, path: Path, **options: Any) -> str:
    """The message of an import that must be refused whole, with nothing stored."""
    with pytest.raises((FormatError, ImportRefused)) as caught:
        import_file(store, path, **options)
    assert (store.count_posts(), store.imports()) == (0, [])
    return str(caught.value)


def test_an_empty_file_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"")
    (tmp_path / "b.csv").write_bytes(b"\xef\xbb\xbf \n\n")
    (tmp_path / "c.csv").write_bytes(b"id,text\n")
    assert refused(store, tmp_path / "a.csv") == "a.csv is empty."
    assert refused(store, tmp_path / "b.csv") == "b.csv is empty."
    assert refused(store, tmp_path / "c.csv") == "c.csv holds no rows."


def test_missing_columns_files_and_formats_are_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n", "utf-8")
    assert "The file has: x, y" in refused(store, tmp_path / "a.csv")
    assert "There is no column 'z'" in refused(store, tmp_path / "a.csv", columns={"text": "z"})
    assert "There is no format 'docx'" in refused(store, tmp_path / "a.csv", format="docx")
    assert "There is no file" in refused(store, tmp_path / "missing.csv")
    assert "labels_as is 'x'" in refused(store, tmp_path / "a.csv", labels_as="x")


@pytest.mark.parametrize(
    ("content", "what"), [(b"%PDF-1.7 ...", "a PDF"), (b"\x1f\x8b\x08", "gzip"), (b"\xd0\xcf\x11\xe0xx", "old Excel")]
)
def test_files_of_other_programs_are_named(content: bytes, what: str, store: Store, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_bytes(content)
    assert what in refused(store, tmp_path / "posts.csv")


def test_a_wrong_extension_does_not_matter(store: Store, tmp_path: Path) -> None:
    jsonl(tmp_path / "posts.xlsx", {"id": "1", "text": "Really JSON lines."})
    assert import_file(store, tmp_path / "posts.xlsx")["format"] == "jsonl"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "mac_roman"])
def test_the_encoding_is_found_out(encoding: str, store: Store, tmp_path: Path) -> None:
    words = "Ich schlafe nicht, das Mädchen “müde” – ça va très mal, je suis fatigué à l’école depuis février déjà."
    (tmp_path / "posts.csv").write_bytes(
        f'id,text\n1,"{words}"\n2,"Über Öl und Käse, façade naïve; él está cansado."\n'.encode(encoding)
    )
    report = import_file(store, tmp_path / "posts.csv")
    assert (store.post("1").text, report["imported"]) == (words, 2)


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman"])
def test_an_english_file_with_only_curly_quotes_and_dashes_is_read_right(
    encoding: str, store: Store, tmp_path: Path
) -> None:
    words = "I can’t sleep – it’s “bad”. She said: ‘No’… twice."
    (tmp_path / "posts.csv").write_bytes(f"id,text\n1,{words}\n".encode(encoding))
    import_file(store, tmp_path / "posts.csv")
    assert store.post("1").text == words


def test_wrongly_decoded_text_is_pointed_out(store: Store, tmp_path: Path) -> None:
    row = {"id": "1", "text": "I donâ€™t sleep"}
    assert import_file(store, jsonl(tmp_path / "x.jsonl", row))["mojibake_rows"] == 1


def test_bad_rows_are_refused_alone_each_with_its_reason(store: Store, tmp_path: Path) -> None:
    rows = [
        {"id": "nul", "text": "a\x00b"},
        {"id": "half", "text": "x \ud83d y"},
        {"id": "blank", "text": "  \n"},
        {"id": "object", "text": {"words": 17}},
        {"id": "split", "text": "Fine.", "split": "holdout"},
        {"id": "good", "text": "Fine & well."},
        "[1, 2]",
        {"id": "list", "text": "Fine!", "annotations": 3},
        {"id": "\ud83d", "text": "An id of half a character."},
    ]
    report = import_file(store, jsonl(tmp_path / "x.jsonl", *rows))
    assert post_ids(store) == ["good", "list"]
    assert [(r["row"], r["reason"]) for r in report["rejected"]] == [
        (1, "Post 'nul' holds a NUL character; remove it and try again."),
        (2, "Post 'half' holds half of a UTF-16 pair and cannot be stored as Unicode text."),
        (3, "has no text"),
        (4, "the text is an object, not words; say which column is the text (--column text=NAME)"),
        (5, "'holdout' is no split; use train, dev or test"),
        (7, "is a list, not an object with named fields, nor a pair [text, {entities}]"),
        (9, "the id holds half of a UTF-16 pair and cannot be stored as Unicode text"),
    ]
    issues = [(i.row, i.reason) for i in store.import_issues(report["import_id"]) if i.kind == "label"]
    assert issues == [(8, "(no label): is a number, no list of labels")]


def test_one_broken_row_among_many_costs_only_itself(store: Store, tmp_path: Path) -> None:
    lines = ["id,text"] + [f'{n},"Post {n}, fine"' for n in range(1, 3001)]
    lines[1500] = '1500,"This quote never closes'
    lines[1600] = "1600,too,many,cells"
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n", "utf-8")
    report = import_file(store, tmp_path / "x.csv")
    assert report["imported"] == 2998
    assert {r["row"] for r in report["rejected"]} <= {1501, 1502, 1601}
    assert report["rejected_count"] == 2


def test_broken_bytes_in_one_row_do_not_change_the_others(store: Store, tmp_path: Path) -> None:
    good = "".join(f"{n},schläft schlecht müde {n}\n" for n in range(50)).encode()
    (tmp_path / "x.csv").write_bytes(b"id,text\n" + good + b"bad,sch\xe4fchen\n")
    report = import_file(store, tmp_path / "x.csv")
    assert (report["imported"], report["encoding"]) == (50, "utf-8")
    assert report["rejected"] == [{"row": 52, "reason": "holds bytes that do not fit the file's encoding (utf-8)"}]


def test_a_very_long_post_is_kept_whole(store: Store, tmp_path: Path) -> None:
    text = "word " * 100_000 + "end"
    (tmp_path / "x.csv").write_text(f'id,text\n1,"{text}"\n', "utf-8")
    import_file(store, tmp_path / "x.csv")
    assert store.post("1").text == text


def test_a_file_that_changes_while_it_is_read_is_refused(store: Store, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "x.jsonl", *({"id": str(n), "text": f"Post {n}."} for n in range(600)))

    def meddle(fraction: float, message: str) -> None:
        with file.open("a") as more:
            more.write("\n")

    assert "changed while it was read" in refused(store, file, on_progress=meddle)


def test_a_full_disk_leaves_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exchange_import.Staging, "add_post", full)
    assert "The disk is full" in refused(store, jsonl(tmp_path / "x.jsonl", {"id": "1", "text": "Fine."}))
    monkeypatch.undo()
    store.add_posts([a_post()])
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ExportRefused, match="the disk is full"):
        export_file(store, "jsonl", tmp_path / "out" / "x.jsonl")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_zip_bomb_is_refused(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "RATIO_FREE_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("posts.csv", b"id,text\n" + b"0" * (16 << 20))
    assert "refused as a bomb" in refused(store, tmp_path / "x.zip")


@pytest.mark.parametrize("name", ["../evil.csv", "/tmp/evil.csv", "a\\..\\..\\evil.csv"])
def test_a_zip_file_cannot_write_outside_its_folder(name: str, store: Store, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr(name, "id,text\n1,x\n")
    assert "outside its folder" in refused(store, tmp_path / "x.zip")


def test_a_dataset_that_needs_its_own_code_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "set.py").write_text("raise SystemExit('run')")
    assert "never run" in refused(store, tmp_path / "set", format="hf")


def test_rows_without_a_field_are_said_to_be_so(store: Store, tmp_path: Path) -> None:
    assert "the rows hold no named fields" in refused(store, jsonl(tmp_path / "x.jsonl", {}, {}))


def test_a_hub_that_cannot_be_reached_is_one_clear_line(store: Store) -> None:
    with pytest.raises(HubRefused, match="Hub"):
        import_file(store, "hub:owner/name")
    store.add_posts([a_post()])
    with pytest.raises(HubRefused, match="Hub"):
        push_to_hub(store, Destination("owner/name"))
    assert [p.name for p in store.path.parent.iterdir() if p.name.startswith((".hub", ".push"))] == []


def test_workbook_formulas_count_as_their_saved_values(store: Store, tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for row in (["id", "text"], [1, "Typed text"], [2, '=CONCAT("a","b")']):
        book.active.append(row)  # type: ignore[union-attr]
    book.save(tmp_path / "x.xlsx")
    report = import_file(store, tmp_path / "x.xlsx")
    assert (post_ids(store), report["rejected_count"]) == (["1"], 1)


def test_the_report_lists_every_row_that_was_not_taken(store: Store, tmp_path: Path) -> None:
    rows = [{"id": "=1", "text": ""}, {"id": "a", "text": "Fine."}, {"id": "a", "text": "Fine."}]
    report = import_file(store, jsonl(tmp_path / "x.jsonl", *rows))
    lines = "".join(report_lines(store, report["import_id"])).splitlines()
    assert lines[0] == "row,post_id,kind,reason,evidence"
    assert {line.split(",")[2] for line in lines[1:]} == {"rejected", "duplicate", "left out"}
    assert any(line.startswith("1,'=1,rejected") for line in lines)
