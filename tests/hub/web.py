"""The HTTP side of the stand-in Hub: requests, answers, a table of routes, and failures on demand. Knows nothing of repositories.

One thread per connection, so that a slow or cut answer holds nobody else up. Standard library only.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """One request. groups: what the route's pattern captured, unquoted."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    groups: tuple[str, ...] = ()

    @property
    def token(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" and token else None

    def json(self) -> Any:
        return json.loads(self.body or b"{}")

    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Response:
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(value: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer; underscores in header names stand for hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(json.dumps(value).encode(), status, {"Content-Type": "application/json", **named})


def refuse(status: int, message: str, code: str | None = None, **headers: str) -> Response:
    """An error as the Hub words it: its reason in X-Error-Message, its kind in X-Error-Code."""
    if code is not None:
        headers["X_Error_Code"] = code
    return answer({"error": message}, status, X_Error_Message=message, **headers)


class Refused(Exception):
    """Raised by a route to answer with an error."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


Handler = Callable[[Request], Response]


@dataclass
class Failure:
    """What goes wrong with the next `left` requests that match. response None: the connection is cut.

    cut_after: bytes of the body that still arrive, of the real answer where `processed`, which has then taken effect.
    """

    method: str
    pattern: re.Pattern[str]
    left: int
    response: Response | None = None
    cut_after: int = 0
    processed: bool = False

    def matches(self, request: Request) -> bool:
        return self.left > 0 and self.method in ("*", request.method) and bool(self.pattern.search(request.path))


@dataclass(frozen=True)
class Call:
    """A request that came in, and how it was answered. status 0: the connection was cut."""

    method: str
    path: str
    status: int
    token: str | None
    body: bytes = b""


class WebServer:
    """A server on a free loopback port with a table of routes; the first pattern that matches answers."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        self._failures: list[Failure] = []
        self._lock = threading.Lock()
        served = self

        class Connection(_Connection):
            web = served

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Connection)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def route(self, method: str, pattern: str, handler: Handler) -> None:
        """Answer `method` on paths that match the pattern as a whole; its groups reach the handler unquoted."""
        self._routes.append((method, re.compile(pattern), handler))

    def fail(
        self, method: str, pattern: str, status: int, *, message: str = "", code: str | None = None, times: int = 1,
        **headers: str,
    ) -> None:  # fmt: skip
        """Answer the next `times` matching requests with the status. `Retry_After="0"` and the like are headers."""
        response = refuse(status, message or f"Refused with {status} as asked", code, **headers)
        self._failures.append(Failure(method, re.compile(pattern), times, response))

    def cut(self, method: str, pattern: str, *, after_bytes: int = 0, times: int = 1, processed: bool = False) -> None:
        """Cut the connection of the next `times` matching requests: before any answer, or in the middle of its body.

        processed: the request takes effect first, so that only its answer is lost. after_bytes needs it.
        """
        processed = processed or after_bytes > 0
        self._failures.append(Failure(method, re.compile(pattern), times, None, after_bytes, processed))

    def count(self, method: str, pattern: str) -> int:
        return sum(c.method == method and bool(re.search(pattern, c.path)) for c in self.calls)

    def handle(self, request: Request) -> tuple[Response, int | None]:
        """(answer, bytes after which the connection is cut or None); -1: cut before any answer."""
        failure = self._next_failure(request)
        if failure is not None and failure.response is not None:
            self._log(request, failure.response.status)
            return failure.response, None
        if failure is not None and not failure.processed:
            self._log(request, 0)
            return Response(), -1
        response = self._routed(request)
        self._log(request, response.status if failure is None else 0)
        return response, None if failure is None else failure.cut_after or -1

    def _routed(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        for wanted, pattern, handler in self._routes:
            found = pattern.fullmatch(request.path)
            if found and wanted == method:
                groups = tuple(unquote(g or "") for g in found.groups())
                try:
                    return handler(Request(**{**vars(request), "groups": groups}))
                except Refused as refused:
                    return refused.response
        return refuse(404, f"The stand-in has no route {request.method} {request.path}")

    def _next_failure(self, request: Request) -> Failure | None:
        with self._lock:
            failure = next((f for f in self._failures if f.matches(request)), None)
            if failure is not None:
                failure.left -= 1
            return failure

    def _log(self, request: Request, status: int) -> None:
        self.calls.append(Call(request.method, request.path, status, request.token, request.body[:100_000]))


class _Connection(BaseHTTPRequestHandler):
    """One connection, kept alive between requests."""

    web: ClassVar[WebServer]
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        response, cut_after = self.web.handle(Request(self.command, parts.path, query, headers, self._body()))
        if cut_after == -1:
            self._hang_up()
            return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in response.headers:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body if cut_after is None else response.body[:cut_after])
        if cut_after is not None:
            self._hang_up()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 - the base class's names

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept in `calls` instead of being printed."""
