"""What a reverse proxy says about a request, believed only of the proxies that the settings name.

Behind the proxy the person's address is the last one in X-Forwarded-For that is no proxy of ours; from anybody else these headers
are taken away before anything reads them. The path prefix is taken off here, whether the proxy kept it or not.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import MutableMapping
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from annotator.settings import Settings

SPOKEN_BY_PROXIES = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-real-ip"}
    | {b"x-forwarded-prefix", b"x-forwarded-server", b"x-direct-url"}
)
PEER = "evidence.peer"


class Proxies:
    """ASGI middleware in front of everything."""

    def __init__(self, app: Any, *, settings: Settings) -> None:
        self._app = app
        self._trusted = [ipaddress.ip_network(each, strict=False) for each in settings.trusted_proxies]
        self._read = ProxyHeadersMiddleware(app, list(settings.trusted_proxies))
        self._root_path = settings.root_path

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope[PEER] = peer = scope.get("client")
        if self._root_path and (scope["path"] + "/").startswith(self._root_path + "/"):
            scope["path"] = scope["path"][len(self._root_path) :] or "/"
            scope["raw_path"] = scope["path"].encode()
        if peer is not None and self.trusts(str(peer[0])):
            await self._read(scope, receive, send)  # type: ignore[arg-type]
            return
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name.lower() not in SPOKEN_BY_PROXIES]
        await self._app(scope, receive, send)

    def trusts(self, address: str) -> bool:
        """Whether the address belongs to a proxy that the settings name."""
        return is_in(address, self._trusted)


def is_in(address: str, networks: list[Any]) -> bool:
    if not networks:
        return False
    try:
        found = _address(address)
    except ValueError:  # a local socket has no address
        return False
    return any(found in network for network in networks)


_address = functools.lru_cache(maxsize=1024)(ipaddress.ip_address)
