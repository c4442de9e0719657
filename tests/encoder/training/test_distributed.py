"""Two processes on one machine, over gloo: they train as one process with the doubled batch does, and predict the same file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.encoder.tiny import CRITERIA
from tests.encoder.training_data import SENTENCES, a_base, examples, write_examples

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {
    "max_steps": 10,
    "eval_steps": 5,
    "learning_rate": 3e-3,
    "head_learning_rate": 1e-2,
    "attention_dropout": 0.0,
    "hidden_dropout": 0.0,
    "lora_dropout": 0.0,
    "threads": 1,
}


def launched(directory: Path, processes: int, module: str, *arguments: str) -> Any:
    """What the module, run by so many processes, prints as its last line."""
    # what `accelerate launch` starts for several GPUs; for several CPU processes it wants MPI
    launch = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    command = [sys.executable, "-m", *(launch if processes > 1 else []), module, *arguments]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def trained(directory: Path, name: str, *, processes: int, batch_size: int, method: str) -> dict[str, object]:
    """Run the command; the record of the training."""
    settings = {**SETTINGS, "batch_size": batch_size, "method": method}
    arguments = ["--data", "train.jsonl", "--dev", "dev.jsonl", "--criteria", "criteria.json", "--model", "base"]
    arguments += ["--output", name, "--device", "cpu"]
    for key, value in settings.items():
        arguments += ["--set", f"{key}={json.dumps(value)}"]
    assert launched(directory, processes, "encoder.commands.train", *arguments)["steps"] == 10
    record: dict[str, object] = json.loads((directory / name / "training.json").read_text())
    return record


def write_criteria(directory: Path) -> None:
    criteria = [{"id": c.id, "name": c.name, "text": c.text} for c in CRITERIA]
    (directory / "criteria.json").write_text(json.dumps(criteria))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora"])
def test_two_processes_have_the_loss_curve_of_one_with_the_doubled_batch(tmp_path: Path, method: str) -> None:
    a_base(tmp_path, wide_buckets=128)
    write_examples(tmp_path / "train.jsonl", [*examples("new", 32)])
    write_examples(tmp_path / "dev.jsonl", examples("dev", 7))
    write_criteria(tmp_path)

    one = trained(tmp_path, "one", processes=1, batch_size=8, method=method)
    two = trained(tmp_path, "two", processes=2, batch_size=4, method=method)

    assert two["processes"] == 2
    assert list(two["losses"].values()) == pytest.approx(list(one["losses"].values()), abs=1e-3)  # type: ignore[attr-defined]
    assert two["dev_macro_f1"] == one["dev_macro_f1"]


@pytest.mark.slow
def test_two_processes_predict_the_same_file_as_one(tmp_path: Path) -> None:
    a_base(tmp_path)
    write_criteria(tmp_path)
    posts = [{"post_id": f"p{n}", "text": " ".join(SENTENCES[(n * k) % 5] for k in range(1, 4))} for n in range(400)]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(post) + "\n" for post in posts))

    for name, processes in (("one.jsonl", 1), ("two.jsonl", 2)):
        arguments = ["posts.jsonl", "--criteria", "criteria.json", "--model", "base", "--device", "cpu"]
        report = launched(tmp_path, processes, "encoder.commands.predict", *arguments, "--output", name)
        assert report["posts"] == len(posts)

    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    assert len((tmp_path / "one.jsonl").read_text().splitlines()) == len(posts) * len(CRITERIA)
