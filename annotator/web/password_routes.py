"""Where people set their password: GET and POST /join/{token} by an admin's link, GET and POST /password their own.

Plain pages. The link's page is open to strangers: its secret is what they show, and wrong ones are counted as failed attempts.
"""

from __future__ import annotations

import asyncio
import functools
import html
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from annotator.people import invitations
from annotator.people.accounts import (
    MINIMUM_PASSWORD_CHARACTERS,
    AccountError,
    Accounts,
    NotAllowed,
    SignInRefused,
    token_sha256,
)
from annotator.people.invitations import LinkIsGone
from annotator.people.throttle import TooManyAttempts
from annotator.problems import Busy
from annotator.settings import Settings
from annotator.web.gate import SESSION_COOKIE, address_of, came_by_token, person_of, sign_in_is_needed
from annotator.web.headers import cookie
from annotator.web.identity import FIELD, REFUSAL, form_is_for_another
from annotator.web.password_threads import PasswordThreads
from annotator.web.plain_page import plain_page, small_form
from annotator.web.session_routes import DEVICE_COOKIE, DEVICE_SECONDS, signed_in
from storage.account_records import Invitation
from storage.records import EvidenceError, InvalidRecord, Reviewer, Role
from storage.store import Store
from storage.trouble import StorageTrouble

NO_STORE = {"cache-control": "no-store"}
NEW_TITLE, OWN_TITLE = "Set your password", "Your password"


def password_routes(settings: Settings, store: Store, accounts: Accounts, threads: PasswordThreads) -> list[Route]:
    links, own = _Links(settings, store, accounts, threads), _Own(settings, store, accounts, threads)
    return [
        Route("/join/{token}", links.show, methods=["GET"]),
        Route("/join/{token}", links.accept, methods=["POST"]),
        Route("/password", own.show, methods=["GET"]),
        Route("/password", own.change, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class _Links:
    settings: Settings
    store: Store
    accounts: Accounts
    threads: PasswordThreads

    async def show(self, request: Request) -> Response:
        try:
            return self._page(await asyncio.to_thread(self._found, request))
        except (LinkIsGone, TooManyAttempts) as error:
            return _refusal(NEW_TITLE, error, self.settings)

    async def accept(self, request: Request) -> Response:
        try:
            found = await asyncio.to_thread(self._found, request)
            form = await small_form(request)
            password = _new_password(form)
            accept = functools.partial(invitations.accept, self.store, self.accounts, _token(request), password)
            name = await self.threads.run(accept)
            session = await asyncio.to_thread(self.accounts.open_session, name)
        except (LinkIsGone, TooManyAttempts, Busy) as error:
            return _refusal(NEW_TITLE, error, self.settings)
        except StorageTrouble:
            raise  # the gate answers
        except EvidenceError as error:
            return self._page(found, str(error), status=400)
        return await _signed_in(request, session, name, self.accounts, self.settings)

    def _found(self, request: Request) -> Invitation:
        """The invitation of the link. A wrong one counts as a failed attempt of its address. Raises LinkIsGone, TooManyAttempts."""
        token = _token(request)
        ticket = self.accounts.throttle.take(f"link {token_sha256(token)}", address=address_of(request))
        found = invitations.look_up(self.store, token)
        self.accounts.throttle.give_back(ticket)
        return found

    def _page(self, found: Invitation, note: str = "", *, status: int = 200) -> Response:
        said = f"You are invited as {found.role}." if found.role else "Your sessions and access tokens end with it."
        body = (
            f"<h1>Welcome, {html.escape(found.reviewer)}</h1><p>{said} The link can be used once, until {found.expires_at[:10]}.</p>"
            f'{_note(note)}<form method="post">{_hidden_name(found.reviewer)}{_NEW_FIELDS}'
            '<button type="submit">Set the password</button></form>'
        )
        return plain_page(NEW_TITLE, body, status=status, headers=NO_STORE)


@dataclass(frozen=True, slots=True)
class _Own:
    settings: Settings
    store: Store
    accounts: Accounts
    threads: PasswordThreads

    async def show(self, request: Request) -> Response:
        try:
            return self._page(self._person(request))
        except NotAllowed as error:
            return _refusal(OWN_TITLE, error, self.settings)

    async def change(self, request: Request) -> Response:
        try:
            person = self._person(request)
            form = await small_form(request)
            if form_is_for_another(form or {}, person):
                raise NotAllowed(REFUSAL)
            session = await self.threads.run(functools.partial(self._changed, request, person, form))
        except (NotAllowed, TooManyAttempts, Busy) as error:
            return _refusal(OWN_TITLE, error, self.settings)
        except StorageTrouble:
            raise
        except EvidenceError as error:
            return self._page(person, str(error), status=401 if isinstance(error, SignInRefused) else 400)
        return await _signed_in(request, session, person.name, self.accounts, self.settings)

    def _person(self, request: Request) -> Reviewer:
        """Who has a password here, or may set the first one. Raises NotAllowed."""
        person = person_of(request)
        if person is None or came_by_token(request):
            raise NotAllowed("Sign in on the page; an access token changes no password.")
        if self.settings.demo:
            raise NotAllowed("Nobody has a password in the public demo.")
        if sign_in_is_needed(self.store, self.settings) and self.store.password_hash(person.name) is None:
            raise NotAllowed("You sign in elsewhere; there is no password to change here.")
        return person

    def _changed(self, request: Request, person: Reviewer, form: dict[str, str] | None) -> str:
        password = _new_password(form)
        if not sign_in_is_needed(self.store, self.settings):
            self.accounts.add(person.name, Role.ADMIN, password)
            return self.accounts.open_session(person.name)
        change = functools.partial(
            self.accounts.change_own_password, person.name, (form or {}).get("current", ""), password
        )
        return change(address=address_of(request), device=request.cookies.get(DEVICE_COOKIE))

    def _page(self, person: Reviewer, note: str = "", *, status: int = 200) -> Response:
        root = self.settings.root_path
        first = not sign_in_is_needed(self.store, self.settings)
        said = (
            f"Nobody signs in here yet. With a password for {html.escape(person.name)} everybody has to; you are admin then, and can"
            " invite others on the page People."
            if first
            else "Your other sessions and your access tokens end with a new password."
        )
        current = "" if first else _CURRENT_FIELD
        body = (
            f'<h1>Your password</h1><p>{said} <a href="{root}/">Back to the app</a></p>{_note(note)}'
            f'<form method="post" action="{root}/password"><input type="hidden" name="{FIELD}"'
            f' value="{html.escape(person.name, quote=True)}">{_hidden_name(person.name)}{current}{_NEW_FIELDS}'
            '<button type="submit">Set the password</button></form>'
        )
        return plain_page(OWN_TITLE, body, status=status, headers=NO_STORE)


async def _signed_in(request: Request, session: str, name: str, accounts: Accounts, settings: Settings) -> Response:
    """To the first page, as that person; whoever was signed in in this browser is so no more."""
    answer: RedirectResponse = signed_in(session, settings)  # type: ignore[assignment]
    await asyncio.to_thread(accounts.sign_out, request.cookies.get(SESSION_COOKIE))
    device = cookie(DEVICE_COOKIE, accounts.throttle.device_token(name), settings, max_age=DEVICE_SECONDS)
    answer.headers.append("set-cookie", device)
    return answer


def _token(request: Request) -> str:
    return unquote(str(request.path_params["token"]))[:200]


def _new_password(form: dict[str, str] | None) -> str:
    """Raises InvalidRecord if the two that were typed differ."""
    if form is None:
        raise InvalidRecord("The form is too large.")
    if form.get("password", "") != form.get("again", ""):
        raise InvalidRecord("The two passwords differ. Type the new one twice.")
    return form.get("password", "")


def _refusal(title: str, error: EvidenceError, settings: Settings) -> Response:
    """What is wrong, with a way on: who has used their link already signs in there."""
    body = f'{_note(str(error))}<p><a href="{settings.root_path}/">To the app</a></p>'
    if isinstance(error, TooManyAttempts | Busy):
        headers = {**NO_STORE, "retry-after": str(int(error.retry_after) + 1)}
        return plain_page(title, body, status=503 if isinstance(error, Busy) else 429, headers=headers)
    status = 404 if isinstance(error, LinkIsGone) else 403 if isinstance(error, AccountError) else 400
    return plain_page(title, body, status=status, headers=NO_STORE)


def _note(text: str) -> str:
    return f'<p class="note" role="alert">{html.escape(text)}</p>' if text else ""


def _hidden_name(name: str) -> str:
    """For the browser's password manager."""
    return f'<input hidden autocomplete="username" value="{html.escape(name, quote=True)}" aria-hidden="true">'


_CURRENT_FIELD = (
    '<label>Your password now<input name="current" type="password" autocomplete="current-password" required></label>'
)
_NEW_FIELDS = (
    f'<label>New password, {MINIMUM_PASSWORD_CHARACTERS} characters or more<input name="password" type="password"'
    f' autocomplete="new-password" minlength="{MINIMUM_PASSWORD_CHARACTERS}" required></label>'
    '<label>Once more<input name="again" type="password" autocomplete="new-password" required></label>'
)
