"""What a snapshot says of itself: its manifest, the order of manifests, and the reasons to refuse one. No place, no store."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotator.snapshots.seal import Sealer
from storage.migrations import migrations
from storage.records import EvidenceError
from storage.sqlite import Database

MANIFESTS, DATABASES, BLOBS = "snapshots", "databases", "blobs"
TIME_FORMAT = "%Y%m%dT%H%M%S.%fZ"
FORMAT = 1  # of the manifest; a release that adds a field counts on


class SnapshotRefused(EvidenceError):
    """Base of the errors below: what is at the place must not be used.

    SnapshotRefused
    ├── SnapshotDamaged   cut off, changed, or a file of it is missing: the one before it may be whole
    ├── KeyWrong          encrypted with another key, or no key was given
    └── NotOurs           of another project, or of a newer release
    """


class SnapshotDamaged(SnapshotRefused):
    """A file of the snapshot is not what its manifest says."""


class KeyWrong(SnapshotRefused):
    """The key does not open the snapshot."""


class NotOurs(SnapshotRefused):
    """Whole, but not for this project or this release."""


@dataclass(frozen=True)
class Manifest:
    """name: its time, which is the order. database: {"sha256", "size"} of the plain file. models: id -> {"path", "files":
    [{"name", "sha256", "size", "blob"}]}. key: {"salt", "check"} or None for an unencrypted one. tag: keyed hash of the rest.
    """

    name: str
    reason: str
    project: str
    schema: list[str]
    counts: dict[str, int]
    database: dict[str, Any]
    models: dict[str, dict[str, Any]]
    active: str | None
    key: dict[str, str] | None = None
    tag: str = ""
    format: int = FORMAT

    @property
    def at(self) -> float:
        """Unix seconds."""
        return time_of(self.name)

    @property
    def database_name(self) -> str:
        return f"{DATABASES}/{self.name}.db.gz{'.enc' if self.key else ''}"

    @property
    def blobs(self) -> set[str]:
        return {f["blob"] for model in self.models.values() for f in model["files"]}

    def signed(self, sealer: Sealer | None) -> Manifest:
        return Manifest(**{**asdict(self), "tag": self._tag(sealer)})

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_bytes(cls, name: str, content: bytes) -> Manifest:
        """Raises SnapshotDamaged, and NotOurs if a newer release wrote it."""
        try:
            values = json.loads(content)
            if values.get("format") not in (None, FORMAT):
                raise NotOurs(f"Snapshot {name} was written by a newer release. Update this program.")
            manifest = cls(**values)
            if manifest.key is not None:
                bytes.fromhex(manifest.key["salt"])
            whole = manifest.blobs is not None and bool(manifest.database["sha256"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SnapshotDamaged(f"Snapshot {name}: the manifest is not whole.") from error
        if manifest.name != name or not whole:
            raise SnapshotDamaged(f"Snapshot {name}: the manifest belongs to {manifest.name}.")
        return manifest

    def check(self, sealer: Sealer | None) -> None:
        """Raises SnapshotDamaged if it was changed after it was written, NotOurs if a newer release wrote it."""
        if self._tag(sealer) != self.tag:
            raise SnapshotDamaged(f"Snapshot {self.name}: the manifest was changed after it was written.")
        if newer := set(self.schema) - {m.name for m in migrations.pending(Database(memory=True))}:
            raise NotOurs(
                f"Snapshot {self.name} was written by a newer release (it has {max(newer)}). Update this program."
            )

    def sealer(self, passphrase: str | None) -> Sealer | None:
        """What opens the snapshot, None for an unencrypted one. Raises KeyWrong."""
        if self.key is None:
            return None
        if passphrase is None:
            raise KeyWrong(f"Snapshot {self.name} is encrypted. Set EVIDENCE_SNAPSHOT_KEY.")
        sealer = Sealer(passphrase, bytes.fromhex(self.key["salt"]))
        if sealer.check != self.key["check"]:
            raise KeyWrong(f"EVIDENCE_SNAPSHOT_KEY is not the key that snapshot {self.name} was encrypted with.")
        return sealer

    def _tag(self, sealer: Sealer | None) -> str:
        content = json.dumps({**asdict(self), "tag": ""}, sort_keys=True).encode()
        return hashlib.sha256(content).hexdigest() if sealer is None else sealer.tag(content)


def time_of(name: str) -> float:
    """Unix seconds. Raises ValueError if it is no name of a snapshot."""
    return dt.datetime.strptime(name, TIME_FORMAT).replace(tzinfo=dt.UTC).timestamp()


def newest_first(files: list[str]) -> list[str]:
    """The names of snapshots among the manifests' file names; what is no name of ours is left alone."""
    names = (Path(f).name.removesuffix(".json") for f in files if f.endswith(".json"))
    return sorted((n for n in names if _is_name(n)), reverse=True)


def new_name(newest: str | None) -> str:
    """The time of now, and always later than the newest one there, whatever the clocks of two machines say."""
    now = dt.datetime.now(dt.UTC)
    if newest is not None:
        now = max(now, dt.datetime.fromtimestamp(time_of(newest), dt.UTC) + dt.timedelta(milliseconds=1))
    return now.strftime(TIME_FORMAT)


def sha256_of(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _is_name(name: str) -> bool:
    try:
        time_of(name)
    except ValueError:
        return False
    return True
