"""The one gate in front of every route: who is asking, from where, and what the browser may do with the answer.

Pure ASGI, no gradio. For each request it decides
1. whether the host name is one of ours (a foreign name that resolves to this machine must not reach a local reviewer),
2. whether the request comes from our own pages (Sec-Fetch-Site, else Origin), unless it only navigates here,
3. who the person is: a session cookie; without accounts the local reviewer; in the public demo a visitor of their own.
The person is put into the ASGI scope (`person_of` reads it). Answers get the security headers.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from annotator.accounts import Accounts
from annotator.settings import LOOPBACK_HOSTS, Settings
from storage.records import Reviewer, Role
from storage.store import Store

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PERSON = "evidence.person"
SESSION_COOKIE = "evidence_session"
VISITOR_COOKIE = "evidence_visitor"
OPEN_PATHS = frozenset({"/login", "/healthz"})
STARTUP_PATH = "/gradio_api/startup-events"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """ASGI middleware; `app` is everything behind it."""

    def __init__(self, app: Any, *, store: Store, accounts: Accounts, settings: Settings) -> None:
        self._app = app
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
        answer = _Answer(send, self._headers)
        refusal = self._refusal(scope)
        if refusal is not None:
            await answer.text(*refusal)
            return
        person = self._person(scope, answer)
        scope[PERSON] = person
        is_open = self._is_open(scope)
        if person is None and not is_open:
            await self._turn_away(scope, answer)
            return
        await self._app(scope, receive, answer.send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """(status, text) for a request that is refused whoever sends it, else None."""
        headers = _headers_of(scope)
        if not self._host_is_ours(headers.get("host", ""), scope):
            return 421, "This host name is not known here. Name it in EVIDENCE_ALLOWED_HOSTS."
        if not _comes_from_our_page(scope, headers):
            return 403, "This request comes from another site."
        if scope["path"].rstrip("/") == "/logout" and scope["method"] != "POST":
            return 405, "Sign out with the button on the page."
        return None

    def _host_is_ours(self, host: str, scope: Scope) -> bool:
        name = urlsplit(f"//{host}").hostname or ""
        if name in LOOPBACK_HOSTS or name in self._settings.allowed_hosts or name == self._settings.host:
            return True
        return not self._settings.is_loopback and not self._settings.allowed_hosts

    def _person(self, scope: Scope, answer: _Answer) -> Reviewer | None:
        """Two look-ups by primary key, about 0.1 ms: not worth a thread, of which Gradio's handlers need every one."""
        cookies = _cookies_of(scope)
        if self._store.has_accounts():
            return self._accounts.reviewer_of(cookies.get(SESSION_COOKIE))
        if self._settings.demo:
            token = cookies.get(VISITOR_COOKIE, "")
            return visitor_named(token) if _is_visitor_token(token) else answer.set_visitor(self._settings)
        return Reviewer(self._settings.local_reviewer, Role.ADMIN)

    def _is_open(self, scope: Scope) -> bool:
        """Whether strangers may ask for the path. Gradio calls one itself, without a cookie, before it serves anybody."""
        path = scope["path"].rstrip("/")
        if path == STARTUP_PATH:
            first, self._started = not self._started, True
            return first
        return path in OPEN_PATHS

    async def _turn_away(self, scope: Scope, answer: _Answer) -> None:
        wants_page = scope["method"] in ("GET", "HEAD") and "text/html" in _headers_of(scope).get("accept", "*/*")
        if wants_page or scope["path"] == "/":
            await answer.text(303, "Sign in first.", [(b"location", b"/login")])
        else:
            await answer.text(401, "Sign in first.")


class _Answer:
    """Adds headers to what is sent."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = list(headers)

    def set_visitor(self, settings: Settings) -> Reviewer:
        """A new visitor of the public demo, remembered by a cookie until the browser closes."""
        token = secrets.token_urlsafe(16)
        self._headers.append((b"set-cookie", cookie(VISITOR_COOKIE, token, settings).encode()))
        return visitor_named(token)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in self._headers if name != b"set-cookie"}
            kept = [(k, v) for k, v in message.get("headers", []) if k.lower() not in own]
            message = {**message, "headers": [*kept, *self._headers]}
        await self._send(message)

    async def text(self, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        body = text.encode()
        start = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": [*start, *(headers or [])]})
        await self.send({"type": "http.response.body", "body": body})


def person_of(request: Any) -> Reviewer | None:
    """The person behind a request: Starlette's, or Gradio's wrapper around one."""
    inner = getattr(request, "request", None) or request
    scope = getattr(inner, "scope", None)
    return scope.get(PERSON) if isinstance(scope, MutableMapping) else None


def cookie(name: str, value: str, settings: Settings, *, max_age: int | None = None) -> str:
    """A Set-Cookie value. Inside somebody else's frame a cookie is only sent with SameSite=None; Secure; Partitioned."""
    parts = [f"{name}={value}", "Path=/", "HttpOnly"]
    if settings.frame_ancestors:
        parts += ["SameSite=None", "Secure", "Partitioned"]
    else:
        parts += ["SameSite=Lax", *(["Secure"] if settings.secure_cookies else [])]
    return "; ".join([*parts, *([f"Max-Age={max_age}"] if max_age is not None else [])])


def visitor_named(token: str) -> Reviewer:
    """The reviewer that a visitor of the public demo is; the name does not give the cookie away."""
    return Reviewer("visitor-" + hashlib.sha256(token.encode()).hexdigest()[:12], Role.REVIEWER)


def security_headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    """For every answer. Gradio compiles templates in the browser, hence 'unsafe-eval'; nothing loads from elsewhere."""
    ancestors = " ".join(settings.frame_ancestors) or "'none'"
    policy = "; ".join(
        [
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {ancestors}",
        ]
    )
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
    }
    if not settings.frame_ancestors:
        headers["x-frame-options"] = "DENY"
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _comes_from_our_page(scope: Scope, headers: dict[str, str]) -> bool:
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
    return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def _headers_of(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _cookies_of(scope: Scope) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in _headers_of(scope).get("cookie", "").split(";") if "=" in part)
    return {name.strip(): value.strip() for name, value in pairs}


def _is_visitor_token(text: str) -> bool:
    return len(text) == 22 and all(ch.isalnum() or ch in "-_" for ch in text)
