"""The gate alone, in front of an application that says who it saw."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.requests import ClientDisconnect

from annotator.people.accounts import Accounts
from annotator.settings import Settings
from annotator.web.bodies import BodyRefused
from annotator.web.gate import DEMO_BODY_BYTES, SESSION_COOKIE, VISITOR_COOKIE, Gate, person_of
from storage.records import Role
from storage.store import Store
from storage.trouble import StorageTrouble, Trouble
from tests.threads import in_a_thread

PASSWORD = "correct horse battery"


class Behind:
    """Answers 200 with the person's name."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        class Request:
            pass

        request = Request()
        request.scope = scope  # type: ignore[attr-defined]
        person = person_of(request)
        body = f"{person.name} {person.role}".encode() if person else b"nobody"
        headers = [(b"content-type", b"text/plain"), (b"x-frame-options", b"ALLOWALL")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Gated:
    def __init__(self, store: Store, **settings: Any) -> None:
        self.accounts = Accounts(store, hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.settings = Settings(data_dir=Path("unused"), **settings)
        self.gate = Gate(Behind(), store=store, accounts=self.accounts, settings=self.settings)

    async def ask(self, method: str, path: str, base: str = "http://127.0.0.1:7860", **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.gate)
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, **options)

    def session(self, name: str, role: Role) -> dict[str, str]:
        self.accounts.add(name, role, PASSWORD)
        return {"cookie": f"{SESSION_COOKIE}={self.accounts.sign_in(name, PASSWORD, address='a')}"}


def ask(gated: Gated, method: str = "GET", path: str = "/", **options: Any) -> httpx.Response:
    import anyio

    async def call() -> httpx.Response:
        return await gated.ask(method, path, **options)

    return in_a_thread(lambda: anyio.run(call))


def test_on_loopback_without_accounts_the_local_reviewer_is_admin(store: Store) -> None:
    assert ask(Gated(store)).text == "local admin"


def test_with_accounts_nobody_is_anybody_without_a_session(store: Store) -> None:
    gated = Gated(store)
    cookie = gated.session("eva", Role.REVIEWER)
    refused = ask(gated, path="/?tab=data", headers={"accept": "text/html"})
    assert (refused.status_code, refused.headers["location"]) == (303, "/login")
    assert ask(gated, "POST", "/gradio_api/queue/join").status_code == 401
    assert ask(gated, headers=cookie).text == "eva reviewer"


@pytest.mark.parametrize("token", ["", "x", "../../etc/passwd", "a" * 4000, "%00", "'; DROP TABLE session; --"])
def test_a_made_up_session_is_no_session(store: Store, token: str) -> None:
    gated = Gated(store)
    gated.session("eva", Role.REVIEWER)
    cookie = {"cookie": f"{SESSION_COOKIE}={token}"}
    assert ask(gated, "GET", "/gradio_api/info", headers={**cookie, "accept": "*/json"}).status_code == 401


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"sec-fetch-site": "same-origin"}, 200),
        ("POST", {"sec-fetch-site": "cross-site"}, 403),
        ("POST", {"sec-fetch-site": "same-site"}, 403),
        ("POST", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 403),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ("GET", {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, 200),
        ("POST", {"origin": "http://127.0.0.1:7860"}, 200),
        ("POST", {"origin": "http://127.0.0.1:1234"}, 403),
        ("POST", {"origin": "https://evil.example"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("PUT", {"origin": "https://evil.example"}, 403),
        ("DELETE", {"origin": "https://evil.example"}, 403),
        ("POST", {}, 200),
    ],
)
def test_another_site_can_link_here_but_do_nothing(
    store: Store, method: str, headers: dict[str, str], status: int
) -> None:
    assert ask(Gated(store), method, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("base", "settings", "status"),
    [
        ("http://localhost:7860", {}, 200),
        ("http://[::1]:7860", {}, 200),
        ("http://rebound.evil.example:7860", {}, 421),
        ("http://notes.example", {"allowed_hosts": ("notes.example",)}, 200),
        ("http://other.example", {"allowed_hosts": ("notes.example",), "host": "0.0.0.0"}, 421),
        ("http://any.example", {"host": "0.0.0.0"}, 421),
        ("http://192.0.2.7:7860", {"host": "0.0.0.0"}, 200),
        ("http://[fe80::1]:7860", {"host": "::"}, 200),
    ],
)
def test_a_foreign_name_for_this_machine_is_refused(
    store: Store, base: str, settings: dict[str, Any], status: int
) -> None:
    assert ask(Gated(store, **settings), base=base).status_code == status


def test_where_people_sign_in_any_name_may_lead_here(store: Store) -> None:
    gated = Gated(store, host="0.0.0.0")
    cookie = gated.session("eva", Role.REVIEWER)
    assert ask(gated, base="http://any.example", headers=cookie).text == "eva reviewer"


def test_a_page_that_was_made_for_somebody_else_is_refused(store: Store) -> None:
    gated = Gated(store)
    cookie = gated.session("Eva Müller", Role.REVIEWER)
    script = {**cookie, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
    theirs = {**script, "x-evidence-person": "Eva%20M%C3%BCller"}
    for method in ("POST", "GET"):
        assert ask(gated, method, headers=theirs).status_code == 200
        refused = ask(gated, method, headers={**script, "x-evidence-person": "adam"})
        assert (refused.status_code, refused.headers["x-evidence-person"]) == (409, "another")
    assert ask(gated, "POST", headers=script).status_code == 409  # a script that says nobody's name
    assert ask(gated, "POST", headers=cookie).status_code == 200  # a program


def test_a_visitor_of_the_demo_is_nobody_in_particular(store: Store) -> None:
    headers = {"x-evidence-person": "visitor-1", "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
    assert ask(Gated(store, demo=True), "POST", headers=headers, content=b"x").status_code == 200


def test_only_exact_paths_are_open(store: Store) -> None:
    gated = Gated(store)
    gated.session("eva", Role.REVIEWER)
    for path in ("/login/", "/healthz/", "/login//", "/login/x", "/LOGIN"):
        assert ask(gated, "POST", path).status_code == 401, path


@pytest.mark.parametrize("path", ["/?post=%00", "/api/v1/posts?query=a%00b"])
def test_an_address_with_a_character_that_no_text_has_is_refused(store: Store, path: str) -> None:
    assert ask(Gated(store), path=path).status_code == 400


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (StorageTrouble(Trouble.FULL), 507),
        (StorageTrouble(Trouble.LOCKED), 503),
        (StorageTrouble(Trouble.READ_ONLY), 503),
        (OSError(28, "No space left"), 507),
    ],
)
def test_trouble_with_the_storage_is_a_503_or_507_that_says_when_to_try_again(
    store: Store, trouble: Exception, status: int
) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise trouble

    gated = Gated(store)
    gated.gate = Gate(failing, store=store, accounts=gated.accounts, settings=gated.settings)
    answer = ask(gated, "POST", "/api/v1/annotate")
    assert answer.status_code == status
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["error"]["code"] == ("storage_full" if status == 507 else "storage_unavailable")


@pytest.mark.parametrize("error", [BodyRefused(408, "Too slow."), ClientDisconnect()])
def test_a_client_that_is_slow_or_gone_writes_no_trace_into_the_log(
    store: Store, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Anybody could fill the disk with them; who is slow is answered in front of the gate, who is gone by nobody."""

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise error

    gated = Gated(store)
    gated.gate = Gate(failing, store=store, accounts=gated.accounts, settings=gated.settings)
    with contextlib.suppress(BodyRefused, AssertionError):  # httpx: no answer came
        ask(gated, "POST", "/ask/review_save")
    assert caplog.text == ""


def test_login_and_health_are_open_and_signing_out_by_a_link_is_not_possible(store: Store) -> None:
    gated = Gated(store)
    gated.session("eva", Role.REVIEWER)
    assert ask(gated, path="/login").text == "nobody"
    assert ask(gated, path="/healthz").text == "nobody"
    assert ask(gated, path="/logout").status_code == 405


def test_the_start_up_call_passes_once(store: Store) -> None:
    gated = Gated(store)
    gated.session("eva", Role.REVIEWER)
    assert ask(gated, path="/gradio_api/startup-events").status_code == 200
    assert ask(gated, path="/gradio_api/startup-events").status_code == 401


def test_every_answer_carries_the_security_headers_and_no_looser_ones(store: Store) -> None:
    gated = Gated(store)
    for answer in (ask(gated), ask(gated, "POST", headers={"origin": "https://evil.example"})):
        assert answer.headers.get_list("x-frame-options") == ["DENY"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "connect-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_only_named_origins_may_frame_the_app(store: Store) -> None:
    answer = ask(Gated(store, frame_ancestors=("https://huggingface.co",)))
    assert "frame-ancestors https://huggingface.co" in answer.headers["content-security-policy"]
    assert answer.headers.get_list("x-frame-options") == ["ALLOWALL"]


def test_each_visitor_of_the_public_demo_is_somebody_of_their_own(store: Store) -> None:
    gated = Gated(store, demo=True)
    first, second = ask(gated), ask(gated)
    assert first.text.startswith("visitor-")
    assert first.text.endswith("reviewer")
    assert first.text != second.text
    cookie = first.headers["set-cookie"].split(";")[0]
    assert cookie.startswith(VISITOR_COOKIE)
    assert ask(gated, headers={"cookie": cookie}).text == first.text
    assert first.text.split()[0].removeprefix("visitor-") not in cookie


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/upload", "/gradio_api/upload/", "/gradio_api/deep_link", "/gradio_api/process_recording"],
)
def test_the_public_demo_writes_nothing_of_a_visitor_to_the_disk(store: Store, path: str) -> None:
    assert ask(Gated(store, demo=True), "POST", path, content=b"x").status_code == 403
    assert ask(Gated(store), "POST", path, content=b"x").status_code == 200


@pytest.mark.parametrize("start", ["file=https://", "file=http://", "file=%68ttps://", "file/https://"])
@pytest.mark.parametrize("demo", [True, False])
def test_no_foreign_address_is_fetched_and_shown_under_our_name(store: Store, start: str, demo: bool) -> None:
    assert ask(Gated(store, demo=demo), path=f"/gradio_api/{start}evil.example/page.png").status_code == 403
    assert ask(Gated(store, demo=demo), path="/gradio_api/file=/uploads/post.csv").status_code == 200


def test_a_visitor_of_the_public_demo_sends_only_so_much_at_once(store: Store) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"x"

    gated = Gated(store, demo=True)
    assert ask(gated, "POST", "/gradio_api/queue/join", content=b"x" * DEMO_BODY_BYTES).status_code == 200
    assert ask(gated, "POST", "/gradio_api/queue/join", content=b"x" * (DEMO_BODY_BYTES + 1)).status_code == 413
    assert ask(gated, "POST", "/gradio_api/queue/join", content=endless()).status_code == 411
    refused = ask(gated, "POST", "/api/v1/predict", content=b"x" * (DEMO_BODY_BYTES + 1))
    assert refused.json()["error"]["code"] == "too_large"


def test_a_websocket_is_closed(store: Store) -> None:
    import anyio

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def call() -> None:
        await Gated(store).gate({"type": "websocket"}, None, send)  # type: ignore[arg-type]

    in_a_thread(lambda: anyio.run(call))
    assert sent == [{"type": "websocket.close", "code": 1008}]
