"""Waiting for real processes: what is to come true, and who is still there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def wait_for(condition: Callable[[], object], *, seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def processes_with(*words: str) -> list[int]:
    """Living processes that have all these words on their command line."""
    wanted = {word.encode() for word in words}
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if wanted <= set(path.read_bytes().split(b"\0")):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
