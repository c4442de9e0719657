"""Routes beside the pages: sign in, sign out, health. Plain HTML without scripts; works before anything else has loaded."""

from __future__ import annotations

import asyncio
import html
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from annotator.models.serving import ModelService
from annotator.people.accounts import AccountError, Accounts, TooManyAttempts
from annotator.settings import Settings
from annotator.snapshots.keeper import SnapshotKeeper, snapshot_shown_to
from annotator.web.gate import SESSION_COOKIE, address_of, cookie, person_of, sign_in_is_needed
from annotator.web.plain_page import plain_page, small_form
from storage.store import Store


def session_routes(
    accounts: Accounts, settings: Settings, store: Store, models: ModelService, keeper: SnapshotKeeper
) -> list[Route]:
    """GET and POST /login, POST /logout, GET /status, GET /healthz."""
    sessions, state = _Sessions(accounts, settings, store), _State(settings, store, models, keeper)
    return [
        Route("/status", state.status, methods=["GET"]),
        Route("/login", sessions.page, methods=["GET"]),
        Route("/login", sessions.sign_in, methods=["POST"]),
        Route("/logout", sessions.sign_out, methods=["POST"]),
        Route("/healthz", state.health, methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True)
class _Sessions:
    """Signing in and out."""

    accounts: Accounts
    settings: Settings
    store: Store

    async def page(self, request: Request) -> Response:
        if person_of(request) is not None:
            return RedirectResponse("/", status_code=303)
        return login_page(self.store, self.settings)

    async def sign_in(self, request: Request) -> Response:
        form = await small_form(request)
        if form is None:
            return login_page(self.store, self.settings, "The form is too large.", status=413)
        name, password = form.get("name", "").strip(), form.get("password", "")
        try:
            token = await asyncio.to_thread(self.accounts.sign_in, name, password, address=address_of(request))
        except TooManyAttempts as error:
            wait = {"retry-after": str(int(error.retry_after) + 1)}
            return login_page(self.store, self.settings, str(error), status=429, headers=wait)
        except AccountError as error:
            return login_page(self.store, self.settings, str(error), status=401)
        return signed_in(token, self.settings)

    async def sign_out(self, request: Request) -> Response:
        await asyncio.to_thread(self.accounts.sign_out, request.cookies.get(SESSION_COOKIE))
        target = "/login" if sign_in_is_needed(self.store, self.settings) else "/"
        answer = RedirectResponse(target, status_code=303)
        answer.headers.append("set-cookie", cookie(SESSION_COOKIE, "", self.settings, max_age=0))
        return answer


@dataclass(frozen=True, slots=True)
class _State:
    """How the app is: for whoever watches over it, and for the header of the page."""

    settings: Settings
    store: Store
    models: ModelService
    keeper: SnapshotKeeper

    async def health(self, _request: Request) -> Response:
        """200 while the app answers and the database can be read; the model may still be loading."""
        await asyncio.to_thread(self.store.count_posts)
        return JSONResponse({"status": "ok", "model": self.models.info().state})

    async def status(self, request: Request) -> Response:
        """What the header shows."""
        serving, person = self.models.info(), person_of(request)
        accounts_on = sign_in_is_needed(self.store, self.settings)
        shown = snapshot_shown_to(person, self.settings, self.keeper)
        return JSONResponse(
            {
                "state": serving.state,
                "version": serving.version,
                "wanted": serving.wanted,
                "reason": serving.reason,
                "person": person.name if person and not self.settings.demo else "",
                "role": str(person.role) if person and accounts_on else "",
                "accounts": accounts_on,
                **({"snapshot": shown} if shown else {}),
            }
        )


def signed_in(token: str, settings: Settings) -> Response:
    """To the first page, with the session's cookie."""
    answer = RedirectResponse("/", status_code=303)
    lifetime = int(settings.session_hours * 3600)
    answer.headers.append("set-cookie", cookie(SESSION_COOKIE, token, settings, max_age=lifetime))
    return answer


def login_page(
    store: Store, settings: Settings, message: str = "", *, status: int = 200, headers: dict[str, str] | None = None
) -> HTMLResponse:
    """The ways to sign in that there are, under a message if there is one."""
    parts = ["<h1>Evidence annotator</h1>\n<p>Sign in to review posts.</p>"]
    if message:
        parts.append(f'<p class="note" role="alert">{html.escape(message)}</p>')
    if settings.oauth:
        # huggingface.co does not show its own pages in a frame, so a framed app signs in in a tab of its own
        target = ' target="_blank" rel="noopener"' if settings.frame_ancestors else ""
        parts.append(f'<p><a class="button" href="/login/huggingface"{target}>Sign in with Hugging Face</a></p>')
    if store.has_accounts() or not settings.oauth:
        parts.append(_LOGIN_FORM)
    return plain_page("Sign in", "\n".join(parts), status=status, headers=headers)


_LOGIN_FORM = """<form method="post" action="/login">
<label>Name<input name="name" autocomplete="username" required autofocus></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit">Sign in</button>
</form>"""
