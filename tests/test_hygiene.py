"""What must never be in the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = {".py", ".md", ".toml", ".txt", ".js", ".css", ".html", ".yaml", ".yml", ".sh", ".json", ".jsonl", ""}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def text_files() -> list[tuple[Path, str]]:
    return [
        (path, path.read_text("utf-8", errors="replace"))
        for path in tracked()
        if path.suffix in TEXT and path != Path(__file__) and "vendor" not in path.parts
    ]


FORBIDDEN = {
    "remote code": r"trust_remote_code\s*=\s*True",
    "pickled weights": r"\btorch\.load\(",
    "a package registry's host": r"download\.pytorch\.org|files\.pythonhosted\.org|pypi\.org/simple|registry\.npmjs\.org|deb\.debian\.org",
    "a bare except": r"^\s*except\s*:\s*$",
    "unfinished work": r"(?:#|//|<!--|/\*)\s*(?:TODO|FIXME|XXX)\b",
    "a private key or token": r"hf_[A-Za-z0-9]{30,}|-----BEGIN [A-Z ]*PRIVATE KEY",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"
        for path, text in text_files()
        if (match := re.search(FORBIDDEN[what], text, re.MULTILINE))
    ]
    assert found == []


def test_pages_ask_no_other_host_for_anything() -> None:
    """Scripts, styles, fonts and images come from the app itself; links for people to follow are fine."""
    loads = re.compile(
        r"""(?:src|@import|url\()\s*=?\s*["'(]*https?://|<link[^>]+href=["']https?://|fonts\.g(?:oogleapis|static)"""
    )
    found = [
        str(path.relative_to(ROOT))
        for path, text in text_files()
        if "annotator" in path.parts and path.suffix in {".py", ".js", ".css", ".html"} and loads.search(text)
    ]
    assert found == []


def test_weights_are_safetensors_only() -> None:
    assert [p.name for p in tracked() if p.suffix in {".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5"}] == []


def test_files_stay_readable_in_size() -> None:
    long = {
        str(path.relative_to(ROOT)): text.count("\n")
        for path, text in text_files()
        if path.suffix in {".py", ".js", ".css"} and text.count("\n") > 450
    }
    assert long == {}
