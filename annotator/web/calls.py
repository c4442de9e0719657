"""What a page's call may name: its role, its files, its session. Looked at before Gradio reads the arguments.

Gradio fetches an address and copies a file that an argument names before any handler runs. So a call is read here first: the person
must have the listener's role, and a file must be one that they sent themselves; an address is no file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import OrderedDict
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qs

from annotator.web.body_json import json_of
from annotator.web.paths import MCP_PREFIX
from annotator.web.permissions import Permissions
from annotator.web.uploads import UploadRefused, Uploads
from storage.records import Reviewer

PERSON = "evidence.person"
UPLOAD_PATH = "/gradio_api/upload"
FILE_PREFIX = "/gradio_api/file="
COMPONENT_PATHS = ("/gradio_api/component_server", "/gradio_api/component_server/")
CANCEL_PATH = "/gradio_api/cancel"
CALL_PATHS = ("/gradio_api/queue/join", *COMPONENT_PATHS, CANCEL_PATH)
EVENT_PREFIX = "/gradio_api/call/"
CALL_PREFIXES = (EVENT_PREFIX, "/gradio_api/run/")
SESSION_PATHS = ("/gradio_api/queue/data",)
HEARTBEAT_PREFIX = "/gradio_api/heartbeat/"
REMEMBERED_SESSIONS = 20_000
NOT_YOURS = "This file was not sent from this page, or is gone. Choose it again."
Scope = MutableMapping[str, Any]


class CallRefused(Exception):
    """A call that is not made; `text` says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Calls:
    """ASGI middleware behind the gate, in front of Gradio."""

    def __init__(self, app: Any, *, permissions: Permissions, uploads: Uploads) -> None:
        self._app, self._permissions, self._uploads = app, permissions, uploads
        self._sessions: OrderedDict[str, str] = OrderedDict()
        self._events: OrderedDict[str, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        person = scope.get(PERSON) if scope["type"] == "http" else None
        if person is None:
            await self._app(scope, receive, send)
            return
        try:
            await self._checked(scope, receive, send, person)
        except CallRefused as refused:
            await _answer(send, refused.status, refused.text)

    async def _checked(self, scope: Scope, receive: Any, send: Any, person: Reviewer) -> None:
        path = scope["path"]
        if path == UPLOAD_PATH:
            await self._upload(scope, receive, send, person)
            return
        self._check_path(scope, path, person)
        if scope["method"] == "POST" and (path in CALL_PATHS or path.startswith((*CALL_PREFIXES, MCP_PREFIX))):
            receive = await self._read_call(scope, receive, person)
            if path.startswith(EVENT_PREFIX):
                await self._begin_event(scope, receive, send, person)
                return
        await self._app(scope, receive, send)

    def _check_path(self, scope: Scope, path: str, person: Reviewer) -> None:
        """Raise CallRefused where the address names a file, a session or an event of somebody else."""
        if path.startswith(FILE_PREFIX):
            if not self._uploads.is_own(person.name, path.removeprefix(FILE_PREFIX)):
                raise CallRefused(403, NOT_YOURS)
            # Gradio fails at several ranges; whole files are all that a page asks for
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name.lower() != b"range"]
        if path in SESSION_PATHS:
            named = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [])
            self._own_session(person, named[0] if len(named) == 1 else None)  # of two, Gradio would take the other
        if path.startswith(HEARTBEAT_PREFIX):
            self._own_session(person, path.removeprefix(HEARTBEAT_PREFIX))
        asks_for_event = path.startswith(EVENT_PREFIX) and scope["method"] != "POST"
        if asks_for_event and self._events.get(path.rpartition("/")[2]) != person.name:
            raise CallRefused(404, "There is no such call of yours.")

    async def _begin_event(self, scope: Scope, receive: Any, send: Any, person: Reviewer) -> None:
        """Note whose call it is before its number is told: who has the number could read what it gives."""
        answer = _HeldAnswer(send)
        await self._app(scope, receive, answer.send)
        told = answer.value()
        if isinstance(told, dict) and isinstance(told.get("event_id"), str):
            self._events[told["event_id"]] = person.name
            while len(self._events) > REMEMBERED_SESSIONS:
                self._events.popitem(last=False)
        await answer.release()

    async def _read_call(self, scope: Scope, receive: Any, person: Reviewer) -> Any:
        """The call's body once it was looked at, as what the application receives."""
        kinds = [value for name, value in scope["headers"] if name.lower() == b"content-type"]
        if len(kinds) != 1 or kinds[0].partition(b";")[0].strip().lower() != b"application/json":
            raise CallRefused(415, "Send a JSON object with content-type application/json.")
        body = await _whole(receive)
        try:
            call = json_of(body)
        except (ValueError, RecursionError):
            raise CallRefused(400, "The body is not JSON.") from None
        if not scope["path"].startswith(MCP_PREFIX):  # where a tool checks who asks
            self._check_caller(scope["path"], call, person)
        await asyncio.to_thread(self._check_files, call, person.name)
        sent = json.dumps(call).encode()  # what was looked at is what Gradio reads
        kept = [(name, value) for name, value in scope["headers"] if name.lower() not in _LENGTHS]
        scope["headers"] = [*kept, (b"content-length", str(len(sent)).encode())]
        return _replayed(sent, receive)

    def _check_caller(self, path: str, call: Any, person: Reviewer) -> None:
        if not isinstance(call, dict):
            raise CallRefused(400, "The body must be a JSON object.")
        if "session_hash" in call:
            self._own_session(person, call["session_hash"])
        if path != CANCEL_PATH:
            self._check_role(path, call, person)

    def _check_role(self, path: str, call: dict[str, Any], person: Reviewer) -> None:
        if path in COMPONENT_PATHS:
            may = self._permissions.may_ask(person, call.get("component_id"))
        else:
            name = path.rpartition("/")[2] if path.startswith(CALL_PREFIXES) else None
            number = call.get("fn_index") if "/call/v2/" not in path else None
            may = self._permissions.may_call(person, number=number, name=name)
        if not may:
            raise CallRefused(403, f"This is not for you: you are signed in as {person.name} ({person.role}).")

    def _own_session(self, person: Reviewer, session: Any) -> None:
        """A page's session belongs to who used it first. Raises CallRefused for anybody else."""
        if not isinstance(session, str) or not 1 <= len(session) <= 100:
            raise CallRefused(400, "The page's session is missing. Load the page again.")
        owner = self._sessions.setdefault(session, person.name)
        if owner != person.name:
            raise CallRefused(403, "This page belongs to somebody else. Load it again.")
        self._sessions.move_to_end(session)
        while len(self._sessions) > REMEMBERED_SESSIONS:
            self._sessions.popitem(last=False)

    def _check_files(self, call: Any, person: str) -> None:
        """Raise CallRefused for a file that is not the person's own; the addresses that a page adds to its files are left out."""
        left = [call]
        while left:
            value = left.pop()
            if isinstance(value, list):
                left += value
            elif isinstance(value, dict):
                if isinstance(value.get("path"), str) and not self._uploads.is_own(person, value["path"]):
                    raise CallRefused(403, NOT_YOURS)
                if "path" in value or "meta" in value:
                    value.pop("url", None)
                left += value.values()

    async def _upload(self, scope: Scope, receive: Any, send: Any, person: Reviewer) -> None:
        if not self._permissions.may_upload(person):
            raise CallRefused(403, f"No page of yours takes files: you are signed in as {person.name} ({person.role}).")
        lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
        if not lengths:
            raise CallRefused(411, "Say how long the file is (Content-Length).")
        answer = _HeldAnswer(send)
        try:
            with self._uploads.coming(person.name, int(lengths[0])):
                await self._app(scope, receive, answer.send)
                sent = answer.value()
                self._uploads.give(
                    person.name, [p for p in sent if isinstance(p, str)] if isinstance(sent, list) else []
                )
        except UploadRefused as refused:
            raise CallRefused(413, str(refused)) from None
        await answer.release()


_LENGTHS = (b"content-length", b"transfer-encoding")


class _HeldAnswer:
    """Holds an answer back until what it tells is noted as the person's, who may use it at once."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._messages: list[Any] = []

    async def send(self, message: Any) -> None:
        self._messages.append(message)

    def value(self) -> Any:
        """The answer as JSON, None if it is none."""
        with contextlib.suppress(ValueError):
            return json.loads(b"".join(m.get("body", b"") for m in self._messages))
        return None

    async def release(self) -> None:
        for message in self._messages:
            await self._send(message)


async def _whole(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise CallRefused(400, "The request was cut off.")
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Any) -> Any:
    """A `receive` that gives the body once and then what else comes."""
    given = False

    async def replay() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _answer(send: Any, status: int, text: str) -> None:
    body = json.dumps({"error": text, "detail": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
