"""A real worker whose training only writes steps into a file: `python -m tests.annotator.worker_of_steps --data-dir DIR`.

The payload says how many steps and how long each takes, and after how many steps
of each process it is to be killed, in how many attempts.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from annotator.job_context import JobContext
from annotator.worker import main
from storage.records import JobKind


def count_steps(context: JobContext) -> Mapping[str, Any]:
    """Count from where the file says to the number of steps asked for; one line per step that was made."""
    payload = context.job.payload
    context.work_dir.mkdir(parents=True, exist_ok=True)
    path = context.work_dir / "steps.txt"
    done = len(path.read_text("utf-8").splitlines()) if path.exists() else 0
    for step in range(done, int(payload["steps"])):
        context.monitor.progress(step / payload["steps"], "train", f"step {step}")
        with path.open("a", encoding="utf-8") as out:
            out.write(f"{os.getpid()} {step}\n")
        if payload.get("crash_after") == step - done and context.job.attempt <= int(payload.get("crashes", 99)):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(float(payload.get("seconds", 0.0)))
    return {"steps": len(path.read_text("utf-8").splitlines())}


if __name__ == "__main__":
    sys.exit(main(handlers_by_kind={JobKind.TRAIN: count_steps, JobKind.PREDICT: count_steps}))
