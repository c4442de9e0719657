"""Two tabs, two people: every call of a page says whose page it is, and counts for nobody else.

A page is made for the person who opened it. If somebody else signs in in another tab, the browser sends their cookie with the first
page's calls too; without this, what the first person decided would be stored as the other's. The page's script puts the name that
the page was made for on each call (`identity.js`); the gate refuses a call whose name is not the session's, and the page reloads.
What waits in it stays in the browser's storage under its owner's name.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from importlib import resources
from typing import Any
from urllib.parse import unquote

from storage.records import Reviewer

HEADER = "x-evidence-person"
FIELD = "person"
"""The same in a form of a plain page."""
ANOTHER = [(HEADER.encode(), b"another")]
REFUSAL = "Somebody else has signed in in this browser. Load the page again; what waits here stays for its owner."
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SCRIPT_MODES = ("cors", "same-origin", "no-cors")


def is_for_another(method: str, headers: Mapping[str, str], person: Reviewer) -> bool:
    """Whether a page made for somebody else sent this. A script of a page that names nobody is such a page, too; programs and
    plain navigation name nobody and are believed."""
    named = headers.get(HEADER)
    if named is not None:
        return unquote(named) != person.name
    return method not in _SAFE and headers.get("sec-fetch-mode") in _SCRIPT_MODES


def form_is_for_another(form: Mapping[str, str], person: Reviewer | None) -> bool:
    """Whether the form was shown to somebody else."""
    named = form.get(FIELD)
    return named is not None and (person is None or named != person.name)


class PageScript:
    """ASGI middleware that puts `identity.js` in front of every other script of the page, and after it the page's `style`."""

    def __init__(self, app: Any, *, style: str) -> None:
        self._app = app
        script = (resources.files("annotator.web") / "identity.js").read_text("utf-8")
        self._tag = f'<head><script>{script}</script><style id="ev-style">{style}</style>'.encode()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/":
            page = _Page(send, self._tag)
            await self._app(scope, receive, page.send)
        else:
            await self._app(scope, receive, send)


class _Page:
    """Holds an HTML answer back until it is whole."""

    def __init__(self, send: Any, tag: bytes) -> None:
        self._send, self._tag = send, tag
        self._start: Any = None
        self._body = b""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start" and _is_html(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish()

    async def _finish(self) -> None:
        body = self._body.replace(b"<head>", self._tag, 1)
        kept = [(name, value) for name, value in self._start["headers"] if name.lower() != b"content-length"]
        kept.append((b"content-length", str(len(body)).encode()))
        await self._send({**self._start, "headers": kept})
        await self._send({"type": "http.response.body", "body": body})


def _is_html(message: Any) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"])
