"""Whether an app serves the data directory: a lock that it holds as long as it lives."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from storage.records import StoreUnavailable

LOCK_NAME = "app.lock"
PATIENCE_SECONDS = 0.5  # `is_served` holds the lock for an instant


@contextlib.contextmanager
def serving_alone(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for the one app that serves it; the lock ends with the process, however that ends.

    Raises StoreUnavailable if another app holds it.
    """
    with (data_dir / LOCK_NAME).open("a+") as handle:
        until = time.monotonic() + PATIENCE_SECONDS
        while not _take(handle.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > until:
                raise StoreUnavailable(
                    f"Another app is running on {data_dir}. Stop it first, or choose another directory with --data-dir."
                )
            time.sleep(0.02)
        yield


def is_served(data_dir: Path) -> bool:
    """Whether an app is running on the directory at this moment."""
    try:
        with (data_dir / LOCK_NAME).open("r+") as handle:
            return not _take(handle.fileno(), fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _take(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
