"""What the stand-in Hub keeps: repositories with files and commits, Spaces with settings, and large files by their hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

LARGE_SUFFIXES = (".safetensors", ".parquet", ".bin", ".zip", ".arrow", ".png", ".db", ".enc", ".age")
LARGE_BYTES = 10_000_000


def git_blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def is_large(path: str, size: int) -> bool:
    """Whether the Hub would store the file outside git."""
    return size > LARGE_BYTES or path.endswith(LARGE_SUFFIXES)


@dataclass(frozen=True)
class StoredFile:
    content: bytes
    large: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else git_blob_id(self.content)


@dataclass(frozen=True)
class Commit:
    id: str
    summary: str
    files: dict[str, StoredFile]


@dataclass
class SpaceSettings:
    """secrets and variables by name; hardware as requested; volumes as the API was given them."""

    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    hardware: str = "cpu-basic"
    sleep_seconds: int | None = None
    volumes: list[dict[str, Any]] = field(default_factory=list)
    stage: str = "RUNNING"
    restarts: int = 0

    def runtime(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "hardware": {"current": self.hardware, "requested": self.hardware},
            "gcTimeout": self.sleep_seconds,
            "storage": None,
            "volumes": self.volumes or None,
        }


@dataclass
class Repo:
    """kind: model, dataset or space. id: owner/name. gated: its files need a permission that nobody here has."""

    kind: str
    id: str
    private: bool = False
    gated: bool = False
    sdk: str | None = None
    commits: list[Commit] = field(default_factory=list)
    space: SpaceSettings = field(default_factory=SpaceSettings)

    def __post_init__(self) -> None:
        if not self.commits:
            self.commit(
                {".gitattributes": StoredFile(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n")}, "initial"
            )

    @property
    def head(self) -> Commit:
        return self.commits[-1]

    @property
    def files(self) -> dict[str, bytes]:
        """Path -> content at the head, without the file that every repository begins with."""
        return {path: file.content for path, file in self.head.files.items() if path != ".gitattributes"}

    def commit(self, files: dict[str, StoredFile], summary: str) -> Commit:
        """A new commit with exactly these files."""
        made = Commit(hashlib.sha1(f"{self.id} {len(self.commits)}".encode()).hexdigest(), summary, dict(files))
        self.commits.append(made)
        return made

    def put(self, files: dict[str, bytes | str], summary: str = "put") -> Commit:
        """A commit that adds or replaces the files: for tests that need content to be there."""
        content = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        new = {path: StoredFile(data, is_large(path, len(data))) for path, data in content.items()}
        return self.commit({**self.head.files, **new}, summary)

    def at(self, revision: str) -> Commit | None:
        """The commit of a branch or id; the only branch is main."""
        if revision in ("main", "HEAD", ""):
            return self.head
        return next((c for c in self.commits if c.id == revision), None)


def tree(commit: Commit, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
    """Files and folders below `folder`, as the API lists them."""
    top = PurePosixPath(folder or ".")
    below = {p: f for p, f in commit.files.items() if top == PurePosixPath(".") or top in PurePosixPath(p).parents}
    folders = {parent for p in below for parent in PurePosixPath(p).parents if parent not in (*top.parents, top)}
    listed = [
        {"type": "directory", "oid": git_blob_id(str(p).encode()), "size": 0, "path": str(p)} for p in sorted(folders)
    ]
    listed += [file_entry(path, file) for path, file in sorted(below.items())]
    return [e for e in listed if recursive or PurePosixPath(e["path"]).parent == top]


def file_entry(path: str, file: StoredFile) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "file",
        "oid": git_blob_id(file.content),
        "size": len(file.content),
        "path": path,
    }
    if file.large:
        entry["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": 134}
    return entry
