"""The app as a process of its own that is told to stop, as a container's is, and started again on an empty disk."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from annotator.settings import SNAPSHOT_KEY, Settings
from annotator.training.run import TrainingWish, enqueue_training
from storage.jobs import Jobs
from storage.records import JobStatus, Role
from storage.store import open_store
from tests.annotator.processes import processes_with, wait_for
from tests.annotator.reviewed_project import QUICK, a_reviewed_project, opened
from tests.annotator.snapshot_project import KEY, a_project, decide, decisions, lose

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


class Served:
    """A running `evidence serve`; `url` once it answers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stderr is not None
        self.said: list[str] = []
        for line in process.stderr:
            self.said.append(line)
            if found := re.search(r"Open (http\S+?)/? in a browser", line):
                self.url = found[1]
                return
        raise AssertionError("".join(self.said))

    def stop(self, *, seconds: float = 90.0) -> int:
        """SIGTERM, as a container's runtime sends it. Returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=seconds)
        self.said.append(rest)
        return self.process.returncode


@contextmanager
def serving(data_dir: Path, **changes: object) -> Iterator[Served]:
    flags = [part for name, value in changes.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "annotator.cli", "serve", "--data-dir", str(data_dir), "--port", "0", *flags]
    environment = {**os.environ, SNAPSHOT_KEY: KEY, "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        try:
            yield Served(process)
        finally:
            if process.poll() is None:
                process.kill()


def test_what_was_decided_before_a_stop_is_there_after_a_start_on_an_empty_disk(tmp_path: Path) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    with serving(tmp_path / "data", snapshot_to=place) as app:
        assert httpx.get(f"{app.url}/healthz").status_code == 200
        decide(project, 2)
        assert app.stop() == 0, app.said
    lose(project)
    with serving(tmp_path / "data", snapshot_to=place, local_reviewer="someone") as app:
        assert httpx.get(f"{app.url}/healthz").status_code == 200
        with closing(open_store(tmp_path / "data")) as store:
            assert sorted(a.post_id for a in store.iter_annotations()) == ["p1", "p2"]
            assert store.reviewer("ana").role is Role.ADMIN
            active = store.active_model()
        assert active is not None
        assert active.id == "v2"
        assert (tmp_path / "data" / "models" / "v2" / "model.safetensors").is_file()
        assert app.stop() == 0, app.said


def test_a_request_that_is_under_way_is_answered_and_then_no_more(tmp_path: Path) -> None:
    a_project(tmp_path / "data")
    with serving(tmp_path / "data") as app:
        address = urlsplit(app.url)
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as late:
            body = b"name=ana&password=wrong"
            head = f"POST /login HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
            late.sendall(head.encode() + body[:5])
            wait_for(lambda: httpx.get(f"{app.url}/healthz").status_code == 200)
            app.process.send_signal(signal.SIGTERM)
            wait_for(lambda: refuses(address.hostname or "", address.port or 0), seconds=60)
            late.sendall(body[5:])
            assert late.recv(100).startswith(b"HTTP/1.1 401")
        assert app.stop() == 0, app.said


def refuses(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) != 0


def test_a_stop_during_a_training_ends_the_worker_and_keeps_the_job_for_the_next_start(tmp_path: Path) -> None:
    settings = a_reviewed_project(tmp_path / "data")
    store, jobs = opened(settings)
    config = QUICK.changed(max_steps=100_000, eval_steps=50_000, save_steps=5)
    with serving(settings.data_dir, device="cpu", threads=1, snapshot_to=tmp_path / "place") as app:
        job = enqueue_training(jobs, TrainingWish(config), by="ana")
        wait_for(lambda: jobs.metrics(job.id))
        began = time.monotonic()
        assert app.stop() == 0, app.said
        assert time.monotonic() - began < Settings().stop_seconds + 20
    wait_for(lambda: not processes_with("annotator.worker", str(settings.data_dir)), seconds=10)
    assert Jobs(store).get(job.id).status is JobStatus.QUEUED
    assert any((tmp_path / "place" / "snapshots").iterdir())
    store.close()


def test_a_stop_without_a_last_snapshot_is_not_called_a_success(tmp_path: Path) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "mount" / "place"
    place.parent.mkdir()
    with serving(tmp_path / "data", snapshot_to=place) as app:
        decide(project, 2)
        for path in sorted(place.parent.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        place.parent.rmdir()
        assert app.stop() == 1
    assert "without a last snapshot" in app.said[-1]
    assert decisions(project) == ["p1", "p2"]
