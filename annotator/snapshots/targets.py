"""Where snapshots go: a directory (any mounted path, a Storage Bucket for one), or a private dataset repository of the Hub.

A target knows names and files, not what is in them. Whoever reads sees a file whole or not at all: a directory's files
are renamed into place, a repository's come with one commit.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from annotator.hub.client import Hub, HubRefused
from storage.files import replacing
from storage.records import EvidenceError

HUB_PREFIX = "hf://datasets/"
PARTIAL_KEPT_SECONDS = 86_400.0
Result = TypeVar("Result")


class TargetUnavailable(EvidenceError):
    """The place of the snapshots cannot be read or written just now."""


class FileMissing(EvidenceError):
    """The place was reached, but the file is not there."""


class Target(Protocol):
    """Names are relative, with forward slashes. Every method raises TargetUnavailable."""

    def names(self, folder: str) -> list[str]:
        """The whole files directly in `folder`, by name; none if there is no such folder."""
        ...

    def fetch(self, name: str, to: Path) -> None:
        """Copy a file to `to`. Raises FileMissing."""
        ...

    def publish(self, files: Mapping[str, Path], *, message: str) -> None:
        """Add the files in their order: whoever sees the last one sees all."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Remove the files, for good where the place keeps a history."""
        ...


def open_target(place: str) -> Target:
    """The target that the setting names. Raises TargetUnavailable where it cannot be meant."""
    if place.startswith("hf://"):
        name = place.removeprefix(HUB_PREFIX).strip("/")
        if not place.startswith(HUB_PREFIX) or name.count("/") != 1:
            raise TargetUnavailable(f"{place!r} is not understood. A repository is named {HUB_PREFIX}owner/name.")
        return HubTarget(name)
    return FolderTarget(Path(place).expanduser().absolute())


class FolderTarget:
    """A directory, which may lie on a mounted object store."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    def names(self, folder: str) -> list[str]:
        with self._errors():
            self._check_mounted()
            found = self._root / folder
            return sorted(f"{folder}/{p.name}" for p in found.iterdir() if _is_whole(p)) if found.is_dir() else []

    def fetch(self, name: str, to: Path) -> None:
        with self._errors():
            self._check_mounted()
            try:
                shutil.copyfile(self._root / name, to)
            except FileNotFoundError as error:
                raise FileMissing(f"{name} is not in {self._root}.") from error

    def publish(self, files: Mapping[str, Path], *, message: str) -> None:
        with self._errors():
            self._check_mounted()
            for name, source in files.items():
                target = self._root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with replacing(target) as temporary:
                    shutil.copyfile(source, temporary)

    def remove(self, names: Sequence[str]) -> None:
        with self._errors():
            for name in names:
                (self._root / name).unlink(missing_ok=True)
            for partial in self._root.glob("*/.*.partial"):  # of writers that were killed
                if time.time() - partial.stat().st_mtime > PARTIAL_KEPT_SECONDS:
                    partial.unlink(missing_ok=True)

    def _check_mounted(self) -> None:
        """A bucket that is not mounted must not be taken for an empty one, nor be written to the disk below it."""
        if not self._root.is_dir() and not self._root.parent.is_dir():
            raise TargetUnavailable(f"The place of the snapshots, {self._root}, is not there. Is it mounted?")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise TargetUnavailable(f"The place of the snapshots, {self._root}, cannot be used: {reason}.") from error


class HubTarget:
    """A private dataset repository. The token is the one that huggingface_hub finds (HF_TOKEN, or `hf auth login`)."""

    def __init__(self, repository: str, *, hub: Hub | None = None) -> None:
        self._hub, self._repository = hub or Hub(), repository
        self._where: dict[str, Any] = {"repo_id": repository, "repo_type": "dataset"}

    def __str__(self) -> str:
        return HUB_PREFIX + self._repository

    def names(self, folder: str) -> list[str]:
        from huggingface_hub.errors import EntryNotFoundError

        def listed() -> list[str]:
            try:
                found = list(self._hub.api.list_repo_tree(path_in_repo=folder, **self._where))
            except EntryNotFoundError:
                return []
            return sorted(item.path for item in found if hasattr(item, "size"))

        with self._errors():
            self._hub.require_login()  # without one a private repository looks like a missing one
            return self._call(listed) if self._hub.is_private(self._repository, "dataset") is not None else []

    def fetch(self, name: str, to: Path) -> None:
        from huggingface_hub.errors import EntryNotFoundError

        folder = to.with_name(f".{to.name}.download")

        def fetched() -> bool:
            try:
                path = self._hub.api.hf_hub_download(
                    filename=name, local_dir=folder, force_download=True, **self._where
                )
            except EntryNotFoundError:
                return False
            Path(path).replace(to)
            return True

        try:
            with self._errors():
                there = self._call(fetched)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if not there:
            raise FileMissing(f"{name} is not in {self}.")

    def publish(self, files: Mapping[str, Path], *, message: str) -> None:
        with self._errors():
            self._hub.make(self._repository, "dataset", private=True)  # each time: somebody may have made it public
            self._hub.upload(self._repository, "dataset", files, message=message)

    def remove(self, names: Sequence[str]) -> None:
        """Large files are taken out of the history too: deleting alone would keep them, and fill the account's storage."""
        from huggingface_hub import CommitOperationDelete

        api, gone = self._hub.api, set(names)

        def removed() -> None:
            there = set(api.list_repo_files(**self._where))
            operations = [CommitOperationDelete(name, is_folder=False) for name in sorted(gone & there)]
            if operations:
                api.create_commit(operations=operations, commit_message="Older snapshots removed", **self._where)
            large = [f for f in api.list_lfs_files(**self._where) if f.filename in gone]
            if large:
                api.permanently_delete_lfs_files(lfs_files=large, **self._where)

        with self._errors():
            self._call(removed)

    def _call(self, action: Callable[[], Result]) -> Result:
        return self._hub.call(action, self._repository, "dataset")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except HubRefused as error:
            raise TargetUnavailable(f"The place of the snapshots, {self}, cannot be used: {error}") from error


def _is_whole(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")
