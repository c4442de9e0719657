"""An app with one person of each role, and what its own tables say there is to ask."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from annotator.server import App
from storage.records import Role
from tests.annotator.running import running_app

PASSWORD = "correct horse battery"
PEOPLE = {"eva": Role.REVIEWER, "jon": Role.ADJUDICATOR, "adam": Role.ADMIN}


@dataclass(frozen=True)
class Guarded:
    """A running app with accounts. blocks: what Gradio made of its pages."""

    app: App
    blocks: Any
    cookies: dict[str, dict[str, str]]

    @contextlib.contextmanager
    def client(self, name: str | None) -> Iterator[httpx.Client]:
        """A client with the session of that person, or of nobody."""
        cookies = {} if name is None else self.cookies[name]
        with httpx.Client(base_url=self.app.url, cookies=cookies, timeout=120) as client:
            yield client

    def questions(self) -> set[str]:
        """What the pages can ask by name."""
        return set(self.app.context.answers)

    def routes(self) -> list[tuple[str, str]]:
        """Every (method, path) that the application has, its parameters filled in."""
        return [pair for route in self.blocks.app.routes for pair in _pairs(route)]


def page_of(client: httpx.Client) -> str:
    """The session of a page that this client has open; each person has one of their own."""
    return "page-" + hashlib.sha256(client.cookies.get("evidence_session", "").encode()).hexdigest()[:12]


@contextlib.contextmanager
def guarded(folder: Path, **settings: Any) -> Iterator[Guarded]:
    import gradio as gr

    built: list[Any] = []
    launch = gr.Blocks.launch

    def remember(blocks: Any, *given: Any, **options: Any) -> Any:
        built.append(blocks)
        return launch(blocks, *given, **options)

    gr.Blocks.launch = remember  # type: ignore[method-assign]
    try:
        with running_app(folder, **settings) as app:
            cookies = {}
            for name, role in PEOPLE.items():
                app.accounts.add(name, role, PASSWORD)
                with httpx.Client(base_url=app.url, timeout=120) as client:
                    assert client.post("/login", data={"name": name, "password": PASSWORD}).status_code == 303
                    cookies[name] = dict(client.cookies)
            yield Guarded(app, built[0], cookies)
    finally:
        gr.Blocks.launch = launch  # type: ignore[method-assign]


def _pairs(route: Any) -> Iterator[tuple[str, str]]:
    inner = getattr(route, "original_router", None)
    if inner is not None:  # how newer FastAPI keeps an included router
        for each in inner.routes:
            yield from _pairs(each)
        return
    path = re.sub(r"\{[^}]*:int\}", "1", route.path)
    for method in sorted(getattr(route, "methods", None) or {"GET"}):
        yield method, re.sub(r"\{[^}]*\}", "x", path)
