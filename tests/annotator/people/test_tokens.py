"""Access tokens: made, shown once, listed, ended; and what the gate lets in with one."""

from __future__ import annotations

from typing import Any

import pytest

from annotator.people import tokens
from annotator.people.accounts import Accounts
from annotator.web.gate import SESSION_COOKIE
from storage.records import InvalidRecord, NotFound, Role
from storage.store import Store
from tests.annotator.people.test_accounts import FAST, PASSWORD
from tests.annotator.web.test_gate import Gated, ask


@pytest.fixture
def gated(store: Store) -> Gated:
    found = Gated(store)
    for name, role in (("eva", Role.REVIEWER), ("adam", Role.ADMIN)):
        found.accounts.add(name, role, PASSWORD)
    return found


def test_only_the_hash_of_a_token_is_stored(store: Store) -> None:
    token, known = tokens.create_token(store, "ana", " nightly run ")
    assert token.startswith(tokens.PREFIX)
    assert (known.reviewer, known.name, known.expires_at, known.used_at) == ("ana", "nightly run", None, None)
    with store.read() as db:
        assert token not in str(list(db.query("SELECT * FROM access_token")))
    found = tokens.holder_of(store, token)
    assert found is not None
    assert found[1] == store.reviewer("ana")


@pytest.mark.parametrize(
    ("name", "days"), [("", None), ("  ", None), ("x" * 81, None), ("two\nlines", None), ("x", 0), ("x", 3651)]
)
def test_a_token_needs_a_name_and_a_sensible_lifetime(store: Store, name: str, days: int | None) -> None:
    with pytest.raises(InvalidRecord):
        tokens.create_token(store, "ana", name, days=days)
    assert store.tokens() == []


def test_nobody_unknown_or_disabled_gets_a_token_and_nobody_gets_too_many(store: Store) -> None:
    with pytest.raises(NotFound):
        tokens.create_token(store, "nobody", "x")
    store.update_reviewer("ben", disabled=True)
    with pytest.raises(InvalidRecord, match="disabled"):
        tokens.create_token(store, "ben", "x")
    for _ in range(tokens.MOST_IN_USE):
        tokens.create_token(store, "ana", "x")
    with pytest.raises(InvalidRecord, match="Revoke one first"):
        tokens.create_token(store, "ana", "x")
    store.revoke_token(store.tokens(reviewer="ana")[0].id)
    tokens.create_token(store, "ana", "x")


def test_a_token_is_ended_by_its_person_or_an_admin_alone(store: Store) -> None:
    _, known = tokens.create_token(store, "ana", "x")
    with pytest.raises(NotFound):
        tokens.revoke_token(store, known.id, by=store.reviewer("ben"))
    assert tokens.state_of(store.token(known.id)) == "in use"
    store.update_reviewer("ben", role=Role.ADMIN)
    tokens.revoke_token(store, known.id, by=store.reviewer("ben"))
    assert tokens.state_of(store.token(known.id)) == "revoked"


def test_an_expired_token_is_nobodys(store: Store) -> None:
    token, known = tokens.create_token(store, "ana", "x", days=1)
    assert known.expires_at is not None
    with store.write() as db:
        db.conn.execute("UPDATE access_token SET expires_at = '2001-01-01T00:00:00Z'")
    assert tokens.holder_of(store, token) is None
    assert tokens.state_of(store.token(known.id)) == "expired"
    assert store.tokens(with_ended=False) == []


def test_disabling_and_a_new_password_end_the_tokens_and_a_stronger_hash_does_not(gated: Gated, store: Store) -> None:
    first, _ = tokens.create_token(store, "eva", "x")
    fast = Accounts(store, hasher=FAST)  # other parameters: the stored hash is renewed at the next sign-in
    fast.sign_in("eva", PASSWORD, address="a")
    assert tokens.holder_of(store, first) is not None
    gated.accounts.set_password("eva", PASSWORD + "!")
    assert tokens.holder_of(store, first) is None
    second, _ = tokens.create_token(store, "eva", "x")
    store.update_reviewer("eva", disabled=True)
    store.update_reviewer("eva", disabled=False)
    assert tokens.holder_of(store, second) is None


# --- at the gate


def with_token(store: Store, name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens.create_token(store, name, 'test')[0]}"}


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1", "/api/v1/posts", "/config", "/gradio_api/info", "/gradio_api/queue/join", "/gradio_api/queue/data",
        "/gradio_api/call/predict", "/gradio_api/run/predict", "/gradio_api/heartbeat/x", "/gradio_api/mcp/",
    ],
)  # fmt: skip
def test_a_token_is_accepted_where_programs_ask(gated: Gated, store: Store, path: str) -> None:
    assert ask(gated, "POST", path, headers=with_token(store, "eva")).text == "eva reviewer"


@pytest.mark.parametrize(
    "path",
    [
        "/", "/tokens", "/tokens/1/revoke", "/logout", "/status", "/export/x", "/models/x.zip", "/imports/1/report",
        "/gradio_api/component_server", "/gradio_api/upload", "/gradio_api/file=x", "/gradio_api/cancel", "/apiary",
    ],
)  # fmt: skip
def test_a_token_is_refused_everywhere_else_whatever_session_comes_with_it(
    gated: Gated, store: Store, path: str
) -> None:
    session = {"cookie": f"{SESSION_COOKIE}={gated.accounts.sign_in('adam', PASSWORD, address='a')}"}
    assert ask(gated, "POST", path, headers={**with_token(store, "adam"), **session}).status_code == 403


def test_login_and_health_do_not_see_the_token(gated: Gated, store: Store) -> None:
    for path in ("/login", "/healthz"):
        assert ask(gated, path=path, headers=with_token(store, "adam")).text == "nobody"


def test_a_request_from_another_site_is_refused_with_a_token_too(gated: Gated, store: Store) -> None:
    foreign: dict[str, Any] = {"origin": "https://evil.example", **with_token(store, "adam")}
    answer = ask(gated, "POST", "/api/v1/annotate", headers=foreign)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed")


def test_the_api_answers_a_stranger_in_its_own_form_and_never_with_a_page(gated: Gated) -> None:
    answer = ask(gated, path="/api/v1/posts", headers={"accept": "text/html"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_signed_in")


def test_a_change_of_role_counts_at_once_and_uses_are_noted_once_a_minute(gated: Gated, store: Store) -> None:
    headers = with_token(store, "eva")
    assert ask(gated, path="/api/v1", headers=headers).text == "eva reviewer"
    noted = store.tokens()[0].used_at
    assert noted is not None
    assert tokens.is_noted(store.tokens()[0])
    store.update_reviewer("eva", role=Role.ADJUDICATOR)
    assert ask(gated, path="/api/v1", headers=headers).text == "eva adjudicator"


def test_where_nobody_signs_in_a_token_changes_nothing(store: Store) -> None:
    token, _ = tokens.create_token(store, "ana", "x")
    gated = Gated(store)
    for header in (f"Bearer {token}", "Bearer evt_x"):
        assert ask(gated, path="/", headers={"authorization": header}).text == "local admin"
    visitor = ask(Gated(store, demo=True), path="/api/v1", headers={"authorization": f"Bearer {token}"})
    assert visitor.text.startswith("visitor-")
