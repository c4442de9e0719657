"""Reports to tensorboard, mlflow and trackio: real files on this machine with the figures of the run."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from tests.encoder.training.test_distributed import SETTINGS, launched, write_criteria
from tests.encoder.training_data import a_base, examples, write_examples

pytestmark = pytest.mark.slow


def a_run_reporting_to(tool: str, directory: Path) -> dict[int, float]:
    """Train four steps in a process of its own; the losses by step."""
    pytest.importorskip(tool)
    a_base(directory)
    write_examples(directory / "train.jsonl", examples("new", 8))
    write_examples(directory / "dev.jsonl", examples("dev", 5))
    write_criteria(directory)
    arguments = ["--data", "train.jsonl", "--dev", "dev.jsonl", "--criteria", "criteria.json", "--model", "base"]
    for key, value in {**SETTINGS, "max_steps": 4, "eval_steps": 2, "report_to": [tool]}.items():
        arguments += ["--set", f"{key}={json.dumps(value)}"]
    launched(directory, 1, "encoder.commands.train", *arguments, "--output", "model", "--device", "cpu")
    record = json.loads((directory / "model" / "training.json").read_text())
    return {int(step): loss for step, loss in record["losses"].items()}


def test_tensorboard_gets_event_files_with_every_loss_and_the_dev_f1(tmp_path: Path) -> None:
    losses = a_run_reporting_to("tensorboard", tmp_path)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (events,) = (tmp_path / "model.reports").rglob("events.out.tfevents.*")
    found = EventAccumulator(str(events)).Reload()
    assert {e.step: e.value for e in found.Scalars("train/loss")} == pytest.approx(losses, rel=1e-5)
    assert [e.step for e in found.Scalars("train/dev_macro_f1")] == [2, 4]


def test_mlflow_gets_a_database_beside_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    losses = a_run_reporting_to("mlflow", tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "model.reports" / "mlflow.db")) as database:
        rows = dict(database.execute("SELECT step, value FROM metrics WHERE key = 'loss'").fetchall())
        names = {key for (key,) in database.execute("SELECT DISTINCT key FROM metrics")}
        status = database.execute("SELECT name, status FROM runs").fetchall()
    assert rows == pytest.approx(losses, rel=1e-5)
    assert {"dev_macro_f1", "learning_rate"} <= names
    assert status == [("model", "FINISHED")]


def test_trackio_gets_its_rows_in_its_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    losses = a_run_reporting_to("trackio", tmp_path)
    (path,) = (tmp_path / "trackio").glob("evidence*.db")
    with contextlib.closing(sqlite3.connect(path)) as database:
        rows = [json.loads(values) for (values,) in database.execute("SELECT metrics FROM metrics")]
    found = {row["train/global_step"]: row["train/loss"] for row in rows if "train/loss" in row}
    assert found == pytest.approx(losses, rel=1e-5)
