"""Records of a table: the columns of Reddit's dumps."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, one, reasons, rows, said, write_lines


def test_reddit_lines_keep_the_body_and_count_out_what_was_removed(tmp_path: Path) -> None:
    post = {
        "id": "a1",
        "name": "t3_a1",
        "title": "Cannot sleep",
        "selftext": SLEEP,
        "author": "[deleted]",
        "subreddit": "x",
    }
    found = rows(
        write_lines(
            tmp_path / "in.jsonl",
            post,
            {**post, "id": "a2", "selftext": "[removed]"},
            {**post, "id": "a3", "selftext": ""},
        )
    )
    assert [(r.post_id, r.text, r.author) for r in found if isinstance(r, ImportRow)] == [
        ("a1", SLEEP, None),
        ("a3", "Cannot sleep", None),
    ]
    assert reasons(found) == [(2, "the post's text is a placeholder: [removed]")]


@pytest.mark.parametrize(
    ("header", "yes", "no"),
    [("Beitrag_ID;Text;Kriterium;Befund;Zitat", "ja", "nein"), ("identifiant;texte;critère;présent;extrait", "oui", "non"),
     ("post_id;text;symptom;label;evidence", "1", "0"), ("id;text;criterion;answer;quote", "Y", "N")],
)  # fmt: skip
def test_what_is_said_beside_a_criterion_is_its_verdict_in_several_languages(
    header: str, yes: str, no: str, tmp_path: Path
) -> None:
    lines = [header, f"7;{TEXT};SLEEP_ISSUES;{yes};{SLEEP}", f"7;{TEXT};ANHEDONIA;{no};{FOOD}"]
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n", "cp1252")
    first, second = rows(tmp_path / "in.csv")
    assert isinstance(first, ImportRow)
    assert (first.post_id, said(first), said(second)) == (
        "7", {"SLEEP_ISSUES": ("evidence", [SLEEP])}, {"ANHEDONIA": ("no_evidence", [])},
    )  # fmt: skip


def test_posts_and_comments_of_one_dump_and_tokens_whose_tags_are_numbers(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "selftext": SLEEP, "title": "x"},
        {"id": "b", "body": FOOD},
        {"id": "c", "title": "Only this", "selftext": ""},
    ]
    found = rows(write_lines(tmp_path / "in.jsonl", *lines))
    assert [r.text for r in found if isinstance(r, ImportRow)] == [SLEEP, FOOD, "Only this"]
    row = one(write_lines(tmp_path / "b.jsonl", {"id": "a", "tokens": ["lie", "awake"], "ner_tags": [1, 2]}))
    assert (row.text, row.meta) == ("lie awake", {"ner_tags": [1, 2]})


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (["nein", "reviewed", "reviewed", "0"], ["no_evidence", None, None, "no_evidence"]),
        (["done", "unclear", "open", "done"], ["evidence"] * 4),
        (["yes", "yes", "no", "done"], ["evidence", "evidence", "no_evidence", None]),
    ],
)
def test_a_column_of_status_is_of_verdicts_where_it_says_no_or_mostly_says_some(
    cells: list[str], wanted: list[str | None], tmp_path: Path
) -> None:
    lines = [f'{n},"{TEXT} {n}",SLEEP_ISSUES,{cell},{SLEEP}' for n, cell in enumerate(cells)]
    (tmp_path / "in.csv").write_text("\n".join(["id,text,criterion,status,quote", *lines]) + "\n", "utf-8")
    found = [said(row).get("SLEEP_ISSUES", (None,))[0] for row in rows(tmp_path / "in.csv")]
    assert found == wanted


@pytest.mark.parametrize(
    ("text", "cell", "wanted"),
    [
        ("I am not sure about anything", "not sure", {"SLEEP_ISSUES": ("evidence", ["not sure"])}),
        ("I lie awake", "not sure", {"SLEEP_ISSUES": ("unsure", [])}),
        ("I lie awake 3 times a night", "3", {}),
    ],
)
def test_a_doubt_in_a_cell_of_evidence_is_a_quote_where_the_text_says_it(
    text: str, cell: str, wanted: object, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text(f"id,text,criterion,evidence\na,{text},SLEEP_ISSUES,{cell}\n", "utf-8")
    assert said(one(tmp_path / "in.csv")) == wanted


def test_tables_of_tokens_by_two_people_stay_two_peoples(tmp_path: Path) -> None:
    lines = [
        f"s1,{w},{t},{by}" for by in ("ann", "ben") for w, t in (("I", "O"), ("lie", "B-SLEEP"), ("awake", "I-SLEEP"))
    ]
    (tmp_path / "in.csv").write_text("\n".join(["sentence_id,word,tag,annotator", *lines]) + "\n", "utf-8")
    found = [r for r in rows(tmp_path / "in.csv") if isinstance(r, ImportRow)]
    assert [(r.text, [la.annotator for la in r.labels]) for r in found] == [
        ("I lie awake", ["ann"]),
        ("I lie awake", ["ben"]),
    ]


def test_a_column_of_splits_or_of_ids_is_one_only_where_its_values_fit(tmp_path: Path) -> None:
    (tmp_path / "set.csv").write_text(f"id,text,set\n1,{TEXT},train_set\n2,{SLEEP},test_set\n", "utf-8")
    found = [(r.split, r.meta) for r in rows(tmp_path / "set.csv") if isinstance(r, ImportRow)]
    assert found == [(None, {"set": "train_set"}), (None, {"set": "test_set"})]
    edited = [f"p1,1,{TEXT}", f"p2,2,{SLEEP}", f"p2,3,{SLEEP} EDIT: thanks", "p3,4,Fine again."]
    threads = [f"s1,1,{TEXT}", f"s1,2,{SLEEP}", "s2,3,Fine again.", "s2,4,Well again."]
    for lines, ids in ((edited, ["p1", "p2", "p2", "p3"]), (threads, ["1", "2", "3", "4"])):
        (tmp_path / "ids.csv").write_text("\n".join(["submission_id,comment_id,text", *lines]), "utf-8")
        found_rows = [r for r in rows(tmp_path / "ids.csv") if isinstance(r, ImportRow)]
        assert [r.post_id for r in found_rows] == ids
    assert any("several texts share it" in detail for *_, detail in found_rows[0].account)
