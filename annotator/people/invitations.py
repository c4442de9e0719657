"""People by hand of an admin: links with which they set their password once, roles, disabling, ending sessions. No gradio, no torch."""

from __future__ import annotations

import datetime as dt
import secrets

from annotator.people.accounts import AccountError, Accounts, allow, check_new_name, token_sha256
from storage.account_records import Invitation
from storage.records import InvalidRecord, NotFound, Reviewer, Role
from storage.store import Store

LONGEST_NAME = 80
DAYS = 7
LONGEST_DAYS = 30


class LinkIsGone(AccountError):
    """The link is unknown, was used or withdrawn, has expired, or its maker is no admin any more: which of them is not said."""

    def __init__(self) -> None:
        super().__init__("This link cannot be used (any more). Ask an admin for a new one.")


def invite(store: Store, name: str, role: Role, *, by: Reviewer, days: int = DAYS) -> tuple[str, Invitation]:
    """A link with which a new person sets their password. Returns (its secret, which is never shown again; what is known of it).

    A name that came with an import, or read here before anybody signed in, becomes that person's. An earlier link for the name ends.
    Raises NotAllowed, InvalidRecord.
    """
    allow(by, Role.ADMIN)
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidRecord(f"Give the person a name of at most {LONGEST_NAME} characters.")
    known = next((r for r in store.reviewers() if r.name == name), None)
    if known is None:
        check_new_name(store, name)
    if known is not None and known.disabled_at is not None:
        raise InvalidRecord(f"{name} is disabled. Enable the account first.")
    if not any(r.role is Role.ADMIN and _can_sign_in(store, r.name) for r in store.reviewers()):
        raise InvalidRecord(
            "Set your own password first: the first account turns sign-in on, and an admin has to be among them."
        )
    if _can_sign_in(store, name):
        raise InvalidRecord(f"{name} can sign in already. For a lost password, make a new link instead.")
    return _made(store, name, role, by, days)


def reset(store: Store, name: str, *, by: Reviewer, days: int = DAYS) -> tuple[str, Invitation]:
    """A link with which a person sets a new password; the one before works until it is used. Returns as `invite`.

    Raises NotAllowed, NotFound, InvalidRecord.
    """
    allow(by, Role.ADMIN)
    person = store.reviewer(name)
    if person.disabled_at is not None:
        raise InvalidRecord(f"{name} is disabled. Enable the account first.")
    if store.password_hash(name) is None:
        raise InvalidRecord(f"{name} has no password here. Invite them instead.")
    return _made(store, name, None, by, days)


def look_up(store: Store, token: str) -> Invitation:
    """Whose link it is. Raises LinkIsGone."""
    found = store.open_invitation(token_sha256(token))
    if found is None:
        raise LinkIsGone
    return found


def accept(store: Store, accounts: Accounts, token: str, password: str) -> str:
    """Set the password that the link is for; the link ends with it. Returns the person's name.

    Raises LinkIsGone, PasswordTooWeak, InvalidRecord; then the link can be used again.
    """
    look_up(store, token)
    password_hash = accounts.hashed(password)  # before the transaction: nobody's save waits for it
    with store.write():
        found = look_up(store, token)
        if not store.use_invitation(found.id):
            raise LinkIsGone
        if found.role is None:
            if store.reviewer(found.reviewer).disabled_at is not None:
                raise LinkIsGone
            accounts.set_hashed(found.reviewer, password_hash)
        else:
            accounts.add_hashed(found.reviewer, found.role, password_hash)
    return found.reviewer


def withdraw(store: Store, name: str, *, by: Reviewer) -> int:
    """End a person's open links. Returns how many there were. Raises NotAllowed."""
    allow(by, Role.ADMIN)
    return store.withdraw_invitations_of(name)


def change_role(store: Store, name: str, role: Role, *, by: Reviewer) -> None:
    """Raises NotAllowed, NotFound, InvalidRecord if nobody who can sign in would be admin."""
    allow(by, Role.ADMIN)
    with store.write():
        if role is not Role.ADMIN:
            _keep_an_admin(store, name)
        store.update_reviewer(name, role=role)
        if not _can_sign_in(store, name):
            store.withdraw_invitations_of(name)  # an invitation brings the role that it was made for


def disable(store: Store, name: str, *, by: Reviewer) -> None:
    """Refuse the person sign-in; sessions, access tokens and links end at once, answers stay. Raises as change_role."""
    allow(by, Role.ADMIN)
    if name == by.name:
        raise InvalidRecord("You cannot disable yourself. Another admin can.")
    with store.write():
        _keep_an_admin(store, name)
        store.update_reviewer(name, disabled=True)
        store.withdraw_invitations_of(name)


def enable(store: Store, name: str, *, by: Reviewer) -> None:
    """Let a disabled person sign in again. Raises NotAllowed, NotFound."""
    allow(by, Role.ADMIN)
    store.update_reviewer(name, disabled=False)


def end_sessions(store: Store, name: str, *, by: Reviewer) -> int:
    """Sign a person out everywhere: oneself, or anybody as an admin. Returns how many sessions ended. Raises NotAllowed, NotFound."""
    if name != by.name:
        allow(by, Role.ADMIN)
    return store.end_sessions_of(store.reviewer(name).name)


def _made(store: Store, name: str, role: Role | None, by: Reviewer, days: int) -> tuple[str, Invitation]:
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidRecord(f"A link lasts between 1 and {LONGEST_DAYS} days, not {days}.")
    token = secrets.token_urlsafe(32)
    expires = (dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return token, store.add_invitation(token_sha256(token), name, role, by=by.name, expires_at=expires)


def _keep_an_admin(store: Store, name: str) -> None:
    """Raises NotFound, and InvalidRecord if the person is the only one who can sign in as admin."""
    person = store.reviewer(name)
    if person.role is not Role.ADMIN or not _can_sign_in(store, name):
        return
    others = [r for r in store.reviewers() if r.role is Role.ADMIN and r.name != name and _can_sign_in(store, r.name)]
    if not others:
        raise InvalidRecord(f"{name} is the only admin who can sign in. Make somebody else admin first.")


def _can_sign_in(store: Store, name: str) -> bool:
    try:
        store.reviewer(name)
    except NotFound:
        return False
    return store.password_hash(name) is not None or any(i.reviewer == name for i in store.identities())
