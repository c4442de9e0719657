"""Model versions as files: a zip archive out of the registry, and an archive or directory into it.

What comes in is not trusted: only the kinds of files that a model needs, no paths, no pickles, weights whole.
"""

from __future__ import annotations

import json
import shutil
import stat
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from annotator.models.registry import (
    MADE_BY,
    NotPossible,
    check_directory,
    directory_of,
    registry_lock,
    size_of,
)
from annotator.models.trial import try_model
from annotator.models.version_row import wrong_in
from annotator.settings import Settings
from storage.records import EvidenceError, ModelVersion, Reviewer, utc_now
from storage.store import Store

VERSION_FILE = "version.json"
SUFFIXES = frozenset({".json", ".safetensors", ".model", ".md", ".jinja", ".txt"})
MOST_FILES = 200
KEPT_FIELDS = ("parent", "base", "metrics", "config", "data_sha256", "examples", "note", "created_at")


class ArchiveInvalid(EvidenceError):
    """A file or directory that cannot be taken in as a model version; the text says why."""


def export_version(store: Store, settings: Settings, model_id: str, target: Path) -> Path:
    """Write the version with its registry row to the zip archive `target`. It holds ids of posts, but no text of any.

    Raises NotPossible for the bundled model and for one whose files are gone.
    """
    model = store.model(model_id)
    directory = directory_of(settings, model)
    if not directory.is_dir():
        raise NotPossible(f"The files of model {model_id} are gone.")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # weights do not compress
        for path in sorted(p for p in directory.iterdir() if p.suffix in SUFFIXES and p.name != MADE_BY):
            archive.write(path, path.name)
        archive.writestr(VERSION_FILE, row_to_json(model))
    return target


def row_to_json(model: ModelVersion) -> str:
    """The registry row as it leaves the project: without the name of who made the version, which not everybody here is told."""
    return json.dumps(asdict(model) | {"created_by": None}, ensure_ascii=False, indent=1)


def import_version(
    store: Store, settings: Settings, source: Path, *, by: Reviewer, origin: str | None = None
) -> ModelVersion:
    """Take a zip archive or a directory in as a new version, not in service, once it has loaded and predicted in a process of
    its own. Raises ArchiveInvalid, DirectoryBroken, TrialFailed.

    by: who brings it, as who made it. origin: where it came from, for the version's note; None: the name of the source.
    """
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".import-", dir=settings.models_dir))
    try:
        if source.is_dir():
            _copy_directory(source, temporary)
        else:
            _unpack(source, temporary, limit_bytes=shutil.disk_usage(settings.models_dir).free)
        check_directory(temporary)
        row = _row_of(temporary)
        try_model(temporary, settings)
        return _register(store, settings, temporary, row, by=by, source=origin or source.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _register(
    store: Store, settings: Settings, temporary: Path, row: dict[str, Any], *, by: Reviewer, source: str
) -> ModelVersion:
    with registry_lock(settings):
        version_id = store.next_model_id()
        target = settings.models_dir / version_id
        if target.exists():
            raise ArchiveInvalid(
                f"{target} exists already although no version of that name does. Move it away, then try again."
            )
        given = {name: row[name] for name in KEPT_FIELDS if row.get(name) is not None}
        origin = f"Imported from {source} at {utc_now()}"
        if row.get("id"):
            origin += f", where it was called {row['id']}"
        # its ids belong to another project: ours of the same name is another model
        given |= {"parent": None, "created_by": by.name, "note": f"{given.get('note', '')}\n{origin}".strip()}
        model = ModelVersion(id=version_id, path=version_id, size_bytes=size_of(temporary), **given)
        temporary.rename(target)
        try:
            store.add_model(model)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
    return store.model(version_id)


def _row_of(directory: Path) -> dict[str, Any]:
    """The registry row that came with the model, taken out of the directory; empty if there is none."""
    path = directory / VERSION_FILE
    if not path.exists():
        return {}
    try:
        row = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArchiveInvalid(f"{VERSION_FILE} in the archive cannot be read.") from error
    path.unlink()
    wrong = wrong_in(row)
    if wrong is not None:
        raise ArchiveInvalid(f"{VERSION_FILE} in the archive does not describe a model version: {wrong}.")
    row["config"] = {**(row.get("config") or {}), "data": {}}  # annotation ids of another project mean nothing here
    return row


def _copy_directory(source: Path, target: Path) -> None:
    _refuse_pickles([p.name for p in source.iterdir()])
    copy_model_files(source, target, follow_links=False)


def copy_model_files(source: Path, target: Path, *, follow_links: bool = True) -> None:
    """Copy the files of a model directory that a model needs, and no others. A download from the Hub consists of links."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        if path.suffix in SUFFIXES and path.is_file() and (follow_links or not path.is_symlink()):
            shutil.copyfile(path, target / path.name)


def _unpack(source: Path, target: Path, *, limit_bytes: int) -> None:
    """Unpack flat: a single folder around the files is taken off, anything deeper is refused."""
    try:
        with zipfile.ZipFile(source) as archive:
            entries = [e for e in archive.infolist() if not e.is_dir()]
            _check_entries(entries, limit_bytes)
            for entry in entries:
                name = Path(entry.filename).name
                with archive.open(entry) as packed, (target / name).open("wb") as out:
                    shutil.copyfileobj(packed, out, 1 << 20)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ArchiveInvalid(f"{source.name} is not a zip archive that can be read ({error}).") from error


def _check_entries(entries: list[zipfile.ZipInfo], limit_bytes: int) -> None:
    if not entries or len(entries) > MOST_FILES:
        raise ArchiveInvalid(f"The archive holds {len(entries)} files; a model has between 1 and {MOST_FILES}.")
    if sum(e.file_size for e in entries) > limit_bytes:
        raise ArchiveInvalid("The archive needs more room than the disk has.")
    folders = {str(Path(e.filename).parent) for e in entries}
    if len(folders) != 1 or any(".." in Path(e.filename).parts or e.filename.startswith("/") for e in entries):
        raise ArchiveInvalid("The archive must hold the files of one model directory and no others.")
    if any(stat.S_ISLNK(e.external_attr >> 16) for e in entries):
        raise ArchiveInvalid("The archive holds links.")
    _refuse_pickles([e.filename for e in entries])
    strange = sorted(e.filename for e in entries if Path(e.filename).suffix not in SUFFIXES)
    if strange:
        raise ArchiveInvalid(f"The archive holds {strange[0]!r}, which is no part of a model.")


def _refuse_pickles(names: list[str]) -> None:
    pickles = sorted(n for n in names if n.endswith((".bin", ".pt", ".pth", ".pkl", ".ckpt", ".pickle")))
    if pickles:
        raise ArchiveInvalid(f"{pickles[0]} may run code when it is loaded. Convert the weights to safetensors first.")
