"""The whole app over HTTP: who gets in where. Pages themselves are tested beside their modules and in the browser."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotator.people.throttle import FREE_ATTEMPTS
from annotator.server import App, CannotStart, check_address
from annotator.settings import Settings
from annotator.web.gate import SESSION_COOKIE
from annotator.web.permissions import has_role
from storage.records import Reviewer, Role, StoreUnavailable
from storage.store import open_store
from tests.annotator.running import running_app
from tests.builders import a_post

PASSWORD = "correct horse battery"
PAGE = {"accept": "text/html"}

# on a busy machine uvicorn leaves its closing sockets to the garbage collector
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture(scope="module")
def open_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("open")) as app:
        yield app


@pytest.fixture(scope="module")
def closed_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app with the accounts eva (reviewer) and adam (admin)."""
    with running_app(tmp_path_factory.mktemp("closed")) as app:
        app.accounts.add("eva", Role.REVIEWER, PASSWORD)
        app.accounts.add("adam", Role.ADMIN, PASSWORD)
        yield app


@pytest.fixture
def stranger(closed_app: App) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=closed_app.url) as client:
        yield client


@contextlib.contextmanager
def signed_in(app: App, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.url) as client:
        assert client.post("login", data={"name": name, "password": PASSWORD}).status_code == 303
        yield client


def routes_of(app: App) -> list[tuple[str, str]]:
    """Every (method, path) that the server knows, with its parameters filled in."""
    return [pair for route in app.blocks.app.routes for pair in pairs_of(route)]


def pairs_of(route: Any) -> Iterator[tuple[str, str]]:
    inner = getattr(route, "original_router", None)
    if inner is not None:  # how newer FastAPI keeps an included router
        for each in inner.routes:
            yield from pairs_of(each)
        return
    path = re.sub(r"\{[^}]*\}", "x", route.path)
    for method in sorted(getattr(route, "methods", None) or {"GET"}):
        yield method, path


def test_without_accounts_the_page_opens_at_once(open_app: App) -> None:
    with httpx.Client(base_url=open_app.url) as client:
        page = client.get("/", headers=PAGE)
        status = client.get("/status").json()
    assert page.status_code == 200
    assert "Evidence annotator" in page.text
    assert (status["person"], status["accounts"]) == ("local", False)


def test_health_says_that_the_app_answers_and_no_more(stranger: httpx.Client) -> None:
    answer = stranger.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert set(answer.json()) == {"status", "model"}


def test_no_route_but_login_and_health_answers_a_stranger(closed_app: App, stranger: httpx.Client) -> None:
    routes = routes_of(closed_app)
    assert len(routes) > 40
    answered = [
        (method, path)
        for method, path in routes
        if path.rstrip("/") not in ("/login", "/healthz")
        and stranger.request(method, path, headers={"accept": "application/json"}).status_code
        not in (401, 404, 405, 303)
    ]
    assert answered == []


@pytest.mark.parametrize("path", ["/", "/?tab=data", "/config", "/gradio_api/info", "/theme.css"])
def test_a_stranger_with_a_browser_is_sent_to_sign_in(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path, headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(
    closed_app: App, stranger: httpx.Client
) -> None:
    answer = stranger.post("/login", data={"name": "eva", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    parts = {part.strip() for part in answer.headers["set-cookie"].split(";")}
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= parts
    assert stranger.get("/", headers=PAGE).status_code == 200
    assert stranger.get("/status").json() | {"state": ""} == {
        "state": "", "version": stranger.get("/status").json()["version"], "wanted": "bundled",
        "reason": stranger.get("/status").json()["reason"], "person": "eva", "role": "reviewer", "accounts": True, "password": True,
        "kind": stranger.get("/status").json()["kind"], "coming": "",
    }  # fmt: skip


def test_signing_out_ends_the_session_on_the_server(closed_app: App) -> None:
    with signed_in(closed_app, "eva") as client:
        token = client.cookies[SESSION_COOKIE]
        assert client.post("/logout").status_code == 303
    with httpx.Client(base_url=closed_app.url, cookies={SESSION_COOKIE: token}) as thief:
        assert thief.get("/config").status_code in (303, 401)


def test_a_session_that_was_ended_by_disabling_opens_nothing(closed_app: App) -> None:
    closed_app.accounts.add("zoe", Role.REVIEWER, PASSWORD)
    with signed_in(closed_app, "zoe") as client:
        assert client.get("/config").status_code == 200
        closed_app.project.store.update_reviewer("zoe", disabled=True)
        assert client.get("/config", headers={"accept": "application/json"}).status_code == 401


@pytest.mark.parametrize("header", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
def test_a_request_from_another_site_is_refused_even_with_a_session(closed_app: App, header: dict[str, str]) -> None:
    with signed_in(closed_app, "eva") as client:
        assert client.post("/gradio_api/queue/join", json={}, headers=header).status_code == 403
        assert client.post("/logout", headers=header).status_code == 403
        assert client.get("/config").status_code == 200


def test_guessing_a_password_is_answered_with_429_and_a_time_to_wait(closed_app: App, stranger: httpx.Client) -> None:
    closed_app.accounts.add("tom", Role.REVIEWER, PASSWORD)
    guesses = [stranger.post("/login", data={"name": "tom", "password": f"guess {n}"}) for n in range(FREE_ATTEMPTS)]
    assert {g.status_code for g in guesses} == {401}
    refused = stranger.post("/login", data={"name": "tom", "password": PASSWORD})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 31
    closed_app.accounts.throttle.unlock("tom")


def test_what_is_typed_at_sign_in_never_comes_back_as_markup(stranger: httpx.Client, closed_app: App) -> None:
    answer = stranger.post("/login", data={"name": "<script>alert(1)</script>", "password": "x"})
    assert "<script" not in answer.text


def test_an_oversized_form_is_refused(stranger: httpx.Client) -> None:
    assert stranger.post("/login", data={"name": "x" * 10_000, "password": "y"}).status_code == 413


def test_an_upload_over_the_limit_is_refused(tmp_path: Path) -> None:
    with running_app(tmp_path, max_upload_mb=1) as app, httpx.Client(base_url=app.url) as client:
        for megabytes, status in ((0.5, 200), (1.5, 413)):
            file = {"files": ("posts.csv", b"id,text\n" + b"x" * int(megabytes * 1024 * 1024))}
            assert client.post("gradio_api/upload", files=file).status_code == status


def test_the_database_cannot_be_fetched_as_a_file(open_app: App) -> None:
    data = open_app.settings.data_dir
    with httpx.Client(base_url=open_app.url) as client:
        for path in (data / "evidence.db", data / "models", data / "backups" / "x.db", Path("/etc/passwd")):
            assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)


def test_nothing_of_gradio_that_is_not_needed_is_on(open_app: App) -> None:
    with httpx.Client(base_url=open_app.url) as client:
        config = client.get("/config").json()
        assert client.get("/monitoring/summary").status_code in (403, 404)
        assert client.get("/docs").status_code == 404
        assert client.get("/openapi.json").status_code == 404
    assert config["footer_links"] == []
    assert [sheet for sheet in config["stylesheets"] if "//" in sheet] == []  # no font from elsewhere
    assert config["analytics_enabled"] is False


def test_a_port_that_is_taken_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"Port {port} .* --port"):
            App(Settings(data_dir=tmp_path / "data", port=port))
    assert not (tmp_path / "data").exists()


def test_an_address_that_is_not_of_this_machine_is_named() -> None:
    with pytest.raises(CannotStart, match=r"192\.0\.2\.1"):
        check_address(Settings(host="192.0.2.1"))


def test_other_machines_are_let_in_only_with_accounts_or_on_explicit_wish(tmp_path: Path) -> None:
    outside = {"host": "0.0.0.0", "port": 0, "empty": True}
    with pytest.raises(CannotStart, match="evidence users add"):
        App(Settings(data_dir=tmp_path / "a", **outside))
    App(Settings(data_dir=tmp_path / "b", allow_remote_without_accounts=True, **outside)).stop()
    store = open_store(tmp_path / "c")
    store.add_reviewer("eva", Role.ADMIN, password_hash="x")
    App(Settings(data_dir=tmp_path / "c", **outside)).stop()


def test_a_second_app_on_the_same_project_is_refused(open_app: App) -> None:
    with pytest.raises(StoreUnavailable, match="Another app is running"):
        App(Settings(data_dir=open_app.settings.data_dir, port=0))


def test_in_the_public_demo_each_visitor_reviews_alone_and_nothing_can_be_imported_or_trained(tmp_path: Path) -> None:
    with running_app(tmp_path, demo=True, empty=False) as app, httpx.Client(base_url=app.url) as visitor:
        config = visitor.get("/config").json()
        tabs = [c["props"]["label"] for c in config["components"] if c["type"] == "tabitem"]
        assert tabs[0] == "Try it"
        assert not {"Data", "Retrain"} & set(tabs)
        assert visitor.get("/status").json()["person"] == ""
        assert app.supervisor is None


def test_the_page_goes_out_compressed_and_hashed_files_are_asked_for_once(open_app: App) -> None:
    with httpx.Client(base_url=open_app.url, headers={**PAGE, "accept-encoding": "gzip"}) as client:
        with client.stream("GET", "/") as page:
            sent = sum(len(part) for part in page.iter_raw())
        assert page.headers["content-encoding"] == "gzip"
        text = client.get("/").text
        assert sent < len(text.encode()) / 4
        (script, *_) = re.findall(r"assets/[\w./-]+-[\w-]{8}\.js", text)
        kept = client.get(f"/{script}")
        assert (kept.status_code, kept.headers["cache-control"]) == (200, "max-age=31536000, immutable")
        assert "immutable" not in client.get("/").headers.get("cache-control", "")


def test_a_page_asks_by_one_post_and_is_told_what_is_wrong_with_it(open_app: App) -> None:
    open_app.project.store.add_posts([a_post(id="asked")])
    with httpx.Client(base_url=open_app.url) as client:
        asked = client.post("/ask/review_item", json={"next": True})
        assert (asked.status_code, asked.json()["ok"], asked.headers["cache-control"]) == (200, True, "no-store")
        assert asked.json()["item"]["post"]["text"]
        refused = client.post("/ask/review_item", json={"next": True, "filter": {"order": "sideways"}})
        assert (refused.status_code, refused.json()["ok"]) == (200, False)
        assert "sideways" in refused.json()["error"]
        assert client.post("/ask/nothing_of_this_name", json={}).status_code == 404
        assert client.post("/ask/review_item", content=b"[1]").status_code == 400
        assert client.post("/ask/review_item", content=b"\xff").status_code == 400
        assert client.post("/ask/review_item", content=b" " * (16 * 2**20 + 1)).status_code == 413
        foreign = client.post("/ask/review_item", json={}, headers={"sec-fetch-site": "cross-site"})
        assert foreign.status_code == 403


def test_the_post_that_is_open_is_remembered_with_the_question_for_the_next(open_app: App) -> None:
    store = open_app.project.store
    store.add_posts([a_post(id="asked"), a_post("Another one.", id="asked too")])
    with httpx.Client(base_url=open_app.url) as client:
        first = client.post("/ask/review_item", json={"next": True}).json()["item"]["post"]["id"]
        client.post("/ask/review_item", json={"next": True, "exclude": [first], "opened": first})
        assert store.visited_posts(open_app.settings.local_reviewer, limit=1) == [first]


def test_strangers_cannot_ask(stranger: httpx.Client) -> None:
    assert stranger.post("/ask/review_item", json={"next": True}).status_code == 401


def test_what_a_page_asks_is_for_the_roles_of_that_page(closed_app: App) -> None:
    permissions, eva = closed_app.context.permissions, Reviewer("eva", Role.REVIEWER)
    assert set(permissions.answers) == set(closed_app.context.answers)
    permissions.note_answers(["review_find"])  # as if its page were for admins
    with signed_in(closed_app, "eva") as reviewer, signed_in(closed_app, "adam") as admin:
        assert reviewer.post("/ask/review_find", json={}).status_code == 403
        assert admin.post("/ask/review_find", json={}).status_code == 200
        assert reviewer.post("/ask/posts_find", json={"limit": 1}).status_code == 200
        for name, roles in permissions.answers.items():
            assert permissions.may_ask_by_name(eva, name) is has_role(eva, roles)
