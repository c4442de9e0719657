"""Downloads over HTTP: prepared exports, and the reports of imports. Behind the gate, with a role check."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from annotator.exchange.downloads import prepared_file
from annotator.exchange.use_cases import report_lines
from annotator.people.accounts import CURATORS, allow
from annotator.problems import problem_of
from annotator.settings import Settings
from annotator.web.gate import person_of
from storage.records import NotFound
from storage.store import Store


def export_routes(settings: Settings, store: Store) -> list[Route]:
    """GET /export/{id}, /export/{id}/manifest, /imports/{number}/report."""

    def checked(handler: Callable[[Request], Response]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                allow(person_of(request), *CURATORS)
                return await asyncio.to_thread(handler, request)
            except Exception as error:
                problem = problem_of(error)
                return JSONResponse({"error": problem.message}, status_code=problem.status, headers=problem.headers())

        return answer

    def prepared(request: Request) -> Response:
        return file_answer(prepared_file(settings, request.path_params["export_id"], manifest=False))

    def manifest(request: Request) -> Response:
        return file_answer(prepared_file(settings, request.path_params["export_id"], manifest=True))

    def report(request: Request) -> Response:
        number = int(request.path_params["number"])
        if not any(record["id"] == number for record in store.imports()):
            raise NotFound(f"There is no import {number}.")
        lines = _closing(report_lines(store, number), store)
        name = f'attachment; filename="import-{number}-report.csv"'
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers={"content-disposition": name})

    return [
        Route("/export/{export_id}", checked(prepared)),
        Route("/export/{export_id}/manifest", checked(manifest)),
        Route("/imports/{number:int}/report", checked(report)),
    ]


def file_answer(path: Path, background: BackgroundTask | None = None) -> FileResponse:
    headers = {"cache-control": "no-store"}
    return FileResponse(path, filename=path.name, headers=headers, background=background)


def _closing(lines: Iterator[str], store: Store) -> Iterator[str]:
    """The lines; Starlette may draw each from another thread, which then gives its database connection back."""
    for line in lines:
        yield line
        store.close()
