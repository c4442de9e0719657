"""Our command line in processes that are forked from one that has loaded torch, transformers and gradio already.

Loading them takes seconds, and a test of a dozen commands has no use for doing so a dozen times. Each command still has a process
with its own folder, environment, input and exit code. That `python -m annotator.cli` loads what it needs is seen elsewhere: in
`tests/annotator/commands`, and in the wheel's and the Space's tests.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

LOADED = [
    "annotator.cli",
    "annotator.server",
    "encoder.training.run",
    "encoder.predict",
    "pyarrow.parquet",
    "transformers.models.gemma3.modeling_gemma3",
]


def started(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], output: Path, given: str = ""
) -> ForkServerProcess:
    """`evidence ARGUMENTS` in the folder, begun. given: what it reads; output: the file for what it says, both streams."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    process = context.Process(target=_run, args=(list(arguments), folder, dict(environment), output, given))
    process.start()
    return process


def _run(arguments: list[str], folder: Path, environment: dict[str, str], output: Path, given: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    reading, writing = os.pipe()
    os.write(writing, given.encode())
    os.close(writing)
    sys.stdin = os.fdopen(reading)

    from annotator.cli import main

    sys.exit(main(arguments))
