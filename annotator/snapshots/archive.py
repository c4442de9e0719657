"""Snapshots of a whole project at another place: the database with every decision and account, and the registered models.

At the place lie `snapshots/<time>.json` (the manifests), `databases/<time>.db.gz` and `blobs/<hash>` (the models' files, by
content, so that each is uploaded once). A manifest is published last, with the hash of everything it names: what has no
manifest does not count, and what does not fit its manifest is refused.
"""

from __future__ import annotations

import gzip
import logging
import secrets
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotator.settings import Settings
from annotator.snapshots.manifest import (
    BLOBS,
    DATABASES,
    MANIFESTS,
    KeyWrong,
    Manifest,
    NotOurs,
    SnapshotDamaged,
    new_name,
    newest_first,
    sha256_of,
    time_of,
)
from annotator.snapshots.seal import SealBroken, Sealer
from annotator.snapshots.targets import FileMissing, Target, TargetUnavailable
from storage.backup import BackupInvalid, copy_database, describe, restore, verify
from storage.connection import DATABASE_NAME
from storage.records import StoreUnavailable
from storage.store import Store

log = logging.getLogger(__name__)

PROJECT_ID = "project_id"
FOLDER_PREFIX = ".snapshot-"
READ_BYTES = 1 << 20
FOLDER_KEPT_SECONDS = 86_400.0


@dataclass(frozen=True)
class Restored:
    """refused: why newer snapshots were passed over. missing: models whose files could not be brought back."""

    manifest: Manifest
    refused: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Snapshots:
    """The snapshots of one project at one place. `passphrase` None: unencrypted. Not for use by two threads at once."""

    def __init__(self, target: Target, settings: Settings, *, passphrase: str | None) -> None:
        self.target, self._settings, self._passphrase = target, settings, passphrase
        self._sealer: Sealer | None = None
        self._hashes: dict[tuple[str, int, int], str] = {}  # (path, size, mtime in ns) -> sha256
        self._manifests: dict[str, Manifest] = {}  # read before; they never change

    def names(self) -> list[str]:
        """Newest first, damaged ones too."""
        return newest_first(self.target.names(MANIFESTS))

    def newest_time(self) -> float | None:
        """When the newest one was taken, in Unix seconds."""
        return next((time_of(name) for name in self.names()), None)

    def manifests(self) -> list[Manifest]:
        """The manifests that can be read, newest first."""
        return self._readable(self.names())

    # --- writing

    def write(self, store: Store, *, reason: str, keep: int) -> Manifest:
        """Take a snapshot and publish it, then remove older ones beyond `keep`.

        Raises NotOurs, KeyWrong, StoreUnavailable, BackupInvalid, TargetUnavailable.
        """
        project, names = project_id(store), self.names()
        earlier = self._readable(names)
        self._check_mine(earlier, project)
        with self._folder() as folder:
            copy = folder / "evidence.db"
            copy_database(store, copy)
            about = describe(copy)
            known = set(self.target.names(BLOBS))
            models = {m["id"]: self._publish_model(m, known, folder) for m in about["models"] if self._is_own(m)}
            sealer = self._sealer
            manifest = Manifest(
                name=new_name(names[0] if names else None),
                reason=reason,
                project=project,
                schema=about["schema"],
                counts={**about["counts"], "models": len(models)},
                database={"sha256": sha256_of(copy), "size": copy.stat().st_size},
                models=models,
                active=about["active"],
                key=None if sealer is None else {"salt": sealer.salt.hex(), "check": sealer.check},
            ).signed(sealer)
            self._publish(manifest, copy, folder)
        self._manifests[manifest.name] = manifest
        self._prune([manifest.name, *names], [manifest, *earlier], max(1, keep))
        return manifest

    def _check_mine(self, earlier: Sequence[Manifest], project: str) -> None:
        """Never mix two projects, nor put plain snapshots beside encrypted ones; a changed key begins with a new salt."""
        if earlier and earlier[0].project != project:
            raise NotOurs(
                f"{self.target} holds the snapshots of another project. Name another place (EVIDENCE_SNAPSHOT_TO)."
            )
        if self._passphrase is None:
            if earlier and earlier[0].key is not None:
                raise KeyWrong(f"The snapshots in {self.target} are encrypted. Set EVIDENCE_SNAPSHOT_KEY.")
        elif self._sealer is None:
            try:
                self._sealer = earlier[0].sealer(self._passphrase) if earlier else None
            except KeyWrong:
                log.warning("The snapshots so far are encrypted with another key; from now on this one is used.")
            self._sealer = self._sealer or Sealer.fresh(self._passphrase)

    def _is_own(self, model: dict[str, str]) -> bool:
        """Whether the model's files belong to the project, not to the program, another directory or the Hub."""
        return is_plain_name(model["path"]) and (self._settings.models_dir / model["path"]).is_dir()

    def _publish_model(self, model: dict[str, str], known: set[str], folder: Path) -> dict[str, Any]:
        """Upload what is not there yet of the model's files. Returns the manifest's entry."""
        directory = self._settings.models_dir / model["path"]
        entries, new = [], dict[str, Path]()
        for path in sorted(p for p in directory.rglob("*") if p.is_file()):
            sha256 = self._hash(path)
            blob = f"{BLOBS}/{sha256 if self._sealer is None else self._sealer.tag(sha256.encode())}"
            name = path.relative_to(directory).as_posix()
            entries.append({"name": name, "sha256": sha256, "size": path.stat().st_size, "blob": blob})
            if blob not in known:
                new[blob] = self._sealed(path, folder / Path(blob).name)
        if new:
            self.target.publish(new, message=f"Model {model['id']}")
            known.update(new)
        for path in new.values():
            if path.parent == folder:
                path.unlink()
        return {"path": model["path"], "files": entries}

    def _publish(self, manifest: Manifest, copy: Path, folder: Path) -> None:
        packed, listing = folder / "packed", folder / "manifest.json"
        with copy.open("rb") as plain, gzip.open(packed, "wb", compresslevel=1) as out:
            shutil.copyfileobj(plain, out, READ_BYTES)
        listing.write_bytes(manifest.to_bytes())
        files = {
            manifest.database_name: self._sealed(packed, folder / "sealed"),
            f"{MANIFESTS}/{manifest.name}.json": listing,
        }
        self.target.publish(files, message=f"Snapshot {manifest.name}: {manifest.reason}")

    def _sealed(self, plain: Path, to: Path) -> Path:
        """The file to publish: encrypted at `to` if there is a key, else the plain one."""
        if self._sealer is None:
            return plain
        with plain.open("rb") as source, to.open("wb") as out:
            self._sealer.seal(source, out)
        return to

    def _prune(self, names: Sequence[str], readable: Sequence[Manifest], keep: int) -> None:
        """Remove all but the newest, and the models' files that only they needed. A failure costs room, no more."""
        old = set(names[keep:])
        needed = {blob for m in readable if m.name not in old for blob in m.blobs}
        unneeded = {blob for m in readable if m.name in old for blob in m.blobs} - needed
        gone = [f"{MANIFESTS}/{name}.json" for name in sorted(old)]
        gone += [f"{DATABASES}/{name}.db.gz{suffix}" for name in sorted(old) for suffix in ("", ".enc")]
        try:
            if old:
                self.target.remove([*gone, *sorted(unneeded)])
        except TargetUnavailable as error:
            log.warning("Older snapshots stay where they are: %s", error)

    def _hash(self, path: Path) -> str:
        stat = path.stat()
        key = (str(path), stat.st_size, stat.st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = sha256_of(path)
        return self._hashes[key]

    # --- reading

    def restore_newest(self, *, overwrite: bool = False, name: str | None = None) -> Restored | None:
        """Put the newest whole snapshot (or the one called `name`) in place as the project. None if there is none at all.

        Damaged ones are passed over; one that another key or a newer release wrote stops everything, because going back
        behind it would lose what it holds. Raises SnapshotRefused, TargetUnavailable, StoreUnavailable.
        """
        if has_database(self._settings) and not overwrite:
            raise StoreUnavailable(f"There is a project in {self._settings.data_dir} already; it is never overwritten.")
        names = [n for n in self.names() if name in (None, n)]
        refused: list[str] = []
        for each in names:
            try:
                manifest, missing = self._restore(each, overwrite=overwrite)
            except SnapshotDamaged as error:
                refused.append(str(error))
                log.warning("%s The one before it is tried.", error)
            else:
                return Restored(manifest, refused, missing)
        if names:
            raise SnapshotDamaged(
                f"None of the {len(names)} snapshots in {self.target} is whole, so nothing was restored and nothing begun."
                f" The newest: {refused[0]} To begin anew, name another place (EVIDENCE_SNAPSHOT_TO)."
            )
        if name is not None:
            raise SnapshotDamaged(f"There is no snapshot {name} in {self.target}.")
        return None

    def _restore(self, name: str, *, overwrite: bool) -> tuple[Manifest, list[str]]:
        manifest = self._read(name)
        sealer = manifest.sealer(self._passphrase)
        manifest.check(sealer)
        with self._folder() as folder:
            packed = self._fetched(manifest.database_name, folder / "packed", sealer)
            database = folder / "evidence.db"
            try:
                with gzip.open(packed) as source, database.open("wb") as out:
                    shutil.copyfileobj(source, out, READ_BYTES)
                verify(database)
            except (gzip.BadGzipFile, EOFError, zlib.error, BackupInvalid) as error:
                raise SnapshotDamaged(f"Snapshot {name}: the database cannot be read ({error}).") from error
            if sha256_of(database) != manifest.database["sha256"]:
                raise SnapshotDamaged(f"Snapshot {name}: the database is not the one that was saved.")
            missing = [i for i, m in manifest.models.items() if not self._restore_model(i, m, sealer, folder)]
            restore(database, self._settings.data_dir, overwrite=overwrite)  # last: only then there is a project
        return manifest, missing

    def _restore_model(self, model_id: str, model: dict[str, Any], sealer: Sealer | None, folder: Path) -> bool:
        """Bring the model's directory back. False if a file is gone or damaged: the decisions count for more."""
        if not is_plain_name(model["path"]):
            raise SnapshotDamaged(f"The manifest names a directory outside the project: {model['path']}.")
        temporary, target = folder / "model", self._settings.models_dir / model["path"]
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            for entry in model["files"]:
                path = temporary / entry["name"]
                if not path.resolve().is_relative_to(temporary.resolve()):
                    raise SnapshotDamaged(f"{entry['name']} lies outside its directory.")
                path.parent.mkdir(parents=True, exist_ok=True)
                self._fetched(entry["blob"], path, sealer)
                if sha256_of(path) != entry["sha256"]:
                    raise SnapshotDamaged(f"{entry['name']} is not the file that was saved.")
        except SnapshotDamaged as error:
            log.warning("The files of model %s could not be restored: %s", model_id, error)
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.replace(target.with_name(f".{target.name}.before-restore-{secrets.token_hex(4)}"))
        temporary.replace(target)
        return True

    def _fetched(self, name: str, to: Path, sealer: Sealer | None) -> Path:
        """The plain file of that name. Raises SnapshotDamaged."""
        stored = to.with_name(to.name + ".stored")
        try:
            self.target.fetch(name, stored)
            if sealer is None:
                return stored.replace(to)
            with stored.open("rb") as source, to.open("wb") as out:
                sealer.unseal(source, out)
        except (FileMissing, SealBroken) as error:
            raise SnapshotDamaged(f"{name}: {error}") from error
        finally:
            stored.unlink(missing_ok=True)
        return to

    def _readable(self, names: Sequence[str]) -> list[Manifest]:
        found = []
        for name in names:
            try:
                found.append(self._read(name))
            except SnapshotDamaged as error:
                log.warning("%s", error)
        return found

    def _read(self, name: str) -> Manifest:
        """Raises SnapshotDamaged."""
        if name not in self._manifests:
            with self._folder() as folder:
                path = folder / "manifest.json"
                try:
                    self.target.fetch(f"{MANIFESTS}/{name}.json", path)
                except FileMissing as error:
                    raise SnapshotDamaged(f"Snapshot {name}: {error}") from error
                self._manifests[name] = Manifest.from_bytes(name, path.read_bytes())
        return self._manifests[name]

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Room for temporary files on the project's own disk, where the page never serves a file from."""
        parent = self._settings.backups_dir
        try:
            parent.mkdir(parents=True, exist_ok=True)
            for left in parent.glob(f"{FOLDER_PREFIX}*"):  # by a process that was killed
                if time.time() - left.stat().st_mtime > FOLDER_KEPT_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, dir=parent) as folder:
                yield Path(folder)
        except OSError as error:
            raise StoreUnavailable(f"No room for a snapshot in {parent}: {error.strerror or error}.") from error


def has_database(settings: Settings) -> bool:
    return (settings.data_dir / DATABASE_NAME).exists()


def project_id(store: Store) -> str:
    """A random name of the project, made once; it tells its snapshots from those of others."""
    found = store.setting(PROJECT_ID)
    if found is None:
        with store.write():
            found = store.setting(PROJECT_ID) or secrets.token_hex(16)
            store.set_setting(PROJECT_ID, found)
    return str(found)


def is_plain_name(path: str) -> bool:
    """Whether it names an entry of a directory, and nothing above or below it."""
    return Path(path).name == path and not path.startswith(".") and bool(path)
