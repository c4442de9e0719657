from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from annotator.people.accounts import (
    Accounts,
    NotAllowed,
    NothingTyped,
    PasswordTooWeak,
    SignInRefused,
    allow,
)
from annotator.people.throttle import Throttle
from storage.records import InvalidRecord, Reviewer, Role
from storage.store import Store
from tests.clock import Clock

FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(store: Store, clock: Clock) -> Accounts:
    return Accounts(store, hasher=FAST, throttle=Throttle(store, clock=clock))


def sign_in(accounts: Accounts, name: str = "eva", password: str = PASSWORD, address: str = "10.0.0.1") -> str:
    return accounts.sign_in(name, password, address=address)


def test_the_right_password_opens_a_session_until_signing_out(accounts: Accounts) -> None:
    accounts.add("eva", Role.ADJUDICATOR, PASSWORD)
    token = sign_in(accounts)
    found = accounts.reviewer_of(token)
    assert found is not None
    assert (found.name, found.role) == ("eva", Role.ADJUDICATOR)
    accounts.sign_out(token)
    assert accounts.reviewer_of(token) is None


def test_the_store_holds_neither_password_nor_token(accounts: Accounts, store: Store) -> None:
    accounts.add("eva", Role.REVIEWER, PASSWORD)
    token = sign_in(accounts)
    with store.read() as db:
        content = repr(list(db.query("SELECT * FROM session"))) + repr(list(db.query("SELECT * FROM reviewer")))
    assert token not in content
    assert PASSWORD not in content
    assert "$argon2id$" in content


@pytest.mark.parametrize(("name", "password"), [("eva", "wrong password"), ("nobody", PASSWORD), ("ana", "x")])
def test_every_wrong_pair_gets_the_same_answer(accounts: Accounts, name: str, password: str) -> None:
    accounts.add("eva", Role.REVIEWER, PASSWORD)
    with pytest.raises(SignInRefused, match=r"^Wrong name or password\.$"):
        sign_in(accounts, name, password)


def test_an_expired_session_opens_nothing(store: Store) -> None:
    accounts = Accounts(store, session_hours=-1, hasher=FAST)
    accounts.add("eva", Role.REVIEWER, PASSWORD)
    assert accounts.reviewer_of(sign_in(accounts)) is None


def test_disabling_a_person_ends_their_sessions_and_refuses_the_password(accounts: Accounts, store: Store) -> None:
    accounts.add("eva", Role.REVIEWER, PASSWORD)
    token = sign_in(accounts)
    store.update_reviewer("eva", disabled=True)
    assert accounts.reviewer_of(token) is None
    with pytest.raises(SignInRefused):
        sign_in(accounts)


def test_a_new_password_ends_the_old_sessions(accounts: Accounts) -> None:
    accounts.add("eva", Role.REVIEWER, PASSWORD)
    token = sign_in(accounts)
    accounts.set_password("eva", "another long one")
    assert accounts.reviewer_of(token) is None
    assert sign_in(accounts, password="another long one")


@pytest.mark.parametrize(("name", "password"), [("", ""), ("eva", ""), ("", PASSWORD)])
def test_a_form_in_which_nothing_was_typed_is_no_attempt(accounts: Accounts, name: str, password: str) -> None:
    accounts.add("eva", Role.REVIEWER, PASSWORD)
    for _ in range(100):
        with pytest.raises(NothingTyped):
            sign_in(accounts, name, password)
    assert sign_in(accounts)


@pytest.mark.parametrize("password", ["short", "", "x" * 1025])
def test_a_password_that_is_too_short_or_too_long_is_refused(accounts: Accounts, password: str) -> None:
    with pytest.raises(PasswordTooWeak):
        accounts.add("eva", Role.REVIEWER, password)


def test_somebody_known_without_a_password_gets_one_and_an_account_is_not_made_twice(accounts: Accounts) -> None:
    assert accounts.add("ana", Role.ADMIN, PASSWORD).role is Role.ADMIN
    with pytest.raises(InvalidRecord, match="already"):
        accounts.add("ana", Role.REVIEWER, PASSWORD)


@pytest.mark.parametrize(
    ("role", "roles", "allowed"),
    [
        (Role.REVIEWER, (), True),
        (Role.REVIEWER, (Role.ADJUDICATOR,), False),
        (Role.ADJUDICATOR, (Role.ADJUDICATOR,), True),
        (Role.ADJUDICATOR, (Role.ADMIN,), False),
        (Role.ADMIN, (Role.ADJUDICATOR,), True),
    ],
)
def test_roles_allow_what_they_should(role: Role, roles: tuple[Role, ...], allowed: bool) -> None:
    person = Reviewer("eva", role)
    if allowed:
        assert allow(person, *roles) is person
    else:
        with pytest.raises(NotAllowed, match="you are signed in as eva"):
            allow(person, *roles)


def test_nobody_is_allowed_nothing() -> None:
    with pytest.raises(NotAllowed, match="Sign in"):
        allow(None)
