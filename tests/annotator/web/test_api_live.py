"""The API of a running app: gradio_client, plain HTTP and MCP, with and without a token, and that nothing else is reachable."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotator.people import tokens
from annotator.server import App
from annotator.settings import Settings
from annotator.web.api.endpoints import ENDPOINTS, PREDICTIONS_AT_ONCE
from annotator.web.api.mcp_tools import TOOLS, McpUnavailable, check_mcp
from storage.records import Role
from tests.annotator.running import running_app

PASSWORD = "correct horse battery"
NAMES = [f"/{e.name}" for e in ENDPOINTS]
API = Path(__file__).resolve().parents[3] / "docs" / "api.md"
MCP = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
PEOPLE = {"eva": Role.REVIEWER, "ada": Role.ADJUDICATOR, "adam": Role.ADMIN}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of mcp and gradio_client
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app with accounts, the demo posts, the bundled model and MCP."""
    with running_app(tmp_path_factory.mktemp("api"), empty=False, mcp=True, api_per_minute=10_000) as running:
        for name, role in PEOPLE.items():
            running.accounts.add(name, role, PASSWORD)
        assert running.models.wait_until_settled(300).version == "bundled"
        yield running


@pytest.fixture(scope="module")
def open_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("open"), empty=False) as running:
        assert running.models.wait_until_settled(300).version == "bundled"
        yield running


def bearer(app: App, name: str, **options: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens.create_token(app.project.store, name, 'test', **options)[0]}"}


def http(app: App, headers: dict[str, str] | None = None) -> httpx.Client:
    return httpx.Client(base_url=app.url, headers=headers, timeout=120)


def gradio(app: App, headers: dict[str, str] | None = None) -> Any:
    from gradio_client import Client

    return Client(app.url, headers=headers, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": 120})


def error_of(answer: httpx.Response) -> tuple[int, str]:
    assert set(answer.json()) == {"error"}
    return answer.status_code, answer.json()["error"]["code"]


# --- what is there


def test_the_listing_holds_these_endpoints_and_nothing_else(app: App) -> None:
    headers = bearer(app, "eva")
    with http(app, headers) as client:
        info = client.get("/gradio_api/info").json()
        listed = [e["path"] for e in client.get("/api/v1").json()["endpoints"]]
    assert (list(info["named_endpoints"]), info["unnamed_endpoints"]) == (NAMES, {})
    assert all(endpoint["description"] for endpoint in info["named_endpoints"].values())
    assert listed == [f"/api/v1{name}" for name in NAMES]
    shown = gradio(app, headers).view_api(return_format="dict", print_info=False)
    assert (list(shown["named_endpoints"]), shown["unnamed_endpoints"]) == (NAMES, {})


def test_calls_that_wait_for_their_turn_do_not_hold_up_the_health_check(app: App) -> None:
    slots = app.context.api.predicting
    with ThreadPoolExecutor(40) as programs, contextlib.ExitStack() as taken:
        for _ in range(PREDICTIONS_AT_ONCE):
            taken.enter_context(slots.one())
        headers = bearer(app, "eva")

        def predict(_: int) -> int:
            with http(app, headers) as client:
                return client.post("/api/v1/predict", json={"text": "I cannot sleep."}).status_code

        waiting = [programs.submit(predict, number) for number in range(40)]
        with http(app) as stranger:
            answers = [stranger.get("/healthz", timeout=20).status_code for _ in range(5)]
        still = sum(not each.done() for each in waiting)
        taken.close()
        assert (answers, still) == ([200] * 5, 40)
        assert [each.result() for each in waiting] == [200] * 40


def test_the_demo_lists_predict_alone_and_stores_nothing(tmp_path: Path) -> None:
    with running_app(tmp_path, demo=True, empty=False) as demo, http(demo) as visitor:
        demo.models.wait_until_settled(300)
        assert list(visitor.get("/gradio_api/info").json()["named_endpoints"]) == ["/predict"]
        assert visitor.post("/api/v1/predict", json={"text": "I cannot sleep."}).status_code == 200
        assert error_of(visitor.get("/api/v1/posts")) == (404, "not_found")
        assert visitor.get("/tokens").status_code == 403
        registered = [fn.fn.__name__ for fn in demo.blocks.fns.values() if fn.api_visibility == "public" and fn.fn]
        assert registered == ["predict"]
        with pytest.raises(ValueError, match="Cannot find a function"):
            gradio(demo).predict(api_name="/posts")
        assert [r.name for r in demo.project.store.reviewers()] == ["local"]


def listeners(app: App) -> dict[int, Any]:
    """The page's own listeners that run something on the server, by number."""
    found = app.blocks.fns.items()
    return {number: fn for number, fn in found if fn.api_visibility != "public" and fn.fn is not None}


def test_a_stranger_reaches_no_listener_of_a_page_by_name_or_number(app: App) -> None:
    assert len(listeners(app)) > 30
    with http(app) as stranger:
        for number, fn in listeners(app).items():
            body = {"data": [None] * len(fn.inputs), "fn_index": number, "session_hash": "s"}
            paths = [
                "queue/join",
                f"call/{fn.api_name}",
                f"call/v2/{fn.api_name}",
                f"run/{fn.api_name}",
                f"api/{fn.api_name}",
            ]
            assert {stranger.post(f"/gradio_api/{path}", json=body).status_code for path in paths} == {401, 404}


def test_an_access_token_runs_no_listener_of_a_page(app: App) -> None:
    """An admin's token: the address is open to it for the API's sake, so each handler itself must refuse."""
    before = app.project.store.last_annotation_id()
    refused_ones = 0
    harmless = {"lambda", "<lambda>"}  # they only put something into the page's own fields
    with http(app, bearer(app, "adam")) as program:
        for fn in listeners(app).values():
            body = {"data": [None] * len(fn.inputs)}
            begun = program.post(f"/gradio_api/call/{fn.api_name}", json=body)
            if begun.status_code != 200:
                continue
            ended = program.get(f"/gradio_api/call/{fn.api_name}/{begun.json()['event_id']}").text
            refused = "event: error" in ended and "event: complete" not in ended
            assert refused or fn.fn.__name__ in harmless, (fn.api_name, fn.fn.__name__, ended[:200])
            refused_ones += "this belongs to the page" in ended
    assert refused_ones > 20
    assert app.project.store.last_annotation_id() == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("GET", "/tokens"), ("POST", "/tokens"), ("POST", "/logout"), ("GET", "/status"),
        ("POST", "/gradio_api/component_server"), ("POST", "/gradio_api/upload"), ("GET", "/gradio_api/file=x"),
        ("GET", "/export/aaaaaaaaaaaaaaaaaaaaaaaa"), ("GET", "/models/demo.zip"), ("POST", "/gradio_api/cancel"),
    ],
)  # fmt: skip
def test_a_token_opens_no_page_and_makes_no_tokens(app: App, method: str, path: str) -> None:
    known = len(app.project.store.tokens())
    with http(app, bearer(app, "adam")) as program:
        answer = program.request(method, path)
    assert answer.status_code in (403, 405)
    assert "set-cookie" not in answer.headers
    assert len(app.project.store.tokens()) == known + 1


def test_a_token_does_not_sign_anybody_in(app: App) -> None:
    with http(app, bearer(app, "adam")) as program:
        assert "Sign in" in program.get("/login").text
        token = program.headers["authorization"].split()[1]
        assert program.post("/login", data={"name": "adam", "password": token}).status_code == 401
    app.accounts.throttle.unlock("adam")


# --- who may


@pytest.mark.parametrize("name", PEOPLE)
def test_a_token_may_what_its_person_may(app: App, name: str) -> None:
    curator = PEOPLE[name] is not Role.REVIEWER
    with http(app, bearer(app, name)) as program:
        assert program.post("/api/v1/predict", json={"text": "I cannot sleep."}).json()["model"] == "bundled"
        assert program.get("/api/v1/posts").json()["total"] > 0
        assert program.get("/api/v1/next").json()["item"]["criteria"]
        assert program.get("/api/v1/models").json()["in_service"]["state"] == "ready"
        for path in ("/api/v1/jobs", "/api/v1/export?format=gold"):
            answer = program.get(path)
            assert answer.status_code == 200 if curator else error_of(answer) == (403, "not_allowed")


@pytest.mark.parametrize("name", ["eva", "adam"])
def test_gradio_client_may_the_same_and_is_told_in_the_same_words(app: App, name: str) -> None:
    from gradio_client.exceptions import AppError

    client = gradio(app, bearer(app, name))
    text = "I cannot sleep at all lately."
    found = client.predict(text=text, criteria=["SLEEP_ISSUES"], threshold=0.0, api_name="/predict")
    assert found["criteria"][0]["spans"][0]["text"] in text
    assert client.predict(limit=2, api_name="/posts")["limit"] == 2
    item = client.predict(api_name="/next")["item"]
    decision = {
        "post_id": item["post"]["id"],
        "criterion": "SLEEP_ISSUES",
        "verdict": "unsure",
        "api_name": "/annotate",
    }
    assert client.predict(expected_revision=0, **decision)["revision"] == 1
    with pytest.raises(AppError) as conflict:
        client.predict(expected_revision=0, **decision)
    assert conflict.value.title == "conflict"
    assert client.predict(api_name="/models")["total"] == 1
    if name == "adam":
        assert client.predict(api_name="/jobs")["jobs"] == []
        made = client.predict(format="gold", api_name="/export")
        with http(app, bearer(app, "adam")) as program:
            assert '"unsure"' not in program.get(made["url"]).text
    else:
        for api_name in ("/jobs", "/export"):
            with pytest.raises(AppError, match="This is for adjudicator or admin") as refused:
                client.predict(api_name=api_name)
            assert refused.value.title == "not_allowed"
    with pytest.raises(AppError, match="text is empty") as bad:
        client.predict(text=" ", api_name="/predict")
    assert "Traceback" not in str(bad.value)


def test_without_accounts_on_loopback_no_token_is_needed(open_app: App) -> None:
    assert gradio(open_app).predict(limit=1, api_name="/posts")["total"] > 0
    with http(open_app) as program:
        assert program.get("/api/v1/jobs").json()["jobs"] == []


def test_a_page_elsewhere_cannot_use_the_local_reviewer(open_app: App) -> None:
    for header in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        with http(open_app, header) as program:
            assert error_of(program.post("/api/v1/annotate", json={})) == (403, "not_allowed")


def test_a_revoked_an_expired_and_a_disabled_persons_token_open_nothing(app: App) -> None:
    store = app.project.store
    app.accounts.add("zoe", Role.ADMIN, PASSWORD)
    good = bearer(app, "zoe")
    with http(app, good) as program:
        assert program.get("/api/v1/posts").status_code == 200
        client = gradio(app, good)
        revoked = store.tokens(reviewer="zoe")[0]
        assert revoked.used_at is not None
        tokens.revoke_token(store, revoked.id, by=store.reviewer("zoe"))
        answer = program.get("/api/v1/posts")
        assert error_of(answer) == (401, "not_signed_in")
        assert answer.headers["www-authenticate"] == "Bearer"
        with pytest.raises(Exception, match="401"):
            client.predict(api_name="/models")
    expired = bearer(app, "zoe", days=1)
    with store.write() as db:
        db.conn.execute(
            "UPDATE access_token SET expires_at = '2001-01-01T00:00:00Z' WHERE revoked_at IS NULL AND reviewer = 'zoe'"
        )
    with http(app, expired) as program:
        assert error_of(program.get("/api/v1/posts")) == (401, "not_signed_in")
    last = bearer(app, "zoe")
    store.update_reviewer("zoe", disabled=True)
    with http(app, last) as program:
        assert error_of(program.get("/api/v1/posts")) == (401, "not_signed_in")
        store.update_reviewer("zoe", disabled=False)
        assert error_of(program.get("/api/v1/posts")) == (401, "not_signed_in")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer evt_x", "Bearer hf_x", "bearer evt_" + "a" * 5000, "Basic YTpi", ""]
)
def test_a_made_up_token_is_none(app: App, header: str) -> None:
    with http(app, {"authorization": header}) as program:
        assert error_of(program.get("/api/v1/posts")) == (401, "not_signed_in")


def test_a_bad_token_is_not_helped_by_a_good_session(app: App) -> None:
    with http(app) as browser:
        assert browser.post("/login", data={"name": "eva", "password": PASSWORD}).status_code == 303
        assert browser.get("/api/v1/posts").status_code == 200
        assert browser.get("/api/v1/posts", headers={"authorization": "Bearer evt_x"}).status_code == 401


# --- the page of tokens


def test_a_person_makes_sees_and_revokes_their_tokens_on_a_page(app: App) -> None:
    with http(app) as browser:
        browser.post("/login", data={"name": "ada", "password": PASSWORD})
        made = browser.post("/tokens", data={"name": "<b>nightly</b>", "days": "30"})
        assert made.headers["cache-control"] == "no-store"
        token = re.search(r'<code id="token">(evt_[\w-]+)</code>', made.text)
        assert token is not None
        assert "&lt;b&gt;nightly" in made.text
        assert "<b>nightly" not in made.text
        assert token[1] not in browser.get("/tokens").text
        with http(app, {"authorization": f"Bearer {token[1]}"}) as program:
            assert program.get("/api/v1/jobs").status_code == 200
            number = app.project.store.tokens(reviewer="ada")[0].id
            assert browser.post(f"/tokens/{number}/revoke").status_code == 303
            assert program.get("/api/v1/jobs").status_code == 401
        assert "revoked" in browser.get("/tokens").text


def test_the_page_of_tokens_refuses_what_it_should(app: App, open_app: App) -> None:
    bearer(app, "adam")
    others = app.project.store.tokens(reviewer="adam")[0].id
    with http(app) as browser:
        browser.post("/login", data={"name": "eva", "password": PASSWORD})
        assert browser.post(f"/tokens/{others}/revoke").status_code == 404
        assert browser.post("/tokens", data={"name": " ", "days": "30"}).status_code == 400
        assert browser.post("/tokens", data={"name": "x", "days": "9999"}).status_code == 400
        assert browser.post("/tokens", data={"name": "x" * 9000}).status_code == 413
        foreign = {"origin": "https://evil.example"}
        assert browser.post("/tokens", data={"name": "x", "days": ""}, headers=foreign).status_code == 403
    assert app.project.store.token(others).revoked_at is None
    with http(app) as stranger:
        assert stranger.get("/tokens", headers={"accept": "text/html"}).headers["location"] == "/login"
    with http(open_app) as local:
        assert "no access token" in local.get("/tokens").text


# --- MCP


def mcp(client: httpx.Client, method: str, params: dict[str, Any], path: str = "/gradio_api/mcp/") -> httpx.Response:
    return client.post(path, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers=MCP)


def result_of(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.text.split("data: ", 1)[1])["result"]
    return found


HELLO = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


def test_no_mcp_tool_is_listed_or_answers_without_sign_in(app: App) -> None:
    calls = [("initialize", HELLO), ("tools/list", {}), ("resources/list", {}), ("prompts/list", {})]
    calls += [("tools/call", {"name": e.name, "arguments": {"text": "x"}}) for e in ENDPOINTS]
    paths = [
        "/gradio_api/mcp",
        "/gradio_api/mcp/",
        "/gradio_api/mcp/http/",
        "/gradio_api/mcp/messages/?session_id=" + "0" * 32,
    ]
    for headers in (
        None,
        {"authorization": "Bearer evt_x"},
        {"x-gradio-user": "mcp"},
        {"cookie": "evidence_session=x"},
    ):
        with http(app, headers) as stranger:
            assert {mcp(stranger, *call, path).status_code for call in calls for path in paths} == {401}
            for path in ("/gradio_api/mcp/sse", "/gradio_api/mcp/schema", "/gradio_api/mcp/"):
                assert stranger.get(path, headers={"accept": "text/event-stream"}).status_code == 401


def test_with_a_token_the_reading_tools_answer_as_their_person_and_no_others_are_there(app: App) -> None:
    with http(app, bearer(app, "eva")) as program:
        assert "serverInfo" in result_of(mcp(program, "initialize", HELLO))
        assert tuple(tool["name"] for tool in result_of(mcp(program, "tools/list", {}))["tools"]) == TOOLS
        listed = result_of(mcp(program, "tools/list", {}, "/gradio_api/mcp/?tools=annotate,export"))["tools"]
        assert tuple(tool["name"] for tool in listed) == TOOLS
        assert not {"annotate", "export"} & {tool["name"] for tool in program.get("/gradio_api/mcp/schema").json()}
        found = result_of(mcp(program, "tools/call", {"name": "predict", "arguments": {"text": "I cannot sleep."}}))
        assert (found["isError"], "SLEEP_ISSUES" in found["content"][0]["text"]) == (False, True)
        refused = result_of(mcp(program, "tools/call", {"name": "jobs", "arguments": {}}))
        assert (refused["isError"], "you are signed in as eva" in refused["content"][0]["text"]) == (True, True)
        for name in ("annotate", "export", "open_page", "highlight"):
            for path in ("/gradio_api/mcp/", f"/gradio_api/mcp/?tools={name}"):
                assert result_of(mcp(program, "tools/call", {"name": name, "arguments": {}}, path))["isError"] is True
    with http(app, bearer(app, "adam")) as program:
        assert result_of(mcp(program, "tools/call", {"name": "jobs", "arguments": {}}))["isError"] is False


def test_mcp_is_off_unless_asked_for_and_never_in_the_public_demo(open_app: App, tmp_path: Path) -> None:
    with http(open_app) as client:
        assert mcp(client, "tools/list", {}).status_code in (404, 405)
    with pytest.raises(McpUnavailable, match="public demo"):
        check_mcp(Settings(data_dir=tmp_path, demo=True, mcp=True))


# --- what docs/api.md shows


def documented(name: str) -> str:
    marked = API.read_text("utf-8").split(f"<!-- {name} -->", 1)[1].split(f"<!-- /{name} -->", 1)[0]
    return "\n".join(line for line in marked.strip().splitlines() if not line.startswith("```"))


def test_the_example_for_gradio_client_runs(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    token = bearer(app, "eva")["authorization"].removeprefix("Bearer ")
    block = documented("api-python").replace("http://127.0.0.1:7860", app.url).replace("evt_...", token)
    exec(compile(block, "docs/api.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "SLEEP_ISSUES" in shown
    assert re.search(r"revision \d+", shown)


def test_the_example_for_plain_http_runs(app: App, tmp_path: Path) -> None:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("no curl")
    token = bearer(app, "ada")["authorization"].removeprefix("Bearer ")
    block = documented("api-curl").replace("http://127.0.0.1:7860", app.url.rstrip("/")).replace("evt_...", token)
    done = subprocess.run(["bash", "-ec", block], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert '"model":"bundled"' in done.stdout
    assert '"limit":10' in done.stdout
    assert "error" not in done.stdout
    assert (tmp_path / "gold.jsonl").is_file()


# --- what the page weighs


def test_the_page_comes_packed_with_one_style_sheet_and_what_it_loads_is_kept_for_ever(open_app: App) -> None:
    with http(open_app, {"accept-encoding": "br"}) as client:
        page = client.get("/", headers={"accept": "text/html"})
        assert int(page.headers["content-length"]) < 130_000
        assert page.text.count("The editor's own look") == 1
        script = re.search(r'src="\.?(/assets/index-[^"]+\.js)"', page.text)
        assert script is not None
        assert client.get(script[1]).headers["cache-control"] == "max-age=31536000, immutable"
