"""Files of other tools: SQuAD, doccano, Prodigy, Argilla, WebAnno, UIMA CAS, spaCy, Reddit, dataset folders, packed files."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from storage.formats.archive import unpacked
from storage.formats.detection import detect, file_in
from storage.formats.rows import FormatError, ImportRow
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, left_out, one, reasons, rows, said, write_json, write_lines

S, F = "SLEEP_ISSUES", "ANHEDONIA"
BOTH = {S: ("evidence", [SLEEP]), F: ("evidence", [FOOD])}


# --- SQuAD


def squad(path: Path, *questions: dict[str, Any]) -> Path:
    asked = [{"id": f"q{n}", **q} for n, q in enumerate(questions)]
    return write_json(
        path, {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": TEXT, "qas": asked}]}]}
    )


def test_a_question_is_a_negative_only_where_it_is_marked_as_impossible(tmp_path: Path) -> None:
    row = one(
        squad(
            tmp_path / "in.json",
            {"question": S, "answers": [{"text": SLEEP, "answer_start": 0}]},
            {
                "question": "A",
                "is_impossible": True,
                "answers": [],
                "plausible_answers": [{"text": FOOD, "answer_start": 24}],
            },
            {"question": "B", "is_impossible": True, "answers": [{"text": "", "answer_start": -1}]},
            {"question": "C"},
            {"question": "D", "is_impossible": False, "answers": []},
            {"question": "E", "is_impossible": True, "answers": [{"text": FOOD, "answer_start": 24}]},
        )
    )
    assert said(row) == {S: ("evidence", [SLEEP]), "A": ("no_evidence", []), "B": ("no_evidence", [])}
    assert left_out(row) == {
        "C": "was not answered",
        "D": "has no answer, and is not marked as impossible",
        "E": "is marked as impossible, but has answers",
    }


def test_articles_of_one_title_are_posts_of_their_own(tmp_path: Path) -> None:
    articles = [{"title": "wave", "paragraphs": [{"context": t, "qas": []}]} for t in (SLEEP, FOOD)]
    found = rows(write_json(tmp_path / "in.json", {"data": articles}))
    assert [r.post_id for r in found if isinstance(r, ImportRow)] == ["wave", "wave-2"]


def test_flat_questions_are_read_too(tmp_path: Path) -> None:
    item = {"id": "q1", "context": TEXT, "question": S, "answers": {"text": [SLEEP], "answer_start": [0]}}
    row = one(write_lines(tmp_path / "in.jsonl", item))
    assert (row.post_id, row.text, said(row)) == (None, TEXT, {S: ("evidence", [SLEEP])})


# --- doccano, Prodigy, Argilla


def test_doccano_reads_all_its_keys_of_labels(tmp_path: Path) -> None:
    item = {
        "id": 1,
        "text": TEXT,
        "label": [],
        "entities": [[0, 23, S]],
        "cats": ["severe"],
        "relations": [{"id": 1}],
        "Comments": ["x"],
    }
    row = one(write_lines(tmp_path / "in.jsonl", item))
    assert said(row) == {S: ("evidence", [SLEEP])}
    assert row.meta == {"cats": ["severe"], "relations": [{"id": 1}], "Comments": ["x"]}


def test_prodigys_refusals_are_reported_and_token_spans_are_placed(tmp_path: Path) -> None:
    tokens = [
        {"text": "I", "start": 0, "end": 1},
        {"text": "lie", "start": 2, "end": 5},
        {"text": "awake", "start": 6, "end": 11},
    ]
    spans = [{"token_start": 1, "token_end": 2, "label": S}]
    accepted, rejected, choice = rows(
        write_lines(
            tmp_path / "in.jsonl",
            {"text": "I lie awake", "tokens": tokens, "spans": spans, "answer": "accept"},
            {"text": SLEEP, "spans": [{"start": 0, "end": 23, "label": S}], "answer": "reject"},
            {"text": FOOD, "label": F, "answer": "accept"},
        )
    )
    assert said(accepted) == {S: ("evidence", ["lie awake"])}
    assert (said(rejected), left_out(rejected)) == ({}, {S: "the example was not accepted (answer: reject)"})
    assert isinstance(choice, ImportRow)
    assert (said(choice), choice.meta["label"]) == ({}, F)


@pytest.mark.parametrize("version", [1, 2])
def test_argilla_takes_each_label_and_keeps_other_answers(version: int, tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 23, "label": S}, {"start": 24, "end": 42, "label": F}]
    answers: Any = {"marks": spans, "severity": 3, "remark": "look again"}
    if version == 2:
        responses: Any = {q: [{"value": v, "user_id": "u1", "status": "submitted"}] for q, v in answers.items()}
        responses["later"] = [{"value": spans[:1], "user_id": "u2", "status": "draft"}]
        responses["none"] = [{"value": [], "user_id": "u2", "status": "submitted"}]
    else:
        responses = [{"user_id": "u1", "status": "submitted", "values": {q: {"value": v} for q, v in answers.items()}}]
    row = one(write_lines(tmp_path / "in.jsonl", {"id": "a", "fields": {"text": TEXT}, "responses": responses}))
    assert said(row) == BOTH
    assert row.meta == {"severity": [{"value": 3, "by": "u1"}], "remark": [{"value": "look again", "by": "u1"}]}
    if version == 2:
        assert left_out(row)["none"] == "an empty response says nothing of a label"
        assert left_out(row)[S] == "its response was not submitted (status: draft)"


# --- INCEpTION and UIMA


def test_webanno_is_one_post_with_offsets_in_utf_16(tmp_path: Path) -> None:
    lines = ["#FORMAT=WebAnno TSV 3.3", "#T_SP=webanno.custom.Evidence|label|note", "", "", "#Text=😭 I lie awake."]
    lines += [
        "1-1\t0-2\t😭\t_\t_\t",
        "1-2\t3-4\tI\t_\t_\t",
        f"1-3\t5-8\tlie\t{S}[1]\tmuch[1]\t",
        f"1-4\t9-14\tawake\t{S}[1]\tmuch[1]\t",
    ]
    lines += ["1-5\t14-15\t.\t_\t_\t", "", "#Text=Fine now.", "2-1\t16-20\tFine\tJoy\t*\t", "2-2\t21-24\tnow\t_\t_\t"]
    (tmp_path / "doc.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    row = one(tmp_path / "doc.tsv")
    assert (row.post_id, row.text) == ("doc", "😭 I lie awake.\nFine now.")
    assert said(row) == {S: ("evidence", ["lie awake"]), "Joy": ("evidence", ["Fine"])}


def cas_document() -> Any:
    import cassis

    types = cassis.TypeSystem()
    kind = types.create_type("custom.Evidence", supertypeName="uima.tcas.Annotation")
    types.create_feature(domainType=kind, name="label", rangeType="uima.cas.String")
    cas = cassis.Cas(types)
    cas.sofa_string = f"😭 {TEXT}"
    cas.sofa_mime = "text/plain"
    for start, end, label in ((2, 25, S), (26, 44, F)):
        cas.add(kind(begin=start, end=end, label=label))
    return cas, types


def test_a_cas_that_the_library_writes_is_read_back(tmp_path: Path) -> None:
    cas, types = cas_document()
    cas.to_json(tmp_path / "doc.json")
    (tmp_path / "xmi").mkdir()
    cas.to_xmi(tmp_path / "xmi" / "doc.xmi")
    types.to_xml(tmp_path / "xmi" / "TypeSystem.xml")
    for path in (tmp_path / "doc.json", tmp_path / "xmi", tmp_path / "xmi" / "doc.xmi"):
        row = one(path)
        assert (row.text, said(row)) == (f"😭 {TEXT}", BOTH)


def test_a_cas_without_its_types_or_with_entities_is_refused(tmp_path: Path) -> None:
    cas, _ = cas_document()
    cas.to_xmi(tmp_path / "doc.xmi")
    with pytest.raises(FormatError, match="needs its type system"):
        rows(tmp_path / "doc.xmi")
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    (tmp_path / "TypeSystem.xml").write_text(bomb, "utf-8")
    with pytest.raises(FormatError, match="defines XML entities"):
        rows(tmp_path / "doc.xmi")


# --- spaCy


def test_docbins_and_training_pairs_are_read(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin

    doc = spacy.blank("en")(TEXT)
    doc.ents = [doc.char_span(0, 23, S)]
    doc.spans["sc"] = [doc.char_span(24, 42, F)]
    DocBin(docs=[doc]).to_disk(tmp_path / "in.spacy")
    assert said(one(tmp_path / "in.spacy")) == BOTH
    pairs = [[TEXT, {"entities": [[0, 23, S], [24, 42, F]]}]]
    assert said(one(write_json(tmp_path / "in.json", pairs))) == BOTH
    assert said(one(write_lines(tmp_path / "in.jsonl", *pairs))) == BOTH


# --- Reddit, folders, packed files


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


def test_splits_of_a_dataset_folder_keep_their_ids_apart(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = {"info": {"features": {"label": {"names": ["fine", "low"], "_type": "ClassLabel"}}}}
    for split, text in (("train", SLEEP), ("test", FOOD)):
        table = pa.table({"id": [0], "text": [text], "label": [1]}).replace_schema_metadata(
            {"huggingface": json.dumps(names)}
        )
        pq.write_table(table, tmp_path / f"{split}.parquet")
    found = [(r.post_id, r.part, r.split, r.meta) for r in rows(tmp_path) if isinstance(r, ImportRow)]
    assert found == [("0", "test", "test", {"label": "low"}), ("0", "train", "train", {"label": "low"})]


def zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize(
    ("suffix", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstd)]
)
def test_a_packed_file_is_unpacked_and_a_cut_one_refused(suffix: str, pack: Any, tmp_path: Path) -> None:
    data = pack(b"".join(json.dumps({"id": str(n), "text": f"{SLEEP} {n}"}).encode() + b"\n" for n in range(300)))
    (tmp_path / f"posts.jsonl.{suffix}").write_bytes(data)
    with unpacked(tmp_path / f"posts.jsonl.{suffix}", tmp_path / "work") as path:
        assert (path.name, len(rows(path))) == ("posts.jsonl", 300)
    (tmp_path / f"cut.{suffix}").write_bytes(data[: len(data) // 2])
    with (
        pytest.raises(FormatError, match="damaged or cut off"),
        unpacked(tmp_path / f"cut.{suffix}", tmp_path / "other") as path,
    ):
        raise AssertionError(path)


def test_the_other_files_of_a_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "POSTS.CSV").write_text("id,text\n1,Fine.\n", "utf-8")
    (tmp_path / "picture.png").write_bytes(b"x")
    path, left = file_in(tmp_path)
    assert (path.name, left) == ("POSTS.CSV", ("picture.png",))
    assert detect(path).format.name == "csv"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("d.ann", "T1\tSLEEP 2 11\tlie awake\n", "annotation file of brat"),
        ("d.xml", "<?xml version='1.0'?><doc/>", "an XML file of a layout that no reader knows"),
        ("d.html", "<!doctype html><html></html>", "an HTML page"),
        ("d.txt", "# only\n# comments\n", "nothing but comments"),
        ("d.json", '{"id": 1, "text": {"a": 1}}', "No column looks like the text"),
    ],
)
def test_what_no_reader_knows_is_refused_by_its_name(name: str, content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(FormatError, match=reason):
        rows(tmp_path / name)


@pytest.mark.parametrize(
    "value",
    [
        {"p1": {"text": SLEEP}, "p2": {"text": FOOD}},
        {"id": {"0": "p1", "1": "p2"}, "text": {"0": SLEEP, "1": FOOD}},
        {"id": ["p1", "p2"], "text": [SLEEP, FOOD]},
        {"version": 1, "posts": [{"id": "p1", "text": SLEEP}, {"id": "p2", "text": FOOD}]},
    ],
)
def test_json_of_other_shapes_holds_the_same_posts(value: Any, tmp_path: Path) -> None:
    found = rows(write_json(tmp_path / "in.json", value))
    assert [(r.post_id, r.text) for r in found if isinstance(r, ImportRow)] == [("p1", SLEEP), ("p2", FOOD)]
