"""MCP: the API's reading endpoints as tools at /gradio_api/mcp, through Gradio's own server. Off unless asked for.

The gate stands in front of it as in front of everything. Gradio would offer every endpoint as a tool; the names asked for in the
address limit that (its own `?tools=`), so they are put there for every request.
"""

from __future__ import annotations

import importlib.util
from typing import Any
from urllib.parse import parse_qsl, urlencode

from annotator.settings import Settings
from annotator.web.api.endpoints import ENDPOINTS
from storage.records import EvidenceError

MCP_PATH = "/gradio_api/mcp"
TOOLS = tuple(e.name for e in ENDPOINTS if e.reads)


class McpUnavailable(EvidenceError):
    """MCP was asked for and cannot be offered; the text says what to do."""


def check_mcp(settings: Settings) -> None:
    """Raise McpUnavailable where it is asked for and cannot be had. Gradio itself would only print that."""
    if not settings.mcp:
        return
    if settings.demo:
        raise McpUnavailable("The public demo offers no MCP tools. Leave --mcp away, or --demo.")
    if importlib.util.find_spec("mcp") is None or importlib.util.find_spec("mcp.server.lowlevel.helper_types") is None:
        raise McpUnavailable(
            'MCP needs a package of its own: pip install "evidence-annotator[mcp]" (mcp 1.21 or later, below 2).'
        )


class ReadingToolsOnly:
    """ASGI middleware behind the gate: whatever is asked of MCP, only TOOLS are there."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(MCP_PATH):
            asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            kept = [(name, value) for name, value in asked if name != "tools"]
            scope = {**scope, "query_string": urlencode([*kept, ("tools", ",".join(TOOLS))]).encode("latin-1")}
        await self._app(scope, receive, send)
