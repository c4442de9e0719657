"""A visitor of the public demo over HTTP, as the page itself asks: server functions, and queued events like Try it's."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx


class Visit:
    """One visitor with a cookie of their own. Close `client` at the end."""

    def __init__(self, url: str, *, timeout: float = 120.0) -> None:
        self.client = httpx.Client(base_url=url, timeout=timeout)
        opened = self.client.get("/", headers={"accept": "text/html"}).raise_for_status()
        self.client.cookies.clear()  # a cookie for HTTPS only would not be sent here, as behind a Space's proxy it is
        self.client.headers["cookie"] = opened.headers["set-cookie"].split(";")[0]
        self.config: dict[str, Any] = self.client.get("/config").raise_for_status().json()
        self.session = secrets.token_hex(6)

    def ask(self, function: str, message: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the app answers to the page."""
        answer = self.client.post(f"/ask/{function}", json=message or {}).raise_for_status().json()
        assert isinstance(answer, dict)
        return answer

    def event_of(self, elem_id: str | None = None, *, label: str = "", event: str = "click") -> int:
        """The number of the event that clicking the button of that label starts."""
        ids = {c["id"] for c in self.config["components"] if c["type"] == "button" and c["props"]["value"] == label}
        found = [d for d in self.config["dependencies"] if any(t[0] in ids and t[1] == event for t in d["targets"])]
        return int(found[0]["id"])

    def highlight(self, text: str) -> dict[str, Any]:
        """What Try it draws for the text: through the queue, as the page does. Raises httpx.HTTPStatusError, RuntimeError."""
        sent = {"data": [text], "fn_index": self.event_of(label="Highlight"), "session_hash": self.session}
        self.client.post("/gradio_api/queue/join", json=sent).raise_for_status()
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as lines:
            for line in lines.iter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message["msg"] == "process_completed":
                    if not message["success"]:
                        raise RuntimeError(str(message["output"]))
                    drawn: dict[str, Any] = message["output"]["data"][0]
                    return drawn
        raise RuntimeError("The stream ended without an answer.")
