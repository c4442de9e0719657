"""The People page, for admins: invitations by link, roles, new passwords, disabling, ending sessions."""

from __future__ import annotations

from typing import Annotated

import gradio as gr
from pydantic import Field
from typing_extensions import TypedDict

from annotator.messages import Id
from annotator.people import invitations
from annotator.people.accounts import allow
from annotator.ui.answers import Answer, Wire, server_functions
from annotator.ui.assets import asset, styled_script
from annotator.ui.context import Context
from storage.records import InvalidRecord, Reviewer, Role


class Nothing(TypedDict):
    pass


class Invited(TypedDict):
    name: Id
    role: Id
    days: Annotated[int, Field(ge=1, le=invitations.LONGEST_DAYS)]


class Named(TypedDict):
    name: Id


class InRole(Named):
    role: Id


class Enabled(Named):
    enabled: bool


def build(context: Context) -> None:
    """Put the page into the tab that is being built."""
    gr.HTML(
        html_template=asset("people.html"),
        js_on_load=styled_script("people.js"),
        apply_default_css=False,
        server_functions=server_functions(context, ANSWERS),
        elem_id="people",
    )


def _list(context: Context, message: Nothing, me: Reviewer) -> Wire:
    allow(me, Role.ADMIN)
    return _everybody(context, me)


def _invite(context: Context, message: Invited, me: Reviewer) -> Wire:
    token, made = invitations.invite(
        context.store, message["name"], _role(message["role"]), by=me, days=message["days"]
    )
    return {**_everybody(context, me), "link": f"join/{token}", "for": made.reviewer, "until": made.expires_at}


def _reset(context: Context, message: Named, me: Reviewer) -> Wire:
    token, made = invitations.reset(context.store, message["name"], by=me)
    return {**_everybody(context, me), "link": f"join/{token}", "for": made.reviewer, "until": made.expires_at}


def _withdraw(context: Context, message: Named, me: Reviewer) -> Wire:
    invitations.withdraw(context.store, message["name"], by=me)
    return _everybody(context, me)


def _change_role(context: Context, message: InRole, me: Reviewer) -> Wire:
    invitations.change_role(context.store, message["name"], _role(message["role"]), by=me)
    return _everybody(context, me)


def _enable(context: Context, message: Enabled, me: Reviewer) -> Wire:
    change = invitations.enable if message["enabled"] else invitations.disable
    change(context.store, message["name"], by=me)
    return _everybody(context, me)


def _end_sessions(context: Context, message: Named, me: Reviewer) -> Wire:
    ended = invitations.end_sessions(context.store, message["name"], by=me)
    return {**_everybody(context, me), "ended": ended}


def _role(given: str) -> Role:
    try:
        return Role(given)
    except ValueError:
        raise InvalidRecord(f"{given!r} is no role; it is {', '.join(Role)}.") from None


def _everybody(context: Context, me: Reviewer) -> Wire:
    store = context.store
    sessions, links = store.sessions_by_person(), {i.reviewer: i for i in store.open_invitations()}
    elsewhere = {identity.reviewer for identity in store.identities()}
    people = [
        {
            "name": r.name,
            "role": str(r.role),
            "disabled": r.disabled_at is not None,
            "signs_in": "elsewhere" if r.name in elsewhere else "here" if store.password_hash(r.name) else "",
            "sessions": sessions.get(r.name, (0, ""))[0],
            "seen": sessions.get(r.name, (0, ""))[1],
            "link": links[r.name].expires_at if r.name in links else "",
        }
        for r in store.reviewers()
    ]
    known = {p["name"] for p in people}
    waiting = [
        {"name": i.reviewer, "role": str(i.role), "until": i.expires_at}
        for i in links.values()
        if i.reviewer not in known
    ]
    return {"people": people, "waiting": waiting, "me": me.name, "days": invitations.DAYS}


ANSWERS: dict[str, Answer] = {
    "people_list": _list,
    "people_invite": _invite,
    "people_reset": _reset,
    "people_withdraw": _withdraw,
    "people_role": _change_role,
    "people_enable": _enable,
    "people_end_sessions": _end_sessions,
}
