"""Routes beside the pages: sign in, sign out, health. Plain HTML without scripts; works before anything else has loaded."""

from __future__ import annotations

import asyncio
import html
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from annotator.accounts import AccountError, Accounts, TooManyAttempts
from annotator.gate import SESSION_COOKIE, cookie, person_of
from annotator.serving import ModelService
from annotator.settings import Settings
from storage.store import Store

LARGEST_FORM_BYTES = 8192


def session_routes(accounts: Accounts, settings: Settings, store: Store, models: ModelService) -> list[Route]:
    """GET and POST /login, POST /logout, GET /status, GET /healthz."""

    async def login_page(request: Request) -> Response:
        if person_of(request) is not None:
            return RedirectResponse("/", status_code=303)
        return _login_page()

    async def sign_in(request: Request) -> Response:
        form = await _small_form(request)
        if form is None:
            return _login_page("The form is too large.", status=413)
        name, password = form.get("name", "").strip(), form.get("password", "")
        address = request.client.host if request.client else "unknown"
        try:
            token = await asyncio.to_thread(accounts.sign_in, name, password, address=address)
        except TooManyAttempts as error:
            return _login_page(str(error), status=429, headers={"retry-after": str(int(error.retry_after) + 1)})
        except AccountError as error:
            return _login_page(str(error), status=401)
        answer = RedirectResponse("/", status_code=303)
        lifetime = int(settings.session_hours * 3600)
        answer.headers.append("set-cookie", cookie(SESSION_COOKIE, token, settings, max_age=lifetime))
        return answer

    async def sign_out(request: Request) -> Response:
        await asyncio.to_thread(accounts.sign_out, request.cookies.get(SESSION_COOKIE))
        answer = RedirectResponse("/login" if store.has_accounts() else "/", status_code=303)
        answer.headers.append("set-cookie", cookie(SESSION_COOKIE, "", settings, max_age=0))
        return answer

    async def health(_request: Request) -> Response:
        """200 while the app answers and the database can be read; the model may still be loading."""
        await asyncio.to_thread(store.count_posts)
        return JSONResponse({"status": "ok", "model": models.info().state})

    async def status(request: Request) -> Response:
        """What the header shows."""
        serving, person = models.info(), person_of(request)
        accounts_on = store.has_accounts()
        return JSONResponse(
            {
                "state": serving.state,
                "version": serving.version,
                "wanted": serving.wanted,
                "reason": serving.reason,
                "person": person.name if person and not settings.demo else "",
                "role": str(person.role) if person and accounts_on else "",
                "accounts": accounts_on,
            }
        )

    return [
        Route("/status", status, methods=["GET"]),
        Route("/login", login_page, methods=["GET"]),
        Route("/login", sign_in, methods=["POST"]),
        Route("/logout", sign_out, methods=["POST"]),
        Route("/healthz", health, methods=["GET"]),
    ]


async def _small_form(request: Request) -> dict[str, str] | None:
    """The fields of a url-encoded form, or None if it is larger than any sign-in can be."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM_BYTES:
            return None
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _login_page(message: str = "", *, status: int = 200, headers: dict[str, str] | None = None) -> HTMLResponse:
    note = f'<p class="note" role="alert">{html.escape(message)}</p>' if message else ""
    return HTMLResponse(_LOGIN_PAGE.replace("<!--note-->", note), status_code=status, headers=headers)


_LOGIN_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Evidence annotator</title>
<style>
:root { color-scheme: light dark; --ink: #1f2933; --soft: #52606d; --line: #cbd2d9; --page: #f5f7f9; --card: #fff; --accent: #1f6f78; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --soft: #9aa5b1; --line: #3a4653; --page: #12181f; --card: #1a222b; --accent: #4fb3bf; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { width: min(22rem, calc(100vw - 2rem)); padding: 2rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; }
p { margin: 0 0 1.25rem; color: var(--soft); font-size: .95rem; }
p.note { color: var(--ink); border-left: 3px solid #c2410c; padding-left: .75rem; }
label { display: block; font-size: .9rem; margin: 0 0 1rem; }
input { display: block; width: 100%; margin-top: .25rem; padding: .6rem .7rem; font: inherit; color: inherit;
  background: transparent; border: 1px solid var(--line); border-radius: 8px; }
button { width: 100%; padding: .65rem; font: inherit; font-weight: 600; color: #fff; background: #1f6f78; border: 0;
  border-radius: 8px; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
</style>
</head>
<body>
<main>
<h1>Evidence annotator</h1>
<p>Sign in to review posts.</p>
<!--note-->
<form method="post" action="/login">
<label>Name<input name="name" autocomplete="username" required autofocus></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit">Sign in</button>
</form>
</main>
</body>
</html>
"""
