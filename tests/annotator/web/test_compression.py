from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from annotator.web.compression import Compression

TEXT = "I have not slept through a night since the spring. " * 200


def asked(accepted: str, *parts: str, kind: str = "text/html; charset=utf-8") -> httpx.Response:
    """The answer of an app that sends these parts, as it comes through."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind.encode())]})
        for n, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part.encode(), "more_body": n < len(parts)})

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=Compression(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.get("/", headers={"accept-encoding": accepted})

    with ThreadPoolExecutor(1) as beside:  # the browser tests of this process leave a loop running in its main thread
        return beside.submit(asyncio.run, ask()).result()


@pytest.mark.parametrize(("accepted", "way"), [("gzip, br", "br"), ("gzip;q=1.0", "gzip"), ("identity", None)])
def test_a_page_comes_packed_as_the_browser_takes_it(accepted: str, way: str | None) -> None:
    answer = asked(accepted, TEXT)
    assert answer.text == TEXT
    assert answer.headers.get("content-encoding") == way
    if way is not None:
        assert int(answer.headers["content-length"]) < len(TEXT) / 20
        assert answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("parts", "kind"),
    [(["short"], "text/plain"), ([TEXT, TEXT], "text/html"), ([TEXT], "text/event-stream"), ([TEXT], "image/png")],
    ids=["short", "in parts", "events", "pictures"],
)
def test_what_is_short_sent_bit_by_bit_or_packed_already_stays_as_it_is(parts: list[str], kind: str) -> None:
    answer = asked("br, gzip", *parts, kind=kind)
    assert "content-encoding" not in answer.headers
    assert answer.text == "".join(parts)
