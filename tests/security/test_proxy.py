"""A real reverse proxy: nginx with two projects under two prefixes, one of which it keeps and one of which it takes off.

The configuration is the one that SECURITY.md gives.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotator.people.accounts import Accounts
from annotator.people.tokens import create_token
from annotator.project import STARTED, default_criteria
from storage.records import Role
from storage.store import Store, open_store
from tests.browser.conftest import Pages, running_app
from tests.builders import a_post

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PASSWORD = "correct horse battery"
HOW_TO = "no nginx on the PATH; on Debian or Ubuntu: apt-get install nginx-light"
PATIENCE_MS = 90_000
TAKEN_OFF = "/deep/study"
PREFIXES = ["/annotate", TAKEN_OFF]
NGINX = """
pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; {locations} }}
}}
"""


def nginx_path() -> str | None:
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def documented_location(prefix: str, port: int, *, takes_off: bool) -> str:
    """The location of SECURITY.md for that prefix; with `takes_off`, the app sees the path without it."""
    block = re.search(r"```nginx\n.*?(location /.*?)```", Path("SECURITY.md").read_text("utf-8"), re.DOTALL)
    assert block is not None
    return (
        block[1]
        .replace("location /annotate/", f"location {prefix}/")
        .replace("http://127.0.0.1:7860;", f"http://127.0.0.1:{port}{'/' if takes_off else ''};")
    )


@dataclass(frozen=True)
class Served:
    """A project behind the proxy, at `url`."""

    store: Store
    url: str


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Served]]:
    """By prefix: /annotate is kept, /deep/study is taken off."""
    program = nginx_path()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(HOW_TO)
        pytest.skip(HOW_TO)
    folder, port = tmp_path_factory.mktemp("nginx"), _free_port()
    folder.chmod(0o755)
    with contextlib.ExitStack() as running:
        stores, locations = {}, ""
        for prefix in PREFIXES:
            stores[prefix] = store = _project(tmp_path_factory.mktemp("project"), prefix)
            running.callback(store.close)
            flags = ["--root-path", prefix, "--trusted-proxies", "127.0.0.1"]
            url = running.enter_context(running_app(store.path.parent, flags=flags))
            locations += documented_location(prefix, int(url.rpartition(":")[2]), takes_off=prefix == TAKEN_OFF)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, locations=locations))
        command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as nginx:
            try:
                _wait_until_up(f"http://127.0.0.1:{port}/annotate/healthz", nginx, folder / "error.log")
                yield {prefix: Served(store, f"http://127.0.0.1:{port}{prefix}") for prefix, store in stores.items()}
            finally:
                nginx.terminate()
                nginx.wait(60)


def _project(folder: Path, prefix: str) -> Store:
    store = open_store(folder)
    store.save_criteria(default_criteria())
    store.set_setting(STARTED, True)
    store.add_posts([a_post(f"I cannot sleep. This is {prefix}.", id="p1")])
    Accounts(store).add("eva", Role.ADMIN, PASSWORD)
    return store


def _wait_until_up(url: str, nginx: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and nginx.poll() is None:
        try:
            if httpx.get(url, timeout=20).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    pytest.fail(f"nginx did not come up: {log.read_text()[-1000:]}")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_stranger_is_sent_to_the_sign_in_page_under_the_prefix(proxied: dict[str, Served], prefix: str) -> None:
    with httpx.Client(timeout=120) as client:
        first = client.get(f"{proxied[prefix].url}/", headers={"accept": "text/html"})
        assert (first.status_code, first.headers["location"]) == (303, f"{prefix}/login")
        page = client.get(f"{proxied[prefix].url}/login")
        assert f'action="{prefix}/login"' in page.text
        given = client.post(f"{proxied[prefix].url}/login", data={"name": "eva", "password": PASSWORD})
        assert (given.status_code, given.headers["location"]) == (303, f"{prefix}/")
        cookies = given.headers.get_list("set-cookie")
        assert all(f"Path={prefix};" in cookie for cookie in cookies), cookies
        other = proxied[next(p for p in PREFIXES if p != prefix)].url
        answer = client.get(f"{other}/config", headers={"accept": "application/json"})
        assert answer.status_code == 401  # the session of one project opens no other


@pytest.mark.parametrize("prefix", PREFIXES)
def test_programs_ask_under_the_prefix(proxied: dict[str, Served], prefix: str) -> None:
    served = proxied[prefix]
    token, _ = create_token(served.store, "eva", "test")
    with httpx.Client(timeout=120, headers={"authorization": f"Bearer {token}"}) as client:
        listed = client.get(f"{served.url}/api/v1/posts").json()
        assert prefix in str(listed)
        body = {"post_id": "p1", "criterion": "SLEEP_ISSUES", "verdict": "unsure", "expected_revision": 0}
        assert client.post(f"{served.url}/api/v1/annotate", json=body).status_code == 200
    with httpx.Client(timeout=120) as stranger:
        for _ in range(6):
            last = stranger.post(f"{served.url}/login", data={"name": "eva", "password": "wrong wrong"})
        assert last.status_code == 429
        assert int(last.headers["retry-after"]) > 0


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_pages_look_and_work_as_without_a_proxy(
    chromium: Any, proxied: dict[str, Served], prefix: str, tmp_path: Path
) -> None:
    """Theme, sign-in, a decision, the stream of events of an import with an upload, and the download of an export."""
    served = proxied[prefix]
    Accounts(served.store).throttle.unlock("eva")  # after the wrong passwords above
    pages = Pages(chromium, served.url)
    page = pages.open("/", accept_downloads=True)
    missing: list[str] = []
    page.on("response", lambda r: r.status >= 400 and missing.append(f"{r.status} {r.url}"))
    page.set_default_timeout(PATIENCE_MS)
    assert page.url == f"{served.url}/login"
    page.fill("input[name=name]", "eva")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_selector('.ev[data-state="ready"]')
    assert page.url.startswith(f"{served.url}/")
    styled = "getComputedStyle(document.querySelector('.gradio-container')).getPropertyValue('--body-background-fill')"
    assert page.evaluate(styled).strip()
    assert prefix in page.inner_text("[data-part=text]")
    page.goto(f"{served.url}/?tab=data")
    table = tmp_path / "week.csv"
    table.write_text("id,text\nw1,I cannot sleep and the nights are long.\n", encoding="utf-8")
    page.set_input_files("#import-file input[type=file]", str(table))
    becomes = "([box, text]) => document.querySelector(box).value.includes(text)"
    page.wait_for_function(becomes, arg=["#import-seen textarea", "CSV"])
    page.click("#import-run")
    page.wait_for_function(becomes, arg=["#import-result textarea", "1 post imported"])
    assert served.store.known_post_ids(["w1"])
    assert missing == []
    pages.close()
    assert pages.problems == []


@pytest.mark.parametrize("prefix", PREFIXES)
def test_an_export_is_downloaded_and_nothing_lies_beside_the_prefix(proxied: dict[str, Served], prefix: str) -> None:
    served = proxied[prefix]
    token, _ = create_token(served.store, "eva", "downloads")
    with httpx.Client(timeout=120, headers={"authorization": f"Bearer {token}"}) as client:
        made = client.get(f"{served.url}/api/v1/export", params={"format": "jsonl"})
        assert made.status_code == 200
    with httpx.Client(timeout=120) as stranger:
        root = served.url.removesuffix(prefix)
        for path in ("/config", f"{prefix}x/healthz", f"{prefix}/..%2fconfig", f"{prefix}//config"):
            assert stranger.get(f"{root}{path}", headers={"accept": "application/json"}).status_code in (
                401,
                403,
                404,
            ), path
