"""Two processes on one machine, over gloo: they train as one process with the doubled batch does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from encoder.examples import write_examples
from tests.encoder.tiny import CRITERIA
from tests.encoder.training_data import a_base, examples

ROOT = Path(__file__).resolve().parents[2]
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


def trained(directory: Path, name: str, *, processes: int, batch_size: int, method: str) -> dict[str, object]:
    """Run the command; the record of the training."""
    settings = {**SETTINGS, "batch_size": batch_size, "method": method}
    # what `accelerate launch` starts for several GPUs; for several CPU processes it wants MPI
    launch = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    command = [sys.executable, "-m", *(launch if processes > 1 else []), "encoder.train"]
    command += ["--data", "train.jsonl", "--dev", "dev.jsonl", "--criteria", "criteria.json", "--model", "base"]
    command += ["--output", name, "--device", "cpu"]
    for key, value in settings.items():
        command += ["--set", f"{key}={json.dumps(value)}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.strip().splitlines()[-1])["steps"] == 10
    record: dict[str, object] = json.loads((directory / name / "training.json").read_text())
    return record


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora"])
def test_two_processes_have_the_loss_curve_of_one_with_the_doubled_batch(tmp_path: Path, method: str) -> None:
    a_base(tmp_path, wide_buckets=128)
    write_examples(tmp_path / "train.jsonl", [*examples("new", 32)])
    write_examples(tmp_path / "dev.jsonl", examples("dev", 7))
    criteria = [{"id": c.id, "name": c.name, "text": c.text} for c in CRITERIA]
    (tmp_path / "criteria.json").write_text(json.dumps(criteria))

    one = trained(tmp_path, "one", processes=1, batch_size=8, method=method)
    two = trained(tmp_path, "two", processes=2, batch_size=4, method=method)

    assert two["processes"] == 2
    assert list(two["losses"].values()) == pytest.approx(list(one["losses"].values()), abs=1e-3)  # type: ignore[attr-defined]
    assert two["dev_macro_f1"] == one["dev_macro_f1"]
