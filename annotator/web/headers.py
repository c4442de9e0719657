"""Headers: what a request says, what every answer carries, and cookies."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from annotator.settings import Settings

_READ = "evidence.headers"


def headers_of(scope: MutableMapping[str, Any]) -> Mapping[str, str]:
    """By lower-case name. Read once for each list: several middlewares ask, and whoever changes headers puts in a new list."""
    read_from, headers = scope.get(_READ, (None, {}))
    if read_from is not scope["headers"]:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        scope[_READ] = scope["headers"], headers
    return headers


def cookies_of(scope: MutableMapping[str, Any]) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in headers_of(scope).get("cookie", "").split(";") if "=" in part)
    return {name.strip(): value.strip() for name, value in pairs}


def host_of(headers: Mapping[str, str]) -> str:
    """The host that the browser asked for; behind a proxy of ours it says which (`annotator.web.proxies` drops what others say)."""
    return headers.get("x-forwarded-host", "").partition(",")[0].strip() or headers.get("host", "")


def cookie(name: str, value: str, settings: Settings, *, max_age: int | None = None) -> str:
    """A Set-Cookie value. Inside somebody else's frame a cookie is only sent with SameSite=None; Secure; Partitioned."""
    parts = [f"{name}={value}", f"Path={settings.root_path or '/'}", "HttpOnly"]
    if settings.frame_ancestors:
        parts += ["SameSite=None", "Secure", "Partitioned"]
    else:
        parts += ["SameSite=Lax", *(["Secure"] if settings.secure_cookies else [])]
    return "; ".join([*parts, *([f"Max-Age={max_age}"] if max_age is not None else [])])


def security_headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    """For every answer. Gradio compiles templates in the browser, hence 'unsafe-eval'; nothing loads from elsewhere."""
    ancestors = " ".join(settings.frame_ancestors) or "'none'"
    policy = "; ".join(
        [
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {ancestors}",
        ]
    )
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
    }
    if not settings.frame_ancestors:
        headers["x-frame-options"] = "DENY"
    return [(name.encode(), value.encode()) for name, value in headers.items()]
