"""Who may come in: passwords (argon2id), sessions, and what each role may do. No gradio, no torch.

How often somebody may guess is in `annotator.people.throttle`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from annotator.people.throttle import Throttle
from storage.records import EvidenceError, InvalidRecord, Reviewer, Role
from storage.store import Store

CURATORS = (Role.ADJUDICATOR, Role.ADMIN)  # may bring data in, take it out and train
MINIMUM_PASSWORD_CHARACTERS = 10
MAXIMUM_PASSWORD_CHARACTERS = 1024  # hashing takes time in proportion


class AccountError(EvidenceError):
    """Base of the errors below.

    AccountError
    ├── PasswordTooWeak
    ├── SignInRefused      wrong name or password: which of the two is not said
    ├── NothingTyped       no name or no password: that is no attempt
    └── NotAllowed         signed in, but not in this role
    """


class PasswordTooWeak(AccountError):
    """The password is too short or too long."""


class SignInRefused(AccountError):
    """Wrong name or password."""


class NothingTyped(AccountError):
    """The name or the password is missing."""


class NotAllowed(AccountError):
    """The person's role does not allow this."""


def check_new_name(store: Store, name: str) -> None:
    """Raises InvalidRecord for a name that would be taken for another's, or for two in a list of names."""
    if "," in name:
        raise InvalidRecord("A name has no comma: it stands in lists of names.")
    if name in store.reader_codes().values():
        raise InvalidRecord(f"{name} stands for somebody where names are not told: choose another name.")
    for taken in [r.name for r in store.reviewers()] + [i.reviewer for i in store.open_invitations()]:
        if taken != name and taken.casefold() == name.casefold():
            raise InvalidRecord(f"There is {taken} already: write the name like that, or choose another.")


class Accounts:
    """Sign-in over a store. `hasher` and `throttle` may be exchanged in tests."""

    def __init__(
        self,
        store: Store,
        *,
        session_hours: float = 12.0,
        hasher: PasswordHasher | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._store = store
        self._session_hours = session_hours
        self._hasher = hasher or PasswordHasher()
        self.throttle = throttle or Throttle(store)
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    def add(self, name: str, role: Role, password: str) -> Reviewer:
        """Make an account. A reviewer of that name without a password (imported, local) gets one.

        Raises PasswordTooWeak, and InvalidRecord if the name can sign in already, or would be taken for another's.
        """
        return self.add_hashed(name, role, self.hashed(password))

    def add_hashed(self, name: str, role: Role, password_hash: str) -> Reviewer:
        """As `add`, with what `hashed` made of the password."""
        known = {r.name: r for r in self._store.reviewers()}
        if name in known and self._store.password_hash(name) is None and known[name].disabled_at is None:
            self._store.update_reviewer(name, role=role, password_hash=password_hash)
            return self._store.reviewer(name)
        if name not in known:
            check_new_name(self._store, name)
        return self._store.add_reviewer(name, role, password_hash=password_hash)

    def set_password(self, name: str, password: str) -> None:
        """Give the person a new password; sessions, access tokens and links for a new one end. Raises NotFound, PasswordTooWeak."""
        self.set_hashed(name, self.hashed(password))

    def set_hashed(self, name: str, password_hash: str) -> None:
        """As `set_password`, with what `hashed` made of the password."""
        with self._store.write():
            self._store.update_reviewer(name, password_hash=password_hash)
            self._store.revoke_tokens_of(name)
            self._store.withdraw_invitations_of(name)

    def change_own_password(self, name: str, current: str, new: str, *, address: str, device: str | None = None) -> str:
        """Set one's own password, knowing the one before; every session and access token ends. Returns the token of a new session.

        Raises NothingTyped, TooManyAttempts, SignInRefused, PasswordTooWeak.
        """
        if not current or not new:
            raise NothingTyped("Type your password and the new one.")
        ticket = self.throttle.take(name, address=address, device=device)
        if not self._password_fits(name, current):
            raise SignInRefused("That is not your password.")
        self.throttle.give_back(ticket)
        self.set_password(name, new)
        return self.open_session(name)

    def sign_in(self, name: str, password: str, *, address: str, device: str | None = None) -> str:
        """Check a password and open a session. Returns the token for the cookie; only its hash is stored.

        device: what this browser was given when the person signed in before. Takes about 50 ms: call it off the event loop.
        Raises NothingTyped, TooManyAttempts, SignInRefused.
        """
        if not name or not password:
            raise NothingTyped("Type your name and your password.")
        ticket = self.throttle.take(name, address=address, device=device)
        if not self._password_fits(name, password):
            raise SignInRefused("Wrong name or password.")
        self.throttle.give_back(ticket)
        return self.open_session(name)

    def open_session(self, name: str) -> str:
        """A session of a person who has proved who they are. Returns the token for the cookie. Raises SignInRefused."""
        if self._store.reviewer(name).disabled_at is not None:
            raise SignInRefused(f"The account {name} is disabled. Ask an admin.")
        token = secrets.token_urlsafe(32)
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(hours=self._session_hours)
        self._store.add_session(token_sha256(token), name, expires_at=expires.strftime("%Y-%m-%dT%H:%M:%SZ"))
        return token

    def reviewer_of(self, token: str | None) -> Reviewer | None:
        """Whose session the token opens: None if it is unknown, expired, or the person was disabled."""
        return self._store.session_reviewer(token_sha256(token)) if token else None

    def sign_out(self, token: str | None) -> None:
        if token:
            self._store.end_session(token_sha256(token))

    def _password_fits(self, name: str, password: str) -> bool:
        """Takes as long for an unknown name as for a known one."""
        stored = self._store.password_hash(name)
        try:
            fits = self._hasher.verify(stored or self._nobody, password[:MAXIMUM_PASSWORD_CHARACTERS])
        except (VerificationError, InvalidHashError):
            return False
        if stored is not None and self._hasher.check_needs_rehash(stored):
            self._upgrade(name, password)
        return fits and stored is not None

    def _upgrade(self, name: str, password: str) -> None:
        self._store.update_reviewer(name, password_hash=self._hasher.hash(password))

    def hashed(self, password: str) -> str:
        """What is stored of a password. Takes about 50 ms and 64 MiB: outside of a transaction, off the event loop.

        Raises PasswordTooWeak.
        """
        if not MINIMUM_PASSWORD_CHARACTERS <= len(password) <= MAXIMUM_PASSWORD_CHARACTERS:
            raise PasswordTooWeak(
                f"A password has at least {MINIMUM_PASSWORD_CHARACTERS} characters and at most {MAXIMUM_PASSWORD_CHARACTERS}."
            )
        return self._hasher.hash(password)


def token_sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def allow(reviewer: Reviewer | None, *roles: Role) -> Reviewer:
    """The reviewer, if they have one of the roles; an admin has them all. Raises NotAllowed."""
    if reviewer is None:
        raise NotAllowed("Sign in first.")
    if roles and reviewer.role is not Role.ADMIN and reviewer.role not in roles:
        names = " or ".join(str(role) for role in dict.fromkeys([*roles, Role.ADMIN]))
        raise NotAllowed(f"This is for {names}; you are signed in as {reviewer.name} ({reviewer.role}).")
    return reviewer
