"""Downloads over HTTP: prepared exports, and the reports of imports. Behind the gate, with a role check.

Files lie in the data directory's `exports/`, each in a folder with a name that cannot be guessed, and go after an hour.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from annotator import exchange
from annotator.people.accounts import CURATORS, NotAllowed, allow
from annotator.settings import Settings
from annotator.web.gate import person_of
from storage.exports import ExportFilter
from storage.records import EvidenceError, NotFound
from storage.store import Store

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
    """Write an export for download. Returns (its id in the address `/export/{id}`, its manifest)."""
    remove_old_exports(settings)
    kind = exchange.format_named(format_name)
    export_id = secrets.token_urlsafe(24)
    folder = exports_dir(settings) / export_id
    name = f"evidence-{kind.name}{kind.suffix or '.zip'}"
    try:
        manifest = exchange.export_file(
            store, kind.name, folder / name, chosen, license_name=license_name, on_progress=on_progress
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return export_id, manifest


def remove_old_exports(settings: Settings, *, older_than: float = KEEP_SECONDS) -> None:
    folder = exports_dir(settings)
    folder.mkdir(mode=0o700, exist_ok=True)
    for old in folder.iterdir():
        if time.time() - old.stat().st_mtime > older_than:
            shutil.rmtree(old, ignore_errors=True)


def export_routes(settings: Settings, store: Store) -> list[Route]:
    """GET /export/{id}, /export/{id}/manifest, /imports/{number}/report."""

    def checked(handler: Callable[[Request], Response]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                allow(person_of(request), *CURATORS)
                return await asyncio.to_thread(handler, request)
            except NotAllowed as error:
                return JSONResponse({"error": str(error)}, status_code=403)
            except NotFound as error:
                return JSONResponse({"error": str(error)}, status_code=404)
            except EvidenceError as error:
                return JSONResponse({"error": str(error)}, status_code=400)

        return answer

    def prepared(request: Request) -> Response:
        return file_answer(prepared_file(settings, request.path_params["export_id"], manifest=False))

    def manifest(request: Request) -> Response:
        return file_answer(prepared_file(settings, request.path_params["export_id"], manifest=True))

    def report(request: Request) -> Response:
        number = int(request.path_params["number"])
        if not any(record["id"] == number for record in store.imports()):
            raise NotFound(f"There is no import {number}.")
        lines = _closing(exchange.report_lines(store, number), store)
        name = f'attachment; filename="import-{number}-report.csv"'
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers={"content-disposition": name})

    return [
        Route("/export/{export_id}", checked(prepared)),
        Route("/export/{export_id}/manifest", checked(manifest)),
        Route("/imports/{number:int}/report", checked(report)),
    ]


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
        import zipfile

        from storage.formats.archive import add_file

        with zipfile.ZipFile(packed, "w") as archive:
            for file in files:
                add_file(archive, file, file.name)
    return packed


def file_answer(path: Path, background: BackgroundTask | None = None) -> FileResponse:
    headers = {"cache-control": "no-store"}
    return FileResponse(path, filename=path.name, headers=headers, background=background)


def _closing(lines: Iterator[str], store: Store) -> Iterator[str]:
    """The lines; Starlette may draw each from another thread, which then gives its database connection back."""
    for line in lines:
        yield line
        store.close()
