"""Personal access tokens: what a program shows instead of signing in. It may do through the API what its person may do on
the page, and nothing else: no page, no sign-in, no tokens. Only hashes are stored. No gradio, no torch.
"""

from __future__ import annotations

import datetime as dt
import secrets

from annotator.people.accounts import token_sha256
from storage.account_records import AccessToken
from storage.records import InvalidRecord, NotFound, Reviewer, Role
from storage.store import Store

PREFIX = "evt_"  # so that a leaked one is recognised, also by scanners
MOST_IN_USE = 20
LONGEST_NAME = 80
LONGEST_DAYS = 3650
FRESH_SECONDS = 60  # a use within the minute after the last is not written down


def create_token(store: Store, reviewer: str, name: str, *, days: int | None = None) -> tuple[str, AccessToken]:
    """Make a token for the person. Returns (the token, which is never shown again; what is known of it).

    days: until it expires; None: never. Raises NotFound, InvalidRecord.
    """
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidRecord(f"Say what the token is for, in up to {LONGEST_NAME} characters.")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise InvalidRecord(f"A token may last between 1 and {LONGEST_DAYS} days, not {days}.")
    person = store.reviewer(reviewer)
    if person.disabled_at is not None:
        raise InvalidRecord(f"The account {person.name} is disabled and cannot have access tokens.")
    token = PREFIX + secrets.token_urlsafe(32)
    with store.write():
        if len(store.tokens(reviewer=person.name, with_ended=False)) >= MOST_IN_USE:
            raise InvalidRecord(f"{person.name} has {MOST_IN_USE} access tokens already. Revoke one first.")
        known = store.add_token(token_sha256(token), person.name, name, expires_at=_in_days(days))
    return token, known


def revoke_token(store: Store, token_id: int, *, by: Reviewer) -> None:
    """End one of one's own tokens; an admin may end anybody's. Raises NotFound."""
    known = store.token(token_id)
    if known.reviewer != by.name and by.role is not Role.ADMIN:
        raise NotFound(f"There is no access token {token_id}.")
    store.revoke_token(token_id)


def holder_of(store: Store, token: str) -> tuple[AccessToken, Reviewer] | None:
    """Whose token it is; None if it is unknown, revoked or expired, or the person is disabled. One look-up by its hash."""
    return store.token_reviewer(token_sha256(token)) if token.startswith(PREFIX) else None


def is_noted(known: AccessToken) -> bool:
    """True if the last use that was written down is so recent that this one need not be."""
    if known.used_at is None:
        return False
    return dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(known.used_at) < dt.timedelta(seconds=FRESH_SECONDS)


def state_of(known: AccessToken) -> str:
    """`in use`, `expired` or `revoked`."""
    if known.revoked_at is not None:
        return "revoked"
    if known.expires_at is not None and dt.datetime.fromisoformat(known.expires_at) <= dt.datetime.now(dt.UTC):
        return "expired"
    return "in use"


def _in_days(days: int | None) -> str | None:
    if days is None:
        return None
    return (dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
