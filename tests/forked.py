"""Our command line in processes that are forked from one that has loaded torch, transformers and the like already.

Loading them takes seconds, and a test of a dozen commands or of a page has no use for doing so again. Each process still has its
own folder, environment, input and exit code. That a fresh `python` loads what it needs is seen where it is the point: in
`tests/faults`, `tests/hub` and `tests/annotator/commands`, and in the tests of the wheel and the Space.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

LOADED = [  # not gradio, which reads from its environment, as it is loaded, where files are kept
    "annotator.cli",
    "annotator.project",
    "encoder.predict",
    "encoder.training.run",
    "transformers.models.gemma3.modeling_gemma3",
    "fastapi",
    "pandas",
    "PIL.Image",
    "pyarrow.parquet",
]


@dataclass(frozen=True)
class Surroundings:
    """folder: where the command runs. output: the file for what it says, both streams. given: what it reads. before: code that
    runs before it."""

    folder: Path
    environment: Mapping[str, str]
    output: Path
    given: str = ""
    before: str = ""


def started(arguments: Sequence[str], around: Surroundings) -> ForkServerProcess:
    """`evidence ARGUMENTS`, begun."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    process = context.Process(target=_run, args=(list(arguments), around))
    process.start()
    return process


def _run(arguments: list[str], around: Surroundings) -> None:
    os.environ.clear()
    os.environ.update(around.environment)
    os.chdir(around.folder)
    said = os.open(around.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    reading, writing = os.pipe()
    os.write(writing, around.given.encode())
    os.close(writing)
    sys.stdin = os.fdopen(reading)
    exec(around.before, {})
    threading.Thread(target=_end_with_the_tests, daemon=True).start()

    from annotator.cli import main

    sys.exit(main(arguments))


def _end_with_the_tests() -> None:
    """A test process that is killed tidies nothing up: no app may outlive it."""
    tests = multiprocessing.parent_process()
    assert tests is not None
    tests.join()
    os.kill(os.getpid(), signal.SIGTERM)
