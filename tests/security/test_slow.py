"""Slow and silent clients: they are let go, one address holds only so many connections, and everybody else is answered."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import uvicorn

from annotator.settings import Settings
from annotator.web.bodies import Bodies
from annotator.web.connections import HEAD_BYTES, Patience
from annotator.web.proxies import Proxies
from tests.threads import in_a_thread

HEAD_SECONDS = 0.5


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Says who asked, and as what; `/slowly` takes longer than a head may."""
    if scope["path"] == "/slowly":
        await anyio.sleep(3 * HEAD_SECONDS)
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    text = f"{scope['client'][0]} {scope['scheme']} {headers.get('x-forwarded-host', '-')} {scope['path']}"
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(text)).encode())]}
    )
    await send({"type": "http.response.body", "body": text.encode()})


@contextlib.contextmanager
def serving(head_seconds: float = HEAD_SECONDS, **changes: Any) -> Iterator[int]:
    """A server with our connections in front of `hello`. Yields its port."""
    settings = Settings(data_dir=Path("unused"), **changes)
    patience = Patience(settings, head_seconds=head_seconds)
    app = Proxies(patience.middleware(hello), settings=settings)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {"lifespan": "off", "log_level": "error", "forwarded_allow_ips": ""}
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    patience.install(server)
    yield port
    server.should_exit = True
    thread.join()


def silent(port: int, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(sent)
    return connection


def received(connection: socket.socket, until: bytes) -> bytes:
    """What comes up to these bytes, or until nothing more does: an answer may come in several pieces."""
    data = b""
    while until not in data and (more := connection.recv(4000)):
        data += more
    return data


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1000) == b""
    except OSError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: a\r\nx: "])
def test_a_connection_without_a_whole_head_is_closed(sent: bytes) -> None:
    with serving() as port, silent(port, sent) as connection:
        began = time.monotonic()
        assert is_closed(connection)
        assert time.monotonic() - began < 20 * HEAD_SECONDS


def test_one_that_drips_is_closed_all_the_same_also_after_a_first_request() -> None:
    with serving() as port, silent(port, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n") as connection:
        assert connection.recv(4000).startswith(b"HTTP/1.1 200")
        closed = False
        for _ in range(200):
            try:
                connection.sendall(b"x")
                time.sleep(HEAD_SECONDS / 10)
            except OSError:
                closed = True
                break
        assert closed


def test_the_rest_of_a_body_that_nobody_reads_is_no_head_and_a_head_without_end_is_cut() -> None:
    length = 3 * HEAD_BYTES
    with serving(head_seconds=20) as port, silent(port) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % length)
        assert received(connection, b"http - /").startswith(b"HTTP/1.1 200")  # answered before the body is in
        connection.sendall(b"x" * length + b"GET /next HTTP/1.1\r\nhost: a\r\n\r\n")
        assert b"/next" in received(connection, b"http - /next")
        with contextlib.suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\nx: " + b"y" * (2 * HEAD_BYTES))
        assert is_closed(connection)


def test_a_request_at_work_may_be_silent_for_longer() -> None:
    with serving() as port:
        assert httpx.get(f"http://127.0.0.1:{port}/slowly", timeout=30).status_code == 200


def test_one_address_holds_only_so_many_connections_and_gets_new_ones_when_they_end() -> None:
    with serving(5.0, connections_per_address=10) as port, contextlib.ExitStack() as held:
        kept = [held.enter_context(silent(port, b"GET / HT")) for _ in range(10)]
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
        assert all(is_closed(connection) for connection in kept)
        assert httpx.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200


def test_a_trusted_proxy_holds_as_many_as_it_needs() -> None:
    with serving(connections_per_address=10, trusted_proxies=("127.0.0.1",)) as port, contextlib.ExitStack() as held:
        for _ in range(30):
            held.enter_context(silent(port))
        assert httpx.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200


FORWARDED = {
    "x-forwarded-for": "203.0.113.7, 198.51.100.9",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil.example",
}


def test_what_a_stranger_says_about_forwarding_is_not_believed() -> None:
    with serving() as port:
        assert httpx.get(f"http://127.0.0.1:{port}/a", headers=FORWARDED).text == "127.0.0.1 http - /a"


def test_of_a_trusted_proxy_the_last_address_that_is_no_proxy_is_believed() -> None:
    with serving(trusted_proxies=("127.0.0.0/8", "198.51.100.0/24"), root_path="/annotate") as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/annotate/a", headers=FORWARDED)
        assert answer.text == "203.0.113.7 https evil.example /a"
        assert httpx.get(f"http://127.0.0.1:{port}/a").text.endswith(" /a")
        assert httpx.get(f"http://127.0.0.1:{port}/annotated").text.endswith(" /annotated")


def test_a_body_that_does_not_come_is_answered_in_time() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        sent.append(message)

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def ask() -> None:
        limited = Bodies(reading, settings=Settings(data_dir=Path("unused")), idle_seconds=0.05)
        with anyio.fail_after(10):
            await limited({"type": "http", "path": "/login", "headers": []}, receive, send)

    in_a_thread(lambda: anyio.run(ask))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_body_that_drips_has_a_deadline_as_a_whole() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        await anyio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        while True:
            await receive()

    async def ask() -> None:
        limited = Bodies(reading, settings=Settings(data_dir=Path("unused")), idle_seconds=5, call_seconds=0.2)
        with anyio.fail_after(10):
            await limited({"type": "http", "path": "/login", "headers": []}, receive, send)

    in_a_thread(lambda: anyio.run(ask))
    assert [m["status"] for m in sent if m["type"] == "http.response.start"] == [408]
