"""Two processes on one machine, over gloo: they train as one process with the doubled batch does, sharded or not, and predict the
same file."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

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


def run_here(directory: Path, module: str, *arguments: str) -> Any:
    """What the module prints as its last line in this one process: starting another would take longer than the work."""
    said = io.StringIO()
    with contextlib.chdir(directory), contextlib.redirect_stdout(said):
        assert importlib.import_module(module).main(arguments) == 0
    return json.loads(said.getvalue().strip().splitlines()[-1])


def training_arguments(output: str, settings: dict[str, object]) -> list[str]:
    arguments = ["--data", "train.jsonl", "--dev", "dev.jsonl", "--criteria", "criteria.json", "--model", "base"]
    for key, value in {**SETTINGS, **settings}.items():
        arguments += ["--set", f"{key}={json.dumps(value)}"]
    return [*arguments, "--device", "cpu", "--output", output]


def record_of(directory: Path, name: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((directory / name / "training.json").read_text())
    return record


def write_criteria(directory: Path) -> None:
    criteria = [{"id": c.id, "name": c.name, "text": c.text} for c in CRITERIA]
    (directory / "criteria.json").write_text(json.dumps(criteria))


# full fine-tuning measures once, at its end, as sharded training must be compared; the other also on the way
BY_METHOD: dict[str, dict[str, object]] = {
    "full": {"method": "full", "eval_steps": 100, "patience": 0},
    "lora": {"method": "lora"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with what it is trained on, and in it what two processes made of it: `two-full` and `two-lora`."""
    made = tmp_path_factory.mktemp("two")
    a_base(made, wide_buckets=128)
    write_examples(made / "train.jsonl", examples("new", 32))
    write_examples(made / "dev.jsonl", examples("dev", 7))
    write_criteria(made)
    for method, settings in BY_METHOD.items():
        arguments = training_arguments(f"two-{method}", {**settings, "batch_size": 4})
        said = launched(made, 2, "encoder.commands.train", *arguments)
        assert said["steps"] == 10
        (made / f"two-{method}.json").write_text(json.dumps(said["dev"]))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("method", BY_METHOD)
def test_two_processes_have_the_loss_curve_of_one_with_the_doubled_batch(folder: Path, method: str) -> None:
    arguments = training_arguments(f"one-{method}", {**BY_METHOD[method], "batch_size": 8})
    assert run_here(folder, "encoder.commands.train", *arguments)["steps"] == 10

    one, two = record_of(folder, f"one-{method}"), record_of(folder, f"two-{method}")
    assert two["processes"] == 2
    assert list(two["losses"].values()) == pytest.approx(list(one["losses"].values()), abs=1e-3)
    assert two["dev_macro_f1"] == one["dev_macro_f1"]


@pytest.mark.slow
def test_sharded_training_saves_the_model_that_unsharded_training_saves(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full fine-tuning with sharded weights (FSDP 2): the model that is saved is whole, and the same."""
    for name, value in (("ACCELERATE_USE_FSDP", "true"), ("FSDP_VERSION", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FSDP_AUTO_WRAP_POLICY", "TRANSFORMER_BASED_WRAP")
    arguments = training_arguments("sharded", {**BY_METHOD["full"], "batch_size": 4})
    sharded = launched(folder, 2, "tests.encoder.sharded_on_cpu", *arguments)

    assert sharded["dev"] == json.loads((folder / "two-full.json").read_text())
    record, whole = record_of(folder, "sharded"), record_of(folder, "two-full")
    assert list(record["losses"].values()) == pytest.approx(list(whole["losses"].values()), abs=1e-4)
    for path in sorted((folder / "two-full").glob("*.safetensors")):
        expected, found = load_file(path), load_file(folder / "sharded" / path.name)
        assert set(found) == set(expected)
        for key, values in expected.items():
            np.testing.assert_allclose(found[key], values, atol=1e-4, err_msg=key)


@pytest.mark.slow
def test_two_processes_predict_the_same_file_as_one(tmp_path: Path) -> None:
    a_base(tmp_path)
    write_criteria(tmp_path)
    posts = [{"post_id": f"p{n}", "text": " ".join(SENTENCES[(n * k) % 5] for k in range(1, 4))} for n in range(400)]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(post) + "\n" for post in posts))

    module, arguments = "encoder.commands.predict", ["posts.jsonl", "--criteria", "criteria.json", "--model", "base"]
    arguments += ["--device", "cpu", "--threads", "1", "--output"]
    assert run_here(tmp_path, module, *arguments, "one.jsonl")["posts"] == len(posts)
    assert launched(tmp_path, 2, module, *arguments, "two.jsonl")["posts"] == len(posts)

    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    assert len((tmp_path / "one.jsonl").read_text().splitlines()) == len(posts) * len(CRITERIA)
