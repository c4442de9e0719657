"""Small file systems and full ones."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

may_mount = pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux", reason="a file system of its own needs root"
)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size in `folder`."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no room at all in the file system."""
    for piece in (b"\x00" * 65536, b"\x00"):
        with contextlib.suppress(OSError), (folder / "filler").open("ab", buffering=0) as file:
            while file.write(piece):
                pass


def make_room(folder: Path) -> None:
    (folder / "filler").unlink()
