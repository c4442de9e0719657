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


Said = dict[str, dict[str, tuple[str, list[str], list[str]]]]


def answers(found: list[Row], *, undecided: bool = False) -> Said:
    """By post and criterion: the verdict, the words of the evidence, those of what was refused (or is undecided)."""
    said: Said = {}
    for row in found:
        if isinstance(row, ImportRow) and row.text is not None:
            of_post = said.setdefault(f"{row.part}/{row.post_id}" if row.part else str(row.post_id), {})
            for la in (la for la in row.labels if not la.left_out):
                beside = la.undecided if undecided else la.rejected
                words, others = ([row.text[p.start : p.end] for p in ps] for ps in (la.passages, beside))
                before = of_post.get(la.criterion, ("", [], []))
                of_post[la.criterion] = (str(la.verdict), before[1] + words, before[2] + others)
    return said


def texts(found: list[Row]) -> list[str | None]:
    return [r.text for r in found if isinstance(r, ImportRow)]


def notes(row: Row) -> list[str]:
    assert isinstance(row, ImportRow), row
    return [reason for _, reason in row.notes]


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
    assert isinstance(found[1], ImportRow)
    assert [(la.row, la.left_out) for la in found[1].labels] == [(3, "neither a verdict nor a passage")]


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
        "post_id,sent_no,text,criterion,evidence",
        f"a,1,{SLEEP},SLEEP,lie awake",
        f"a,1,{SLEEP},FOOD,",
        f"a,4,{FOOD},FOOD,no taste",
    )
    assert answers(found)["a"]["SLEEP"] == ("evidence", ["lie awake"], [])
    assert answers(found)["a"]["FOOD"] == ("evidence", ["no taste"], [])
    assert notes(found[0]) == ["only its sentences 1, 4 stand in the file: the text is put together from these"]


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


def test_a_post_of_many_sentences_takes_time_in_proportion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the sentences: about four times the processor's time, not sixteen times; also of more than are kept together."""
    monkeypatch.setattr(sentence_rows, "MAX_TOGETHER", 100)
    table(tmp_path, "post_id,sentence_no,sentence,SLEEP", "a,1,Warm.,0", "a,2,Up.,0")
    spent = []
    for count in (500, 2000):
        lines = ["post_id,sentence_no,sentence,SLEEP", *(f"a,{n},It is night {n}.,0" for n in range(count))]
        began = time.process_time()
        assert len(table(tmp_path, *lines)) == 1
        spent.append(time.process_time() - began)
    assert spent[1] < 7 * spent[0], spent


def test_offsets_that_are_the_place_of_the_sentence_in_its_post_mean_the_whole_sentence(tmp_path: Path) -> None:
    second = len(SLEEP) + 1
    found = table(
        tmp_path,
        "post_id,sentence_id,sentence,start,end,label",
        f"a,1,{SLEEP},0,{len(SLEEP)},SLEEP",
        f"a,2,{FOOD},{second},{second + len(FOOD)},FOOD",
    )
    assert answers(found) == {"a": {"SLEEP": ("evidence", [SLEEP], []), "FOOD": ("evidence", [FOOD], [])}}


def test_offsets_that_count_something_else_are_left_out_unless_words_say_the_place(tmp_path: Path) -> None:
    lines = (f"a,1,{SLEEP},2,5,{{}}SLEEP", f"a,2,{FOOD},29,32,{{}}FOOD")
    found = table(tmp_path, "post_id,sentence_id,sentence,start,end,label", *(line.format("") for line in lines))
    assert left_out(found[0]) == dict.fromkeys(("SLEEP", "FOOD"), sentence_rows.OUTSIDE)
    quoted = (line.format(words) for line, words in zip(lines, ("lie,", "has,"), strict=True))
    found = table(tmp_path, "post_id,sentence_id,sentence,start,end,evidence,label", *quoted)
    assert answers(found) == {"a": {"SLEEP": ("evidence", ["lie"], []), "FOOD": ("evidence", ["has"], [])}}


def test_a_prediction_for_a_sentence_lies_there(tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 4, "label": "FOOD", "score": 0.5, "core_start": 1, "core_end": 3}]
    items = [
        {"post_id": "a", "sentence": SLEEP, "predictions": []},
        {"post_id": "a", "sentence": FOOD, "predictions": spans},
    ]
    (post,) = rows(write_lines(tmp_path / "in.jsonl", *items))
    assert isinstance(post, ImportRow)
    (label,) = post.labels
    start = len(SLEEP) + 1
    assert label.verdict is None
    assert [(p.start, p.end, p.core_start, p.core_end) for p in label.passages] == [
        (start, start + 4, start + 1, start + 3)
    ]


def test_an_unsure_sentence_is_undecided_unless_another_decides(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "post_id,sentence,criterion,verdict",
        f"a,{SLEEP},SLEEP,0",
        f"a,{FOOD},SLEEP,maybe",
        f"b,{SLEEP},SLEEP,1",
        f"b,{FOOD},SLEEP,maybe",
    )
    assert answers(found, undecided=True) == {
        "a": {"SLEEP": ("unsure", [], [FOOD])},
        "b": {"SLEEP": ("evidence", [SLEEP], [])},
    }
    assert left_out(found[1]) == {"SLEEP": "undecided here, while another sentence decides the answer"}


def test_a_post_keeps_to_its_split_and_says_what_differs(tmp_path: Path) -> None:
    lines = (f"1,1,{SLEEP},train,kim", f"1,2,{FOOD},,lou", f'1,1,"{FINE}",test,kim')
    found = table(tmp_path, "post_id,sentence_id,sentence,split,author", *lines)
    assert texts(found) == [f"{SLEEP} {FOOD}", FINE]
    assert notes(found[0]) == ["its sentences differ in author (2 values); kept is that of the first"]


def test_ids_order_the_sentences_only_where_they_are_else_alike(tmp_path: Path) -> None:
    found = table(tmp_path, "post_id,sentence_id,sentence", f"a,a9f7,{SLEEP}", f"a,c3d2,{FOOD}")
    assert texts(found) == [f"{SLEEP} {FOOD}"]


def test_a_sentence_said_again_stands_again_unless_its_rows_are_several_people_or_criteria(tmp_path: Path) -> None:
    again = [f"a,{SLEEP},SLEEP", f"a,{FOOD},FOOD", f"a,{SLEEP},SLEEP"]
    found = table(tmp_path, "post_id,sentence,label", *again)
    assert texts(found) == [f"{SLEEP} {FOOD} {SLEEP}"]
    assert answers(found)["a"]["SLEEP"] == ("evidence", [SLEEP, SLEEP], [])
    (by_people,) = table(tmp_path, "post_id,sentence,label,annotator", *(f"{line},ana" for line in again))
    assert (texts([by_people]), [n[:24] for n in notes(by_people)]) == (
        [f"{SLEEP} {FOOD}"],
        ["1 rows repeat a sentence"],
    )


def test_a_post_whose_texts_differ_by_a_blank_makes_no_table_of_sentences(tmp_path: Path) -> None:
    both = f"{SLEEP} {FOOD}"
    lines = (f"a,1,{both},{SLEEP},SLEEP", f"a,2,{both} ,{FOOD},FOOD", f"b,3,{both}!,{FOOD},FOOD")
    for name in ("sentence_text", "remark"):
        found = table(tmp_path, f"post_id,sentence_id,text,{name},label", *lines)
        assert [(r.post_id, (r.text or "").strip()) for r in found if isinstance(r, ImportRow)] == [
            ("a", both),
            ("a", both),
            ("b", f"{both}!"),
        ]


def test_the_chosen_text_tells_whether_rows_are_sentences(tmp_path: Path) -> None:
    both = f"{SLEEP} {FOOD}"
    (tmp_path / "in.csv").write_text(
        f"post_id,text,sentence,label\na,{both},{SLEEP},SLEEP\na,{both},{FOOD},FOOD\n", "utf-8"
    )
    found = rows(tmp_path / "in.csv", columns={"text": "sentence"}, criteria=("SLEEP", "FOOD"))
    assert answers(found) == {"a": {"SLEEP": ("evidence", [SLEEP], []), "FOOD": ("evidence", [FOOD], [])}}
