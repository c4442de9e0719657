"""Routes beside the pages: sign in, sign out, health. Plain HTML without scripts; works before anything else has loaded."""

from __future__ import annotations

import asyncio
import functools
import html
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from annotator.models.bundled import kind_of
from annotator.models.serving import ModelService
from annotator.people.accounts import AccountError, Accounts, NothingTyped
from annotator.people.throttle import TooManyAttempts
from annotator.problems import Busy, status_of
from annotator.settings import Settings
from annotator.snapshots.keeper import SnapshotKeeper, snapshot_shown_to
from annotator.web.gate import SESSION_COOKIE, address_of, person_of, sign_in_is_needed
from annotator.web.headers import cookie
from annotator.web.health import Health
from annotator.web.identity import form_is_for_another
from annotator.web.password_threads import PasswordThreads
from annotator.web.plain_page import plain_page, small_form
from storage.records import Reviewer
from storage.store import Store

DEVICE_COOKIE = "evidence_device"
DEVICE_SECONDS = 180 * 86_400


def session_routes(
    accounts: Accounts,
    threads: PasswordThreads,
    settings: Settings,
    store: Store,
    models: ModelService,
    keeper: SnapshotKeeper,
) -> list[Route]:
    """GET and POST /login, POST /logout, GET /status, GET /healthz."""
    sessions = _Sessions(accounts, threads, settings, store)
    state = _State(settings, store, models, keeper, Health(store))
    return [
        Route("/status", state.status, methods=["GET"]),
        Route("/login", sessions.page, methods=["GET"]),
        Route("/login", sessions.sign_in, methods=["POST"]),
        Route("/logout", sessions.sign_out, methods=["POST"]),
        Route("/healthz", state.health, methods=["GET"]),
    ]


class _Sessions:
    """Signing in and out."""

    def __init__(self, accounts: Accounts, threads: PasswordThreads, settings: Settings, store: Store) -> None:
        self.accounts, self.threads, self.settings, self.store = accounts, threads, settings, store

    async def page(self, request: Request) -> Response:
        if person_of(request) is not None:
            return RedirectResponse(self.settings.root_path + "/", status_code=303)
        return login_page(self.store, self.settings)

    async def sign_in(self, request: Request) -> Response:
        form = await small_form(request)
        if form is None:
            return login_page(self.store, self.settings, "The form is too large.", status=413)
        name, password = form.get("name", "").strip(), form.get("password", "")
        try:
            token = await self._token(request, name, password)
        except (TooManyAttempts, Busy) as error:
            wait, status = {"retry-after": str(int(error.retry_after) + 1)}, 503 if isinstance(error, Busy) else 429
            return login_page(self.store, self.settings, str(error), status=status, headers=wait)
        except AccountError as error:
            status = 400 if isinstance(error, NothingTyped) else 401
            return login_page(self.store, self.settings, str(error), status=status, name=name)
        answer = signed_in(token, self.settings)
        await asyncio.to_thread(
            self.accounts.sign_out, request.cookies.get(SESSION_COOKIE)
        )  # the earlier one ends here
        device = cookie(DEVICE_COOKIE, self.accounts.throttle.device_token(name), self.settings, max_age=DEVICE_SECONDS)
        answer.headers.append("set-cookie", device)
        return answer

    async def _token(self, request: Request, name: str, password: str) -> str:
        address, device = address_of(request), request.cookies.get(DEVICE_COOKIE)
        check = functools.partial(self.accounts.sign_in, name, password, address=address, device=device)
        return await self.threads.run(check)

    async def sign_out(self, request: Request) -> Response:
        root = self.settings.root_path
        form = await small_form(request)
        if form is not None and form_is_for_another(form, person_of(request)):
            return RedirectResponse(root + "/", status_code=303)  # the page of somebody who was here before
        await asyncio.to_thread(self.accounts.sign_out, request.cookies.get(SESSION_COOKIE))
        target = "/login" if sign_in_is_needed(self.store, self.settings) else "/"
        answer = RedirectResponse(root + target, status_code=303)
        answer.headers.append("set-cookie", cookie(SESSION_COOKIE, "", self.settings, max_age=0))
        return answer


@dataclass(frozen=True, slots=True)
class _State:
    """How the app is: for whoever watches over it, and for the header of the page."""

    settings: Settings
    store: Store
    models: ModelService
    keeper: SnapshotKeeper
    health_of_storage: Health

    async def health(self, _request: Request) -> Response:
        """200 while the app answers and can store what is decided; the model may still be loading. Else 503 or 507 and why."""
        model = self.models.info().state
        trouble = await self.health_of_storage.trouble()
        if trouble is None:
            return JSONResponse({"status": "ok", "model": model})
        shown = {"status": "unhealthy", "reason": str(trouble), "model": model}
        retry = {"retry-after": str(int(trouble.retry_after))}
        return JSONResponse(shown, status_code=status_of(trouble), headers=retry)

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
                "kind": kind_of(self.store, serving.version) if serving.version else "",
                "coming": serving.coming,
                "person": person.name if person and not self.settings.demo else "",
                "role": str(person.role) if person and accounts_on else "",
                "accounts": accounts_on,
                "password": _has_password(self.store, self.settings, person),
                **({"snapshot": shown} if shown else {}),
            }
        )


def _has_password(store: Store, settings: Settings, person: Reviewer | None) -> bool:
    """Whether the person has a password here that they can change, or can set the first one."""
    if person is None or settings.demo:
        return False
    return not sign_in_is_needed(store, settings) or store.password_hash(person.name) is not None


def signed_in(token: str, settings: Settings) -> Response:
    """To the first page, with the session's cookie."""
    answer = RedirectResponse(settings.root_path + "/", status_code=303)
    lifetime = int(settings.session_hours * 3600)
    answer.headers.append("set-cookie", cookie(SESSION_COOKIE, token, settings, max_age=lifetime))
    return answer


def login_page(
    store: Store,
    settings: Settings,
    message: str = "",
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    name: str = "",
) -> HTMLResponse:
    """The ways to sign in that there are, under a message if there is one. name: what was typed before."""
    parts = ["<h1>Evidence annotator</h1>\n<p>Sign in to review posts.</p>"]
    if message:
        parts.append(f'<p class="note" role="alert">{html.escape(message)}</p>')
    if settings.oauth:
        # huggingface.co does not show its own pages in a frame, so a framed app signs in in a tab of its own
        target = ' target="_blank" rel="noopener"' if settings.frame_ancestors else ""
        parts.append(
            f'<p><a class="button" href="{settings.root_path}/login/huggingface"{target}>Sign in with Hugging Face</a></p>'
        )
    if store.has_accounts() or not settings.oauth:
        form = _LOGIN_FORM.replace("<!--root-->", settings.root_path).replace(
            "<!--name-->", "" if name else "autofocus"
        )
        form = form.replace("<!--password-->", "autofocus" if name else "")
        parts.append(form.replace("<!--typed-->", html.escape(name, quote=True)))
    return plain_page("Sign in", "\n".join(parts), status=status, headers=headers)


_LOGIN_FORM = """<form method="post" action="<!--root-->/login">
<label>Name<input name="name" autocomplete="username" value="<!--typed-->" required <!--name-->></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required <!--password-->></label>
<button type="submit">Sign in</button>
</form>
<p>No account, or the password is lost? An admin of the project can send you a link.</p>"""
