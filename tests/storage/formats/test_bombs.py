"""Small files with great cost are refused in every format, in bounded memory; mutated files end in rows or in one clear line."""

from __future__ import annotations

import json
import random
import zlib
from pathlib import Path
from typing import Any

import pytest

from storage.formats import budget
from storage.formats.detection import detect
from storage.formats.rows import FormatError, ImportRow, Source
from tests.storage.formats.reading import SLEEP, TEXT, rows

SMALL = 1 << 20  # stands for the free allowance, so that the bombs stay small


@pytest.fixture(autouse=True)
def small_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "RATIO_FREE_BYTES", SMALL)


def parquet_bomb(path: Path, *, nested: bool) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = "a" * 50_000
    column: Any = [[{"label": text}]] * 2000 if nested else [text] * 2000
    pq.write_table(pa.table({"id": [str(n) for n in range(2000)], "text": column}), path, compression="zstd")
    return path


def xlsx_bomb(path: Path) -> Path:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Posts")
    sheet.append(["id", "text"])
    for n in range(2000):
        sheet.append([str(n), "a" * 30_000])
    book.save(path)
    return path


def spacy_bomb(path: Path) -> Path:
    path.write_bytes(zlib.compress(b"\0" * (300 << 20), 9))
    return path


@pytest.mark.parametrize("kind", ["parquet", "nested parquet", "xlsx"])
def test_a_bomb_is_refused_before_it_fills_the_memory(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.bin"
    if kind == "xlsx":
        xlsx_bomb(path)
    else:
        parquet_bomb(path, nested=kind.startswith("nested"))
    assert path.stat().st_size < SMALL
    with pytest.raises(FormatError, match="refused as a bomb"):
        rows(path, columns={"text": "text"})


def test_a_docbin_bomb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="refused as a bomb"):
        rows(spacy_bomb(tmp_path / "bomb.spacy"))


@pytest.mark.parametrize(
    "content",
    [
        "[" * 200_000,
        '{"a":' * 100_000,
        '{"text": ' + "9" * 5000 + "}",
        '[{"text": "a"},',
        '{"id": 1, "text": "\\ud83d"}',
    ],
)
def test_json_that_is_too_deep_too_long_or_cut_ends_in_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(content, "utf-8")
    assert outcome(tmp_path / "in.json")


def outcome(path: Path) -> bool:
    """Whether reading ends in rows with reasons in words, or in one clear line. Anything else that is raised fails the test."""
    try:
        found = detect(path)
        read = list(found.format.read(Source(path, found.encoding.name)))
    except FormatError as error:
        return _is_clear(str(error))
    return all(isinstance(r, ImportRow) or _is_clear(r.reason) for r in read)


def _is_clear(reason: str) -> bool:
    return bool(reason) and "Error(" not in reason and "\n" not in reason


TASK = {
    "id": 7,
    "data": {"text": SLEEP},
    "annotations": [{"result": [{"value": {"start": 0, "end": 23, "labels": ["S"]}}]}],
}
QUESTIONS = {"context": SLEEP, "qas": [{"id": "1", "question": "S", "answers": []}]}
RECORD = {"id": "a", "fields": {"text": SLEEP}, "responses": {"q": [{"value": [{"start": 0, "end": 3, "label": "S"}]}]}}
SPANS = {"text": SLEEP, "spans": [{"start": 0, "end": 23, "label": "S"}], "answer": "accept"}
STARTS: dict[str, bytes] = {
    "in.csv": f'id,text,criterion,start,end\n1,"{TEXT}",SLEEP_ISSUES,0,23\n2,"He said ""no"", twice.",,,\n'.encode(),
    "in.jsonl": json.dumps({"id": "a", "text": TEXT, "entities": [[0, 23, "S"]], "n": 1}).encode() * 3,
    "in.json": json.dumps([TASK]).encode(),
    "squad.json": json.dumps({"data": [{"title": "t", "paragraphs": [QUESTIONS]}]}).encode(),
    "argilla.jsonl": json.dumps(RECORD).encode(),
    "prodigy.jsonl": json.dumps(SPANS).encode(),
    "in.conll": b"I O\nlie B-S\nawake I-S\n\nFine O\n. O\n",
    "in.tsv": f"#FORMAT=WebAnno TSV 3.3\n#T_SP=a.Evidence|label\n\n\n#Text={SLEEP}\n1-1\t0-1\tI\t_\t\n1-2\t2-5\tlie\tS[1]\t\n".encode(),
}
PIECES = [
    b'"',
    b"\\",
    b",",
    b"\n",
    b"\x00",
    b"\xff",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"\t",
    b"null",
    b"1e999",
    b"-1",
    b"\xf0\x9f\x98\xad",
    b"#",
    b"'",
    b" ",
]


def mutated(start: bytes, made: random.Random) -> bytes:
    data = bytearray(start)
    for _ in range(made.randint(1, 6)):
        at = made.randrange(len(data) + 1)
        if made.random() < 0.5:
            data[at:at] = made.choice(PIECES)
        else:
            del data[at : at + made.randint(1, 12)]
    return bytes(data)


@pytest.mark.parametrize("name", STARTS)
def test_mutated_files_end_in_rows_or_in_one_clear_line(name: str, tmp_path: Path) -> None:
    made = random.Random(name)
    for number in range(60):
        path = tmp_path / name
        path.write_bytes(mutated(STARTS[name], made))
        assert outcome(path), number
