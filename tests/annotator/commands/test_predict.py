"""`evidence predict` as a process that is killed in the middle, and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from encoder.network.checkpoints import save_encoder
from tests.encoder.tiny import CRITERIA, tiny_encoder
from tests.encoder.training_data import SENTENCES

ROOT = Path(__file__).resolve().parents[3]
POSTS = 800


def started(directory: Path, output: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "annotator.cli", "predict", "posts.jsonl", "--output", output]
    command += ["--model", "tiny", "--criteria", "criteria.json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(process: subprocess.Popen[str]) -> Any:
    out, words = process.communicate(timeout=200)
    assert process.returncode == 0, words[-2000:]
    return json.loads(out)


@pytest.mark.slow
def test_a_run_that_was_killed_is_gone_on_with_by_the_same_command(tmp_path: Path) -> None:
    save_encoder(tiny_encoder(default_threshold=0.3), tmp_path / "tiny")
    criteria = [{"id": c.id, "name": c.name, "text": c.text} for c in CRITERIA]
    (tmp_path / "criteria.json").write_text(json.dumps(criteria))
    posts = [{"post_id": f"p{n}", "text": " ".join(SENTENCES[(n * k) % 5] for k in range(1, 14))} for n in range(POSTS)]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(post) + "\n" for post in posts))
    whole = finished(started(tmp_path, "whole.jsonl"))
    assert (whole["posts"], whole["resumed"]) == (POSTS, 0)

    killed = started(tmp_path, "out.jsonl")
    parts = tmp_path / ".out.jsonl.parts"
    deadline = time.monotonic() + 200
    while len(list(parts.glob("*.jsonl"))) < 2:
        assert killed.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "out.jsonl").exists()

    again = finished(started(tmp_path, "out.jsonl"))
    assert again["posts"] == POSTS
    assert 256 <= again["resumed"] < POSTS
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not parts.exists()
