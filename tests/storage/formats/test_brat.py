"""brat folders: what stands beside the spans is kept and said, and one bad line costs itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.ledger import Ledger
from storage.formats.rows import ImportRow
from tests.storage.formats.reading import entries, left_out, one, rows, said

TEXT = "I do not lie awake. Food has no taste now.\n"


def folder(path: Path, **documents: tuple[str, str | None]) -> Path:
    for name, (text, notes) in documents.items():
        place = path / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_suffix(".txt").write_text(text, "utf-8", newline="")
        if notes is not None:
            place.with_suffix(".ann").write_text(notes, "utf-8")
    return path


def test_a_span_marked_as_negated_is_left_out_and_the_rest_is_kept(tmp_path: Path) -> None:
    lines = "T1\tSLEEP_ISSUES 9 18\tlie awake\nA1\tNegated T1\n#1\tAnnotatorNotes T1\tshe sleeps well\n"
    lines += "T2\tANHEDONIA 20 42\tFood has no taste now.\nA2\tCertainty T2 possible\nR1\tCauses Arg1:T1 Arg2:T2\n"
    row = one(folder(tmp_path / "in", d1=(TEXT, lines)))
    assert said(row) == {"ANHEDONIA": ("evidence", ["Food has no taste now."])}
    assert left_out(row) == {"SLEEP_ISSUES": "marked Negated (A1)"}
    assert row.meta["brat"] == [line for line in lines.split("\n") if line and line[0] != "T"]
    ledger = Ledger()
    ledger.add(row.account)
    assert ("line", "attribute Certainty", "kept in meta") in entries(ledger)


def test_a_line_that_cannot_be_read_costs_itself(tmp_path: Path) -> None:
    row = one(
        folder(
            tmp_path / "in",
            d1=(TEXT, "T1\tSLEEP_ISSUES x 18\tlie awake\nT2\tANHEDONIA 20 42\tFood has no taste now.\n"),
        )
    )
    assert said(row) == {"ANHEDONIA": ("evidence", ["Food has no taste now."])}
    assert left_out(row)["SLEEP_ISSUES"].startswith("line 1 (T1) is no text-bound annotation")


@pytest.mark.parametrize(
    ("fragments", "words"),
    [("2 5;23 28", ["lie", "awake"]), ("2 5;6 11", ["lie awake"]), ("2 5;6 11;15 18", ["lie awake", "all"])],
)
def test_fragments_are_passages_of_their_own_unless_only_a_gap_parts_them(
    fragments: str, words: list[str], tmp_path: Path
) -> None:
    text = "I lie awake or all lie awake.\n" if "23" not in fragments else "I lie, and I swear it, awake.\n"
    row = one(folder(tmp_path / "in", d1=(text, f"T1\tSLEEP_ISSUES {fragments}\tx\n")))
    assert said(row)["SLEEP_ISSUES"][1] == words


def test_folders_are_splits_and_keep_their_documents_apart(tmp_path: Path) -> None:
    path = folder(tmp_path / "in", train__d1=("One.", ""), test__d1=("Two.", ""), test__d2=("Three.", ""))
    found = [(r.post_id, r.split) for r in rows(path) if isinstance(r, ImportRow)]
    assert found == [("test/d1", "test"), ("d2", "test"), ("train/d1", "train")]


def test_texts_about_the_corpus_and_lone_files_are_said(tmp_path: Path) -> None:
    path = folder(tmp_path / "in", d1=("One.", ""), README=("About.", None))
    (path / "d2.ann").write_text("T1\tX 0 1\ta\n", "utf-8")
    ledger = Ledger()
    assert len(rows(path, ledger=ledger)) == 1
    assert entries(ledger) == [("file", "README.txt", "left out"), ("file", "d2.ann", "left out")]


def test_the_chosen_encoding_is_used(tmp_path: Path) -> None:
    path = folder(tmp_path / "in", d1=("x", "T1\tSLEEP_ISSUES 2 11\tlie awake\n"))
    (path / "d1.txt").write_bytes("I lie awake – café.".encode("cp1252"))
    assert one(path, encoding="cp1252").text == "I lie awake – café."
