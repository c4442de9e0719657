"""How much may be sent, and how slowly: a limit for every path, before any route reads a byte.

A length that is announced is refused at once; what comes without one is counted. Whoever sends nothing for a while, or takes too
long for all of it, is told so and the connection is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from annotator.settings import Settings

FORM_BYTES = 64 * 1024
API_BYTES = 1_000_000 + 1024
CALL_BYTES = 16 * 2**20
"""Rows that are pasted on the Data page are the largest that a page sends."""
DEMO_BYTES = 2**20
ENVELOPE_BYTES = 64 * 1024  # what multipart puts around a file
UPLOAD_PATH = "/gradio_api/upload"
IDLE_SECONDS = 20.0
CALL_SECONDS = 60.0
UPLOAD_SECONDS = 3600.0
LINGER_SECONDS = 2.0
LINGER_BYTES = 32 * 2**20
Scope = MutableMapping[str, Any]


class BodyRefused(Exception):
    """A body that is too large (413), comes too slowly (408) or has no length where one is needed (411)."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Bodies:
    """ASGI middleware. `idle_seconds` and `call_seconds` may be shorter in tests."""

    def __init__(
        self, app: Any, *, settings: Settings, idle_seconds: float = IDLE_SECONDS, call_seconds: float = CALL_SECONDS
    ) -> None:
        self._app, self._settings = app, settings
        self._idle_seconds, self._call_seconds = idle_seconds, call_seconds

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, receive)
        try:
            most = largest_body(scope["path"], self._settings)
            refuse_announced(scope, most)
            seconds = UPLOAD_SECONDS if scope["path"] == UPLOAD_PATH else self._call_seconds
            body = _Body(receive, most, self._idle_seconds, seconds)
            answer.watch(body)
            await self._app(scope, body.receive, answer.send)
        except BodyRefused as refused:
            await answer.refuse(refused)


def largest_body(path: str, settings: Settings) -> int:
    """How many bytes may be sent to that path."""
    if path == UPLOAD_PATH and not settings.demo:
        return settings.max_upload_mb * 2**20 + ENVELOPE_BYTES
    if settings.demo:
        return DEMO_BYTES
    if path.startswith(("/api/", "/ask/")):
        return API_BYTES
    return CALL_BYTES if path.startswith("/gradio_api/") else FORM_BYTES


def refuse_announced(scope: Scope, most: int) -> None:
    """Raise BodyRefused for a length that is too large or cannot be read."""
    lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
    if not lengths:
        return
    if len(set(lengths)) > 1 or not lengths[0].isdigit():
        raise BodyRefused(400, "The length of the request (Content-Length) cannot be read.")
    if int(lengths[0]) > most:
        raise BodyRefused(413, too_large(most))


def too_large(most: int) -> str:
    size = f"{most / 2**20:.0f} MB" if most >= 2**20 else f"{most // 1024} kB"
    return f"This is too large: at most {size} can be sent here."


class _Body:
    """Counts what comes and how long it takes; afterwards, waiting for the browser to leave has no limit."""

    def __init__(self, receive: Any, most: int, idle_seconds: float, seconds: float) -> None:
        self._receive, self._most, self._idle_seconds = receive, most, idle_seconds
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._came, self._whole = 0, False
        self.refused: BodyRefused | None = None

    async def receive(self) -> Any:
        if self._whole:
            return await self._receive()
        left = self._deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(0.0, min(self._idle_seconds, left))):  # without a task of its own
                message = await self._receive()
        except TimeoutError:
            raise self._refuse(408, "The request did not arrive in time. Try again.") from None
        self._came += len(message.get("body", b""))
        self._whole = message["type"] != "http.request" or not message.get("more_body", False)
        if self._came > self._most:
            raise self._refuse(413, too_large(self._most))
        return message

    def _refuse(self, status: int, text: str) -> BodyRefused:
        self.refused, self._whole = BodyRefused(status, text), True
        return self.refused


class _Answer:
    """Sends the refusal in place of what a route makes of a body that did not come whole."""

    def __init__(self, send: Any, receive: Any) -> None:
        self._send, self._receive = send, receive
        self._body: _Body | None = None
        self._started = self._refused = False

    def watch(self, body: _Body) -> None:
        self._body = body

    async def send(self, message: Any) -> None:
        refused = None if self._body is None else self._body.refused
        if refused is not None and not self._started:
            await self.refuse(refused)
        if self._refused:
            return
        self._started = self._started or message["type"] == "http.response.start"
        await self._send(message)

    async def refuse(self, refused: BodyRefused) -> None:
        if self._started or self._refused:
            return
        self._refused = True
        text = refused.text.encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
        headers += [(b"connection", b"close"), (b"x-content-type-options", b"nosniff")]
        await self._send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": text, "more_body": True})
        if refused.status != 408:
            await _linger(self._receive)
        await self._send({"type": "http.response.body", "body": b""})


async def _linger(receive: Any) -> None:
    """Let go of what is still coming for a moment: whose connection is closed while they send never sees the answer."""
    until, left = asyncio.get_running_loop().time() + LINGER_SECONDS, LINGER_BYTES
    while left > 0:
        try:
            message = await asyncio.wait_for(receive(), max(0.0, until - asyncio.get_running_loop().time()))
        except TimeoutError:
            return
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
        left -= len(message.get("body", b""))
