"""Connections that send nothing, or very slowly: an asyncio protocol around the server's own, with a clock and a count per address.

A connection that has not sent a whole request head after HEAD_SECONDS, or after HEAD_BYTES, is closed, the first as every later
one on it. One address holds at most as many connections as the settings say; proxies that they name hold as many as they need.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import resource
from collections import Counter
from typing import Any

from annotator.settings import Settings
from annotator.web.proxies import PEER, is_in

HEAD_SECONDS = 15.0
HEAD_BYTES = 2**20
"""The parser in C has no limit of its own."""
WANTED_FILES = 16_384


class Patience:
    """The connections of one server. `install` it once the server runs; as ASGI middleware it hears which ones are at work."""

    def __init__(self, settings: Settings, *, head_seconds: float = HEAD_SECONDS) -> None:
        self._most = settings.connections_per_address
        self._trusted = [ipaddress.ip_network(each, strict=False) for each in settings.trusted_proxies]
        self.head_seconds = head_seconds
        self._held: Counter[str] = Counter()
        self._waiting: dict[tuple[str, int], Any] = {}

    def install(self, server: Any) -> None:
        """Put the protocol around that of a uvicorn server, for every connection from now on."""
        raise_file_limit()
        server.config.http_protocol_class = patient(server.config.http_protocol_class, self)

    def middleware(self, app: Any) -> Any:
        """ASGI middleware: while a request is at work, its connection may be silent."""

        async def at_work(scope: Any, receive: Any, send: Any) -> None:
            waiting = self._waiting.get(scope.get(PEER) or ("", 0))
            if waiting is None:
                await app(scope, receive, send)
                return
            waiting.begin_work()
            try:
                await app(scope, receive, send)
            finally:
                waiting.end_work()

        return at_work

    def admit(self, peer: tuple[str, int], connection: Any) -> bool:
        """Whether one more connection of that address is taken."""
        if not is_in(peer[0], self._trusted) and self._held[peer[0]] >= self._most:
            return False
        self._held[peer[0]] += 1
        self._waiting[peer] = connection
        return True

    def forget(self, peer: tuple[str, int]) -> None:
        if self._waiting.pop(peer, None) is not None:
            self._held[peer[0]] -= 1
            self._held += Counter()  # drops what is zero


def patient(base: type[asyncio.Protocol], patience: Patience) -> type[asyncio.Protocol]:
    """A protocol class that does what `base` does, within the limits of `patience`."""

    class Patient(base):  # type: ignore[misc, valid-type]
        _peer: tuple[str, int] | None = None
        _link: asyncio.Transport
        _timer: asyncio.TimerHandle | None = None
        _at_work = 0
        _unread = 0
        _reads_head = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            found = transport.get_extra_info("peername")
            self._link = transport
            if found is not None:
                peer = (str(found[0]), int(found[1]))
                if not patience.admit(peer, self):
                    transport.abort()
                    return
                self._peer = peer
            super().connection_made(transport)
            self._expect_head()

        def data_received(self, data: bytes) -> None:
            if self._link.is_closing():
                return
            if not self._at_work:
                self._expect_head()
            if self._reads_head:
                self._unread += len(data)
                if self._unread > HEAD_BYTES:
                    self._link.abort()
                    return
            super().data_received(data)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_clock()
            if self._peer is None and self._link.get_extra_info("peername") is not None:
                return  # it was never taken
            if self._peer is not None:
                patience.forget(self._peer)
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            self._reads_head, self._unread = True, 0
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._reads_head = False  # what comes now is a body, perhaps the rest of one that was refused
            super().on_headers_complete()

        def begin_work(self) -> None:
            self._at_work += 1
            self._stop_clock()

        def end_work(self) -> None:
            self._at_work -= 1

        def _expect_head(self) -> None:
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(patience.head_seconds, self._link.abort)

        def _stop_clock(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return Patient


def raise_file_limit() -> None:
    """Allow this process as many open files as the system grants: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
