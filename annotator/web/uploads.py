"""Whose uploads are whose: only who sent a file may name or read it, and nobody keeps more here than their share.

Kept in memory: what lies in the uploads folder when the app starts is swept away (`annotator.exchange.uploads`).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from annotator.settings import Settings
from storage.records import EvidenceError


class UploadRefused(EvidenceError):
    """More than a person's share of the disk."""


class Uploads:
    """The uploaded files of one project. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.uploads_dir.resolve()
        self._share = settings.upload_quota_mb * 2**20
        self._lock = threading.Lock()
        self._files: dict[str, set[Path]] = defaultdict(set)
        self._coming: dict[str, int] = defaultdict(int)

    def give(self, person: str, paths: Iterable[str | Path]) -> None:
        """Note files of the uploads folder as this person's."""
        with self._lock:
            self._files[person] |= {Path(path).resolve() for path in paths}

    def is_own(self, person: str, path: str) -> bool:
        """Whether the path is a file in the uploads folder that this person sent or was given."""
        if "\x00" in path or "://" in path:
            return False
        found = Path(path).resolve()
        with self._lock:
            known = found in self._files.get(person, ())
        return known and found.is_relative_to(self._folder) and found.is_file()

    @contextmanager
    def coming(self, person: str, size: int) -> Iterator[None]:
        """While `size` bytes arrive. Raises UploadRefused where they are more than is left of the person's share."""
        with self._lock:
            there = self._held(person) + self._coming[person]
            if there + size > self._share:
                raise UploadRefused(
                    f"You have {there / 2**20:.0f} MB of uploads here, and at most {self._share / 2**20:.0f} MB are kept for one"
                    " person. Uploads go by themselves after an hour."
                )
            self._coming[person] += size
        try:
            yield
        finally:
            with self._lock:
                self._coming[person] -= size

    def _held(self, person: str) -> int:
        """Bytes of the person's files that are still there."""
        sizes = {}
        for path in self._files[person]:
            try:
                sizes[path] = path.stat().st_size
            except OSError:
                continue
        self._files[person] = set(sizes)
        return sum(sizes.values())
