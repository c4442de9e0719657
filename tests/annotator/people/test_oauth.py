"""Sign-in with Hugging Face, end to end over HTTP: a browser's steps against the real app and a stand-in provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from annotator.people.oauth import OAuth, follow_settings
from annotator.people.tokens import create_token, holder_of
from annotator.server import App, CannotStart
from annotator.settings import OAuthClient, Settings, from_environment
from annotator.web.gate import SESSION_COOKIE
from annotator.web.oauth_routes import FLOW_COOKIE, oauth_routes
from storage.records import Role
from storage.store import Store, open_store
from tests.annotator.running import running_app
from tests.hub.openid import CLIENT_ID, CLIENT_SECRET, OpenIdProvider, Person

PAGE = {"accept": "text/html"}
PASSWORD = "correct horse battery"
NAMED: dict[str, Any] = {
    "oauth_users": ("ana", "Ben"),
    "oauth_orgs": ("lab",),
    "oauth_admins": ("Eva",),
    "oauth_adjudicators": ("ada",),
}

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture(scope="module")
def the_provider() -> Iterator[OpenIdProvider]:
    server = OpenIdProvider()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def provider(the_provider: OpenIdProvider) -> OpenIdProvider:
    """The provider as it is when nothing is wrong."""
    the_provider.person, the_provider.agrees, the_provider.expires_codes = Person("ana"), True, False
    the_provider.changed_claims, the_provider.signs_with = {}, None
    return the_provider


@pytest.fixture(scope="module")
def app(the_provider: OpenIdProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with pytest.MonkeyPatch.context() as patch:
        know(patch, the_provider)
        with running_app(tmp_path_factory.mktemp("oauth"), **NAMED) as running:
            yield running


def know(patch: pytest.MonkeyPatch, provider: OpenIdProvider) -> None:
    """The environment of a Space with `hf_oauth: true`."""
    patch.setenv("OPENID_PROVIDER_URL", provider.endpoint)
    patch.setenv("OAUTH_CLIENT_ID", CLIENT_ID)
    patch.setenv("OAUTH_CLIENT_SECRET", CLIENT_SECRET)


@contextmanager
def browser(app: App) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.url, headers=PAGE, timeout=60) as client:
        yield client


def come_back(client: httpx.Client) -> str:
    """Begin a sign-in and go through the provider. Returns the address that it sends the browser back to."""
    begun = client.get("/login/huggingface")
    assert begun.status_code == 303
    return httpx.get(begun.headers["location"]).headers["location"]


def sign_in(client: httpx.Client) -> httpx.Response:
    return client.get(come_back(client))


def person_of(client: httpx.Client) -> tuple[str, str]:
    status = client.get("/status").json()
    return status["person"], status["role"]


@pytest.mark.parametrize(
    ("person", "role"),
    [
        (Person("ana"), "reviewer"),
        (Person("ben"), "reviewer"),
        (Person("eva"), "admin"),
        (Person("ada"), "adjudicator"),
        (Person("zoe", orgs=("other", "Lab")), "reviewer"),
    ],
)
def test_a_person_who_is_named_comes_in_with_their_role_and_without_a_password(
    app: App, provider: OpenIdProvider, person: Person, role: str
) -> None:
    provider.person = person
    with browser(app) as client:
        answer = sign_in(client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert person_of(client) == (person.login, role)
        assert client.get("/").status_code == 200
    assert app.project.store.password_hash(person.login) is None


@pytest.mark.parametrize("person", [Person("mallory"), Person("kim", orgs=("other",)), Person("lou", pending=("lab",))])
def test_others_are_refused_and_leave_no_account(app: App, provider: OpenIdProvider, person: Person) -> None:
    provider.person = person
    with browser(app) as client:
        answer = sign_in(client)
        assert answer.status_code == 403
        assert person.login in answer.text
        assert SESSION_COOKIE not in client.cookies
        assert client.get("/config").status_code == 303
    assert person.login not in {r.name for r in app.project.store.reviewers()}


def test_who_left_the_organization_loses_sessions_and_tokens_at_the_next_sign_in(
    app: App, provider: OpenIdProvider
) -> None:
    provider.person = Person("nora", orgs=("lab",))
    with browser(app) as client:
        assert sign_in(client).status_code == 303
        secret, _ = create_token(app.project.store, "nora", "laptop")
        assert holder_of(app.project.store, secret) is not None
        with browser(app) as other:
            provider.person = Person("nora", orgs=())
            assert sign_in(other).status_code == 403
        assert client.get("/config").status_code == 303
    assert holder_of(app.project.store, secret) is None


def test_somebody_who_does_not_agree_is_told_that_nothing_was_done(app: App, provider: OpenIdProvider) -> None:
    provider.agrees = False
    with browser(app) as client:
        answer = sign_in(client)
    assert answer.status_code == 403
    assert "did not agree" in answer.text


def test_the_way_to_the_provider_carries_state_nonce_and_a_challenge(app: App, provider: OpenIdProvider) -> None:
    with browser(app) as client:
        begun = client.get("/login/huggingface")
    query = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["location"]).query).items()}
    assert {"state", "nonce", "code_challenge", "client_id", "redirect_uri"} <= set(query)
    assert query["redirect_uri"] == f"{app.url.rstrip('/')}/login/callback"
    assert CLIENT_SECRET not in begun.headers["location"]
    parts = {part.strip() for part in begun.headers["set-cookie"].split(";")}
    assert {"HttpOnly", "SameSite=Lax"} <= parts


def test_an_answer_serves_once(app: App, provider: OpenIdProvider) -> None:
    with browser(app) as client:
        address = come_back(client)
        flow = client.cookies[FLOW_COOKIE]
        assert client.get(address).status_code == 303
    with browser(app) as thief:
        thief.cookies.set(FLOW_COOKIE, flow)
        answer = thief.get(address)
        assert answer.status_code == 400
        assert SESSION_COOKIE not in thief.cookies


def test_an_answer_in_another_browser_finds_nothing(app: App, provider: OpenIdProvider) -> None:
    with browser(app) as attacker, browser(app) as victim:
        address = come_back(attacker)
        assert victim.get(address).status_code == 400
        come_back(victim)  # a sign-in of their own under way does not help either
        assert victim.get(address).status_code == 400
        assert SESSION_COOKIE not in victim.cookies


@pytest.mark.parametrize("state", ["", "another", "é"])
def test_a_wrong_state_is_refused(app: App, provider: OpenIdProvider, state: str) -> None:
    with browser(app) as client:
        code = parse_qs(urlsplit(come_back(client)).query)["code"][0]
        answer = client.get("/login/callback", params={"code": code, "state": state})
    assert answer.status_code == 400
    assert "does not belong" in answer.text


def test_a_code_that_has_expired_asks_to_begin_again(app: App, provider: OpenIdProvider) -> None:
    provider.expires_codes = True
    with browser(app) as client:
        answer = sign_in(client)
    assert answer.status_code == 400
    assert "expired" in answer.text


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "another"}, {"aud": "another-app"}, {"iss": "https://elsewhere.example"}, {"exp": 1}, {"sub": "id-eva"}],
    ids=lambda c: next(iter(c)),
)
def test_a_statement_that_is_not_about_this_sign_in_is_refused(
    app: App, provider: OpenIdProvider, claims: dict[str, Any]
) -> None:
    provider.changed_claims = claims
    with browser(app) as client:
        answer = sign_in(client)
        assert answer.status_code == 502
        assert SESSION_COOKIE not in client.cookies


def test_a_statement_signed_by_somebody_else_is_refused(app: App, provider: OpenIdProvider) -> None:
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
    with browser(app) as client:
        assert sign_in(client).status_code == 502


@pytest.mark.parametrize("path", ["/.well-known", "/oauth/token", "/oauth/userinfo", "/oauth/jwks"])
@pytest.mark.parametrize("how", ["error", "cut"])
def test_a_provider_that_is_down_is_said_in_one_line(app: App, provider: OpenIdProvider, path: str, how: str) -> None:
    with browser(app) as client:
        address = come_back(client)
        if how == "cut":
            provider.cut("*", path)
        else:
            provider.fail("*", path, 503)
        answer = client.get(address)
        assert answer.status_code == 502
        assert "Traceback" not in answer.text
        assert sign_in(client).status_code == 303  # and works again


def test_a_provider_that_is_down_at_the_beginning_leaves_the_sign_in_page(app: App, provider: OpenIdProvider) -> None:
    provider.fail("GET", "/.well-known", 500)
    with browser(app) as client:
        answer = client.get("/login/huggingface")
    assert answer.status_code == 502
    assert "Sign in with Hugging Face" in answer.text


def test_a_name_that_belongs_to_a_local_account_is_not_taken_over(app: App, provider: OpenIdProvider) -> None:
    app.accounts.add("ben", Role.ADMIN, PASSWORD)
    provider.person = Person("ben", sub="somebody-else")
    with browser(app) as client:
        answer = sign_in(client)
    assert answer.status_code == 403
    assert "belongs to somebody else" in answer.text


def test_another_person_with_a_name_that_became_free_is_not_the_one_before(app: App, provider: OpenIdProvider) -> None:
    provider.person = Person("ana")
    with browser(app) as client:
        sign_in(client)
    provider.person = Person("ana", sub="a newcomer")
    with browser(app) as client:
        assert sign_in(client).status_code == 403


def test_a_person_who_was_renamed_keeps_their_decisions(app: App, provider: OpenIdProvider) -> None:
    provider.person = Person("old-name", orgs=("lab",), sub="same")
    with browser(app) as client:
        sign_in(client)
    provider.person = Person("new-name", orgs=("lab",), sub="same")
    with browser(app) as client:
        sign_in(client)
        assert person_of(client) == ("old-name", "reviewer")


def test_a_disabled_person_does_not_come_in(app: App, provider: OpenIdProvider) -> None:
    provider.person = Person("max", orgs=("lab",))
    with browser(app) as client:
        sign_in(client)
        app.project.store.update_reviewer("max", disabled=True)
        assert client.get("/config").status_code == 303
        answer = sign_in(client)
    assert answer.status_code == 403
    assert "disabled" in answer.text


def test_the_sign_in_page_offers_what_there_is(app: App, provider: OpenIdProvider) -> None:
    with browser(app) as client:
        page = client.get("/login").text
        assert 'href="/login/huggingface"' in page
        assert ('type="password"' in page) == app.project.store.has_accounts()
        assert client.get("/", headers=PAGE).headers["location"] == "/login"


def test_signing_out_ends_the_session(app: App, provider: OpenIdProvider) -> None:
    with browser(app) as client:
        sign_in(client)
        token = client.cookies[SESSION_COOKIE]
        assert client.post("/logout").headers["location"] == "/login"
    with browser(app) as thief:
        thief.cookies.set(SESSION_COOKIE, token)
        assert thief.get("/config").status_code == 303


def test_a_start_without_the_spaces_oauth_environment_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OAUTH_CLIENT_ID", raising=False)
    with pytest.raises(CannotStart, match="hf_oauth: true"):
        App(Settings(data_dir=tmp_path, port=0, empty=True, oauth_users=("ana",)))


def test_a_project_that_people_have_signed_in_to_never_becomes_a_public_demo(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        store.see_identity("https://hub", "1", "eva", Role.ADMIN, not_to_take="local")
    with pytest.raises(CannotStart, match="show its posts to everybody"):
        App(Settings(data_dir=tmp_path, port=0, demo=True))


def test_people_who_are_no_longer_named_are_signed_out_and_roles_follow_the_settings(store: Store) -> None:
    for login, role in (("eva", Role.ADMIN), ("tom", Role.REVIEWER)):
        store.see_identity("https://hub", login, login, role, not_to_take="local")
        store.add_session(login, login, expires_at="2999-01-01T00:00:00Z")
    assert follow_settings(store, Settings(oauth_users=("eva",))) == ["tom"]
    assert store.session_reviewer("tom") is None
    reviewer = store.session_reviewer("eva")
    assert reviewer is not None
    assert reviewer.role is Role.REVIEWER


def test_a_space_where_people_are_named_is_no_public_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "lab/review")
    monkeypatch.setenv("SPACE_HOST", "lab-review.hf.space,review.example")
    assert from_environment().demo
    monkeypatch.setenv("EVIDENCE_OAUTH_ORGS", "lab")
    settings = from_environment()
    assert not settings.demo
    assert settings.allowed_hosts == ("lab-review.hf.space", "review.example")


def test_on_a_space_the_provider_sends_back_to_the_spaces_own_name(store: Store) -> None:
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    from annotator.people.accounts import Accounts

    settings = Settings(
        allowed_hosts=("lab-review.hf.space",), frame_ancestors=("https://huggingface.co",), oauth_users=("ana",)
    )
    server = OpenIdProvider()
    server.start()
    oauth = OAuth(settings, OAuthClient(server.endpoint, CLIENT_ID, CLIENT_SECRET), store, Accounts(store))
    client = TestClient(Starlette(routes=oauth_routes(oauth, settings, store)), follow_redirects=False)
    begun = client.get("/login/huggingface", headers={"host": "review.example"})
    server.stop()
    query = parse_qs(urlsplit(begun.headers["location"]).query)
    assert query["redirect_uri"] == ["https://lab-review.hf.space/login/callback"]
    assert {"SameSite=None", "Secure", "Partitioned"} <= set(begun.headers["set-cookie"].split("; "))
