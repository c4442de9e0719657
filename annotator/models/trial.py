"""Does a model from elsewhere load and predict? Tried in a process of its own, which may fail, hang or take all memory alone.

`python -m annotator.models.trial DIRECTORY [--device ...]` says so as one JSON line: {"ok": true} or {"ok": false, "reason": ...}.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import subprocess
import sys
from pathlib import Path

from annotator.problems import readable
from annotator.settings import Settings
from storage.records import Criterion, EvidenceError, Post

LONGEST_SECONDS = 900.0
TEXT = "I have not slept for weeks. Nothing is fun any more, and I cannot get up in the morning."
CRITERION = Criterion("TRIAL", "Trial", "The person does not sleep well.", "")


class TrialFailed(EvidenceError):
    """The model cannot be loaded, or predicts no numbers."""


def try_model(directory: Path, settings: Settings, *, seconds: float = LONGEST_SECONDS) -> None:
    """Load the model of the directory as it would be served, and let it read a sentence. Raises TrialFailed."""
    chosen = {"device": settings.device, "dtype": settings.dtype, "attention": settings.attention}
    flags = [part for name, value in chosen.items() for part in (f"--{name}", value)]
    command = [sys.executable, "-m", "annotator.models.trial", str(directory), *flags]
    root = Path(__file__).resolve().parents[2]
    try:
        ended = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, capture_output=True, text=True, timeout=seconds, cwd=root, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        raise TrialFailed(f"The model did not load within {seconds:.0f} seconds, so it is not taken in.") from None
    said = ended.stdout.strip().splitlines()[-1:] or [""]
    try:
        answer = json.loads(said[0])
    except ValueError:
        raise TrialFailed("Loading the model ended its process (too little memory?), so it is not taken in.") from None
    if not answer["ok"]:
        raise TrialFailed(f"The model cannot be loaded, so it is not taken in: {answer['reason']}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="annotator.models.trial")
    parser.add_argument("directory")
    for name in ("device", "dtype", "attention"):
        parser.add_argument(f"--{name}", default="auto")
    arguments = parser.parse_args()
    with contextlib.suppress(
        OSError
    ):  # a file may say that it is a billion layers: this process goes before the app does
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    try:
        answer = {"ok": True, "scores": _scores(arguments)}
    except Exception as error:  # whatever a file from elsewhere does
        reason = str(error) if isinstance(error, EvidenceError) else readable(error)
        answer = {
            "ok": False,
            "reason": reason.replace(f"{arguments.directory}/", "").replace(arguments.directory, "it"),
        }
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


def _scores(arguments: argparse.Namespace) -> list[float]:
    from encoder.predict import Predictor

    predictor = Predictor.load(
        arguments.directory,
        version="trial",
        device=arguments.device,
        dtype=arguments.dtype,
        attention=arguments.attention,
        threads=1,
    )
    found = predictor.predict([Post(id="trial", text=TEXT)], [CRITERION])
    scores = [p.no_evidence_score for p in found] + [s.score or 0.0 for p in found for s in p.spans]
    if not scores or not all(math.isfinite(score) and 0.0 <= score <= 1.0 for score in scores):
        raise TrialFailed("it predicts no numbers between 0 and 1")
    return scores


if __name__ == "__main__":
    main()
