"""Exports are accepted by the other side's own code, as far as it installs beside ours; the rest is in benchmarks/exchange_peers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.exchange_peers.make import write_all

LOAD = """
import json, sys
from datasets import load_dataset
loaded = load_dataset(sys.argv[1], cache_dir=sys.argv[2])
print(json.dumps({name: [dict(row) for row in split] for name, split in loaded.items()}))
"""


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    write_all(folder)
    return folder


def gold_lines(exports: Path) -> dict[str, dict[str, Any]]:
    lines = (exports / "gold.jsonl").read_text("utf-8").split("\n")
    return {row["post_id"]: row for row in map(json.loads, filter(None, lines))}


@pytest.mark.slow
def test_load_dataset_gives_the_same_rows(exports: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    command = [sys.executable, "-c", LOAD, str(exports / "hf"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = json.loads(done.stdout.splitlines()[-1])
    names = {"train": "train", "validation": "dev", "test": "test"}
    assert {r["post_id"]: names[s] for s, rows in loaded.items() for r in rows} == {
        post_id: row["split"] for post_id, row in gold_lines(exports).items()
    }
    for row in (r for rows in loaded.values() for r in rows):
        expected = gold_lines(exports)[row["post_id"]]
        assert row["text"] == expected["text"]
        assert [{k: a[k] for k in ("criterion", "verdict", "spans")} for a in row["annotations"]] == expected[
            "annotations"
        ]


def test_squad_files_hold_what_the_official_script_reads(exports: Path) -> None:
    whole = json.loads((exports / "squad.json").read_text("utf-8"))
    assert whole["version"] == "v2.0"
    found = {}
    for article in whole["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                assert question["id"] not in found
                assert bool(question["answers"]) != question["is_impossible"]
                for answer in question["answers"]:
                    assert paragraph["context"][answer["answer_start"] :].startswith(answer["text"])
                found[question["id"]] = [a["text"] for a in question["answers"]]
    assert found == {
        f"{row['post_id']}::{a['criterion']}": [s["text"] for s in a["spans"]]
        for row in gold_lines(exports).values()
        for a in row["annotations"]
    }


def test_brat_files_say_the_same_words(exports: Path) -> None:
    found = []
    for notes in sorted((exports / "brat").glob("*.ann")):
        text = notes.with_suffix(".txt").read_bytes().decode("utf-8")
        for line in notes.read_bytes().decode("utf-8").splitlines():
            _, middle, quote = line.split("\t")
            label, start, end = middle.split(" ")
            assert text[int(start) : int(end)] == quote
            found.append((label, quote))
    truth = json.loads((exports / "truth.json").read_text("utf-8"))
    assert sorted(found) == sorted((label, quote) for _, label, _, _, quote in truth)
