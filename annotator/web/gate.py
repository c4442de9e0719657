"""The one gate in front of every route: who is asking, from where, and what the browser may do with the answer.

Pure ASGI, no gradio. For each request it decides
1. whether there is something at this address (`annotator.web.paths`),
2. whether the host name is one of ours (a foreign name that resolves to this machine must not reach a local reviewer),
3. whether the request comes from our own pages (Sec-Fetch-Site, else Origin), unless it only navigates here,
4. who the person is: a session cookie, or for the API an access token; without accounts the local reviewer; in the public
   demo a visitor of their own,
5. whether the page that asks was made for that person (`annotator.web.identity`).
The person is put into the ASGI scope (`person_of` reads it). Answers get the security headers. Trouble with the storage that no
route has answered becomes 503 or 507 here.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import re
import secrets
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect

from annotator.people import tokens
from annotator.people.accounts import Accounts
from annotator.problems import status_of, unexpected
from annotator.settings import LOOPBACK_HOSTS, Settings
from annotator.web import identity
from annotator.web.bodies import BodyRefused
from annotator.web.headers import cookie, cookies_of, headers_of, host_of, security_headers
from annotator.web.paths import Addresses
from storage.records import Reviewer, Role
from storage.store import Store
from storage.trouble import trouble_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PERSON = "evidence.person"
VISITOR = "evidence.visitor"
BY_TOKEN = "evidence.by_token"  # noqa: S105 - a key of the scope
SESSION_COOKIE = "evidence_session"
VISITOR_COOKIE = "evidence_visitor"
OPEN_PATHS = frozenset({"/login", "/login/huggingface", "/login/callback", "/healthz"})
"""Exactly these: at `/login/` Gradio has a route of its own."""
LINK_PATH = "/join/"
"""What comes after it is a secret of its own."""
STARTUP_PATH = "/gradio_api/startup-events"
API_PATH = "/api/"
TOKEN_PATHS = frozenset({"/config", "/gradio_api/info", "/gradio_api/queue/join", "/gradio_api/queue/data"})
TOKEN_PREFIXES = (API_PATH, "/gradio_api/call/", "/gradio_api/run/", "/gradio_api/heartbeat/", "/gradio_api/mcp")
"""Where an access token is accepted: what gradio_client, plain HTTP and MCP clients ask for. Nowhere else."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FETCHING_PREFIXES = ("/gradio_api/file=http", "/gradio_api/file/http")
"""Where Gradio would fetch a foreign address for whoever asks, and answer with its content under our name."""
NOT_IN_DEMO = frozenset({"/gradio_api/upload", "/gradio_api/deep_link", "/gradio_api/process_recording"})
"""What would write what a visitor sends to the disk."""
DEMO_BODY_BYTES = 2**20

_HASHED_ASSET = re.compile(r"^/assets/.*-[\w-]{8}\.(js|css|woff2?)$")
_KEPT_FOR_EVER = [(b"cache-control", b"max-age=31536000, immutable")]
"""For files whose name changes with their content: a browser asks for them once."""


class Gate:
    """ASGI middleware; `app` is everything behind it."""

    def __init__(
        self,
        app: Any,
        *,
        store: Store,
        accounts: Accounts,
        settings: Settings,
        addresses: Addresses | None = None,
    ) -> None:
        self._app = app
        self._addresses = addresses
        self._store = store
        self._accounts = accounts
        self._settings = settings
        self._headers = security_headers(settings)
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, self._headers + (_KEPT_FOR_EVER if _HASHED_ASSET.search(scope["path"]) else []))
        try:
            await self._pass(scope, receive, answer)
        except BodyRefused:
            raise  # `annotator.web.bodies` answers
        except ClientDisconnect:
            return  # nobody hears an answer, and nothing is wrong here
        except Exception as error:
            await self._fail(scope, answer, error)

    async def _fail(self, scope: Scope, answer: _Answer, error: Exception) -> None:
        """What no route has answered: trouble with the storage, else a number under which the log has the trace."""
        trouble = trouble_of(error) if isinstance(error, sqlite3.Error | OSError) else None
        if answer.has_started:
            raise RuntimeError(f"The answer broke off: {unexpected(error, 'a route')}") from None
        if trouble is None:
            await answer.refuse(scope, 500, unexpected(error, "a route"))
            return
        status, retry = status_of(trouble), [(b"retry-after", str(int(trouble.retry_after)).encode())]
        await answer.refuse(scope, status, str(trouble), retry)

    async def _pass(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        refusal = self._refusal(scope)
        if refusal is not None:
            await answer.refuse(scope, *refusal)
            return
        is_open = self._is_open(scope)
        token = None if is_open else self._token(scope)
        if token is None:
            scope[PERSON] = person = self._person(scope, answer)
        elif not _is_for_tokens(scope["path"]):
            await answer.refuse(scope, 403, "An access token is for the API only, not for this address.")
            return
        else:
            scope[PERSON] = person = await self._holder(scope, token)
        if person is None and not is_open:
            await self._turn_away(scope, answer, with_token=token is not None)
            return
        if person is not None and self._is_for_another(scope, person):
            await answer.refuse(scope, 409, identity.REFUSAL, identity.ANOTHER)
            return
        await self._app(scope, receive, answer.send)

    def _is_for_another(self, scope: Scope, person: Reviewer) -> bool:
        """A visitor of the demo is nobody in particular, and a token says itself whose it is."""
        if VISITOR in scope or BY_TOKEN in scope:
            return False
        return identity.is_for_another(scope["method"], headers_of(scope), person)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """(status, text) for a request that is refused whoever sends it, else None."""
        headers = headers_of(scope)
        if not self._host_is_ours(host_of(headers)):
            return 421, "This host name is not known here. Name it in EVIDENCE_ALLOWED_HOSTS."
        if not _comes_from_our_page(scope, headers):
            return 403, "This request comes from another site."
        if b"%00" in scope["query_string"] or b"\x00" in scope["query_string"]:
            return 400, "The address holds a character that no text has (NUL)."
        if scope["path"] == "/logout" and scope["method"] != "POST":
            return 405, "Sign out with the button on the page."
        if scope["path"].startswith(FETCHING_PREFIXES):
            return 403, "Nothing is fetched from other addresses here."
        refused = self._refusal_of_demo(scope, headers) if self._settings.demo else None
        if refused is None and self._addresses is not None and not self._addresses.has(scope):
            return 404, "There is nothing at this address."
        return refused

    def _refusal_of_demo(self, scope: Scope, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Anybody may come here: they store no files, and send only so much at once."""
        if scope["path"].rstrip("/") in NOT_IN_DEMO:  # whatever comes after a slash
            return 403, "The public demo takes no files."
        if scope["method"] in SAFE_METHODS:
            return None
        length = headers.get("content-length", "")
        if not length.isdigit():
            return 411, "Say how long the request is (Content-Length)."
        return (413, "This is more than the public demo takes.") if int(length) > DEMO_BODY_BYTES else None

    def _host_is_ours(self, host: str) -> bool:
        """Where nobody signs in, a name that resolves to this machine could be anybody's page: only addresses are believed then."""
        settings = self._settings
        name = _name_of(host)
        if name in LOOPBACK_HOSTS or name in settings.allowed_hosts or name == settings.host:
            return True
        if settings.is_loopback or settings.allowed_hosts:
            return False
        return _is_address(name) or name == socket.gethostname().lower() or sign_in_is_needed(self._store, settings)

    def _person(self, scope: Scope, answer: _Answer) -> Reviewer | None:
        """A look-up by primary key, less than 0.1 ms: not worth a thread, of which Gradio's handlers need every one."""
        cookies = cookies_of(scope)
        if sign_in_is_needed(self._store, self._settings):
            return self._accounts.reviewer_of(cookies.get(SESSION_COOKIE))
        if self._settings.demo:
            scope[VISITOR] = True
            token = cookies.get(VISITOR_COOKIE, "")
            return visitor_named(token) if _is_visitor_token(token) else answer.set_visitor(self._settings)
        return Reviewer(self._settings.local_reviewer, Role.ADMIN)

    def _token(self, scope: Scope) -> str | None:
        """The access token that the request shows. It counts alone, whatever cookies come with it; None where nobody signs in."""
        scheme, _, token = headers_of(scope).get("authorization", "").partition(" ")
        is_one = scheme.lower() == "bearer" and sign_in_is_needed(self._store, self._settings)
        return token.strip() if is_one else None

    async def _holder(self, scope: Scope, token: str) -> Reviewer | None:
        found = tokens.holder_of(self._store, token)
        if found is None:
            return None
        known, person = found
        if not tokens.is_noted(known):
            await asyncio.to_thread(self._store.touch_token, known.id)  # a write may have to wait for another
        scope[BY_TOKEN] = known.id
        return person

    def _is_open(self, scope: Scope) -> bool:
        """Whether strangers may ask for the path. Gradio calls one itself, without a cookie, before it serves anybody."""
        path = scope["path"]
        if path == STARTUP_PATH:
            first, self._started = not self._started, True
            return first
        return path in OPEN_PATHS or (path.startswith(LINK_PATH) and path.count("/") == 2)

    async def _turn_away(self, scope: Scope, answer: _Answer, *, with_token: bool) -> None:
        if with_token or scope["path"].startswith(API_PATH):
            text = (
                "This access token is unknown, revoked or expired."
                if with_token
                else "Sign in, or send an access token."
            )
            await answer.refuse(scope, 401, text, [(b"www-authenticate", b"Bearer")])
            return
        wants_page = scope["method"] in ("GET", "HEAD") and "text/html" in headers_of(scope).get("accept", "*/*")
        if wants_page or scope["path"] == "/":
            await answer.text(303, "Sign in first.", [(b"location", f"{self._settings.root_path}/login".encode())])
        else:
            await answer.text(401, "Sign in first.")


class _Answer:
    """Adds headers to what is sent."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = list(headers)
        self.has_started = False

    def set_visitor(self, settings: Settings) -> Reviewer:
        """A new visitor of the public demo, remembered by a cookie until the browser closes."""
        token = secrets.token_urlsafe(16)
        self._headers.append((b"set-cookie", cookie(VISITOR_COOKIE, token, settings).encode()))
        return visitor_named(token)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            own = {name for name, _ in self._headers if name != b"set-cookie"}
            kept = [(k, v) for k, v in message.get("headers", []) if k.lower() not in own]
            message = {**message, "headers": [*kept, *self._headers]}
        await self._send(message)

    async def refuse(
        self, scope: Scope, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        """As `text`; programs that ask the API are told in its own form."""
        if not scope["path"].startswith(API_PATH):
            await self.text(status, text, headers)
            return
        code = _CODES.get(status, "refused")
        body = json.dumps({"error": {"code": code, "message": text}})
        await self.text(status, body, headers, kind=b"application/json")

    async def text(
        self,
        status: int,
        text: str,
        headers: list[tuple[bytes, bytes]] | None = None,
        *,
        kind: bytes = b"text/plain; charset=utf-8",
    ) -> None:
        body = text.encode()
        start = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": [*start, *(headers or [])]})
        await self.send({"type": "http.response.body", "body": body})


_CODES = {401: "not_signed_in", 403: "not_allowed", 404: "not_found", 413: "too_large", 421: "unknown_host"}
_CODES |= {503: "storage_unavailable", 507: "storage_full"}


def person_of(request: Any) -> Reviewer | None:
    """The person behind a request: Starlette's, or Gradio's wrapper around one."""
    return _scope_of(request).get(PERSON)


def sign_in_is_needed(store: Store, settings: Settings) -> bool:
    """Whether people have to sign in: there are accounts, or Hugging Face users are named."""
    return store.has_accounts() or settings.oauth


def is_visitor(request: Any) -> bool:
    """Whether the person is a visitor of the public demo."""
    return VISITOR in _scope_of(request)


def came_by_token(request: Any) -> bool:
    """Whether the person showed an access token instead of signing in."""
    return BY_TOKEN in _scope_of(request)


def address_of(request: Any) -> str:
    """The network address that the request came from, `unknown` if the server does not know it."""
    client = _scope_of(request).get("client")
    return str(client[0]) if client else "unknown"


def _scope_of(request: Any) -> Scope:
    inner = getattr(request, "request", None) or request
    scope = getattr(inner, "scope", None)
    return scope if isinstance(scope, dict | MutableMapping) else {}  # a dict almost always: told apart at once


def visitor_named(token: str) -> Reviewer:
    """The reviewer that a visitor of the public demo is; the name does not give the cookie away."""
    return Reviewer("visitor-" + hashlib.sha256(token.encode()).hexdigest()[:12], Role.REVIEWER)


def _comes_from_our_page(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Sec-Fetch-Site is set by every current browser and cannot be forged by a page; Origin is for the others.

    Programs that send neither (curl, our own start-up check) hold no cookies of a browser and may pass.
    """
    site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
    safe = scope["method"] in SAFE_METHODS
    if site is not None:
        return site in ("same-origin", "none") or (safe and mode == "navigate")
    origin = headers.get("origin")
    if origin is None or safe:
        return True
    return urlsplit(origin).netloc.lower() == host_of(headers).lower()


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that hold no address
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_for_tokens(path: str) -> bool:
    return path.rstrip("/") in TOKEN_PATHS or path.startswith(TOKEN_PREFIXES)


def _is_visitor_token(text: str) -> bool:
    return len(text) == 22 and all(ch.isalnum() or ch in "-_" for ch in text)
