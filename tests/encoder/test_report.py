"""The evaluation report: what it holds, and that its files are whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from encoder.errors import EncoderError
from encoder.examples import Example, Label
from encoder.measure.evaluate import Evaluation, evaluate
from encoder.report import write_report
from storage.records import Verdict
from tests.builders import MOOD, SLEEP, a_post, a_prediction, a_span


def an_evaluation(words: str) -> Evaluation:
    posts = [a_post(id=f"p{i}") for i in range(4)]
    examples = [Example(p, {SLEEP.id: Label(Verdict.EVIDENCE, (a_span(p, "I cannot sleep."),))}) for p in posts]
    return evaluate([a_prediction(p, words) for p in posts], examples, [SLEEP, MOOD], bootstrap=20)


def test_a_report_puts_models_side_by_side_and_reads_back(tmp_path: Path) -> None:
    good, bad = an_evaluation("I cannot sleep."), an_evaluation("The dog is well.")

    report = write_report(tmp_path / "report", {"model": good, "keywords|plain": bad}, title="Two models")

    text = report.text.read_text()
    assert "| SLEEP_ISSUES | 4 | 1.000 (1.00 to 1.00) | 0.000 (0.00 to 0.00) |" in text
    assert "| DEPRESSED_MOOD | 0 |  |  |" in text
    assert "keywords\\|plain" in text
    data = json.loads(report.json.read_text())
    assert Evaluation.from_dict(data["models"]["model"]) == good


def test_plots_are_pictures_where_matplotlib_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")

    report = write_report(tmp_path, {"model": an_evaluation("I cannot sleep.")})

    assert [p.name for p in report.plots] == ["f1.png", "reliability.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") and p.stat().st_size > 5000 for p in report.plots)


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(EncoderError, match="The report cannot be written to"):
        write_report(tmp_path / "file", {"model": an_evaluation("I cannot sleep.")})
