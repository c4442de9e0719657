"""Files, sheets and folders that hold the same texts are one person's answers each; splits are nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, rows, write_lines

ANA, BEN = ("SLEEP_ISSUES", SLEEP), ("ANHEDONIA", FOOD)


def in_files(folder: Path, one: str, other: str) -> Path:
    for name, (label, words) in ((one, ANA), (other, BEN)):
        start = TEXT.index(words)
        item = {"id": 1, "text": TEXT, "label": [[start, start + len(words), label]]}
        (folder / name).parent.mkdir(exist_ok=True)
        write_lines(folder / name, item)
    return folder


def in_sheets(folder: Path, one: str, other: str) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, (label, words) in ((one, ANA), (other, BEN)):
        sheet = book.create_sheet(name.removesuffix(".jsonl"))
        for cells in (["id", "text", "criterion", "quote"], ["1", TEXT, label, words]):
            sheet.append(cells)
    book.save(folder / "in.xlsx")
    return folder / "in.xlsx"


def in_tables(folder: Path, one: str, other: str) -> Path:
    for name, (label, words) in ((one, ANA), (other, BEN)):
        (folder / name).with_suffix(".csv").write_text(f"id,text,criterion,quote\n1,{TEXT},{label},{words}\n", "utf-8")
    return folder


def in_folders(folder: Path, one: str, other: str) -> Path:
    for name, (label, words) in ((one, ANA), (other, BEN)):
        place = folder / name.removesuffix(".jsonl")
        place.mkdir()
        start = TEXT.index(words)
        (place / "1.txt").write_text(TEXT, "utf-8")
        (place / "1.ann").write_text(f"T1\t{label} {start} {start + len(words)}\t{words}\n", "utf-8")
    return folder


def beside_one_text(folder: Path, one: str, other: str) -> Path:
    in_folders(folder, one, other)
    (folder / "texts").mkdir()
    (folder / one.removesuffix(".jsonl") / "1.txt").rename(folder / "texts" / "1.txt")
    (folder / other.removesuffix(".jsonl") / "1.txt").unlink()
    return folder


def of_posts_beside(folder: Path, one: str, other: str) -> Path:
    """Tables of labels alone; both people answered both questions."""
    (folder / "posts.csv").write_text(f"id,text\n1,{TEXT}\n", "utf-8")
    for name, own in ((one, ANA), (other, BEN)):
        said = "".join(f"1,{label},{int((label, words) == own)},{words}\n" for label, words in (ANA, BEN))
        (folder / name).with_suffix(".csv").write_text(f"post_id,criterion,verdict,quote\n{said}", "utf-8")
    return folder


def test_labels_apart_from_their_posts_are_one_persons_for_each_file(tmp_path: Path) -> None:
    found = whose(of_posts_beside(tmp_path, "ana.jsonl", "ben.jsonl"))
    assert found == {("1", label, person) for label in ("SLEEP_ISSUES", "ANHEDONIA") for person in ("ana", "ben")}


def whose(path: Path) -> set[tuple[str | None, str, str | None]]:
    """(post id, label, person)."""
    return {(r.post_id, la.criterion, la.annotator) for r in rows(path) if isinstance(r, ImportRow) for la in r.labels}


@pytest.mark.parametrize("write", [in_files, in_sheets, in_folders, in_tables, beside_one_text])
def test_two_people_are_not_made_one(write: object, tmp_path: Path) -> None:
    found = whose(write(tmp_path, "ana.jsonl", "ben.jsonl"))  # type: ignore[operator]
    assert found == {("1", "SLEEP_ISSUES", "ana"), ("1", "ANHEDONIA", "ben")}


@pytest.mark.parametrize("write", [in_files, in_sheets, in_folders])
def test_a_post_that_stands_in_two_splits_makes_them_no_people(write: object, tmp_path: Path) -> None:
    path = write(tmp_path, "train.jsonl", "test.jsonl")  # type: ignore[operator]
    assert {person for _, _, person in whose(path)} == {None}
    assert {r.split for r in rows(path) if isinstance(r, ImportRow)} == {"train", "test"}


@pytest.mark.parametrize(
    ("write", "sleep"),
    [(in_files, "sleep.jsonl"), (in_folders, "sleep_issues.jsonl"), (beside_one_text, "SLEEP-issues.jsonl")],
)
def test_files_that_are_called_after_their_criterion_are_one_persons_work(
    write: object, sleep: str, tmp_path: Path
) -> None:
    found = whose(write(tmp_path, sleep, "anhedonia.jsonl"))  # type: ignore[operator]
    assert found == {("1", "SLEEP_ISSUES", None), ("1", "ANHEDONIA", None)}


@pytest.mark.parametrize("names", [("sleep_ana.jsonl", "sleep_ben.jsonl"), ("sleep/ana.jsonl", "sleep/ben.jsonl")])
def test_two_people_with_the_same_criterion_stay_two(names: tuple[str, str], tmp_path: Path) -> None:
    for name in (*names, "food.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        label = "FOOD" if name == "food.jsonl" else "SLEEP"
        write_lines(tmp_path / name, {"id": 1, "text": TEXT, "label": [[2, 11, label]]})
    found = {(label, person) for _, label, person in whose(tmp_path)}
    assert len({person for label, person in found if label == "SLEEP"} - {None}) == 2
    assert ("FOOD", None) in found


def test_a_text_that_two_of_many_files_share_makes_no_people(tmp_path: Path) -> None:
    for number in range(7):
        text = TEXT if number in (0, 2) else f"{TEXT} {number}"
        write_lines(tmp_path / f"doc{number}.jsonl", {"text": text, "label": [[2, 11, "SLEEP_ISSUES"]]})
    assert {person for _, _, person in whose(tmp_path)} == {None}


def test_files_of_the_same_name_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    found = whose(in_files(tmp_path, "ana/batch.jsonl", "ben/batch.jsonl"))
    assert {person for _, _, person in found} == {"ana", "ben"}


def test_a_folder_of_texts_is_a_post_for_each(tmp_path: Path) -> None:
    for name, text in (("a", SLEEP), ("b", FOOD)):
        (tmp_path / f"{name}.txt").write_text(text, "utf-8")
    found = [(r.post_id, r.text, r.notes) for r in rows(tmp_path) if isinstance(r, ImportRow)]
    assert found == [("a", SLEEP, ()), ("b", FOOD, ())]


@pytest.mark.parametrize("write", [in_files, in_tables])
def test_a_file_called_like_a_models_is_no_persons(write: object, tmp_path: Path) -> None:
    found = rows(write(tmp_path, "gold.jsonl", "predictions_bert.jsonl"))  # type: ignore[operator]
    labels = [
        (str(la.kind), la.annotator, la.model_version) for r in found if isinstance(r, ImportRow) for la in r.labels
    ]
    assert labels == [("answer", None, None), ("prediction", None, "predictions_bert")]
