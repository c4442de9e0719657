"""One training in several processes of this machine: started by a launcher, followed through a file, stopped for certain.

The launcher is `accelerate launch` on GPUs, so that what `accelerate config` says (FSDP, say) holds, and `torch.distributed.run` for
CPU processes. `python -m annotator.training.processes FOLDER` is what it starts in each. They learn that whoever started
them is gone, however that ended, from the end of their standard input, and leave at once: no process is left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from annotator.problems import readable
from annotator.training.folder import CANDIDATE, read_folder, train_folder
from encoder.errors import TrainingFailed
from storage.records import EvidenceError

MODULE = "annotator.training.processes"
EVENTS_FILE = "events.jsonl"
STOP_FILE = "stop"
POLL_SECONDS = 0.2
STOP_SECONDS = 20.0  # for the last checkpoint; less than the worker has itself
LEAVE_SECONDS = 10.0
EXIT_ALONE = 76


class Follower(Protocol):
    """A `Monitor` of `encoder.training.train` that can also be asked between two reports whether to go on."""

    def progress(self, fraction: float, stage: str, message: str) -> None: ...

    def metrics(self, step: int, values: Mapping[str, float]) -> None: ...

    def log(self, line: str) -> None: ...

    def raise_if_stopped(self) -> None:
        """Raise what stops the training, if it is to stop."""


def train_in_processes(folder: Path, monitor: Follower, *, processes: int, device: str = "auto") -> Path:
    """Train the folder's training in so many processes, from its last checkpoint. Returns the candidate's directory.

    What the monitor raises stops all of them, after their last checkpoint or after STOP_SECONDS. Raises TrainingFailed with
    the reason that the processes gave.
    """
    command = launch_command(processes, device)
    events = Events(folder / EVENTS_FILE)
    events.clear()
    (folder / STOP_FILE).unlink(missing_ok=True)
    with launched([*command, str(folder), "--device", device], folder) as launcher:
        try:
            _follow(launcher, events, monitor)
        except TrainingFailed:
            raise
        except BaseException:
            _let_them_save(launcher, events, folder / STOP_FILE)
            raise
    if not (folder / CANDIDATE).is_dir():
        raise TrainingFailed(
            f"The training processes ended without a word (exit code {launcher.returncode}); see the log."
        )
    return folder / CANDIDATE


def launch_command(processes: int, device: str) -> list[str]:
    """What starts `processes` of this module's own `main`. Raises TrainingFailed where there are not so many GPUs."""
    from encoder.network.families import choose_device

    if choose_device(device) == "cpu":
        # `accelerate launch` would want MPI for several CPU processes
        launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
        return [sys.executable, "-m", *launcher, MODULE]
    import torch

    there = torch.cuda.device_count()
    if there < processes:
        raise TrainingFailed(
            f"{processes} processes were asked for, but there are {there} GPUs. Set processes to {there}."
        )
    launcher = ["accelerate.commands.launch", "--num_processes", str(processes), "--main_process_port", "0", "-m"]
    return [sys.executable, "-m", *launcher, MODULE]


@contextmanager
def launched(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The launcher, running. At the end of the block its processes are gone: first by their lifeline, then by force."""
    launcher = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command,
        stdin=subprocess.PIPE,
        stdout=2,  # the log of whoever started it; standard output is for results
        process_group=0,  # a Ctrl+C in the terminal is answered here, with a checkpoint
        cwd=Path(__file__).resolve().parents[2],
    )
    assert launcher.stdin is not None
    try:
        yield launcher
    finally:
        launcher.stdin.close()
        try:
            launcher.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            _end_by_force(launcher, folder)


def _end_by_force(launcher: subprocess.Popen[bytes], folder: Path) -> None:
    """Kill the processes that have named themselves, and the launcher, which has not yet given their numbers free."""
    for event in Events(folder / EVENTS_FILE).new():
        if event["kind"] == "here":
            with suppress(ProcessLookupError):
                os.kill(int(event["values"][0]), signal.SIGKILL)
    launcher.kill()
    launcher.wait()


def _follow(launcher: subprocess.Popen[bytes], events: Events, monitor: Follower) -> None:
    """Pass on what the first process reports until all have ended."""
    while True:
        over = launcher.poll() is not None
        for event in events.new():
            _pass_on(event, monitor)
        if over:
            return
        monitor.raise_if_stopped()
        time.sleep(POLL_SECONDS)


def _pass_on(event: Mapping[str, Any], monitor: Follower) -> None:
    kind, values = event["kind"], event["values"]
    if kind == "error":
        raise TrainingFailed(*values)
    if kind in ("progress", "metrics", "log"):
        getattr(monitor, kind)(*values)


def _let_them_save(launcher: subprocess.Popen[bytes], events: Events, stop: Path) -> None:
    """Ask the processes to stop and wait until the first one has written its checkpoint."""
    stop.touch()
    deadline = time.monotonic() + STOP_SECONDS
    while launcher.poll() is None and time.monotonic() < deadline:
        if any(event["kind"] in ("stopped", "error") for event in events.new()):
            return
        time.sleep(POLL_SECONDS)


class Events:
    """What the processes report, one JSON object a line, in a file that one side writes and the other follows."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)
        self._read = 0

    def add(self, kind: str, *values: Any) -> None:
        line = json.dumps({"kind": kind, "values": values}, ensure_ascii=False) + "\n"
        # unbuffered: a line of one process is never mixed with another's
        with self._path.open("ab", buffering=0) as file:
            file.write(line.encode())

    def new(self) -> Iterator[dict[str, Any]]:
        """The events since the last call. A line that is still being written waits for the next one."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        for line in whole.splitlines():
            yield json.loads(line)


class Stopped(EvidenceError):
    """Whoever started the processes wants them to stop."""


class FileMonitor:
    """The first process' monitor: writes events, and stops the training when the stop file is there."""

    def __init__(self, folder: Path) -> None:
        self._events, self._stop = Events(folder / EVENTS_FILE), folder / STOP_FILE

    def progress(self, fraction: float, stage: str, message: str) -> None:
        self._say("progress", fraction, stage, message)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self._say("metrics", step, dict(values))

    def log(self, line: str) -> None:
        self._say("log", line)

    def _say(self, kind: str, *values: Any) -> None:
        self._events.add(kind, *values)
        if self._stop.exists():
            raise Stopped("The training was stopped.")


def main(argv: Sequence[str] | None = None) -> int:
    """One process of a training. Returns the exit code; the reason of a failure is the last event."""
    parser = argparse.ArgumentParser(prog="annotator.training.processes")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(argv)
    threading.Thread(target=_leave_when_alone, name="lifeline", daemon=True).start()
    events = Events(given.folder / EVENTS_FILE)
    events.add("here", os.getpid())
    try:
        train_folder(read_folder(given.folder), FileMonitor(given.folder), device=given.device)
    except Stopped:
        events.add("stopped")
        return 1
    except Exception as error:
        events.add("error", readable(error))
        return 1
    return 0


def _leave_when_alone() -> None:
    """End this process when standard input ends, even in the middle of a call that waits for the others."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(EXIT_ALONE)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # taking a process group down would wait for processes that hang
