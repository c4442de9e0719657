"""Packed files and folders."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from storage.formats.archive import unpacked
from storage.formats.rows import FormatError
from tests.storage.formats.reading import SLEEP, rows


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
