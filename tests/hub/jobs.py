"""The part of the stand-in Hub that runs jobs: really, as processes of this machine, or only in name with what a test says."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hub.standin import StandIn
from tests.hub.web import Request, Response, answer, refuse


@dataclass
class StandInJob:
    """process: None for a job that runs in name only, as `stage` and `lines` say."""

    id: str
    spec: dict[str, Any]
    process: subprocess.Popen[str] | None = None
    stage: str = "RUNNING"
    message: str | None = None
    lines: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None

    def now(self) -> str:
        if self.process is not None and self.stage == "RUNNING" and self.process.poll() is not None:
            assert self.reader is not None
            self.reader.join()
            self.stage = "ERROR" if self.process.returncode else "COMPLETED"
        return self.stage


class Jobs:
    """Jobs of a stand-in Hub. `really`: start what a job asks for, with this interpreter, below `folder`."""

    def __init__(self, hub: StandIn, folder: Path, *, really: bool = False) -> None:
        self._hub, self._folder, self._really = hub, folder, really
        self.started: list[StandInJob] = []
        hub.route("POST", "/api/jobs/([^/]+)", self._start)
        hub.route("GET", "/api/jobs/([^/]+)/([^/]+)", lambda r: self._answered(r, self._info))
        hub.route("GET", "/api/jobs/([^/]+)/([^/]+)/logs", lambda r: self._answered(r, self._logs))
        hub.route("POST", "/api/jobs/([^/]+)/([^/]+)/cancel", lambda r: self._answered(r, self._cancel))

    def stop(self) -> None:
        for job in self.started:
            if job.process is not None:
                job.process.kill()
                job.process.wait()
                assert job.reader is not None
                job.reader.join()

    def _start(self, request: Request) -> Response:
        self._hub.signed_in(request)
        job = StandInJob(secrets.token_hex(12), request.json())
        if self._really:
            self._run(job)
        self.started.append(job)
        return answer(self._value(job, request.groups[0]))

    def _run(self, job: StandInJob) -> None:
        command = job.spec["command"]
        folder = self._folder / job.id
        folder.mkdir(parents=True)
        own = {name: text for name, text in os.environ.items() if not name.startswith(("HF_", "EVIDENCE_"))}
        job.process = subprocess.Popen(
            [sys.executable, *command[command.index("python") + 1 :]],
            cwd=folder,
            env={
                **own,
                **job.spec["secrets"],
                "HF_ENDPOINT": self._hub.endpoint,
                "HF_HOME": str(folder / "home"),
                "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "PYTHONPATH": "",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        job.reader = threading.Thread(target=self._read, args=(job,), daemon=True)
        job.reader.start()

    @staticmethod
    def _read(job: StandInJob) -> None:
        assert job.process is not None
        assert job.process.stdout is not None
        with job.process.stdout as lines:
            job.lines.extend(line.rstrip("\n") for line in lines)

    def _answered(self, request: Request, action: Any) -> Response:
        self._hub.signed_in(request)
        job = next((j for j in self.started if j.id == request.groups[1]), None)
        return refuse(404, "Job not found") if job is None else action(job, request.groups[0])

    def _info(self, job: StandInJob, owner: str) -> Response:
        return answer(self._value(job, owner))

    def _logs(self, job: StandInJob, _: str) -> Response:
        events = [{"data": line, "timestamp": "2026-01-01T00:00:00.000Z"} for line in list(job.lines)]
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        return Response(body.encode(), 200, {"Content-Type": "text/event-stream"})

    def _cancel(self, job: StandInJob, owner: str) -> Response:
        job.stage = "CANCELED"
        if job.process is not None:
            job.process.kill()
        return self._info(job, owner)

    @staticmethod
    def _value(job: StandInJob, owner: str) -> dict[str, Any]:
        return {
            "id": job.id,
            "createdAt": "2026-01-01T00:00:00.000Z",
            "owner": {"id": "o", "name": owner, "type": "user"},
            "status": {"stage": job.now(), "message": job.message},
            "flavor": job.spec["flavor"],
        }
