"""A folder of tables: posts here and labels there, texts in files, a file for each person or criterion; a codebook is no post."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.detection import detect
from storage.formats.ledger import Ledger, Outcome
from storage.formats.rows import ImportRow, Row
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, rows

LABELS = f"post,criterion,evidence\na,SLEEP,{SLEEP}\nb,FOOD,no taste\n"


def folder(tmp_path: Path, **files: str) -> Path:
    for name, content in files.items():
        place = tmp_path / "d" / name.replace("__", "/").replace("_csv", ".csv").replace("_txt", ".txt")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, "utf-8")
    return tmp_path / "d"


def posts(found: list[Row]) -> dict[str | None, str]:
    return {r.post_id: r.text for r in found if isinstance(r, ImportRow) and r.text}


def labels(found: list[Row]) -> list[tuple[str | None, str, str | None, str]]:
    return sorted(
        (r.post_id or "", la.criterion, la.annotator, la.verdict or "")
        for r in found
        if isinstance(r, ImportRow)
        for la in r.labels
    )


@pytest.mark.parametrize("named", ["file", "doc"])
def test_posts_or_texts_in_files_with_their_labels_beside_them(named: str, tmp_path: Path) -> None:
    both = [("a", "SLEEP", None, "evidence"), ("b", "FOOD", None, "evidence")]
    tables = folder(
        tmp_path / "one",
        posts_csv=f"post_id,text\na,{TEXT}\nb,{FOOD}\n",
        labels_csv=LABELS.replace("post,", "post_id,"),
        codebook_csv="code,meaning\nSLEEP,does not sleep well at night\n",
    )
    ledger = Ledger()
    found = rows(tables, ledger=ledger)
    assert (detect(tables).format.name, posts(found), labels(found)) == ("tables", {"a": TEXT, "b": FOOD}, both)
    assert [e.name for e in ledger if e.outcome is Outcome.LEFT] == ["codebook.csv"]
    labelled = LABELS.replace("post,", f"{named},").replace("\na,", "\na.txt,").replace("\nb,", "\nb.txt,")
    found = rows(
        folder(tmp_path / "two", texts__a_txt=TEXT, texts__b_txt=FOOD, texts__c_txt="Fine.", labels_csv=labelled)
    )
    assert posts(found) == {"a.txt": TEXT, "b.txt": FOOD, "c.txt": "Fine."}
    assert [(i.removesuffix(".txt"), *rest) for i, *rest in labels(found)] == both


def test_a_file_for_each_criterion_and_one_for_each_person(tmp_path: Path) -> None:
    head = f"id,text,label,evidence\n1,{TEXT},"
    tables = folder(tmp_path / "one", SLEEP_csv=f"{head}1,{SLEEP}\n", FOOD_csv=f"{head}0,\n")
    assert labels(rows(tables, criteria=("SLEEP", "FOOD"))) == [
        ("1", "FOOD", None, "no_evidence"),
        ("1", "SLEEP", None, "evidence"),
    ]
    head = f"id,text,criterion,evidence\n1,{TEXT},SLEEP,"
    tables = folder(tmp_path / "two", ana_csv=f"{head}lie awake\n", ben_csv=f"{head}awake\n")
    assert labels(rows(tables)) == [("1", "SLEEP", "ana", "evidence"), ("1", "SLEEP", "ben", "evidence")]


@pytest.mark.parametrize(
    ("head", "a", "b"),
    [
        ("post_id,criterion,evidence,comment", f"a,SLEEP,{SLEEP},clear case here", "b,FOOD,no taste,not so sure"),
        ("document,criterion,evidence", f"a,SLEEP,{SLEEP}", "b,FOOD,no taste"),
        ("post_id,criterion,quote,context", f"a,SLEEP,{SLEEP},{TEXT}", "b,FOOD,no taste,has no taste at all"),
        ("post_id,criterion,verdict,text", f"a,SLEEP,1,{SLEEP}", "b,FOOD,1,no taste"),
    ],
)
def test_a_remark_or_a_quote_of_labels_is_no_post(head: str, a: str, b: str, tmp_path: Path) -> None:
    files = {"posts_csv": f"id,text\na,{TEXT}\nb,{FOOD}\n", "labels_csv": f"{head}\n{a}\n{b}\n"}
    beside = {
        "codebook_csv": "criterion,comment\nSLEEP,sleeps badly at night\n",
        "users_csv": "id,content\nu,a nurse from far\n",
    }
    ledger = Ledger()
    found = rows(folder(tmp_path, **files, **beside), ledger=ledger)
    assert posts(found) == {"a": TEXT, "b": FOOD}
    assert labels(found) == [("a", "SLEEP", None, "evidence"), ("b", "FOOD", None, "evidence")]
    assert [e.name for e in ledger if e.outcome is Outcome.LEFT and e.what == "file"] == ["codebook.csv", "users.csv"]


def test_a_table_that_may_be_of_other_posts_is_left_out(tmp_path: Path) -> None:
    files = {
        "posts_csv": f"id,text\na,{TEXT}\n",
        "other_csv": "id,criterion,verdict,comment\na,SLEEP,0,I sleep well these days\n",
    }
    ledger = Ledger()
    assert labels(rows(folder(tmp_path, **files), ledger=ledger)) == []
    assert "may be a text or a remark" in next(e.detail for e in ledger if e.outcome is Outcome.LEFT)


def test_a_text_about_the_corpus_is_no_post_beside_tables(tmp_path: Path) -> None:
    files = {
        "a_txt": TEXT,
        "b_txt": FOOD,
        "README_txt": "About these texts.",
        "labels_csv": LABELS.replace("post,", "doc,").replace("\na,", "\na.txt,").replace("\nb,", "\nb.txt,"),
    }
    ledger = Ledger()
    assert posts(rows(folder(tmp_path, **files), ledger=ledger)) == {"a.txt": TEXT, "b.txt": FOOD}
    assert [e.name for e in ledger if e.outcome is Outcome.LEFT] == ["README.txt"]


def test_columns_of_people_that_the_project_knows_are_theirs_in_a_table_of_labels_too(tmp_path: Path) -> None:
    tables = folder(
        tmp_path,
        posts_csv=f"post_id,text\na,{TEXT}\n",
        labels_csv="post_id,criterion,label_ana,label_ben\na,SLEEP,0,0\n",
    )
    found = labels(rows(tables, reviewers=("ana", "ben")))
    assert found == [("a", "SLEEP", "ana", "no_evidence"), ("a", "SLEEP", "ben", "no_evidence")]
