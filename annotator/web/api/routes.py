"""The API over plain HTTP: `/api/v1/{endpoint}`, JSON in and out, errors as {"error": {"code", "message"}}. Behind the gate.

A thin adapter: what an endpoint does, and who may call it, is in `annotator.web.api.endpoints`.
"""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from annotator.exchange.downloads import prepared_file
from annotator.people.accounts import CURATORS, allow
from annotator.problems import Problem, problem_of
from annotator.web.api.endpoints import Api
from annotator.web.export_routes import file_answer
from annotator.web.gate import address_of, person_of
from storage.records import InvalidRecord

LARGEST_BODY_BYTES = 1_000_000
CALLS_AT_ONCE = 16
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
NO_STORE = {"cache-control": "no-store"}
Answer = Callable[[Request], Awaitable[Response]]


class Refused(Exception):
    """A request that no endpoint is asked about."""

    def __init__(self, problem: Problem, headers: dict[str, str] | None = None) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.headers = headers or {}


def api_routes(api: Api) -> list[Route]:
    """GET /api/v1 (what there is), /api/v1/{endpoint}, GET /api/v1/exports/{id}; a clear 404 for the rest of /api/."""

    threads = ThreadPoolExecutor(CALLS_AT_ONCE, "api")  # calls that wait must not hold up signing in and /healthz

    async def overview(request: Request) -> Response:
        allow(person_of(request))
        return JSONResponse(api.describe())

    async def endpoint(request: Request) -> Response:
        known = api.endpoint(request.path_params["name"])
        if request.method != known.method:
            problem = Problem(405, "method_not_allowed", f"Use {known.method} for {known.name}.")
            raise Refused(problem, {"allow": known.method})
        given = await _body(request) if known.method == "POST" else _query(request)
        call = functools.partial(api.call, known.name, person_of(request), given, address=address_of(request))
        answer = await asyncio.get_running_loop().run_in_executor(threads, call)
        if "export_id" in answer:
            return await asyncio.to_thread(_export, api, answer["export_id"])
        return JSONResponse(answer, headers=NO_STORE)

    async def exported(request: Request) -> Response:
        allow(person_of(request), *CURATORS)
        export_id = request.path_params["export_id"]
        path = await asyncio.to_thread(prepared_file, api.project.settings, export_id, manifest=False)
        return file_answer(path)

    async def nothing(request: Request) -> Response:
        problem = Problem(404, "not_found", "There is nothing at this address. GET /api/v1 lists the endpoints.")
        return _problem_answer(problem)

    return [
        Route("/api/v1", _told(overview), methods=["GET"]),
        Route("/api/v1/exports/{export_id}", _told(exported), methods=["GET"]),
        Route("/api/v1/{name}", _told(endpoint), methods=METHODS),
        Route("/api/{rest:path}", nothing, methods=METHODS),
    ]


def _told(answer: Answer) -> Answer:
    """The answer, or what went wrong in the API's own form."""

    async def told(request: Request) -> Response:
        try:
            return await answer(request)
        except Refused as refused:
            return _problem_answer(refused.problem, refused.headers)
        except Exception as error:
            return _problem_answer(problem_of(error))

    return told


def _problem_answer(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    shown = {**NO_STORE, **problem.headers(), **(headers or {})}
    return JSONResponse(problem.to_dict(), status_code=problem.status, headers=shown)


def _query(request: Request) -> dict[str, Any]:
    """The arguments of the address; one that is named several times is a list."""
    values = {name: request.query_params.getlist(name) for name in request.query_params}
    return {name: given[0] if len(given) == 1 else given for name, given in values.items()}


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises Refused, InvalidRecord."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(Problem(415, "unsupported_media_type", "Send a JSON object with content-type application/json."))
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            raise Refused(Problem(413, "too_large", f"At most {LARGEST_BODY_BYTES:,} bytes can be sent at once."))
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRecord("The body is not JSON.") from error
    if not isinstance(given, dict):
        raise InvalidRecord("The body must be a JSON object with the arguments.")
    return given


def _export(api: Api, export_id: str) -> FileResponse:
    """The file of an export, which goes once it was sent."""
    path = prepared_file(api.project.settings, export_id, manifest=False)
    return file_answer(path, BackgroundTask(shutil.rmtree, path.parent, ignore_errors=True))
