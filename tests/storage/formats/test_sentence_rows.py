"""A row for each sentence: the post is put together from them, what is said of a sentence is evidence there, and a 0 speaks of it alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from storage.formats import sentence_rows
from storage.formats.rows import ImportRow, Row
from tests.storage.formats.reading import FOOD, SLEEP, left_out, reasons, rows, write_lines

FINE = "Fine, else."


def table(tmp_path: Path, *lines: str) -> list[Row]:
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return rows(tmp_path / "in.csv", criteria=("SLEEP", "FOOD"))


def answers(found: list[Row]) -> dict[str, dict[str, tuple[str, list[str], list[str]]]]:
    """By post and criterion: the verdict, the words of the evidence, those of what was refused."""
    texts = {r.post_id: r.text or "" for r in found if isinstance(r, ImportRow) and r.text}
    said: dict[str, dict[str, tuple[str, list[str], list[str]]]] = {str(p): {} for p in texts}
    for row in found:
        for la in row.labels if isinstance(row, ImportRow) and not row.text else ():
            if not la.left_out:
                words, refused = (
                    [texts[row.post_id][p.start : p.end] for p in ps] for ps in (la.passages, la.rejected)
                )
                before = said[str(row.post_id)].get(la.criterion, ("", [], []))
                said[str(row.post_id)][la.criterion] = (str(la.verdict), before[1] + words, before[2] + refused)
    return said


def test_a_class_for_each_sentence_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "post_id,sentence_id,sentence,label",
        f"a,a_10,{FOOD},FOOD",
        f"b,b_1,{SLEEP},none",
        f"a,a_9,{SLEEP},SLEEP",
        f'a,a_11,"{FINE}",',
    )
    post = found[0]
    assert isinstance(post, ImportRow)
    assert (post.number, post.text) == (2, f"{SLEEP} {FOOD} {FINE}")
    assert post.meta["sentences"] == [{"sentence_id": "a_10"}, {"sentence_id": "a_9"}, {"sentence_id": "a_11"}]
    assert answers(found) == {"a": {"FOOD": ("evidence", [FOOD], []), "SLEEP": ("evidence", [SLEEP], [])}, "b": {}}
    assert [(r.number, left_out(r)) for r in found if isinstance(r, ImportRow) and not r.text and left_out(r)] == [
        (3, {"none": "neither a verdict nor a passage"})
    ]


def test_a_nought_speaks_of_its_sentence_and_of_the_post_only_where_all_have_one(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "post_id,sentence,SLEEP,FOOD",
        f"a,{SLEEP},1,0",
        f"a,{FOOD},0,0",
        f"b,{FOOD},0,",
        f"b,{SLEEP},,",
    )
    assert answers(found) == {
        "a": {"SLEEP": ("evidence", [SLEEP], []), "FOOD": ("no_evidence", [], [])},
        "b": {"SLEEP": ("no_evidence", [], [FOOD])},
    }


def test_evidence_inside_a_sentence_and_one_row_for_each_criterion_of_it(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "post_id,sent_no,text,criterion,evidence,split",
        f"a,1,{SLEEP},SLEEP,lie awake,train",
        f"a,1,{SLEEP},FOOD,,train",
        f"a,4,{FOOD},FOOD,no taste,test",
    )
    assert answers(found)["a"]["SLEEP"] == ("evidence", ["lie awake"], [])
    assert answers(found)["a"]["FOOD"] == ("evidence", ["no taste"], [])
    assert isinstance(found[0], ImportRow)
    assert [reason for _, reason in found[0].notes] == [
        "only its sentences 1, 4 stand in the file: the text is put together from these",
        "its sentences are in several splits (train, test); the post is in train",
    ]


def test_texts_that_share_an_id_are_sentences_only_where_a_name_says_so(tmp_path: Path) -> None:
    found = table(tmp_path, "id,text,note", f"a,{SLEEP},x", f"a,{FOOD},y")
    assert [r.text for r in found if isinstance(r, ImportRow)] == [SLEEP, FOOD]


def test_rows_far_apart_are_refused_by_name_when_there_are_too_many_to_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_rows, "MAX_TOGETHER", 3)
    lines = [f"{post},{post} says {n}." for n, post in enumerate("aabbca")]
    found = table(tmp_path, "post_id,sentence", *lines)
    assert [r.text for r in found if isinstance(r, ImportRow)] == [
        "a says 0. a says 1.",
        "b says 2. b says 3.",
        "c says 4.",
    ]
    assert reasons(found) == [
        (7, "a sentence of a post whose other sentences stand far above; sort the file by post and sentence")
    ]


def test_the_classes_of_a_sentence_in_a_list(tmp_path: Path) -> None:
    items = [
        {"post_id": "a", "sentence": SLEEP, "labels": ["SLEEP", "FOOD"]},
        {"post_id": "a", "sentence": FINE, "labels": []},
    ]
    found = answers(rows(write_lines(tmp_path / "in.jsonl", *items)))
    assert found == {"a": {"SLEEP": ("evidence", [SLEEP], []), "FOOD": ("evidence", [SLEEP], [])}}


def test_the_id_of_a_thread_is_not_that_of_its_posts(tmp_path: Path) -> None:
    found = table(tmp_path, "submission_id,comment_id,body", f"s,c1,{SLEEP}", f"s,c2,{FOOD}")
    assert [r.post_id for r in found if isinstance(r, ImportRow)] == ["c1", "c2"]


def test_a_post_of_many_sentences_takes_time_in_proportion(tmp_path: Path) -> None:
    """Four times the sentences: about four times the processor's time, not sixteen times."""
    spent = []
    for count in (500, 2000):
        lines = ["post_id,sentence_no,sentence,SLEEP", *(f"a,{n},It is night {n}.,0" for n in range(count))]
        began = time.process_time()
        assert len(table(tmp_path, *lines)) == count + 1
        spent.append(time.process_time() - began)
    assert spent[1] < 10 * spent[0] + 0.5, spent
