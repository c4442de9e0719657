"""The copies of uploaded files that wait for an import job, and what lies in the uploads folder after a crash.

A copy goes with the end of its job, whichever that is; whatever else an earlier app left goes when the next one starts.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from pathlib import Path

from annotator.settings import Settings
from storage.files import is_over
from storage.jobs import Jobs
from storage.records import JobKind, JobStatus

_WAITING = (JobStatus.QUEUED, JobStatus.RUNNING)


def keep_copy(settings: Settings, path: Path) -> Path:
    """A copy for a job: the upload itself is removed by its own clock. Half a copy does not stay."""
    kept = settings.uploads_dir / f"import-{secrets.token_hex(8)}{path.suffix}"
    try:
        shutil.copyfile(path, kept)
    except BaseException:
        kept.unlink(missing_ok=True)
        raise
    return kept


def sweep_uploads(settings: Settings, jobs: Jobs, *, older_than: float = 0.0) -> int:
    """Remove every upload that has lain there for so many seconds, but those that an import job still needs. Returns how many went.

    With 0: for the start of the app that serves the project alone, when nobody has uploaded anything yet.
    """
    if not settings.uploads_dir.is_dir():
        return 0
    waiting = jobs.jobs(kind=JobKind.IMPORT, statuses=_WAITING, limit=1000)
    needed = {Path(str(job.payload.get("path", ""))).absolute() for job in waiting}
    removed = 0
    for left in settings.uploads_dir.iterdir():
        with contextlib.suppress(OSError):
            if left.absolute() in needed or (older_than and not is_over(_newest(left), older_than)):
                continue
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            removed += 1
    return removed


def _newest(path: Path) -> float:
    """When the file, or anything in the folder, was last written."""
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
    return max(each.lstat().st_mtime for each in (path, *inside))
