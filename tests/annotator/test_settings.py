from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import pytest

from annotator.settings import SECRETS, Settings, SettingsInvalid, from_environment, table, variable


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in table():
        monkeypatch.delenv(row["variable"], raising=False)
    for name in ("SPACE_ID", "SPACE_HOST", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_without_anything_said_the_app_listens_on_loopback_only() -> None:
    settings = from_environment()
    assert (settings.host, settings.port, settings.is_loopback, settings.demo) == ("127.0.0.1", 7860, True, False)
    assert settings.data_dir == Path("data").absolute()


def test_the_command_line_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIDENCE_PORT", "7000")
    monkeypatch.setenv("EVIDENCE_MODEL", "bundled")
    settings = from_environment({"port": 7001, "model": None})
    assert (settings.port, settings.model) == (7001, "bundled")


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("demo", "yes", True),
        ("demo", "0", False),
        ("threads", "3", 3),
        ("threads", "", None),
        ("session_hours", "0.5", 0.5),
        ("allowed_hosts", "a.example, b.example", ("a.example", "b.example")),
        ("criteria", "mine.yaml", Path("mine.yaml")),
    ],
)
def test_values_are_read_by_their_kind(monkeypatch: pytest.MonkeyPatch, name: str, given: str, value: object) -> None:
    monkeypatch.setenv(variable(name), given)
    assert getattr(from_environment(), name) == value


@pytest.mark.parametrize(
    ("variable_name", "given", "words"),
    [
        ("EVIDENCE_PORT", "abc", "whole number"),
        ("EVIDENCE_PORT", "70000", "not between"),
        ("EVIDENCE_DEMO", "perhaps", "1 or 0"),
        ("EVIDENCE_THREADS", "0", "1 or more"),
        ("EVIDENCE_LOG_LEVEL", "loud", "debug, info"),
        ("EVIDENCE_DATADIR", "x", "EVIDENCE_DATADIR is not a setting"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(
    monkeypatch: pytest.MonkeyPatch, variable_name: str, given: str, words: str
) -> None:
    monkeypatch.setenv(variable_name, given)
    with pytest.raises(SettingsInvalid, match=words):
        from_environment()


def test_a_child_process_gets_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = from_environment({"data_dir": tmp_path, "device": "cpu", "threads": 2, "demo": True})
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert from_environment() == settings


def test_on_a_space_it_is_a_public_demo_inside_the_frame_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/space")
    monkeypatch.setenv("SPACE_HOST", "someone-space.hf.space")
    settings = from_environment()
    assert (settings.host, settings.demo, settings.secure_cookies) == ("0.0.0.0", True, True)
    assert settings.frame_ancestors == ("https://huggingface.co",)
    assert settings.allowed_hosts == ("someone-space.hf.space",)


def test_every_setting_is_explained() -> None:
    rows = table()
    assert [row["variable"] for row in rows] == [*(variable(f.name) for f in dataclasses.fields(Settings)), *SECRETS]
    assert all(row["help"] for row in rows)


def test_a_space_whose_checkout_cannot_be_written_keeps_its_data_in_the_home_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/space")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert from_environment().data_dir == tmp_path / "data"
    writable = {str(tmp_path)}
    monkeypatch.setattr("annotator.settings.os.access", lambda path, mode: str(path) in writable)
    assert from_environment().data_dir == tmp_path / "evidence-data"
    writable.clear()
    assert from_environment().data_dir == Path(tempfile.gettempdir()) / "evidence-data"
    assert from_environment({"data_dir": tmp_path / "own"}).data_dir == tmp_path / "own"
