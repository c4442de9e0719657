"""What runs inside a Hugging Face Job: train the folder that was sent, say how it goes, and put the model beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from annotator.training.folder import CANDIDATE, read_folder, train_folder

EVENT = "@evidence "
CODE_FILE = "code.zip"


class LogMonitor:
    """Says everything as one line of the job's log. Never text of posts."""

    def progress(self, fraction: float, stage: str = "", message: str = "") -> None:
        say("progress", fraction, stage, message)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        say("metrics", step, {name: float(value) for name, value in values.items()})

    def log(self, line: str) -> None:
        say("log", line)


def main(repository: str, name: str, folder: str) -> int:
    """Train, then upload the model to the repository's folder `name`. Returns the exit code."""
    from annotator.problems import readable

    try:
        candidate = train_folder(read_folder(Path(folder).absolute()), LogMonitor())
        say("progress", 1.0, "upload", "Sending the model to the Hub")
        _upload(repository, name, candidate)
    except Exception as error:
        say("error", readable(error))
        return 1
    return 0


def say(kind: str, *values: Any) -> None:
    sys.stdout.write(f"{EVENT}{json.dumps({'kind': kind, 'values': values}, ensure_ascii=False)}\n")
    sys.stdout.flush()


def _upload(repository: str, name: str, candidate: Path) -> None:
    from annotator.hub.client import Hub

    files = {f"{name}/{CANDIDATE}/{p.name}": p for p in sorted(candidate.iterdir()) if p.is_file()}
    Hub().upload(repository, "dataset", files, message=f"Model of {name}")
