"""A training as a Hugging Face Job: its folder goes to a private dataset repository, is trained there, and the model comes back.

The job's folder here remembers which job runs (`hub_job.json`), so that a worker that was stopped or killed goes on following it
instead of paying for a second one. What the job says comes through its log, one event a line; it never holds text of posts. However
the training ends, its folder is removed from the repository; only a model that could not be fetched waits there for a resumed job.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path
from typing import Any

from annotator.hub.client import Hub, HubRefused
from annotator.models.archives import copy_model_files
from annotator.models.registry import DirectoryBroken, check_directory
from annotator.settings import Settings
from annotator.snapshots.targets import HubTarget, TargetUnavailable
from annotator.training.data import DATA_FILE, MANIFEST_FILE, write_json
from annotator.training.folder import BASE, CANDIDATE, JOB_FILE
from annotator.training.hub_run import CODE_FILE, EVENT
from annotator.training.processes import Follower
from encoder.errors import TrainingFailed
from storage.jobs import JobCancelled
from storage.records import EvidenceError

log = logging.getLogger(__name__)

STATE_FILE = "hub_job.json"
POLL_SECONDS = 10.0
IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"
OVER = ("COMPLETED", "CANCELED", "ERROR", "DELETED")
SOURCES = ("storage", "encoder", "annotator")
CODE_SUFFIXES = frozenset({".py", ".json", ".yaml", ".safetensors", ".html", ".css", ".js", ".svg", ".txt"})
BEGIN = """
import sys, zipfile
from huggingface_hub import snapshot_download
repository, name = sys.argv[1:3]
there = snapshot_download(repository, repo_type="dataset", allow_patterns=[name + "/*"], local_dir="work") + "/" + name
zipfile.ZipFile(there + "/code.zip").extractall("code")
sys.path.insert(0, "code")
from annotator.training.hub_run import main
sys.exit(main(repository, name, there))
"""


@dataclass(frozen=True, slots=True)
class HubJob:
    """Where and on what. repository: owner/name of the private dataset repository. flavor: the Hub's name of the machine."""

    repository: str
    flavor: str
    hours: float


def hub_job_of(settings: Settings) -> HubJob | None:
    """What the settings say, None if they name no repository."""
    return HubJob(settings.jobs_repo, settings.jobs_flavor, settings.jobs_hours) if settings.jobs_repo else None


def train_as_hub_job(
    work: Path, monitor: Follower, target: HubJob, *, hub: Hub | None = None, poll_seconds: float = POLL_SECONDS
) -> Path:
    """Train the folder `work` (see `annotator.training.folder`) as a Hugging Face Job. Returns the candidate's directory.

    Stopping the worker leaves the job running, to be followed later; cancelling ends it. Raises TrainingFailed with the job's
    reason, HubRefused, DirectoryBroken, and what the monitor raises.
    """
    run = _Run(work, monitor, target, hub or Hub(), poll_seconds)
    try:
        run.begin()
        run.follow()
        run.bring_back()
    except JobCancelled:
        run.cancel()
        run.clean_up()
        raise
    except (TrainingFailed, DirectoryBroken):
        if run.is_over:
            run.clean_up()
        raise
    except HubRefused:
        if run.is_over and not run.is_trained:
            run.clean_up()
        raise
    run.clean_up()
    return work / CANDIDATE


class _Run:
    """One remote training. `name`: its folder in the repository."""

    def __init__(self, work: Path, monitor: Follower, target: HubJob, hub: Hub, poll_seconds: float) -> None:
        self._work, self._monitor, self._target, self._hub = work, monitor, target, hub
        self._poll_seconds = poll_seconds
        self._state = work / STATE_FILE
        known = json.loads(self._state.read_text("utf-8")) if self._state.exists() else {}
        self.name = str(known.get("name") or f"training-{secrets.token_hex(8)}")
        self._id = str(known.get("id") or "")
        self._seen = 0
        self._stage, self._reason = "", ""
        self._said: tuple[Any, ...] = (0.0, "wait", f"Waiting for the machine ({target.flavor})")

    @property
    def is_over(self) -> bool:
        return self._stage in OVER or not self._id

    @property
    def is_trained(self) -> bool:
        return self._stage == "COMPLETED"

    def begin(self) -> None:
        """Upload the folder and start the job, unless it was started before."""
        if self._id:
            self._monitor.log(f"Goes on following Hugging Face Job {self._id}.")
            return
        repository = self._target.repository
        prepared = _prepared(json.loads((self._work / JOB_FILE).read_text("utf-8"))["config"])
        self._monitor.progress(0.0, "upload", "Sending the data to the Hub")
        self._hub.require_login()
        self._hub.make(repository, "dataset", private=True)
        write_json(self._state, {"name": self.name})
        with _packed_code(self._work) as code:
            files = {f"{self.name}/{name}": path for name, path in _files_of(self._work, code).items()}
            self._hub.upload(repository, "dataset", files, message=f"Data of {self.name}")
        self._monitor.raise_if_stopped()
        self._id = self._start(prepared)
        write_json(self._state, {"name": self.name, "id": self._id})
        self._monitor.log(f"Hugging Face Job {self._id} was started on {self._target.flavor}.")

    def _start(self, prepared: list[str]) -> str:
        """Not tried again: a job whose answer was lost may run, and is ended by its own time limit."""
        from huggingface_hub import get_token

        from annotator.hub.client import refusals

        repository = self._target.repository
        with refusals(repository, "dataset"):
            started = self._hub.api.run_job(
                image=IMAGE,
                command=[*prepared, "python", "-c", BEGIN, repository, self.name],
                secrets={"HF_TOKEN": get_token()},
                flavor=self._target.flavor,
                timeout=int(self._target.hours * 3600),
                namespace=repository.split("/")[0],
                labels={"evidence": self.name},
            )
        return str(started.id)

    def follow(self) -> None:
        """Pass on what the job says until it is over. Raises TrainingFailed unless it ended well."""
        while True:
            info = self._call(lambda: self._hub.api.inspect_job(job_id=self._id, namespace=self._owner))
            self._stage = str(getattr(info.status.stage, "value", info.status.stage))
            self._pass_on_events()
            if self.is_trained:
                return
            if self.is_over:
                why = self._reason or info.status.message or f"it ended as {self._stage.lower()}"
                raise TrainingFailed(f"Hugging Face Job {self._id} failed: {why}")
            self._monitor.progress(*self._said)  # a sign of life: what hangs there is ended by its own time limit
            self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + self._poll_seconds
        while time.monotonic() < until:
            self._monitor.raise_if_stopped()
            time.sleep(min(0.2, self._poll_seconds))

    def _pass_on_events(self) -> None:
        lines = self._call(lambda: list(self._hub.api.fetch_job_logs(job_id=self._id, namespace=self._owner)))
        new, self._seen = lines[self._seen :], max(self._seen, len(lines))
        for line in new:
            if not line.startswith(EVENT):
                continue
            try:
                event = json.loads(line.removeprefix(EVENT))
                kind, values = event["kind"], event["values"]
            except (ValueError, KeyError, TypeError):
                continue  # a line that the log has cut
            if kind == "error":
                self._reason = str(values[0])
            elif kind == "progress":
                self._said = tuple(values)
            elif kind in ("metrics", "log"):
                getattr(self._monitor, kind)(*values)

    def bring_back(self) -> None:
        """Download the model, look at it, and give it its place."""
        self._monitor.progress(0.98, "download", "Fetching the model")
        folder = self._work / ".fetched"
        shutil.rmtree(folder, ignore_errors=True)
        self._hub.fetch(
            self._target.repository, "dataset", folder, patterns=[f"{self.name}/{CANDIDATE}/*"], revision=None
        )
        fetched, whole = folder / self.name / CANDIDATE, folder / "whole"
        if not fetched.is_dir():
            raise TrainingFailed(f"Hugging Face Job {self._id} ended without leaving a model.")
        copy_model_files(fetched, whole, follow_links=False)
        check_directory(whole)
        whole.replace(self._work / CANDIDATE)
        shutil.rmtree(folder, ignore_errors=True)

    def cancel(self) -> None:
        if self.is_over:
            return
        try:
            self._call(lambda: self._hub.api.cancel_job(job_id=self._id, namespace=self._owner))
            self._stage = "CANCELED"
        except HubRefused as error:
            log.warning("Hugging Face Job %s could not be cancelled and ends by its time limit: %s", self._id, error)

    def clean_up(self) -> None:
        """Remove the folder from the repository: it holds text of posts. A failure is said, and changes nothing else."""
        self._state.unlink(missing_ok=True)
        target, repository = HubTarget(self._target.repository, hub=self._hub), self._target.repository
        try:
            there = self._call(lambda: self._hub.api.list_repo_files(repository, repo_type="dataset"))
            target.remove([name for name in there if name.startswith(f"{self.name}/")])
        except (HubRefused, TargetUnavailable) as error:
            log.warning("The folder %s stays in %s: remove it by hand. %s", self.name, repository, error)

    @property
    def _owner(self) -> str:
        return self._target.repository.split("/")[0]

    def _call(self, action: Any) -> Any:
        return self._hub.call(action, self._target.repository, "dataset")


def _files_of(work: Path, code: Path) -> dict[str, Path]:
    files = {name: work / name for name in (DATA_FILE, MANIFEST_FILE, JOB_FILE)} | {CODE_FILE: code}
    base = work / BASE
    return files | ({f"{BASE}/{p.name}": p for p in base.iterdir()} if base.is_dir() else {})


def _prepared(config: Mapping[str, Any]) -> list[str]:
    """The start of the command: `uv run` with what this program needs, in its own ranges."""
    extras = {"lora": "peft", "qlora": "gpu"}
    wanted = extras.get(str(config.get("method")))
    listed = [line.partition(";") for line in requires("evidence-annotator") or []]
    names = [
        n.strip()
        for n, _, when in listed
        if "extra ==" not in when or (wanted and f'"{wanted}"' in when.replace("'", '"'))
    ]
    if not names:
        raise EvidenceError("This program is not installed as a package, so a job would not know what to install.")
    return ["uv", "run", "--no-project", *(part for name in names for part in ("--with", name))]


@contextmanager
def _packed_code(work: Path) -> Iterator[Path]:
    """This program's own source as a zip file: the job runs exactly the code that runs here."""
    root, path = Path(__file__).resolve().parents[2], work / CODE_FILE
    source_name = json.loads((work / JOB_FILE).read_text("utf-8"))["source"]
    left_out = [d for name, d in (("bundled", "model"), ("gemma-3-270m-evidence", "gemma")) if name != source_name]
    unused = [root / "encoder" / "bundled" / name for name in left_out]
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for source in (p for package in SOURCES for p in sorted((root / package).rglob("*"))):
                if source.suffix in CODE_SUFFIXES and not any(folder in source.parents for folder in unused):
                    archive.write(source, source.relative_to(root).as_posix())
        yield path
    finally:
        path.unlink(missing_ok=True)
