"""The page on which a person makes and revokes their access tokens: GET and POST /tokens, POST /tokens/{id}/revoke.

Behind the gate, which refuses forms from other sites, and access tokens themselves: a token makes no tokens.
"""

from __future__ import annotations

import asyncio
import html

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from annotator.people import tokens
from annotator.people.accounts import NotAllowed, allow
from annotator.settings import Settings
from annotator.web.gate import came_by_token, person_of, sign_in_is_needed
from annotator.web.identity import FIELD, REFUSAL, form_is_for_another
from annotator.web.plain_page import plain_page, small_form
from storage.account_records import AccessToken
from storage.records import EvidenceError, InvalidRecord, Reviewer
from storage.store import Store
from storage.trouble import StorageTrouble

TITLE = "Access tokens"
HEADS = ("For", "Made", "Last used (UTC)", "Expires (UTC)", "State")
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "until it is revoked"}
NO_STORE = {"cache-control": "no-store"}


def token_routes(settings: Settings, store: Store) -> list[Route]:
    def person_on_the_page(request: Request) -> Reviewer:
        if not sign_in_is_needed(store, settings):
            raise NotAllowed("Nobody signs in here, so programs need no access token either.")
        if came_by_token(request):
            raise NotAllowed("An access token is for the API; tokens are made on the page.")
        return allow(person_of(request))

    async def show(request: Request) -> Response:
        try:
            person = person_on_the_page(request)
        except NotAllowed as error:
            return _refusal(error, settings)
        return await asyncio.to_thread(_page, settings, store, person)

    async def create(request: Request) -> Response:
        try:
            person = person_on_the_page(request)
            form = await small_form(request)
            if form is None:
                return plain_page(TITLE, _note("The form is too large."), status=413)
            _refuse_another(form, person)
            made = await asyncio.to_thread(_make, store, person, form)
            return await asyncio.to_thread(_page, settings, store, person, made=made)
        except NotAllowed as error:
            return _refusal(error, settings)
        except StorageTrouble:
            raise  # the gate answers
        except EvidenceError as error:
            return await asyncio.to_thread(_page, settings, store, person, note=str(error), status=400)

    async def revoke(request: Request) -> Response:
        try:
            person = person_on_the_page(request)
            _refuse_another(await small_form(request) or {}, person)
            await asyncio.to_thread(tokens.revoke_token, store, int(request.path_params["number"]), by=person)
        except NotAllowed as error:
            return _refusal(error, settings)
        except StorageTrouble:
            raise
        except EvidenceError as error:
            return plain_page(TITLE, _note(str(error)), status=404)
        return RedirectResponse(settings.root_path + "/tokens", status_code=303)

    return [
        Route("/tokens", show, methods=["GET"]),
        Route("/tokens", create, methods=["POST"]),
        Route("/tokens/{number:int}/revoke", revoke, methods=["POST"]),
    ]


def _make(store: Store, person: Reviewer, form: dict[str, str]) -> str:
    days = form.get("days", "")
    if days not in LIFETIMES:
        raise InvalidRecord("Choose one of the lifetimes.")
    return tokens.create_token(store, person.name, form.get("name", ""), days=int(days) if days else None)[0]


def _refuse_another(form: dict[str, str], person: Reviewer) -> None:
    if form_is_for_another(form, person):
        raise NotAllowed(REFUSAL)


def _refusal(error: NotAllowed, settings: Settings) -> Response:
    return plain_page(TITLE, _note(str(error)) + f'<p><a href="{settings.root_path}/">Back</a></p>', status=403)


def _page(
    settings: Settings, store: Store, person: Reviewer, *, made: str = "", note: str = "", status: int = 200
) -> Response:
    hidden = f'<input type="hidden" name="{FIELD}" value="{html.escape(person.name, quote=True)}">'
    rows = "".join(_row(known, settings.root_path, hidden) for known in store.tokens(reviewer=person.name))
    rows = rows or f'<tr><td colspan="{len(HEADS) + 1}">You have no token yet.</td></tr>'
    choices = "".join(f'<option value="{days}">{words}</option>' for days, words in LIFETIMES.items())
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    body = _BODY.replace("<!--choices-->", choices).replace("<!--heads-->", heads).replace("<!--rows-->", rows)
    body = body.replace("<!--root-->", settings.root_path).replace("<!--hidden-->", hidden)
    shown = _note(note) if note else ""
    if made:
        shown = f'<p class="note" role="status">Copy the new token now; it is shown this once.<br><code id="token">{made}</code></p>'
    return plain_page(TITLE, body.replace("<!--note-->", shown), status=status, headers=NO_STORE, wide=True)


def _row(known: AccessToken, root: str, hidden: str) -> str:
    state = tokens.state_of(known)
    cells = [known.name, known.created_at[:10], _time(known.used_at, "never"), _time(known.expires_at, "never"), state]
    inside = "".join(
        f'<td data-head="{head}">{html.escape(cell)}</td>' for head, cell in zip(HEADS, cells, strict=True)
    )
    name = html.escape(known.name, quote=True)
    form = (
        f'<details><summary aria-label="Revoke {name}">Revoke</summary><form method="post" action="{root}/tokens/{known.id}/revoke">'
        f'{hidden}<button type="submit" aria-label="Yes, end {name}">Yes, end it</button></form></details>'
    )
    return f"<tr>{inside}<td>{form if state == 'in use' else ''}</td></tr>"


def _time(text: str | None, absent: str) -> str:
    return absent if text is None else text[:16].replace("T", " ")


def _note(text: str) -> str:
    return f'<p class="note" role="alert">{html.escape(text)}</p>'


_BODY = """<h1>Access tokens</h1>
<p>A program that sends <code>Authorization: Bearer …</code> with a token may do through the API what you may do on the page.
Give each program its own, and revoke what is not used. <a href="<!--root-->/">Back to the app</a></p>
<!--note-->
<form method="post" action="<!--root-->/tokens"><!--hidden-->
<label>What it is for<input name="name" maxlength="80" required></label>
<label>Lasts<select name="days"><!--choices--></select></label>
<button type="submit">Make a token</button>
</form>
<div class="scroll" tabindex="0" role="region" aria-label="Your access tokens"><table>
<thead><tr><!--heads--><th></th></tr></thead>
<tbody><!--rows--></tbody>
</table></div>"""
