"""A project's answers, written as other tools' own code writes them, come back the same; and what imports must never do."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from annotator.cli import main
from annotator.exchange.options import ImportRefused
from annotator.exchange.use_cases import import_file
from storage.records import Verdict
from storage.store import Store
from tests.annotator.exchange_rows import jsonl

SLEEP, FOOD = "I lie awake until four.", "Food has no taste."
TEXT = f"{SLEEP} {FOOD}"
WORDS = ["awake", "tired", "😭", "naïve", "of", "food", "night", "שלום", "well", "café"]
CRITERIA = ("SLEEP_ISSUES", "DEPRESSED_MOOD")
Posts = dict[str, tuple[str, dict[str, list[tuple[int, int]]]]]


def a_project(seed: int) -> Posts:
    """Posts by id: a text of words, and spans at their edges by criterion."""
    made = random.Random(seed)
    posts: Posts = {}
    for number in range(6):
        words = [made.choice(WORDS) for _ in range(made.randint(4, 9))] + [str(number)]
        text = " ".join(words)
        starts = [sum(len(w) + 1 for w in words[:n]) for n in range(len(words))]
        answers: dict[str, list[tuple[int, int]]] = {}
        for criterion in made.sample(CRITERIA, made.randint(0, 2)):
            first = made.randrange(len(words) - 1)
            last = made.randrange(first, min(first + 2, len(words)))
            answers[criterion] = [(starts[first], starts[last] + len(words[last]))]
        posts[f"p{number}"] = (text, answers)
    return posts


def as_label_studio(posts: Posts, path: Path) -> Path:
    tasks = []
    for name, (text, answers) in posts.items():
        spans = [
            {"from_name": "label", "to_name": "text", "type": "labels", "id": f"{c}{s}",
             "value": {"start": s, "end": e, "text": text[s:e], "labels": [c]}}
            for c, found in answers.items() for s, e in found
        ]  # fmt: skip
        tasks.append({"id": name, "data": {"text": text}, "annotations": [{"completed_by": 1, "result": spans}]})
    (path / "in.json").write_text(json.dumps(tasks), "utf-8")
    return path / "in.json"


CONVERT = """
import sys
from label_studio_sdk.converter import Converter
config, folder, source, out = sys.argv[1:]
Converter(config, folder, download_resources=False).convert_to_csv(source, out, is_dir=False, sep=",")
"""


def as_argilla(posts: Posts, path: Path) -> Path:
    """Through Argilla's own code."""
    argilla = pytest.importorskip("argilla")
    from argilla.records._io import GenericIO

    who = "6d8c6a30-5d8e-5a3e-9a53-1c5f3a1c7e10"
    records = []
    for name, (text, answers) in posts.items():
        spans = [{"start": s, "end": e, "label": c} for c, found in answers.items() for s, e in found]
        responses = [argilla.Response("q", spans, user_id=who, status="submitted")] if spans else []
        records.append(argilla.Record(id=name, fields={"text": text}, responses=responses))
    lines = json.loads(json.dumps(GenericIO.to_list(records, flatten=False), default=str))
    return jsonl(path / "in.jsonl", *lines)


def as_docbin(posts: Posts, path: Path) -> Path:
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin

    blank, docs = spacy.blank("xx"), []
    for text, answers in posts.values():
        doc = blank(text)
        spans = [doc.char_span(s, e, c) for c, found in answers.items() for s, e in found]
        doc.spans["sc"] = [s for s in spans if s is not None]
        docs.append(doc)
    DocBin(docs=docs).to_disk(path / "in.spacy")
    return path / "in.spacy"


def as_cas(posts: Posts, path: Path) -> Path:
    import cassis

    types = cassis.TypeSystem()
    kind = types.create_type("custom.Evidence", supertypeName="uima.tcas.Annotation")
    types.create_feature(domainType=kind, name="label", rangeType="uima.cas.String")
    types.to_xml(path / "TypeSystem.xml")
    for name, (text, answers) in posts.items():
        cas = cassis.Cas(types)
        cas.sofa_string, cas.sofa_mime = text, "text/plain"
        for criterion, found in answers.items():
            for start, end in found:
                cas.add(kind(begin=start, end=end, label=criterion))
        cas.to_xmi(path / f"{name}.xmi")
    return path


def as_brat(posts: Posts, path: Path) -> Path:
    for name, (text, answers) in posts.items():
        spans = [(c, s, e) for c, found in answers.items() for s, e in found]
        lines = [f"T{n}\t{c} {s} {e}\t{text[s:e]}\n" for n, (c, s, e) in enumerate(spans, start=1)]
        (path / f"{name}.txt").write_text(text, "utf-8")
        (path / f"{name}.ann").write_text("".join(lines), "utf-8")
    return path


def as_dataset(posts: Posts, path: Path) -> Path:
    from datasets import Dataset

    spans = [
        [{"start": s, "end": e, "label": c} for c, found in a.items() for s, e in found] for _, a in posts.values()
    ]
    made = Dataset.from_dict({"id": list(posts), "text": [t for t, _ in posts.values()], "spans": spans})
    made.to_parquet(str(path / "in.parquet"))
    return path / "in.parquet"


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("write", [as_label_studio, as_argilla, as_docbin, as_cas, as_brat, as_dataset])
def test_what_another_tool_writes_comes_back_as_the_same_answers(
    write: Any, seed: int, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    posts = a_project(seed)
    comes_back(posts, write(posts, tmp_path / "in"), store)


@pytest.mark.installs
@pytest.mark.slow
def test_what_label_studios_own_converter_writes_comes_back_as_the_same_answers(store: Store, tmp_path: Path) -> None:
    """In an environment of its own: the converter's package wants other versions of libraries than this program's."""
    venv.create(tmp_path / "own")
    python = tmp_path / "own" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-compile", "label-studio-sdk"]
    subprocess.run(pip, check=True, timeout=900)
    labels = "".join(f'<Label value="{c}"/>' for c in CRITERIA)
    config = f'<View><Labels name="label" toName="text">{labels}</Labels><Text name="text" value="$text"/></View>'
    (tmp_path / "in").mkdir()
    posts = a_project(1)
    source, out = as_label_studio(posts, tmp_path / "in"), tmp_path / "out"
    subprocess.run([python, "-c", CONVERT, config, str(tmp_path), str(source), str(out)], check=True, timeout=300)
    comes_back(posts, out / "result.csv", store)


def comes_back(posts: Posts, path: Path, store: Store) -> None:
    report = import_file(store, path)
    by_text = {p.text: p.id for p in store.iter_posts()}
    assert set(by_text) == {t for t, _ in posts.values()}
    for text, answers in posts.values():
        stored = {a.criterion_id: [(s.start, s.end) for s in a.spans] for a in store.history(by_text[text])}
        assert stored == answers
    assert report["rejected_count"] == 0


# --- uniting, contradicting, attaching


def history(store: Store, post_id: str) -> dict[str, tuple[Verdict | None, list[tuple[int, int]]]]:
    return {a.criterion_id: (a.verdict, [(s.start, s.end) for s in a.spans]) for a in store.history(post_id)}


@pytest.mark.parametrize("labels_as", ["annotations", "gold"])
def test_labels_of_one_criterion_unite(labels_as: str, store: Store, tmp_path: Path) -> None:
    item = {"id": "a", "text": TEXT, "label": [[0, 23, "insomnia"], [24, 42, "Sleep  issues"]]}
    import_file(store, jsonl(tmp_path / "in.jsonl", item), criteria={"insomnia": "SLEEP_ISSUES"}, labels_as=labels_as)
    assert history(store, "a") == {"SLEEP_ISSUES": (Verdict.EVIDENCE, [(0, 23), (24, 42)])}


def test_answers_of_several_people_unite_as_gold_and_as_predictions(store: Store, tmp_path: Path) -> None:
    people = [("ana", 0, 23), ("ben", 24, 42)]
    marks = [{"criterion": "SLEEP_ISSUES", "start": s, "end": e, "reviewer": p} for p, s, e in people]
    path = jsonl(tmp_path / "in.jsonl", {"id": "a", "text": TEXT, "annotations": marks})
    import_file(store, path, labels_as="gold")
    assert history(store, "a") == {"SLEEP_ISSUES": (Verdict.EVIDENCE, [(0, 23), (24, 42)])}
    assert import_file(store, path, labels_as="predictions")["predictions"] == 1


def test_verdicts_that_contradict_are_reported_and_evidence_stays(store: Store, tmp_path: Path) -> None:
    marks = [{"label": "SLEEP_ISSUES", "start": 0, "end": 23}, {"label": "Sleep issues", "verdict": "no_evidence"}]
    report = import_file(store, jsonl(tmp_path / "in.jsonl", {"id": "a", "text": TEXT, "annotations": marks}))
    assert history(store, "a") == {"SLEEP_ISSUES": (Verdict.EVIDENCE, [(0, 23)])}
    (issue,) = [i for i in store.import_issues(report["import_id"]) if i.kind == "contradiction"]
    assert "Sleep issues (row 1) says no_evidence" in issue.reason


@pytest.mark.parametrize(
    "pair", [("mood+", "mood-"), ("मन की", "मन का"), ("x" * 90 + "a", "x" * 90 + "b"), ("😴", "🍽"), ("a&b", "a|b")]
)
def test_labels_that_differ_become_criteria_that_differ(pair: tuple[str, str], store: Store, tmp_path: Path) -> None:
    item = {"id": "a", "text": TEXT, "label": [[0, 23, pair[0]], [24, 42, pair[1]]]}
    report = import_file(store, jsonl(tmp_path / "in.jsonl", item), new_criteria=True)
    assert len(report["new_criteria"]) == 2
    assert sorted(spans for _, spans in history(store, "a").values()) == [[(0, 23)], [(24, 42)]]
    assert import_file(store, tmp_path / "in.jsonl", new_criteria=True)["new_criteria"] == []


def test_words_prove_the_units_of_their_neighbours(store: Store, tmp_path: Path) -> None:
    text = "😭😭😭 So wide awake again. 👍🏽 Food has no taste."
    units = [
        len(text[:at].encode("utf-16-le")) // 2
        for at in (text.index("Food"), len(text), text.index("So"), text.index(" 👍"))
    ]
    marks = [
        {"label": "DEPRESSED_MOOD", "start": units[0], "end": units[1], "text": "Food has no taste."},
        {"label": "SLEEP_ISSUES", "start": units[2], "end": units[3]},
    ]
    import_file(store, jsonl(tmp_path / "in.jsonl", {"id": "a", "text": text, "annotations": marks}))
    found = {c: text[s[0][0] : s[0][1]] for c, (_, s) in history(store, "a").items()}
    assert found == {"DEPRESSED_MOOD": "Food has no taste.", "SLEEP_ISSUES": "So wide awake again."}


@pytest.mark.parametrize(
    "cell", [f"{SLEEP} | {FOOD}", f"{SLEEP}\n{FOOD}", json.dumps([SLEEP, FOOD]), f"{SLEEP}; {FOOD}"]
)
def test_several_pieces_of_evidence_in_one_cell_are_several_passages(cell: str, store: Store, tmp_path: Path) -> None:
    text = f"{FOOD} And so on. {SLEEP}"
    path = jsonl(tmp_path / "in.jsonl", {"id": "a", "text": text, "criterion": "SLEEP_ISSUES", "evidence": cell})
    import_file(store, path)
    assert [text[s:e] for s, e in history(store, "a")["SLEEP_ISSUES"][1]] == [FOOD, SLEEP]


def test_labels_of_a_skipped_post_go_to_the_post_of_the_same_text(store: Store, tmp_path: Path) -> None:
    import_file(store, jsonl(tmp_path / "a.jsonl", {"id": "a", "text": TEXT}))
    import_file(store, jsonl(tmp_path / "b.jsonl", {"id": "b", "text": TEXT, "label": [[0, 23, "SLEEP_ISSUES"]]}))
    assert [p.id for p in store.iter_posts()] == ["a"]
    assert history(store, "a") == {"SLEEP_ISSUES": (Verdict.EVIDENCE, [(0, 23)])}


def test_ids_that_begin_anew_in_each_split_are_kept_apart(store: Store, tmp_path: Path) -> None:
    items = [{"id": 0, "text": SLEEP, "split": "train"}, {"id": 0, "text": FOOD, "split": "test"}]
    for _ in range(2):
        import_file(store, jsonl(tmp_path / "in.jsonl", *items))
        assert sorted((p.id, p.text, str(p.split)) for p in store.iter_posts()) == [
            ("0", SLEEP, "train"),
            ("test/0", FOOD, "test"),
        ]


def test_two_models_predictions_of_a_known_post_are_both_kept_and_undone(store: Store, tmp_path: Path) -> None:
    from annotator.exchange.use_cases import undo_import

    import_file(store, jsonl(tmp_path / "a.jsonl", {"id": "a", "text": TEXT}))
    made = [
        {"criterion": "SLEEP_ISSUES", "model_version": m, "spans": [{"start": s, "end": e}]}
        for m, s, e in (("m1", 0, 23), ("m2", 24, 42))
    ]
    report = import_file(store, jsonl(tmp_path / "b.jsonl", {"id": "a", "text": TEXT, "predictions": made}))
    number = report["import_id"]
    assert [store.predictions("a", f"import-{number}/{m}")["SLEEP_ISSUES"].spans[0].start for m in ("m1", "m2")] == [
        0,
        24,
    ]
    undo_import(store, number)
    assert store.predictions("a", f"import-{number}/m1") == {}


def test_wrongly_decoded_texts_are_mended_with_their_passages(store: Store, tmp_path: Path) -> None:
    text = "I canâ€™t sleep. I lie awake."
    item = {"id": "a", "text": text, "label": [[text.index("I lie"), len(text), "SLEEP_ISSUES"]]}
    report = import_file(store, jsonl(tmp_path / "in.jsonl", item), dry_run=True)
    assert report["mojibake_examples"] == [
        {"before": "I canâ€™t sleep. I lie awake.", "after": "I can’t sleep. I lie awake."}
    ]
    import_file(store, tmp_path / "in.jsonl", mend=True)
    (post,) = store.iter_posts()
    assert post.text == "I can’t sleep. I lie awake."
    assert [post.text[s:e] for s, e in history(store, "a")["SLEEP_ISSUES"][1]] == ["I lie awake."]


def test_strict_stores_nothing_where_anything_would_be_lost(store: Store, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "in.jsonl", {"id": "a", "text": TEXT, "label": [[0, 23, "NOBODY_KNOWS"]]})
    with pytest.raises(ImportRefused, match=r"Nothing was imported \(strict\): .*NOBODY_KNOWS"):
        import_file(store, path, strict=True)
    assert (store.count_posts(), store.imports()) == (0, [])


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([{"id": "a", "text": "  "}], 1),
        ([{"id": "a", "text": "Fine."}], 0),
        ([{"post_id": "x", "criterion": "SLEEP_ISSUES", "quote": "y"}], 1),
    ],
)
def test_the_exit_code_says_whether_anything_was_taken(
    rows: list[dict[str, str]], code: int, tmp_path: Path, capsys: Any
) -> None:
    path = jsonl(tmp_path / "in.jsonl", *rows)
    for options in ([], ["--dry-run"]):
        assert main(["import", str(path), "--data-dir", str(tmp_path / "project"), *options]) == code
    assert "ledger" in json.loads(capsys.readouterr().out.splitlines()[0])


@pytest.mark.parametrize("verdict", ["evidence", "unsure"])
def test_what_cannot_be_placed_is_no_prediction_of_nothing(verdict: str, store: Store, tmp_path: Path) -> None:
    marks = [{"criterion": "SLEEP_ISSUES", "verdict": verdict, "quote": "nowhere to be found in there"}]
    path = jsonl(tmp_path / "in.jsonl", {"id": "a", "text": TEXT, "annotations": marks, "predictions": marks})
    report = import_file(store, path, labels_as="predictions")
    assert (report["predictions"], store.predictions("a", f"import-{report['import_id']}")) == (0, {})


def test_strict_takes_a_long_table_whose_further_columns_repeat_and_squad_with_its_ids(
    store: Store, tmp_path: Path
) -> None:
    marks = [("SLEEP_ISSUES", SLEEP), ("DEPRESSED_MOOD", FOOD)]
    rows = [
        {"post_id": "a", "text": TEXT, "age": 31, "criterion": c, "verdict": "evidence", "quote": q} for c, q in marks
    ]
    assert import_file(store, jsonl(tmp_path / "in.jsonl", *rows), strict=True)["annotations"] == 2
    rows[1]["age"] = 32
    with pytest.raises(ImportRefused, match="column 'age': 1 left out"):
        import_file(store, jsonl(tmp_path / "in.jsonl", {**rows[0], "post_id": "b", "text": FOOD, "quote": FOOD},
                                 {**rows[1], "post_id": "b", "text": FOOD}), strict=True)  # fmt: skip
    answers = [{"id": "q1", "question": "SLEEP_ISSUES", "answers": [{"text": SLEEP, "answer_start": 0}], "is_impossible": False},
               {"id": "q2", "question": "DEPRESSED_MOOD", "answers": [], "is_impossible": True,
                "plausible_answers": [{"text": FOOD, "answer_start": 24}]}]  # fmt: skip
    paragraphs = [{"context": f"{TEXT} Really.", "qas": answers}]
    (tmp_path / "in.json").write_text(json.dumps({"data": [{"title": "s", "paragraphs": paragraphs}]}), "utf-8")
    assert import_file(store, tmp_path / "in.json", strict=True)["annotations"] == 2
