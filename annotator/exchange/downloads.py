"""Exports made for download: written into the data directory's `exports/`, found again by an id that cannot be guessed.

Each lies in a folder of its own and goes after an hour.
"""

from __future__ import annotations

import re
import secrets
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from annotator.exchange.exporting import ExportRefused, export_file
from annotator.settings import Settings
from storage.exports import ExportFilter
from storage.files import is_over
from storage.formats.archive import add_file
from storage.formats.registry import writer_named
from storage.records import NotFound
from storage.store import Store
from storage.trouble import trouble_of

KEEP_SECONDS = 3600.0
_ID = re.compile(r"[A-Za-z0-9_-]{20,40}")


def exports_dir(settings: Settings) -> Path:
    return settings.data_dir / "exports"


def prepare_export(
    settings: Settings,
    store: Store,
    format_name: str,
    chosen: ExportFilter,
    *,
    license_name: str = "unknown",
    on_progress: Callable[[int], None] | None = None,
) -> tuple[str, dict[str, Any]]:
    """Write an export for download. Returns (its id in the address `/export/{id}`, its manifest).

    Raises StorageTrouble where the project's own disk refuses it: where that lies is nobody's business who asks from elsewhere.
    """
    remove_old_exports(settings)
    kind = writer_named(format_name)
    export_id = secrets.token_urlsafe(24)
    folder = exports_dir(settings) / export_id
    name = f"evidence-{kind.name}{kind.suffix or '.zip'}"
    try:
        manifest = export_file(
            store, kind.name, folder / name, chosen, license_name=license_name, on_progress=on_progress
        )
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if (
            isinstance(error, ExportRefused)
            and error.__cause__ is not None
            and (trouble := trouble_of(error.__cause__))
        ):
            raise trouble from error
        raise
    return export_id, manifest


def remove_old_exports(settings: Settings, *, older_than: float = KEEP_SECONDS) -> None:
    folder = exports_dir(settings)
    folder.mkdir(mode=0o700, exist_ok=True)
    for old in folder.iterdir():
        if is_over(old.stat().st_mtime, older_than):
            shutil.rmtree(old, ignore_errors=True)


def prepared_file(settings: Settings, export_id: str, *, manifest: bool) -> Path:
    folder = exports_dir(settings) / export_id
    if _ID.fullmatch(export_id) and folder.is_dir():
        files = sorted(folder.iterdir())
        own = [f for f in files if f.name.endswith("manifest.json")]
        data = [f for f in files if f not in own]
        if manifest and own:
            return own[0]
        if not manifest and data:
            return data[0] if len(data) == 1 else _bundle(folder, data)
    raise NotFound("This download is gone. Prepare the export again.")


def _bundle(folder: Path, files: list[Path]) -> Path:
    """Several files of one export (tasks with their labelling config) as one zip file, made once."""
    packed = folder / f"{files[0].stem.split('.')[0]}.zip"
    if packed not in files:
        with zipfile.ZipFile(packed, "w") as archive:
            for file in files:
                add_file(archive, file, file.name)
    return packed
