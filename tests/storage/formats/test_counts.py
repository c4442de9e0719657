"""The ledger of every format adds up: what stands in a file made at random is counted, whatever becomes of it."""

from __future__ import annotations

import collections
import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.formats.ledger import COLUMN, LINE, Ledger
from storage.formats.registry import format_named
from storage.formats.rows import ImportRow, Row, RowError, Source
from storage.formats.values import is_empty
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, write_json, write_lines

SEEDS = range(20)
WORDS = ["lie", "awake", "😭", "naïve", "four", "food", "#", "שלום"]
TAGS = ["O", "O", "B-SLEEP_ISSUES", "S-ANHEDONIA", "U-SLEEP_ISSUES", "Q-odd"]
CELLS = ["", "x", "7", "0.5", "true", "null", "[1", "[]", "{}", '["a"]', '{"k": 1}', '[[0, 23, "SLEEP_ISSUES"]]', "train", "evidence",
         '[{"start": 0, "end": 23, "label": "SLEEP_ISSUES"}]', "SLEEP_ISSUES", "2026-01-02", SLEEP]  # fmt: skip
COLUMNS = ["label", "labels", "entities", "spans", "annotations", "meta", "answer", "cats", "split", "author", "verdict", "status", "n",
           "criterion", "start", "end", "evidence", "comment", "tokens", "history", "predictions", "title", "SLEEP_ISSUES"]  # fmt: skip


def read(path: Path, name: str) -> tuple[list[Row], Ledger]:
    """The rows, and the ledger with what all of them account for."""
    source = Source(path)
    rows = list(format_named(name).read(source))
    for row in rows:
        source.ledger.add(row.account, lost="refused" if isinstance(row, RowError) else None)
    return rows, source.ledger


def labels(rows: list[Row]) -> collections.Counter[str]:
    return collections.Counter(la.criterion for row in rows for la in row.labels)


# --- tables


def a_table(made: random.Random) -> list[dict[str, str]]:
    columns = ["id", "text", *made.sample(COLUMNS, made.randint(0, 8))]
    return [
        {"id": str(n), "text": f"{TEXT} {n}"} | {c: made.choice(CELLS) for c in columns[2:]}
        for n in range(made.randint(2, 6))
    ]


def as_csv(table: list[dict[str, str]], path: Path, delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(table)
    return path


def as_tsv(table: list[dict[str, str]], path: Path) -> Path:
    return as_csv(table, path, "\t")


def as_xlsx(table: list[dict[str, str]], path: Path) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    for cells in (list(table[0]), *(list(r.values()) for r in table)):
        book.active.append(cells)  # type: ignore[union-attr]
    book.save(path)
    return path


def as_parquet(table: list[dict[str, str]], path: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(table), path)
    return path


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("write", [as_csv, as_tsv, as_xlsx, as_parquet])
def test_every_cell_of_a_table_is_counted_in_its_column(write: Callable[..., Path], seed: int, tmp_path: Path) -> None:
    table = a_table(random.Random(seed))
    name = write.__name__.removeprefix("as_")
    rows, ledger = read(write(table, tmp_path / f"in.{name}"), name)
    wanted = collections.Counter(c for row in table for c, cell in row.items() if not is_empty(cell))
    assert len(rows) == len(table)
    assert {c: ledger.total(COLUMN, c) for c in wanted} == dict(wanted)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_region_of_label_studios_csv_is_a_label(seed: int, tmp_path: Path) -> None:
    made, names = random.Random(seed), ["SLEEP_ISSUES", "ANHEDONIA"]
    regions = [
        [{"start": 0, "end": made.choice([23, 999, "x", None]), "labels": [made.choice(names)]} for _ in range(number)]
        for number in made.choices(range(5), k=5)
    ]
    table = [
        {"id": str(n), "text": f"{TEXT} {n}", "label": json.dumps(r) if r else "", "lead_time": "2.5"}
        for n, r in enumerate(regions)
    ]
    rows, ledger = read(as_csv(table, tmp_path / "in.csv"), "csv")
    assert labels(rows) == collections.Counter(la for r in regions for x in r for la in x["labels"])
    assert ledger.total(COLUMN, "label") == sum(map(bool, regions))
    assert ledger.total(COLUMN, "lead_time") == 5


# --- lists of labels in JSON


def a_span(made: random.Random) -> dict[str, Any]:
    start, end = made.choice([(0, 23), (24, 42), (0, 999), (5, 2), ("x", 4), (None, 3)])
    return {"start": start, "end": end, "label": made.choice(["SLEEP_ISSUES", "ANHEDONIA", "mood+"])}


def prodigy(spans: list[Any]) -> Any:
    return {"text": TEXT, "spans": spans, "answer": "accept"}


def argilla(spans: list[Any]) -> Any:
    return {"id": "a", "fields": {"text": TEXT}, "responses": {"q": [{"value": spans, "status": "submitted"}]}}


def doccano(spans: list[Any]) -> Any:
    return {"id": 1, "text": TEXT, "label": [[s["start"], s["end"], s["label"]] for s in spans]}


def jsonl(spans: list[Any]) -> Any:
    return {"id": "a", "text": TEXT, "entities": spans}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("item_of", [prodigy, argilla, doccano, jsonl])
def test_every_span_of_a_list_is_a_passage_or_left_out(item_of: Callable[..., Any], seed: int, tmp_path: Path) -> None:
    made = random.Random(seed)
    spans = [a_span(made) for _ in range(made.randint(1, 6))]
    rows, _ = read(write_lines(tmp_path / "in.jsonl", item_of(spans)), item_of.__name__)
    found: collections.Counter[str] = collections.Counter()
    for row in rows:
        for label in row.labels:
            found[label.criterion] += max(1, len(label.passages))
    assert found == collections.Counter(s["label"] for s in spans)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_question_of_squad_is_a_label_and_its_keys_are_counted(seed: int, tmp_path: Path) -> None:
    made = random.Random(seed)
    answers: list[Any] = [
        None,
        [],
        [{"text": SLEEP, "answer_start": 0}],
        [{"text": "", "answer_start": -1}],
        ["x"],
        [{"k": 1}],
    ]
    asked = []
    for number in range(made.randint(1, 6)):
        question: dict[str, Any] = {"id": str(number), "question": f"Q{number}", "answers": made.choice(answers)}
        for key, values in (("is_impossible", [True, False]), ("plausible_answers", [["x"]]), ("hint", ["x"])):
            if made.random() < 0.5:
                question[key] = made.choice(values)
        asked.append(question)
    article = {"title": "t", "paragraphs": [{"context": TEXT, "qas": asked, "topic": "x"}]}
    rows, ledger = read(write_json(tmp_path / "in.json", {"data": [article]}), "squad")
    assert set(labels(rows)) == {q["question"] for q in asked}
    wanted = collections.Counter(f"qas[].{k}" for q in asked for k, v in q.items() if not is_empty(v))
    assert {k: ledger.total(COLUMN, k) for k in wanted} == dict(wanted)
    assert [ledger.total(COLUMN, k) for k in ("context", "title", "topic", "qas")] == [1, 1, 1, 1]


# --- brat, CoNLL, WebAnno, CAS, DocBin


@pytest.mark.parametrize("seed", SEEDS)
def test_every_line_of_brat_is_counted_and_every_text_bound_one_is_a_label(seed: int, tmp_path: Path) -> None:
    made = random.Random(seed)
    kinds = ["T{n}\tSLEEP_ISSUES 0 23\tI lie awake until four.", "T{n}\tANHEDONIA 24 28;33 42\tFood no taste.", "T{n} broken",
             "T1\tANHEDONIA 0 1\tI", "A{n}\tNegated T1", "A{n}\tLevel T1 high", "R{n}\tCause Arg1:T1 Arg2:T2", "#{n}\tAnnotatorNotes T1\tx",
             "*\tEquiv T1 T2", "N{n}\tReference T1 x:1\tx", "E{n}\tSLEEP_ISSUES:T1", "what is this", ""]  # fmt: skip
    lines = [made.choice(kinds).format(n=n) for n in range(made.randint(0, 14))]
    (tmp_path / "a.txt").write_text(TEXT, "utf-8")
    (tmp_path / "a.ann").write_text("\n".join(lines), "utf-8")
    rows, ledger = read(tmp_path, "brat")
    assert sum(e.count for e in ledger if e.what == LINE) == sum(bool(line) for line in lines)
    assert sum(labels(rows).values()) == sum(line.startswith("T") for line in lines)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_line_of_conll_is_a_token_a_comment_or_reported(seed: int, tmp_path: Path) -> None:
    made = random.Random(seed)
    blocks: list[list[str]] = []
    for number in range(made.randint(1, 4)):
        block = [f"# id = d{number}"]
        for _ in range(made.randint(1, 8)):
            word, tag = made.choice(WORDS), made.choice(TAGS)
            tag = "O" if word == "#" and tag == "Q-odd" else tag  # a number sign is a comment unless a tag is beside it
            block.append(made.choice([f"{word}\tNN\t{tag}", "# a note", f"# key = {number}", "alone", f"\tNN\t{tag}"]))
        blocks.append([*block, "first\tNN\tB-FIRST", "end\tNN\tO"])
    (tmp_path / "in.conll").write_text("\n\n".join("\n".join(b) for b in blocks) + "\n", "utf-8")
    rows, ledger = read(tmp_path / "in.conll", "conll")
    tokens = [line.split("\t") for b in blocks for line in b if "\t" in line and not line.startswith("\t")]
    comments = sum(line.startswith("# ") for b in blocks for line in b)
    texts = [row.text for row in rows if isinstance(row, ImportRow)]
    assert len(texts) == len(blocks)
    assert sorted(word for text in texts for word in (text or "").split()) == sorted(t[0] for t in tokens)
    reported = sum(len(row.notes) for row in rows if isinstance(row, ImportRow))
    assert len(tokens) + comments + reported == sum(map(len, blocks))
    assert sum(e.count for e in ledger if e.what == COLUMN and not e.name.startswith("column ")) == comments
    assert ledger.total(COLUMN, "column 2") == len(blocks)
    assert sum(len(la.passages) for row in rows for la in row.labels) == sum(t[2][0] in "BSU" for t in tokens)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_layer_comment_and_span_of_webanno_is_counted(seed: int, tmp_path: Path) -> None:
    made = random.Random(seed)
    lines = ["#FORMAT=WebAnno TSV 3.3", "#T_SP=custom.Evidence|label|note", "#T_SP=de.POS|PosValue", "", ""]
    at, spans, notes, odd, comments = 0, 0, 0, 0, 0
    for sentence in range(1, made.randint(2, 4)):
        words = [made.choice(["lie", "awake", "food"]) for _ in range(made.randint(1, 5))]
        lines.append(f"#Text={' '.join(words)}")
        if made.random() < 0.4:
            lines.append("#Sentence.id=x")
            comments += 1
        for number, word in enumerate(words, start=1):
            marked = made.choice([None, None, "SLEEP_ISSUES", "ANHEDONIA"])
            noted = marked is not None and made.random() < 0.5
            spans, notes = spans + (marked is not None), notes + noted
            lines.append(
                f"{sentence}-{number}\t{at}-{at + len(word)}\t{word}\t{marked or '_'}\t{'much' if noted else '_'}\tNN\t"
            )
            at += len(word) + 1
        if made.random() < 0.3:
            lines.append("no token at all")
            odd += 1
        lines.append("")
    (tmp_path / "doc.tsv").write_text("\n".join(lines), "utf-8")
    rows, ledger = read(tmp_path / "doc.tsv", "webanno")
    assert sum(labels(rows).values()) == spans
    assert [ledger.total(COLUMN, n) for n in ("Evidence", "POS", "Evidence: much")] == [1, 1, notes]
    assert ledger.total(LINE, "#Sentence.id") == comments
    assert [len(row.notes) for row in rows if isinstance(row, ImportRow)] == [odd]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("form", ["json", "xmi"])
def test_every_annotation_of_a_cas_is_counted_by_its_type(form: str, seed: int, tmp_path: Path) -> None:
    import cassis

    made, types = random.Random(seed), cassis.TypeSystem()
    kinds = {
        n: types.create_type(f"custom.{n}", supertypeName="uima.tcas.Annotation") for n in ("Evidence", "Token", "Mark")
    }
    for feature in ("label", "note"):
        types.create_feature(domainType=kinds["Evidence"], name=feature, rangeType="uima.cas.String")
    cas = cassis.Cas(types)
    cas.sofa_string, cas.sofa_mime = TEXT, "text/plain"
    wanted: collections.Counter[str] = collections.Counter()
    said: collections.Counter[str] = collections.Counter()
    for _ in range(made.randint(0, 9)):
        name = made.choice(list(kinds))
        more = {"label": made.choice(["SLEEP_ISSUES", "ANHEDONIA"])} if name == "Evidence" else {}
        if more and made.random() < 0.5:
            more["note"] = "much"
            wanted["Evidence.note"] += 1
        start = made.randrange(40)
        cas.add(kinds[name](begin=start, end=start + 2, **more))
        wanted[name] += 1
        said[more.get("label", name)] += name != "Token"
    path = tmp_path / f"doc.{form}"
    cas.to_json(path) if form == "json" else cas.to_xmi(path)
    types.to_xml(tmp_path / "TypeSystem.xml")
    rows, ledger = read(path, "cas")
    assert labels(rows) == +said
    assert {n: ledger.total(COLUMN, n) for n in wanted} == dict(wanted)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_span_group_and_category_of_a_docbin_is_counted(seed: int, tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin, Span

    made, blank, docs = random.Random(seed), spacy.blank("xx"), []
    wanted: collections.Counter[str] = collections.Counter()
    said: collections.Counter[str] = collections.Counter()
    for text in (SLEEP, FOOD, TEXT):
        doc = blank(text)
        if made.random() < 0.7:
            doc.ents = [Span(doc, 0, 2, "SLEEP_ISSUES")]
        for group in made.sample(["sc", "other"], made.randint(0, 2)):
            doc.spans[group] = [
                Span(doc, n, n + 1, made.choice(["SLEEP_ISSUES", "ANHEDONIA"])) for n in range(made.randint(0, 3))
            ]
        doc.cats = dict.fromkeys(made.sample(["severe", "mild"], made.randint(0, 2)), 1.0)
        spans = [*doc.ents, *(s for group in doc.spans.values() for s in group)]
        said.update([*(s.label_ for s in spans), *doc.cats])
        wanted["ents"] += len(doc.ents)
        for group, members in doc.spans.items():
            wanted[f"spans[{group!r}]"] += len(members)
        wanted.update(f"cats: {c}" for c in doc.cats)
        docs.append(doc)
    DocBin(docs=docs).to_disk(tmp_path / "in.spacy")
    rows, ledger = read(tmp_path / "in.spacy", "spacy")
    assert labels(rows) == said
    assert {n: ledger.total(COLUMN, n) for n in wanted} == dict(wanted)
