"""Which addresses there are. Everything else is answered with 404 before a route is asked.

Gradio brings about sixty routes along, among them some that write files, fetch from elsewhere or edit code; the pages need those
named here. Our own routes are asked themselves.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

from starlette.routing import Match, Route

READ = frozenset({"GET", "HEAD"})
_READ_PATHS = frozenset(
    {
        "/",
        "/config",
        "/theme.css",
        "/favicon.ico",
        "/robots.txt",
        "/manifest.json",
        "/gradio_api/info",
        "/gradio_api/app_id",
    }
    | {"/gradio_api/queue/data", "/gradio_api/upload_progress", "/gradio_api/startup-events", "/gradio_api/theme.css"}
)
_READ_PREFIXES = (
    "/assets/",
    "/static/",
    "/svelte/",
    "/gradio_api/file=",
    "/gradio_api/heartbeat/",
    "/gradio_api/call/",
)
_SEND_PATHS = frozenset(
    {"/gradio_api/queue/join", "/gradio_api/component_server", "/gradio_api/component_server/", "/gradio_api/upload"}
    | {"/gradio_api/cancel"}
)
_SEND_PREFIXES = ("/gradio_api/call/", "/gradio_api/run/")
MCP_PREFIX = "/gradio_api/mcp"
NOT_IN_DEMO = frozenset({"/gradio_api/upload", "/gradio_api/upload_progress"})
"""What would write what a visitor sends to the disk."""


class Addresses:
    """The addresses of one app: its own routes, and what its pages need of Gradio's."""

    def __init__(self, own: Sequence[Route], *, mcp: bool) -> None:
        self._own = tuple(own)
        self._mcp = mcp

    def has(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether there is something for this method at this path. Exact paths: `/login/` is not `/login`."""
        path, method = scope["path"], scope["method"]
        if "\x00" in path or ".." in path.split("/"):
            return False
        if any(route.matches(scope)[0] is not Match.NONE for route in self._own):
            return True
        if self._mcp and path.startswith(MCP_PREFIX):
            return True
        if method in READ:
            return path in _READ_PATHS or path.startswith(_READ_PREFIXES)
        return method == "POST" and (path in _SEND_PATHS or path.startswith(_SEND_PREFIXES))
