"""Links with which people set their password: once, for a time, by admins only; and what an admin cannot do to the last admin."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable

import pytest
from argon2 import PasswordHasher

from annotator.people import invitations
from annotator.people.accounts import Accounts, NotAllowed, PasswordTooWeak, SignInRefused
from annotator.people.invitations import LinkIsGone
from storage.records import InvalidRecord, NotFound, Reviewer, Role
from storage.store import Store

ADAM = Reviewer("adam", Role.ADMIN)
PASSWORD, OTHER = "correct horse battery", "another horse battery"


@pytest.fixture
def accounts(store: Store) -> Accounts:
    found = Accounts(store)
    found.add("adam", Role.ADMIN, PASSWORD)
    return found


def signs_in(accounts: Accounts, name: str, password: str) -> bool:
    try:
        return bool(accounts.sign_in(name, password, address="203.0.113.7"))
    except SignInRefused:
        return False


def test_a_link_brings_one_person_in_once(store: Store, accounts: Accounts) -> None:
    token, made = invitations.invite(store, "zoe", Role.ADJUDICATOR, by=ADAM)
    with store.read() as db:
        assert token not in str([tuple(row.values()) for row in db.query("SELECT * FROM invitation")])
    with pytest.raises(PasswordTooWeak):
        invitations.accept(store, accounts, token, "short")
    assert invitations.accept(store, accounts, token, PASSWORD) == "zoe"
    assert (store.reviewer("zoe").role, signs_in(accounts, "zoe", PASSWORD)) == (Role.ADJUDICATOR, True)
    with pytest.raises(LinkIsGone):
        invitations.accept(store, accounts, token, OTHER)
    assert store.invitation(made.id).used_at is not None


def test_links_end_by_time_by_hand_by_a_later_one_and_with_the_account(store: Store, accounts: Accounts) -> None:
    def gone(token: str) -> bool:
        try:
            return not invitations.look_up(store, token)
        except LinkIsGone:
            return True

    first, made = invitations.invite(store, "zoe", Role.REVIEWER, by=ADAM)
    second, _ = invitations.invite(store, "zoe", Role.REVIEWER, by=ADAM)
    assert (gone(first), gone(second), gone("x"), gone("")) == (True, False, True, True)
    with store.write() as db:
        db.conn.execute("UPDATE invitation SET expires_at = '2020-01-01T00:00:00Z' WHERE id > ?", [made.id])
    assert gone(second)
    third, _ = invitations.invite(store, "zoe", Role.REVIEWER, by=ADAM)
    assert invitations.withdraw(store, "zoe", by=ADAM) == 1
    assert gone(third)
    accounts.add("zoe", Role.REVIEWER, PASSWORD)
    lost, _ = invitations.reset(store, "zoe", by=ADAM)
    invitations.disable(store, "zoe", by=ADAM)
    assert gone(lost)
    with pytest.raises(InvalidRecord, match="Enable the account first"):
        invitations.reset(store, "zoe", by=ADAM)


def test_a_new_password_ends_the_old_one_with_sessions_and_tokens(store: Store, accounts: Accounts) -> None:
    accounts.add("zoe", Role.REVIEWER, PASSWORD)
    session = accounts.sign_in("zoe", PASSWORD, address="203.0.113.7")
    link, _ = invitations.reset(store, "zoe", by=ADAM)
    assert signs_in(accounts, "zoe", PASSWORD)  # until it is used
    invitations.accept(store, accounts, link, OTHER)
    assert (signs_in(accounts, "zoe", PASSWORD), signs_in(accounts, "zoe", OTHER)) == (False, True)
    assert accounts.reviewer_of(session) is None
    assert invitations.end_sessions(store, "zoe", by=ADAM) == 1
    mine = accounts.change_own_password("zoe", OTHER, PASSWORD, address="203.0.113.7")
    assert accounts.reviewer_of(mine) == store.reviewer("zoe")
    with pytest.raises(SignInRefused):
        accounts.change_own_password("zoe", OTHER, PASSWORD, address="203.0.113.7")


def test_nobody_is_invited_under_the_name_of_another(store: Store, accounts: Accounts) -> None:
    accounts.add("zoe", Role.REVIEWER, PASSWORD)
    invitations.invite(store, "ada", Role.REVIEWER, by=ADAM)
    for name, words in (
        ("zoe", "can sign in already"),
        ("Zoe", "zoe already"),
        ("ADA", "ada already"),
        ("Byron, Ada", "no comma"),
        (store.reader_codes()["zoe"], "stands for somebody"),
        (" ", "Give the person"),
        ("a\nb", "Give"),
    ):
        with pytest.raises(InvalidRecord, match=words):
            invitations.invite(store, name, Role.REVIEWER, by=ADAM)
    with pytest.raises(InvalidRecord, match="ada already"):
        accounts.add("Ada", Role.REVIEWER, PASSWORD)
    store.ensure_reviewer("imported")
    token, _ = invitations.invite(store, "imported", Role.REVIEWER, by=ADAM)
    accounts.add("imported", Role.REVIEWER, PASSWORD)  # on the command line, in the meantime
    with pytest.raises(InvalidRecord, match="already"):
        invitations.accept(store, accounts, token, OTHER)


def test_there_is_always_an_admin_who_can_sign_in(store: Store, accounts: Accounts) -> None:
    with pytest.raises(InvalidRecord, match="the only admin"):
        invitations.change_role(store, "adam", Role.REVIEWER, by=ADAM)
    with pytest.raises(InvalidRecord, match="cannot disable yourself"):
        invitations.disable(store, "adam", by=ADAM)
    accounts.add("eva", Role.ADMIN, PASSWORD)
    invitations.change_role(store, "adam", Role.REVIEWER, by=Reviewer("eva", Role.ADMIN))
    assert store.reviewer("adam").role is Role.REVIEWER
    with pytest.raises(NotFound):
        invitations.change_role(store, "nobody", Role.ADMIN, by=ADAM)


def test_the_first_account_is_an_admins(store: Store) -> None:
    with pytest.raises(InvalidRecord, match="Set your own password first"):
        invitations.invite(store, "zoe", Role.REVIEWER, by=ADAM)


DEEDS: list[Callable[[Store, Reviewer], object]] = [
    lambda store, by: invitations.invite(store, "new", Role.ADMIN, by=by),
    lambda store, by: invitations.reset(store, "adam", by=by),
    lambda store, by: invitations.withdraw(store, "adam", by=by),
    lambda store, by: invitations.change_role(store, by.name, Role.ADMIN, by=by),
    lambda store, by: invitations.disable(store, "adam", by=by),
    lambda store, by: invitations.enable(store, "adam", by=by),
    lambda store, by: invitations.end_sessions(store, "adam", by=by),
]


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.ADJUDICATOR])
@pytest.mark.parametrize("deed", DEEDS)
def test_only_admins_may(
    store: Store, accounts: Accounts, role: Role, deed: Callable[[Store, Reviewer], object]
) -> None:
    accounts.add("jon", role, PASSWORD)
    with pytest.raises(NotAllowed):
        deed(store, Reviewer("jon", role))


def test_links_end_with_the_right_of_who_made_them_and_with_a_password_set_otherwise(
    store: Store, accounts: Accounts
) -> None:
    """An admin who is to be one no more keeps no way back in: neither a person of their own nor the password of another."""
    accounts.add("max", Role.ADMIN, PASSWORD)
    made_by = Reviewer("max", Role.ADMIN)
    own, _ = invitations.invite(store, "backdoor", Role.ADMIN, by=made_by)
    others, _ = invitations.reset(store, "adam", by=made_by)
    invitations.change_role(store, "max", Role.REVIEWER, by=ADAM)
    for token in (own, others):
        with pytest.raises(LinkIsGone):
            invitations.accept(store, accounts, token, OTHER)
    assert (store.open_invitations(), signs_in(accounts, "adam", PASSWORD)) == ([], True)
    invitations.withdraw(store, "backdoor", by=ADAM)
    invitations.change_role(store, "max", Role.ADMIN, by=ADAM)  # an admin again: what was ended meanwhile stays so
    with pytest.raises(LinkIsGone):
        invitations.accept(store, accounts, own, OTHER)
    invitations.change_role(store, "max", Role.REVIEWER, by=ADAM)
    lost, _ = invitations.reset(store, "max", by=ADAM)
    accounts.change_own_password("max", PASSWORD, OTHER, address="203.0.113.7")
    with pytest.raises(LinkIsGone):
        invitations.accept(store, accounts, lost, PASSWORD)


def test_no_save_waits_while_the_password_of_a_link_is_hashed(store: Store, accounts: Accounts) -> None:
    class Watching(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            with contextlib.closing(sqlite3.connect(store.path, timeout=0, isolation_level=None)) as another:
                another.execute("BEGIN IMMEDIATE")  # refused at once while somebody writes
                another.execute("ROLLBACK")
            hashed.append(password)
            return super().hash(password, salt=salt)

    hashed: list[str | bytes] = []
    watched = Accounts(store, hasher=Watching(time_cost=1, memory_cost=8, parallelism=1))
    for token, _ in (
        invitations.invite(store, "zoe", Role.REVIEWER, by=ADAM),
        invitations.reset(store, "adam", by=ADAM),
    ):
        invitations.accept(store, watched, token, OTHER)
    assert hashed[1:] == [OTHER, OTHER]
