"""Imports and exports through the store: what is taken, what is refused and why, and that nothing is half-done."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from annotator.exchange.confirm import confirm, waiting
from annotator.exchange.exporting import export_file
from annotator.exchange.looking import look_at
from annotator.exchange.options import ImportCancelled, ImportOptions, ImportRefused, LabelsAs
from annotator.exchange.placing import GOLD_REVIEWER
from annotator.exchange.use_cases import delete_preset, import_file, presets, save_preset, undo_import
from storage.exports import ExportFilter
from storage.formats.rows import FormatError
from storage.records import Conflict, InvalidRecord, Post, Prediction, Role, Split, Verdict
from storage.store import Store
from tests.annotator.exchange_rows import evidence, gold, jsonl, post_ids
from tests.builders import MOOD, SLEEP, a_post, a_span, an_annotation

# --- tables


def test_a_table_with_other_names_is_understood(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text(
        "submission_id;selftext;subreddit;upvotes\n17;I cannot sleep. 😀;r/sleep;3\n18;Hello;r/x;\n", "utf-8"
    )
    report = import_file(store, file)
    assert (report["imported"], report["format"], report["rejected"]) == (2, "csv", [])
    post = store.post("17")
    assert (post.text, post.source, dict(post.meta)) == ("I cannot sleep. 😀", "r/sleep", {"upvotes": "3"})


def test_columns_can_be_chosen_and_taken_away(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text("id,title,said\n1,First title,I lie awake\n", "utf-8")
    import_file(store, file, columns={"text": "said", "post_id": ""})
    assert [(p.id[:2], p.text, dict(p.meta)) for p in store.iter_posts()] == [
        ("t-", "I lie awake", {"id": "1", "title": "First title"})
    ]


def test_the_look_shows_posts_as_they_will_be_stored_and_stores_nothing(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "posts.txt"
    file.write_text(
        "id\tbody\tcriterion\tquote\tmood\n1\tI lie awake. Fine.\tSLEEP_ISSUES\tI lie awake.\tlow\n2\tSecond\t\t\t\n",
        "utf-8",
    )
    look = look_at(store, file, ImportOptions(), folder=tmp_path / "look")
    assert (look.format, look.mapping["text"], look.mapping["post_id"]) == ("tsv", "body", "id")
    assert [(p.id, p.text, p.answers) for p in look.posts] == [
        ("1", "I lie awake. Fine.", (("SLEEP_ISSUES", "evidence", ((0, 12),)),)),
        ("2", "Second", ()),
    ]
    assert look.counts == {("SLEEP_ISSUES", "evidence"): 1}
    assert [(e["name"], e["outcome"], e["count"]) for e in look.report.ledger if e["outcome"] != "taken"] == [
        ("mood", "kept in meta", 1)
    ]
    assert (store.count_posts(), store.imports()) == (0, [])


def test_the_look_says_what_is_wrong_with_the_columns(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("a,b\n1,2\n", "utf-8")
    look = look_at(store, file, ImportOptions(), folder=tmp_path / "look")
    assert look.problem is not None
    assert "No column looks like the text of a post. The file has: a, b." in look.problem
    assert look.columns == ("a", "b")


def test_labels_in_several_rows_become_one_annotation(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    text = "I cannot sleep. I lie awake. Fine."
    rows = [f'1,"{text}",Sleep problems,I lie awake.,ben', f'1,"{text}",SLEEP_ISSUES,i CANNOT sleep,ben']
    file.write_text("id,text,label,evidence,annotator\n" + "\n".join(rows) + "\n", "utf-8")
    report = import_file(store, file)
    assert (report["imported"], report["duplicates"], report["aligned"], report["unaligned"]) == (1, 0, 2, 0)
    assert [(a.criterion_id, a.reviewer) for a in store.history("1")] == [("SLEEP_ISSUES", "ben")]
    assert [s.span.quote(text) for s in store.history("1")[0].spans] == ["I cannot sleep", "I lie awake."]


def test_spreadsheet_formulas_are_defused_on_the_way_out_and_come_back(store: Store, tmp_path: Path) -> None:
    store.add_posts([a_post("=HYPERLINK(1)", id="f"), a_post("'=quoted", id="g")])
    chosen = ExportFilter(unreviewed=True)
    export_file(store, "csv", tmp_path / "out.csv", chosen)
    lines = (tmp_path / "out.csv").read_text("utf-8")
    assert "f,'=HYPERLINK(1)," in lines
    assert "g,''=quoted," in lines


# --- gold lines


def test_gold_lines_become_annotations(store: Store, tmp_path: Path) -> None:
    none = {"criterion": "DEPRESSED_MOOD", "verdict": "no_evidence", "spans": []}
    file = jsonl(tmp_path / "gold.jsonl", gold("g", "😀 I lie awake. Fine.", evidence(2, 14), none))
    report = import_file(store, file)
    assert (report["imported"], report["annotations"]) == (1, 2)
    answers = {g.criterion_id: (g.verdict, [s.quote("😀 I lie awake. Fine.") for s in g.spans]) for g in store.gold()}
    assert answers == {
        "SLEEP_ISSUES": (Verdict.EVIDENCE, ["I lie awake."]),
        "DEPRESSED_MOOD": (Verdict.NO_EVIDENCE, []),
    }


def test_labels_can_become_gold_or_predictions_or_nothing(store: Store, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "gold.jsonl", gold("g", "I lie awake. Fine.", evidence(0, 12)))
    import_file(store, file, labels_as="ignore")
    assert store.history("g") == []
    import_file(store, file, labels_as="predictions")
    assert [s.quote("I lie awake. Fine.") for s in store.predictions("g", "import-2")["SLEEP_ISSUES"].spans] == [
        "I lie awake."
    ]
    import_file(store, file, labels_as="gold")
    assert [(g.reviewers, g.verdict) for g in store.gold()] == [((GOLD_REVIEWER,), Verdict.EVIDENCE)]
    assert store.reviewer(GOLD_REVIEWER).role is Role.ADJUDICATOR


def test_an_unknown_criterion_is_reported_mapped_or_added(store: Store, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "gold.jsonl", gold("g", "I lie awake.", evidence(0, 12, "Insomnia!")))
    report = import_file(store, file, dry_run=True)
    assert (report["unknown_criteria"], report["labels_refused"], report["annotations"]) == ({"Insomnia!": 1}, 1, 0)
    assert import_file(store, file, dry_run=True, criteria={"insomnia!": "SLEEP_ISSUES"})["annotations"] == 1
    assert import_file(store, file, new_criteria=True)["new_criteria"] == ["Insomnia"]
    assert {c.id for c in store.criteria()} == {"SLEEP_ISSUES", "DEPRESSED_MOOD", "Insomnia"}


def test_a_label_that_is_to_become_no_criterion_of_ours_is_refused_or_added(store: Store, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "gold.jsonl", gold("g", "I lie awake.", evidence(0, 12, "Insomnia!")))
    with pytest.raises(ImportRefused, match=r"no criterion 'REST' .*SLEEP_ISSUES"):
        import_file(store, file, criteria={"insomnia!": "REST"})
    assert import_file(store, file, criteria={"insomnia!": "REST"}, new_criteria=True)["new_criteria"] == ["REST"]


def test_a_folder_with_one_table_and_its_manifest_is_that_table(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "posts.csv").write_text("id,text\n1,I lie awake.\n", "utf-8")
    (tmp_path / "out" / "posts.csv.manifest.json").write_text("{}", "utf-8")
    assert import_file(store, tmp_path / "out", dry_run=True)["imported"] == 1
    assert import_file(store, tmp_path / "out", format="csv")["imported"] == 1
    assert look_at(store, tmp_path / "out", ImportOptions(), folder=tmp_path / "look").format == "csv"


@pytest.mark.parametrize(
    ("name", "format", "reason"),
    [
        ("x.csv", "brat", "x.csv is a file; brat standoff is a folder, or a zip file of one."),
        ("x.csv", "xlsx", "x.csv is not Excel (XLSX); it looks like CSV."),
        ("many", "csv", "many is a folder; CSV is a file."),
    ],
)
def test_a_format_that_the_path_cannot_have_is_refused(
    name: str, format: str, reason: str, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "many").mkdir()
    for path in ("x.csv", "many/x.csv", "many/y.csv"):
        (tmp_path / path).write_text("id,text\n1,I lie awake.\n", "utf-8")
    with pytest.raises(FormatError) as caught:
        import_file(store, tmp_path / name, format=format)
    assert str(caught.value) == reason


def test_a_span_outside_its_post_is_refused_alone(store: Store, tmp_path: Path) -> None:
    rows = [gold("a", "Short.", evidence(2, 99)), gold("b", "I lie awake.", evidence(0, 12))]
    report = import_file(store, jsonl(tmp_path / "gold.jsonl", *rows))
    assert (report["imported"], report["annotations"], report["unaligned"]) == (2, 1, 1)
    assert [(i.row, i.kind, i.reason) for i in store.import_issues(report["import_id"])] == [
        (1, "unaligned", "SLEEP_ISSUES: span 2:99 does not lie in the post (6 characters)")
    ]


def test_offsets_from_doccanos_pages_are_repaired(store: Store, tmp_path: Path) -> None:
    text = "😀😀 I cannot sleep at all. Fine."
    start = text.index("I cannot")
    shifted = [start + 2, start + 2 + len("I cannot sleep"), "SLEEP_ISSUES"]
    report = import_file(store, jsonl(tmp_path / "doccano.jsonl", {"id": 5, "text": text, "label": [shifted]}))
    assert (report["format"], report["repaired"]) == ("doccano", 1)
    assert [s.span.quote(text) for s in store.history("5")[0].spans] == ["I cannot sleep"]


# --- duplicates


def test_a_second_import_of_the_same_file_adds_nothing(store: Store, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "gold.jsonl", gold("g", "I lie awake.", evidence(0, 12)), gold("h", "Fine today."))
    import_file(store, file)
    report = import_file(store, file)
    assert (report["imported"], report["duplicates"], report["annotations"], report["known_annotations"]) == (
        0,
        2,
        0,
        1,
    )
    assert len(store.history("g")) == 1


def test_an_id_with_another_text_is_refused_and_a_text_with_another_id_is_a_duplicate(
    store: Store, tmp_path: Path
) -> None:
    store.add_posts([a_post("The first text.", id="a")])
    rows = [{"id": "a", "text": "Another text."}, {"id": "b", "text": "The first text."}, {"id": "c", "text": "New."}]
    report = import_file(store, jsonl(tmp_path / "x.jsonl", *rows, {"id": "c", "text": "New."}))
    assert (report["imported"], report["duplicates"]) == (1, 2)
    assert report["rejected"] == [{"row": 1, "reason": "the id a belongs to another text already"}]
    assert post_ids(store) == ["a", "c"]
    assert import_file(store, tmp_path / "x.jsonl", same_text="keep")["imported"] == 1


# --- authors, splits, masking


def test_an_authors_posts_fall_into_one_split(store: Store, tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"Post number {n}.", "author": f"writer{n % 3}"} for n in range(30)]
    import_file(store, jsonl(tmp_path / "x.jsonl", *rows))
    splits: dict[str, set[Split]] = {}
    for post in store.iter_posts():
        splits.setdefault(post.author or "", set()).add(post.split or Split.TRAIN)
    assert all(len(found) == 1 for found in splits.values())


def test_masking_hides_what_names_people_and_keeps_offsets(store: Store, tmp_path: Path) -> None:
    text = "Write to jo.doe+x@mail.example.org or u/some_body or +1 212 555 0123, see https://example.org/x?y=1. I lie awake."
    start = text.index("I lie awake.")
    row = {**gold("m", text, evidence(start, start + 12)), "author": "some_body"}
    report = import_file(store, jsonl(tmp_path / "x.jsonl", row), mask=True)
    post = store.post("m")
    assert report["masked"] == 4
    assert post.text.startswith("Write to [MAIL]_")
    assert not any(secret in post.text for secret in ("jo.doe", "some_body", "555", "example.org"))
    assert post.author is not None
    assert post.author.startswith("author-")
    assert [s.span.quote(post.text) for s in store.history("m")[0].spans] == ["I lie awake."]


# --- uncertain evidence


def test_uncertain_evidence_waits_for_a_person(store: Store, tmp_path: Path) -> None:
    text = "I feel so very tired every single day. Also I feel so very tired every single night."
    words = "feeling so very tired every single week"
    rows = {"id": "1", "text": text, "criterion": "SLEEP_ISSUES", "evidence": words, "annotator": "ben"}
    report = import_file(store, jsonl(tmp_path / "x.jsonl", rows))
    assert (report["uncertain"], report["annotations"]) == (1, 0)
    item = waiting(store)[0]
    assert (item.post_id, item.evidence, item.reviewer, len(item.places)) == ("1", words, "ben", 2)
    saved = confirm(store, item.id, 1, by="ana")
    assert saved is not None
    assert [s.span.quote(text) for s in store.annotations_of("1", "ben")["SLEEP_ISSUES"].spans] == [
        item.places[1].quote
    ]
    assert waiting(store) == []
    with pytest.raises(LookupError):
        confirm(store, item.id, 0, by="ana")


def test_a_confirmed_place_joins_the_answer_that_is_there(store: Store, tmp_path: Path) -> None:
    text = "I lie awake. I feel so tired every single day. Also I feel so tired every single night."
    spans = ["I lie awake.", "feeling so tired every single week"]
    row = {"id": "1", "text": text, "annotations": [{"criterion": "SLEEP_ISSUES", "spans": spans, "reviewer": "ben"}]}
    import_file(store, jsonl(tmp_path / "x.jsonl", row))
    confirm(store, waiting(store)[0].id, 0, by="ana")
    latest = store.annotations_of("1", "ben")["SLEEP_ISSUES"]
    assert (latest.revision, len(latest.spans)) == (2, 2)


def test_refusing_every_place_changes_no_answer(store: Store, tmp_path: Path) -> None:
    text = "I feel so very tired every single day. Also I feel so very tired every single night."
    row = {"id": "1", "text": text, "criterion": "SLEEP_ISSUES", "evidence": "feeling so very tired every single week"}
    import_file(store, jsonl(tmp_path / "x.jsonl", row))
    assert confirm(store, waiting(store)[0].id, None, by="ana") is None
    assert (waiting(store), store.history("1")) == ([], [])


# --- undo, dry run, cancel


def test_an_import_is_undone_as_a_whole(store: Store, tmp_path: Path) -> None:
    store.add_posts([a_post("I lie awake.", id="old")])
    store.add_annotation(an_annotation(store.post("old"), "awake", reviewer="ben"), expected_revision=0)
    rows = [gold("old", "I lie awake.", evidence(0, 12)), gold("new", "Fine today.", evidence(0, 4))]
    report = import_file(store, jsonl(tmp_path / "x.jsonl", *rows), annotator="ben")
    assert len(store.history("old")) == 2
    assert undo_import(store, report["import_id"]) == {"posts": 1, "annotations": 2}
    assert post_ids(store) == ["old"]
    assert [a.spans[0].span.quote("I lie awake.") for a in store.annotations_of("old", "ben").values()] == ["awake"]
    with pytest.raises(InvalidRecord, match="undone before"):
        undo_import(store, report["import_id"])


def test_a_dry_run_counts_the_same_and_stores_nothing(store: Store, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "x.jsonl", gold("g", "I lie awake.", evidence(0, 12)), "{broken")
    before = import_file(store, file, dry_run=True)
    assert (store.count_posts(), store.imports()) == (0, [])
    after = import_file(store, file)
    assert after["import_id"] == 1
    assert before | {"import_id": 1} == after


def test_imported_posts_are_found_by_their_words(store: Store, tmp_path: Path) -> None:
    import_file(store, jsonl(tmp_path / "x.jsonl", *({"id": str(n), "text": f"word{n} here"} for n in range(250))))
    with store.read() as db:
        assert [r["rowid"] for r in db.query("SELECT rowid FROM post_fts WHERE post_fts MATCH 'word249'")] == [250]
        db.execute("INSERT INTO post_fts (post_fts) VALUES ('integrity-check')")
    undo_import(store, 1)
    with store.read() as db:
        assert list(db.query("SELECT rowid FROM post_fts WHERE post_fts MATCH 'word249'")) == []


def test_a_cancelled_import_leaves_nothing(store: Store, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "x.jsonl", *({"id": str(n), "text": f"Post {n}."} for n in range(2000)))
    stop = threading.Event()

    def tell(fraction: float, message: str) -> None:
        stop.set()

    with pytest.raises(ImportCancelled):
        import_file(store, file, on_progress=tell, should_cancel=stop.is_set)
    assert (store.count_posts(), store.imports()) == (0, [])
    assert [p.name for p in store.path.parent.iterdir() if p.name.startswith(".import")] == []


def test_a_post_that_somebody_else_stores_meanwhile_stops_the_import(store: Store, tmp_path: Path) -> None:
    def meanwhile(fraction: float, message: str) -> None:
        if message == "storing":
            store.add_posts([a_post("Another text.", id="g")])

    with pytest.raises(Conflict, match="Nothing was imported"):
        import_file(store, jsonl(tmp_path / "x.jsonl", gold("g", "I lie awake.")), on_progress=meanwhile)
    assert store.post("g").text == "Another text."
    assert store.imports() == []


# --- through a file and back


def test_argilla_scores_stand_beside_their_spans(store: Store, tmp_path: Path) -> None:
    post = a_post("I lie awake. I cannot sleep.")
    store.add_posts([post])
    spans = (a_span(post, "awake", score=0.9), a_span(post, "cannot sleep", score=0.6))
    store.add_predictions(
        [Prediction(post.id, SLEEP.id, "v1", spans, 0.1), Prediction(post.id, MOOD.id, "v1", (), 0.9)]
    )
    export_file(store, "argilla", tmp_path / "out.jsonl", ExportFilter(unreviewed=True))
    suggestions = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))["suggestions"]
    assert [s["score"] for s in suggestions.values()] == [None, [0.9, 0.6]]
    import_file(store, tmp_path / "out.jsonl")
    assert store.predictions(post.id, "import-1/v1")[SLEEP.id].spans == spans


def test_a_model_in_a_file_is_not_taken_for_an_import_of_this_project(store: Store, tmp_path: Path) -> None:
    text = "I lie awake."
    guess = {"criterion": "SLEEP_ISSUES", "model_version": "import-2", "no_evidence_score": 0.2, "spans": []}
    file = jsonl(tmp_path / "elsewhere.jsonl", {"post_id": "a", "text": text, "predictions": [guess]})
    report = import_file(store, file)
    assert (report["predictions"], report["renamed_models"]) == (1, {"import-2": "from-import-2"})
    [issue] = store.import_issues(1)
    assert (issue.kind, issue.row) == ("renamed", 1)
    import_file(store, jsonl(tmp_path / "own.jsonl", gold("b", text, evidence(0, 12))), labels_as="predictions")
    undo_import(store, 2)
    assert set(store.predictions("a", "from-import-2")) == {"SLEEP_ISSUES"}


def test_presets_keep_the_options(store: Store) -> None:
    options = ImportOptions(format="csv", columns={"text": "said"}, labels_as=LabelsAs.GOLD, mask=True)
    save_preset(store, "forum", options)
    assert ImportOptions.from_dict(presets(store)["forum"]) == options
    delete_preset(store, "forum")
    assert presets(store) == {}


def test_the_redsm5_layout_is_read_with_its_two_kinds_of_status(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "redsm5"
    folder.mkdir()
    (folder / "redsm5_posts.csv").write_text(
        'post_id,text\ns1,"I cannot sleep. My dog died, so I am sad."\ns2,Fine.\n', "utf-8"
    )
    rows = [
        "s1,s1_1,I can not sleep,SLEEP_ISSUES,1,awake",
        's1,s1_2,"my dog died so i am sad",DEPRESSED_MOOD,0,grief',
        "s1,s1_3,whatever,SPECIAL_CASE,1,",
        "s9,s9_1,nothing,SLEEP_ISSUES,1,",
    ]
    header = "post_id,sentence_id,sentence_text,DSM5_symptom,status,explanation\n"
    (folder / "redsm5_annotations.csv").write_text(header + "\n".join(rows) + "\n", "utf-8")
    report = import_file(store, folder)
    assert (report["format"], report["imported"], report["aligned"], report["annotations"]) == ("redsm5", 2, 2, 2)
    assert report["rejected"] == [
        {"row": 5, "reason": "has no text, and there is no post s9 to which its 1 labels could belong"}
    ]
    answers = {a.criterion_id: a for a in store.history("s1")}
    text = store.post("s1").text
    assert [s.span.quote(text) for s in answers["SLEEP_ISSUES"].spans] == ["I cannot sleep"]
    assert answers["DEPRESSED_MOOD"].verdict is Verdict.NO_EVIDENCE
    assert [s.quote(text) for s in answers["DEPRESSED_MOOD"].rejected] == ["My dog died, so I am sad"]


def test_a_thousand_posts_import_in_seconds(store: Store, tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"{n} " + "I lie awake again and again. " * 50} for n in range(1000)]
    file = jsonl(tmp_path / "x.jsonl", *rows)
    assert import_file(store, file)["imported"] == 1000
    assert a_span(Post("x", "abc"), "b").start == 1
