"""What is said of spans and posts goes out with them and comes back as it was; a file that says nothing of it takes nothing back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cassis
import pytest

from annotator.exchange.exporting import export_file
from annotator.exchange.use_cases import export_filter, import_file
from storage.attributes import Attributes, Scale
from storage.formats.ledger import OF_TOOL
from storage.formats.registry import FORMATS
from storage.formats.said import flag_named, level_named
from storage.records import OF_POST, AnnotatedSpan, Annotation, Prediction, Span, SpanAttributes, SpanOrigin
from storage.store import Store, open_store
from storage.team_records import (
    Adjudication,
    Assigned,
    Outcome,
    Round,
    RoundKind,
    RoundPost,
    Suggestions,
    label_question,
)
from tests.annotator.exchange_rows import jsonl
from tests.builders import MOOD, SLEEP, a_post, an_annotation

NASTY = "=cmd|' /C'!A0 \"<b>\" \u0645 | a=b\nnext; \U0001f61e"
SAID = SpanAttributes(NASTY, "severe", ("past", "other person"))
GUESS = SpanAttributes("The model's own words.", "mild", ("past",))
ATTRIBUTES = Attributes(
    "Why?",
    Scale("Burden", ("mild", "severe"), retired=("grave",)),
    ("past", "negated", "other person"),
    (Scale("Risk", ("none", "high")), Scale("Kind", ("question", "report"), ordered=False)),
)
ALL = [name for name, kind in FORMATS.items() if kind.writer and kind.says.value == "all"]


@pytest.fixture
def filled(store: Store) -> Store:
    """Two readers of one post who say more than where the evidence is, a prediction that does, and labels of the post."""
    store.replace_attributes(ATTRIBUTES)
    post = a_post("I cannot sleep. The dog is well.")
    store.add_posts([post, a_post("Nobody said anything.", id="p2")])
    predicted = Span(2, 14, 0.5, attributes=GUESS)
    store.add_predictions([Prediction(post.id, SLEEP.id, "m1", (predicted,), 0.5)])
    for name in ("ana", "ben"):
        store.ensure_reviewer(name)
    own = AnnotatedSpan(2, 14, SpanOrigin.ACCEPTED, predicted, SAID)
    kept = AnnotatedSpan(16, 31, attributes=SpanAttributes(severity="grave", flags=("negated",)))
    for name, spans in (("ana", (own, kept)), ("ben", (own, kept))):
        answer = dataclasses.replace(an_annotation(post, "cannot sleep", reviewer=name), spans=spans)
        store.add_annotation(answer, expected_revision=0)
        given = (("Kind", "report"), ("Risk", "high" if name == "ana" else "none"))
        store.add_annotation(Annotation(post.id, OF_POST, name, None, labels=given), expected_revision=0)
    return store


def said_in(store: Store) -> list[tuple[str, str, list[SpanAttributes], tuple[tuple[str, str], ...]]]:
    found = store.latest_annotations("p1")
    return sorted((a.criterion_id, a.reviewer, [s.attributes for s in a.spans], a.labels) for a in found)


def taken_in(tmp_path: Path, file: Path, **options: Any) -> tuple[Store, dict[str, Any]]:
    other = open_store(tmp_path / "other")
    return other, import_file(other, file, new_criteria=True, **options)


@pytest.mark.parametrize("name", ALL)
def test_every_answer_comes_back_with_what_it_says(name: str, filled: Store, tmp_path: Path) -> None:
    path = tmp_path / f"out{FORMATS[name].suffix}"
    latest = export_filter({"answers": "latest"})
    manifest = export_file(filled, name, path, latest)
    assert not any("rationale of a span" in lost or "labels of the whole" in lost for lost in manifest["cannot_carry"])
    other, report = taken_in(tmp_path, path)
    assert other.attributes() == ATTRIBUTES
    assert not [
        e
        for e in report["ledger"]
        if e["outcome"] == "left out" and e["detail"] != OF_TOOL and "ground_truth" not in e["name"]
    ]
    if name in ("gold", "parquet", "hf", "brat"):  # of labels they say what is agreed, and not by whom
        said = dataclasses.replace(SAID, rationale=" ".join(NASTY.split())) if name == "brat" else SAID
        assert {(c, tuple(s)) for c, _, s, _ in said_in(other)} >= {(SLEEP.id, (said, *kept_of(filled)))}
        assert [labels for c, _, _, labels in said_in(other) if c == OF_POST] == [(("Kind", "report"),)]
    else:
        assert said_in(other) == said_in(filled)


def kept_of(store: Store) -> list[SpanAttributes]:
    return [s.attributes for s in store.annotations_of("p1", "ana")[SLEEP.id].spans][1:]


@pytest.mark.parametrize("levels", [("-2", "-1", "0", "1", "2"), ("C", "C++", "?"), ("yes", "YES!")])
def test_levels_and_flags_that_differ_in_signs_only_are_not_exchanged(levels: tuple[str, ...]) -> None:
    attributes = Attributes(severity=Scale("Mood", levels), flags=levels, labels=(Scale("Tone", levels),))
    assert [level_named(attributes.severity, level) for level in levels] == list(levels)
    assert [flag_named(level, attributes) for level in levels] == list(levels)
    assert level_named(Scale("Mood", levels), f" {levels[-1]}?!") in (None, levels[-1])


def test_gold_has_each_label_on_which_nobody_disagrees_and_none_of_who_is_measured(
    filled: Store, tmp_path: Path
) -> None:
    post_id, readers = "p2", ("ana", "ben", "cem")
    filled.ensure_reviewer("cem")
    for name, labels in zip(
        readers, [(("Kind", "report"), ("Risk", "high")), (("Kind", "report"),), (("Kind", "question"),)], strict=True
    ):
        filled.add_annotation(Annotation(post_id, OF_POST, name, None, labels=labels), expected_revision=0)
        assert name not in filled.readers_of([post_id]).get(post_id, ())  # to label a post is not to read it
    training = Round(0, "t", RoundKind.TRAINING, True, Suggestions.SHOWN, ("cem",), {1: 1.0}, 0, {})
    filled.add_round(training, [RoundPost(post_id, 1, gold=True)], [Assigned(post_id, "cem", None)])
    export_file(filled, "gold", tmp_path / "gold.jsonl", export_filter({"answers": "gold"}))
    (row,) = [
        r for r in map(json.loads, (tmp_path / "gold.jsonl").read_text("utf-8").splitlines()) if r["post_id"] == post_id
    ]
    assert row["post_labels"] == {"Kind": "report", "Risk": "high"}


def test_labels_of_label_studio_that_differ_in_signs_only_come_back_as_they_were(filled: Store, tmp_path: Path) -> None:
    levels = ("none", "high")
    filled.replace_attributes(
        Attributes(labels=(Scale("Mood+", levels), Scale("Mood-", levels), Scale("Other mood", levels)))
    )
    labels = (("Mood+", "none"), ("Mood-", "high"), ("Other mood", "high"))
    filled.add_annotation(Annotation("p2", OF_POST, "ana", None, labels=labels), expected_revision=0)
    export_file(filled, "label-studio", tmp_path / "out.json", export_filter({"answers": "latest"}))
    other = open_store(tmp_path / "there")
    other.replace_attributes(filled.attributes())
    import_file(other, tmp_path / "out.json", new_criteria=True)
    assert [a.labels for a in other.latest_annotations("p2")] == [labels]


def test_our_own_complete_export_is_the_same_after_one_round(filled: Store, tmp_path: Path) -> None:
    decision = Adjudication("p1", SLEEP.id, "eve", Outcome.EVIDENCE, spans=(Span(2, 14, attributes=SAID),), reason="so")
    filled.ensure_reviewer("eve")
    filled.add_adjudication(decision, expected_revision=0)
    of_label = Adjudication("p1", label_question("Risk"), "eve", Outcome.LABEL, reason="he says so", level="high")
    filled.add_adjudication(of_label, expected_revision=0)
    export_file(filled, "jsonl", tmp_path / "one.jsonl")
    other, _ = taken_in(tmp_path, tmp_path / "one.jsonl")
    export_file(other, "jsonl", tmp_path / "two.jsonl")
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    line = json.loads((tmp_path / "one.jsonl").read_text("utf-8").splitlines()[0])
    assert line["post_labels"] == {"Kind": "report", "Risk": "high"}  # on the other they differ, and it was decided
    assert line["post_labels_rule"] == {"Kind": "agreement", "Risk": "adjudicated"}
    assert line["predictions"][0]["spans"][0]["severity"] == "mild"
    again = import_file(other, tmp_path / "one.jsonl")
    assert (again["annotations"], again["known_annotations"]) == (0, 4)


def test_a_project_without_attributes_keeps_what_a_file_says_as_before_and_exports_as_before(
    store: Store, tmp_path: Path
) -> None:
    row = {"post_id": "p1", "text": "I cannot sleep.", "severity": "severe"}
    spans = [{"start": 2, "end": 14, "severity": "severe", "negated": False}]
    file = jsonl(tmp_path / "in.jsonl", row | {"annotations": [{"criterion": SLEEP.id, "spans": spans}]})
    import_file(store, file)
    assert store.post("p1").meta == {"severity": "severe"}
    assert store.latest_annotations("p1")[0].spans[0].attributes == SpanAttributes()
    manifest = export_file(store, "doccano", tmp_path / "out.jsonl")
    assert not [lost for lost in manifest["cannot_carry"] if "severity" in lost]
    assert "attributes" not in manifest
    export_file(store, "csv", tmp_path / "out.csv")
    assert "post_labels" not in (tmp_path / "out.csv").read_text("utf-8")


def test_fields_of_foreign_files_are_taken_where_the_project_defines_them(filled: Store, tmp_path: Path) -> None:
    text = "I cannot sleep. I was sad."
    labels = [
        {"start": 2, "end": 14, "label": SLEEP.id, "burden": "SEVERE", "past": True, "rationale": "It says so."},
        {"start": 16, "end": 25, "label": MOOD.id, "burden": "terrible", "flags": ["odd"], "negated": 1},
    ]
    report = import_file(filled, jsonl(tmp_path / "in.jsonl", {"id": "x", "text": text, "labels": labels}))
    found = {a.criterion_id: a.spans[0].attributes for a in filled.latest_annotations("x")}
    assert found == {
        SLEEP.id: SpanAttributes("It says so.", "severe", ("past",)),
        MOOD.id: SpanAttributes("", "", ("negated",)),
    }
    left = {e["name"] for e in report["ledger"] if e["outcome"] == "left out"}
    assert left == {"labels[].burden", "labels[].flags"}  # a level and a flag that the project does not have


def test_a_file_that_says_nothing_of_attributes_takes_nothing_back(filled: Store, tmp_path: Path) -> None:
    plain = [{"start": 2, "end": 14}, {"start": 16, "end": 31}]
    answer = {"criterion": SLEEP.id, "verdict": "evidence", "reviewer": "ana", "spans": plain}
    text = filled.post("p1").text
    report = import_file(filled, jsonl(tmp_path / "in.jsonl", {"post_id": "p1", "text": text, "annotations": [answer]}))
    assert (report["annotations"], report["known_annotations"]) == (0, 1)
    assert filled.annotations_of("p1", "ana")[SLEEP.id].spans[0].attributes == SAID


def test_a_rationale_is_the_explanation_of_its_sentence_in_redsm5(filled: Store, tmp_path: Path) -> None:
    manifest = export_file(filled, "redsm5", tmp_path / "out")
    assert manifest["cannot_carry"][-2:] == ["severity and flags of a span", "labels of the whole post"]
    other, _ = taken_in(tmp_path, tmp_path / "out")
    assert [s.attributes for s in other.latest_annotations("p1")[0].spans] == [SpanAttributes(NASTY), SpanAttributes()]


def test_choices_of_a_foreign_label_studio_project_are_flags_where_the_project_has_them(
    filled: Store, tmp_path: Path
) -> None:
    region = {"start": 2, "end": 14, "text": "cannot sleep"}
    base = {"id": "r1", "to_name": "text"}
    results = [
        {**base, "from_name": "label", "type": "labels", "value": {**region, "labels": [SLEEP.id]}},
        {**base, "from_name": "assertion", "type": "choices", "value": {**region, "choices": ["Negated"]}},
        {**base, "from_name": "Burden", "type": "choices", "value": {**region, "choices": ["Severe"]}},
        {**base, "from_name": "mood", "type": "choices", "value": {**region, "choices": ["blue"]}},
        {"id": "x", "from_name": "risk", "type": "choices", "value": {"choices": ["High"]}},
    ]
    task = {"data": {"post_id": "ls", "text": "I cannot sleep."}, "annotations": [{"result": results}]}
    (tmp_path / "in.json").write_text(json.dumps([task]), "utf-8")
    import_file(filled, tmp_path / "in.json", format="label-studio")
    found = {a.criterion_id: a for a in filled.latest_annotations("ls")}
    assert found[SLEEP.id].spans[0].attributes == SpanAttributes("", "severe", ("negated",))
    assert found[OF_POST].labels == (("Risk", "high"),)
    assert "mood" in filled.post("ls").meta


def test_brat_attributes_are_flags_where_the_project_has_them_and_take_back_where_it_has_not(
    filled: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "brat"
    folder.mkdir()
    (folder / "b.txt").write_text("I cannot sleep. I lie awake.", "utf-8")
    lines = (
        f"T1\t{SLEEP.id} 2 14\tcannot sleep",
        "A1\tNegated T1",
        "A2\tSeverity T1 Severe",
        "#1\tAnnotatorNotes T1\tit says so",
        f"T2\t{SLEEP.id} 18 27\tlie awake",
        "A3\tHypothetical T2",
    )
    (folder / "b.ann").write_text("\n".join(lines) + "\n", "utf-8")
    import_file(filled, folder)
    (answer,) = filled.latest_annotations("b")
    assert [s.attributes for s in answer.spans] == [SpanAttributes("it says so", "severe", ("negated",))]
    assert filled.post("b").meta == {"brat": ["A3\tHypothetical T2"]}


def test_features_of_inception_are_levels_and_flags_where_the_project_has_them(filled: Store, tmp_path: Path) -> None:
    head = ["#FORMAT=WebAnno TSV 3.3", "#T_SP=webanno.custom.Evidence|label|burden|negated|rationale", "", ""]
    lines = [*head, "#Text=I lie awake.", "1-1\t0-1\tI\t_\t_\t_\t_\t"]
    for token, place, word in (("1-2", "2-5", "lie"), ("1-3", "6-11", "awake")):
        lines.append(f"{token}\t{place}\t{word}\t{SLEEP.id}[1]\tsevere[1]\ttrue[1]\tsays so[1]\t")
    (tmp_path / "tsv.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    types = cassis.TypeSystem()
    kind = types.create_type("custom.Evidence", supertypeName="uima.tcas.Annotation")
    for feature in ("label", "burden", "negated", "rationale"):
        types.create_feature(kind, feature, rangeType="uima.cas.String")
    cas = cassis.Cas(types)
    cas.sofa_string = "I lie awake."
    cas.add(kind(begin=2, end=11, label=SLEEP.id, burden="severe", negated="true", rationale="says so"))
    cas.to_json(tmp_path / "cas.json")
    for name, format in (("tsv.tsv", "webanno"), ("cas.json", "cas")):
        import_file(filled, tmp_path / name, format=format, same_text="keep")
        (answer,) = filled.latest_annotations(Path(name).stem)
        assert [s.attributes for s in answer.spans] == [SpanAttributes("says so", "severe", ("negated",))]


@pytest.mark.parametrize("name", [n for n, kind in FORMATS.items() if kind.writer and kind.says.value == "nothing"])
def test_a_format_that_cannot_carry_them_says_so(name: str, filled: Store, tmp_path: Path) -> None:
    filled.add_annotation(Annotation("p2", OF_POST, "ana", None, labels=(("Kind", "report"),)), expected_revision=0)
    manifest = export_file(filled, name, tmp_path / f"out{FORMATS[name].suffix}")
    assert manifest["posts"] == 1  # no answer is known of the other one
    assert manifest["cannot_carry"][-2:] == ["severity, flags and rationale of a span", "labels of the whole post"]


def test_labels_that_readers_gave_differently_are_counted_where_a_post_has_one_place_for_them(
    filled: Store, tmp_path: Path
) -> None:
    chosen = export_filter({"answers": "latest"})
    for name in ALL:
        left = export_file(filled, name, tmp_path / f"{name}{FORMATS[name].suffix}", chosen)["left_out"]
        shared = name in ("gold", "parquet", "hf", "brat")
        assert left.get("labels of the whole post that readers gave differently") == (1 if shared else None), name
