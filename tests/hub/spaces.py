"""Routes of the stand-in Hub for the settings of Spaces: secrets, variables, hardware, volumes, runtime; and the making of buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hub.repos import SpaceSettings
from tests.hub.web import Request, Response, answer

if TYPE_CHECKING:
    from tests.hub.standin import StandIn

_SPACE = r"/api/spaces/([^/]+/[^/]+)"


class SpaceRoutes:
    def __init__(self, hub: StandIn) -> None:
        self.hub = hub

    def add(self) -> None:
        route = self.hub.route
        for method in ("GET", "POST", "DELETE"):
            route(method, f"{_SPACE}/secrets", self._secrets)
            route(method, f"{_SPACE}/variables", self._variables)
        route("GET", f"{_SPACE}/runtime", lambda r: answer(self._read(r).runtime()))
        route("POST", f"{_SPACE}/hardware", self._hardware)
        route("PUT", f"{_SPACE}/volumes", self._volumes)
        route("DELETE", f"{_SPACE}/volumes", self._volumes)
        route("POST", f"{_SPACE}/restart", self._restart)
        route("POST", f"{_SPACE}/pause", self._pause)
        route("POST", "/api/buckets/([^/]+/[^/]+)", self._make_bucket)

    def _read(self, request: Request) -> SpaceSettings:
        return self.hub.readable(request, "space", request.groups[0]).space

    def _write(self, request: Request) -> SpaceSettings:
        return self.hub.writable(request, "space", request.groups[0]).space

    def _secrets(self, request: Request) -> Response:
        space = self._write(request)
        self._change(request, space.secrets)
        return answer({key: {"key": key} for key in space.secrets})

    def _variables(self, request: Request) -> Response:
        space = self._read(request) if request.method == "GET" else self._write(request)
        self._change(request, space.variables)
        return answer({key: {"key": key, "value": value} for key, value in space.variables.items()})

    @staticmethod
    def _change(request: Request, values: dict[str, str]) -> None:
        given = request.json()
        if request.method == "POST":
            values[given["key"]] = given["value"]
        elif request.method == "DELETE":
            values.pop(given["key"], None)

    def _hardware(self, request: Request) -> Response:
        space, given = self._write(request), request.json()
        space.hardware = given["flavor"]
        space.sleep_seconds = given.get("sleepTimeSeconds", space.sleep_seconds)
        return answer(space.runtime())

    def _volumes(self, request: Request) -> Response:
        space = self._write(request)
        space.volumes = request.json()["volumes"] if request.method == "PUT" else []
        return answer(space.runtime())

    def _restart(self, request: Request) -> Response:
        space = self._write(request)
        space.restarts += 1
        return answer(space.runtime())

    def _pause(self, request: Request) -> Response:
        space = self._write(request)
        space.stage = "PAUSED"
        return answer(space.runtime())

    def _make_bucket(self, request: Request) -> Response:
        self.hub.signed_in(request)
        id = request.groups[0]
        status = 409 if id in self.hub.buckets else 200
        self.hub.buckets.setdefault(id, request.json().get("visibility") == "private")
        return answer({"url": f"{self.hub.endpoint}/buckets/{id}"}, status)
