"""A post that stands in several rows of a file: what they say of one question by one person is one answer; the last replaces nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from annotator.exchange.use_cases import import_file
from storage.exports import ExportFilter
from storage.records import Verdict
from storage.store import Store
from tests.annotator.exchange_rows import jsonl

TEXT = "I lie awake until four. Food has no taste."


def answers(store: Store, post_id: str) -> dict[tuple[str, str], tuple[Verdict | None, list[str]]]:
    """Of each person to each question, the latest; and there is one revision of each."""
    history = store.history(post_id)
    assert len({(a.criterion_id, a.reviewer) for a in history}) == len(history)
    return {(a.criterion_id, a.reviewer): (a.verdict, [TEXT[s.start : s.end] for s in a.spans]) for a in history}


def entities(*spans: tuple[int, int]) -> list[Any]:
    return [[start, end, "SLEEP_ISSUES"] for start, end in spans]


@pytest.mark.parametrize("ids", [("a", "a"), ("a", "b"), (None, None)])
def test_a_line_for_each_span(ids: tuple[str | None, str | None], store: Store, tmp_path: Path) -> None:
    lines = [{"id": i, "text": TEXT, "entities": entities(s)} for i, s in zip(ids, [(0, 6), (24, 28)], strict=True)]
    path = jsonl(tmp_path / "in.jsonl", *lines)
    import_file(store, path)
    (post,) = store.iter_posts()
    wanted = {("SLEEP_ISSUES", "imported"): (Verdict.EVIDENCE, ["I lie ", "Food"])}
    assert answers(store, post.id) == wanted
    again = import_file(store, path)
    assert (again["annotations"], again["known_annotations"]) == (0, 1)
    assert answers(store, post.id) == wanted


def test_rows_of_several_people_are_each_their_own(store: Store, tmp_path: Path) -> None:
    """As Label Studio's CSV has a row for each annotation."""
    cells = [json.dumps([{"start": s, "end": e, "labels": ["SLEEP_ISSUES"]}]) for s, e in [(0, 6), (24, 28), (0, 23)]]
    with (tmp_path / "in.csv").open("w", newline="") as file:
        rows = zip("111", [TEXT] * 3, cells, "121", strict=True)
        csv.writer(file).writerows([("id", "text", "label", "annotator"), *rows])
    import_file(store, tmp_path / "in.csv")
    assert answers(store, "1") == {
        ("SLEEP_ISSUES", "1"): (Verdict.EVIDENCE, ["I lie ", "I lie awake until four."]),
        ("SLEEP_ISSUES", "2"): (Verdict.EVIDENCE, ["Food"]),
    }


def test_a_verdict_that_contradicts_another_row_is_reported(store: Store, tmp_path: Path) -> None:
    lines = [{"id": "a", "text": TEXT, "annotations": [{"label": "SLEEP_ISSUES", "verdict": "no_evidence"}]},
             {"id": "a", "text": TEXT, "entities": entities((0, 6))}]  # fmt: skip
    report = import_file(store, jsonl(tmp_path / "in.jsonl", *lines))
    assert answers(store, "a") == {("SLEEP_ISSUES", "imported"): (Verdict.EVIDENCE, ["I lie "])}
    (issue,) = [i for i in store.import_issues(report["import_id"]) if i.kind == "contradiction"]
    assert (
        issue.reason == "SLEEP_ISSUES: contradictory: rows of the file say evidence and no_evidence; kept as evidence"
    )


def test_predictions_of_one_model_unite_and_those_of_two_stay_apart(store: Store, tmp_path: Path) -> None:
    spans = [("m1", 0, 6), ("m1", 24, 28), ("m2", 0, 23)]
    lines = [
        {"id": "a", "text": TEXT, "predictions": [{"label": "SLEEP_ISSUES", "start": s, "end": e, "model": m}]}
        for m, s, e in spans
    ]
    import_file(store, jsonl(tmp_path / "in.jsonl", *lines))
    (item,) = store.iter_export(ExportFilter(unreviewed=True), complete=True)
    found = {p.model_version: [TEXT[s.start : s.end] for s in p.spans] for p in item.predictions}
    assert found == {"m1": ["I lie ", "Food"], "m2": ["I lie awake until four."]}


def test_labels_in_a_file_of_their_split_go_to_the_post_of_that_split(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for split, words, criterion in (("train", "lie", "SLEEP_ISSUES"), ("test", "Fine", "DEPRESSED_MOOD")):
        (folder / f"{split}_posts.csv").write_text(f"id,text\n1,I {words} {split}.\n", "utf-8")
        (folder / f"{split}_labels.csv").write_text(f"id,criterion,start,end\n1,{criterion},2,5\n", "utf-8")
    found = {}
    for _ in range(2):
        import_file(store, folder)
        found = {p.text: [a.criterion_id for a in store.history(p.id)] for p in store.iter_posts()}
    assert found == {"I Fine test.": ["DEPRESSED_MOOD"], "I lie train.": ["SLEEP_ISSUES"]}


@pytest.mark.parametrize("apart", ["/", "_"])
@pytest.mark.parametrize("row", ["p,I sleep badly.", "p,"])
def test_labels_in_the_folder_of_their_posts_reach_no_post_of_another_folder(
    apart: str, row: str, store: Store, tmp_path: Path
) -> None:
    files = {
        "anx__posts": "id,text\np,My heart races.\n",
        "anx__labels": "id,criterion,verdict\np,SLEEP_ISSUES,0\n",
        "dep__posts": f"id,text\n{row}\nq,I am tired.\n",
        "dep__labels": "id,criterion,verdict\np,DEPRESSED_MOOD,0\n",
        "labels": "id,criterion,verdict\np,DEPRESSED_MOOD,0\n",
    }
    for name, content in files.items():
        place = tmp_path / "in" / f"{name.replace('__', apart)}.csv"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, "utf-8")
    report = import_file(store, tmp_path / "in")
    found = {p.text: [a.criterion_id for a in store.history(p.id)] for p in store.iter_posts()}
    whole = {"I sleep badly.": ["DEPRESSED_MOOD"]} if row != "p," else {}
    assert found == {"My heart races.": ["SLEEP_ISSUES"], "I am tired.": [], **whole}
    refused = [i.reason for i in store.import_issues(report["import_id"]) if i.kind == "rejected"]
    assert "belongs to no post: several posts are called p" in refused


def test_what_is_said_of_sentences_shares_the_fate_of_their_post(store: Store, tmp_path: Path) -> None:
    """It goes to the post of the same text, under whatever id, and never to another text of the same id."""
    import_file(store, jsonl(tmp_path / "there.jsonl", {"id": "a", "text": "Another text."}, {"id": "c", "text": TEXT}))
    lines = [f"{post},{words},{mark}" for post in "ab" for words, mark in zip(TEXT.split(". "), "01", strict=True)]
    (tmp_path / "in.csv").write_text("\n".join(("post_id,sentence,SLEEP_ISSUES", *lines)).replace("four,", "four.,"))
    report = import_file(store, tmp_path / "in.csv")
    assert (report["rows"], report["rejected_count"], store.history("a")) == (2, 1, [])
    assert answers(store, "c") == {("SLEEP_ISSUES", "imported"): (Verdict.EVIDENCE, ["Food has no taste."])}


def test_a_nought_of_a_sentence_says_nothing_of_the_post_beside_its_table(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "posts.csv").write_text(f"id,text\nc,{TEXT}\nd,{TEXT} Fine.\n")
    lines = [f"c,{words},{mark}" for words, mark in (("I lie awake until four.", 0), ("Food has no taste.", 1))]
    (folder / "sentences.csv").write_text("\n".join(("post_id,sentence,SLEEP_ISSUES", *lines)))
    import_file(store, folder)
    assert answers(store, "c") == {("SLEEP_ISSUES", "imported"): (Verdict.EVIDENCE, ["Food has no taste."])}
    (folder / "sentences.csv").write_text("post_id,sentence,SLEEP_ISSUES\nd,Food has no taste.,0\n")
    assert any("not of the post" in e["detail"] for e in import_file(store, folder)["ledger"])
    assert store.history("d") == []


def test_words_that_stand_in_several_places_are_said(store: Store, tmp_path: Path) -> None:
    text = "So tired. I eat. Tired again, and tired for ever."
    given = [{"id": i, "text": text.replace("So", i), "evidence": {"SLEEP_ISSUES": said}} for i, said in SAID.items()]
    report = import_file(store, jsonl(tmp_path / "in.jsonl", *given))
    assert (report["aligned"], report["several_places"]) == (5, 3)
    (_, kind, reason, words), *_ = found = [
        (issue.post_id, issue.kind, issue.reason, issue.evidence) for issue in store.import_issues(report["import_id"])
    ]
    assert (kind, reason, words) == (
        "place",
        "SLEEP_ISSUES: the words stand in several places of the post (taken 2:7, the next is 33:38)",
        "tired",
    )
    assert [post_id for post_id, *_ in found] == ["a", "b", "c"]


SAID = {"a": ["tired"], "b": ["tired", "tired"], "c": ["tired|I eat"], "d": ["Tired again"]}


def test_words_that_are_not_there_word_for_word_are_said(store: Store, tmp_path: Path) -> None:
    text = "I really cannot fall a sleep at night, not ever. The days are fine."
    quote = "I really can not fall asleep at nights not ever"
    given = {"id": "a", "text": text, "evidence": {"SLEEP_ISSUES": [quote]}}
    report = import_file(store, jsonl(tmp_path / "in.jsonl", given))
    assert (report["aligned"], report["likeliest"]) == (1, 1)
    (said,) = store.import_issues(report["import_id"])
    assert (said.kind, said.evidence) == ("place", quote)
    assert "most like it was taken (0:47" in said.reason


@pytest.mark.parametrize(
    ("text", "span", "odd"),
    [
        ("I can't sleep. Fine.", (2, 13), False),
        ("I can't sleep. Fine.", (2, 12), True),  # as where the end is included
        ("Line.\r\nI can't sleep.", (8, 19), True),  # as where a line's end counts one
        ("Café, I cry.", (7, 12), True),  # as in bytes
        ("我睡不着觉。", (1, 4), False),
        ("I slept 12 hours.", (8, 9), True),
    ],
)
def test_offsets_alone_that_cut_words_are_said(
    text: str, span: tuple[int, int], odd: bool, store: Store, tmp_path: Path
) -> None:
    report = import_file(store, jsonl(tmp_path / "in.jsonl", {"id": "a", "text": text, "entities": entities(span)}))
    assert (report["annotations"], report["odd_edges"]) == (1, int(odd))
    found = [i.reason for i in store.import_issues(report["import_id"])]
    assert found == (
        [f"SLEEP_ISSUES: {span[0]}:{span[1]} begins or ends inside a word or on white space; taken as it stands"] * odd
    )
    proven = {"start": span[0], "end": span[1], "label": "SLEEP_ISSUES", "text": text[slice(*span)]}
    worded = {"id": "b", "text": text + ".", "spans": [proven]}
    assert import_file(store, jsonl(tmp_path / "in2.jsonl", worded))["odd_edges"] == 0
