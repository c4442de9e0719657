"""Small files with great cost are refused in every format, in bounded memory."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest

from storage.formats import budget
from storage.formats.delimited_records import column_names
from storage.formats.detection import detect
from storage.formats.rows import FormatError, ImportRow, Source
from tests.storage.formats.reading import rows

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


def parquet_of_zeros(path: Path) -> Path:
    """One row with a list of as many zeros as a file of a few hundred bytes can say that it holds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    zeros = pa.FixedSizeListArray.from_arrays(pa.nulls(1 << 20, pa.int8()).fill_null(0), 1 << 20)
    pq.write_table(pa.table({"id": ["p1"], "text": ["I cannot sleep."], "zeros": zeros}), path, compression="zstd")
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


def test_zeros_are_counted_before_any_is_unpacked(tmp_path: Path) -> None:
    path = parquet_of_zeros(tmp_path / "bomb.parquet")
    tracemalloc.start()
    with pytest.raises(FormatError, match="refused as a bomb"):
        rows(path, columns={"text": "text"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20  # a list of them all is eight


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


def test_a_row_of_many_names_takes_time_in_proportion() -> None:
    """Growth, not seconds: looking each name up among all before it took two minutes for a file of two megabytes."""

    def seconds(count: int, name: str) -> float:
        began = time.process_time()
        found = column_names([name.format(n) for n in range(count)], "posts.csv")
        assert len(set(found)) == count
        return time.process_time() - began

    for name in ("c{}", "c"):
        assert seconds(40_000, name) < 40 * max(0.005, seconds(4_000, name)), name


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
