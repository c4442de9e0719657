"""The wheel holds everything that runs, and starts the app from nothing but itself, in a folder elsewhere."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

from annotator import cli
from tests.test_hygiene import ROOT, tracked

PACKAGES = ("annotator", "encoder", "storage")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the tracked files, built without looking anything up."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in tracked():
        name = path.relative_to(ROOT)
        if name.parts[0] in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(path.read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        str(folder),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.mark.slow
def test_every_file_of_the_packages_is_in_the_wheel_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
        (entries,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        commands = archive.read(entries).decode()
    wanted = {p.relative_to(ROOT).as_posix() for p in tracked() if p.relative_to(ROOT).parts[0] in PACKAGES}
    assert (wanted - inside, inside - wanted) == (set(), set())
    assert "evidence-annotator = annotator.cli:start" in commands


@pytest.mark.slow
def test_the_command_named_as_the_distribution_starts_the_app_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(installed), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    settings = {"EVIDENCE_DATA_DIR": str(tmp_path / "data"), "EVIDENCE_PORT": "0", "PYTHONPATH": str(installed)}
    command = [sys.executable, str(installed / "bin" / "evidence-annotator")]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=os.environ | settings, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        assert process.stderr is not None
        address = ""
        for line in iter(process.stderr.readline, b""):
            if found := re.search(rb"http://[\d.]+:\d+", line):
                address = found[0].decode()
                break
        with urllib.request.urlopen(f"{address}/healthz", timeout=30) as answer:
            assert answer.status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        process.kill()
        process.communicate()


def test_without_a_command_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(cli, "main", lambda argv: asked.append(list(argv)) or 0)
    for arguments in ([], ["--port", "8000"], ["check"], ["--version"]):
        monkeypatch.setattr(sys, "argv", ["evidence-annotator", *arguments])
        assert cli.start() == 0
    assert asked == [["serve"], ["serve", "--port", "8000"], ["check"], ["--version"]]
