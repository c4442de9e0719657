"""Two tabs of one browser, two people: what the first decided is never stored as the other's, and waits for its owner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.records import Role
from storage.store import Store, open_store
from tests.annotator.running import running_app
from tests.browser.gestures import PLAIN
from tests.builders import a_post

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

PASSWORD = "correct horse battery"
READY = '.ev[data-state="ready"]'
PATIENCE_MS = 60_000  # a machine that is busy with other things


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[str, Store]]:
    with running_app(tmp_path) as app:
        for name in ("ana", "ana.b", "ben"):
            app.accounts.add(name, Role.REVIEWER, PASSWORD)
        app.project.store.add_posts([a_post(PLAIN, id="p1")])
        yield app.url.rstrip("/"), open_store(tmp_path)


def sign_in(page: Any, url: str, name: str) -> None:
    page.goto(f"{url}/login")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_selector(READY)


def switch_person(context: Any, url: str, name: str) -> None:
    """Another signs in, in the same browser but elsewhere than on the page that is open."""
    answer = context.request.post(f"{url}/login", form={"name": name, "password": PASSWORD}, max_redirects=0)
    assert answer.status == 303


def decide_without_evidence(page: Any) -> None:
    page.focus(READY)
    page.keyboard.press("4")
    page.keyboard.press("0")


def test_a_decision_that_is_sent_after_another_signed_in_waits_for_its_owner(
    chromium: Any, place: tuple[str, Store]
) -> None:
    """The other's name begins as the first's does, as the key under which the browser keeps what waits must not."""
    url, store = place
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script("for (const k of ['notice', 'guide']) localStorage.setItem('evidence.' + k, 'true')")
    first = context.new_page()
    sign_in(first, url, "ana")
    first.route("**/ask/**", lambda route: route.abort())  # what is decided has to wait
    decide_without_evidence(first)
    first.wait_for_function("Object.keys(localStorage).some(key => key.startsWith('evidence.outbox'))")
    switch_person(context, url, "ana.b")
    first.unroute("**/ask/**")
    first.evaluate("dispatchEvent(new Event('online'))")
    first.wait_for_function("window.gradio_config && window.gradio_config.username === 'ana.b'")  # it loaded again
    first.wait_for_selector(READY)
    assert list(store.iter_annotations()) == []
    kept = first.evaluate("Object.keys(localStorage).filter(key => key.startsWith('evidence.outbox'))")
    assert len(kept) == 1
    assert "|ana|" in kept[0]
    waiting = first.evaluate("key => JSON.parse(localStorage[key]).entries.map(entry => entry.message.op_id)", kept[0])
    first.close()
    switch_person(context, url, "ana")
    again = context.new_page()
    again.goto(url)
    again.wait_for_function("Object.keys(localStorage).every(key => !key.startsWith('evidence.outbox'))")
    assert [(a.reviewer, a.op_id) for a in reversed(store.history("p1"))] == [("ana", key) for key in waiting]
    context.close()


def test_the_sign_out_of_an_old_page_signs_nobody_else_out(place: tuple[str, Store]) -> None:
    url, _ = place
    with httpx.Client(base_url=url) as client:
        client.post("/login", data={"name": "ben", "password": PASSWORD})
        assert client.post("/logout", data={"person": "ana"}).headers["location"] == "/"
        assert client.get("/status").json()["person"] == "ben"
        assert client.post("/tokens", data={"person": "ana", "name": "mine", "days": ""}).status_code == 403
        client.post("/logout", data={"person": "ben"})
        assert client.get("/config", headers={"accept": "application/json"}).status_code == 401


def test_an_earlier_session_ends_when_somebody_signs_in_with_it(place: tuple[str, Store]) -> None:
    url, _ = place
    with httpx.Client(base_url=url) as client:
        client.post("/login", data={"name": "ana", "password": PASSWORD})
        earlier = dict(client.cookies)
        client.post("/login", data={"name": "ben", "password": PASSWORD})
    with httpx.Client(base_url=url, cookies=earlier) as thief:
        assert thief.get("/config", headers={"accept": "application/json"}).status_code == 401
