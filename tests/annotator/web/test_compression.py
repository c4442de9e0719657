from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from annotator.web.compression import LARGE_BYTES, Compression

TEXT = "I have not slept through a night since the spring. " * 200


def asked(
    accepted: str, *parts: str, kind: str = "text/html; charset=utf-8", status: int = 200, packed: bool = False
) -> httpx.Response:
    """The answer of an app that sends these parts, as it comes through."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", kind.encode()), *([(b"content-encoding", b"identity")] if packed else [])]
        await send({"type": "http.response.start", "status": status, "headers": headers})
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


@pytest.mark.parametrize("changes", [{"status": 206, "kind": "text/csv"}, {"packed": True}], ids=["part", "packed"])
def test_a_part_of_a_file_and_what_is_packed_already_are_not_packed(changes: dict[str, Any]) -> None:
    answer = asked("br, gzip", TEXT, **changes)
    assert answer.headers.get("content-encoding") == ("identity" if "packed" in changes else None)
    assert answer.text == TEXT


def test_a_large_page_comes_as_it_is_sent() -> None:
    page = "".join(f"{number} {TEXT}" for number in range(2 * LARGE_BYTES // len(TEXT)))
    assert asked("br", page).text == page


@pytest.mark.parametrize(
    ("parts", "kind"),
    [(["short"], "text/plain"), ([TEXT, TEXT], "text/html"), ([TEXT], "text/event-stream"), ([TEXT], "image/png")],
    ids=["short", "in parts", "events", "pictures"],
)
def test_what_is_short_or_sent_bit_by_bit_stays_as_it_is(parts: list[str], kind: str) -> None:
    answer = asked("br, gzip", *parts, kind=kind)
    assert "content-encoding" not in answer.headers
    assert answer.text == "".join(parts)
