"""Without a network: the loaded page goes on, and catches up. And nothing is ever asked of another machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.project import STARTED, default_criteria
from annotator.settings import Settings
from storage.records import ModelVersion
from storage.store import open_store
from tests.browser.conftest import MODEL, Pages, Site, running_app, watched
from tests.browser.gestures import MODEL_SAYS, PLAIN, confirm_the_rest, press, wait_saved

pytestmark = pytest.mark.browser
Opener = Callable[..., Any]

TABS = ("review", "posts", "try", "data", "retrain", "overview", "guidelines")
ASKED = "performance.getEntriesByType('resource').filter(e => e.name.includes('/ask/')).length"
OFFLINE = "document.querySelector('[data-part=saved]').dataset.saved === 'offline'"


def post_on(page: Any) -> str:
    return str(page.inner_text(".ev-post-id"))


def every_decision_once(store: Any, post: str, reviewer: str) -> list[tuple[str, int]]:
    """(criterion, revision) of all that is stored; fails on a gesture that was stored twice."""
    history = [a for a in store.history(post) if a.reviewer == reviewer]
    assert len({a.op_id for a in history}) == len(history)
    return sorted((a.criterion_id, a.revision) for a in history)


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A project of its own: the queue holds nothing but the test's posts."""
    store = open_store(tmp_path)
    store.save_criteria(default_criteria())
    store.add_model(ModelVersion(id=MODEL, path="kept-in-the-tests"))
    store.activate_model(MODEL, by=None)
    store.set_setting(STARTED, True)
    with running_app(tmp_path) as url:
        yield Site(url, store, Settings().local_reviewer, tmp_path)
    store.close()


def test_with_the_network_cut_the_loaded_page_works_and_everything_is_sent_once_afterwards(
    own_site: Site, chromium: Any
) -> None:
    site = own_site
    first = site.add_post(PLAIN, MODEL_SAYS)
    site.add_post(PLAIN + " And a second one.", MODEL_SAYS)
    pages = Pages(chromium, site.url)
    page = pages.open(f"/?post={first}")
    page.wait_for_selector('.ev[data-state="ready"]')
    page.wait_for_function(f"{ASKED} >= 2")  # the post, and the next one
    page.wait_for_timeout(300)
    page.context.set_offline(True)
    press(page, "4", "a")
    confirm_the_rest(page)
    page.wait_for_function(OFFLINE)
    page.wait_for_function("document.querySelector('[data-part=saved]').innerText.includes('9 not saved yet')")
    press(page, "n")
    page.wait_for_function(f"document.querySelector('.ev-post-id').textContent !== '{first}'")
    second = post_on(page)
    press(page, "1", "0", "z", "1", "u")
    press(page, "p")
    page.wait_for_function(f"document.querySelector('.ev-post-id').textContent === '{first}'")
    assert site.store.history(first) == site.store.history(second) == []
    page.context.set_offline(False)
    wait_saved(page)
    assert every_decision_once(site.store, first, site.reviewer) == sorted((c.id, 1) for c in site.store.criteria())
    assert every_decision_once(site.store, second, site.reviewer) == [("DEPRESSED_MOOD", n) for n in (1, 2, 3)]
    assert str(site.answer(second, "DEPRESSED_MOOD").verdict) == "unsure"
    pages.close()


@pytest.mark.slow
def test_a_server_that_stops_and_starts_again_gets_every_decision_once(chromium: Any, tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.save_criteria(default_criteria())
    store.add_model(ModelVersion(id=MODEL, path="kept-in-the-tests"))
    store.activate_model(MODEL, by=None)
    store.set_setting(STARTED, True)
    reviewer = Settings().local_reviewer
    with running_app(tmp_path) as url:
        post = Site(url, store, reviewer, tmp_path).add_post(PLAIN, MODEL_SAYS)
        pages = Pages(chromium, url)
        page = pages.open(f"/?post={post}")
        page.wait_for_selector('.ev[data-state="ready"]')
        press(page, "4", "a")
        wait_saved(page)
    press(page, "1", "a", "4", "0", "3", "Enter")
    page.wait_for_function(OFFLINE)
    assert "3 not saved yet" in page.inner_text("[data-part=saved]")
    page.wait_for_selector("text=No connection to the app", timeout=60_000)
    with running_app(tmp_path, port=int(url.rpartition(":")[2])):
        page.evaluate("dispatchEvent(new Event('online'))")
        wait_saved(page)
    assert every_decision_once(store, post, reviewer) == [
        ("APPETITE_CHANGE", 1),
        ("DEPRESSED_MOOD", 1),
        ("SLEEP_ISSUES", 1),
        ("SLEEP_ISSUES", 2),
    ]
    pages.close()
    store.close()


@pytest.mark.slow
def test_neither_the_pages_nor_the_server_ask_anything_of_another_machine(site: Site, new_page: Opener) -> None:
    """`new_page` fails the test on any such request of a page; the server's own are in its log."""
    page = new_page(f"/?post={site.add_post(PLAIN, MODEL_SAYS)}")
    page.wait_for_function("window.evidenceOpened === true")
    for tab in TABS:
        page.locator(f"#page-{tab}-button").click()
        page.wait_for_selector(f"#page-{tab}", state="visible")
        page.wait_for_timeout(300)
    assert not (site.folder / "outside.log").exists()


def test_the_check_on_the_pages_requests_sees_one(chromium: Any, site: Site) -> None:
    pages = Pages(chromium, site.url)
    page = pages.open("/healthz", bypass_csp=True)
    with page.expect_request("http://evidence.invalid/y.png"):
        page.evaluate(
            "fetch('http://192.0.2.1/x').catch(() => 0); new Image().src = 'http://evidence.invalid/y.png'; 0"
        )
    pages.close()
    assert pages.problems == ["asked for http://192.0.2.1/x", "asked for http://evidence.invalid/y.png"]


def test_the_page_itself_may_not_ask_another_machine(chromium: Any, site: Site) -> None:
    pages = Pages(chromium, site.url)
    page = pages.open("/")
    refused = page.evaluate(
        "new Promise(done => { document.addEventListener('securitypolicyviolation', e => done(e.violatedDirective));"
        " fetch('http://192.0.2.1/x').catch(() => 0); })"
    )
    pages.close()
    assert refused == "connect-src"


def test_the_watch_on_the_server_sees_a_call(tmp_path: Path) -> None:
    code = "import socket; s = socket.socket(); s.setblocking(False); s.connect_ex(('192.0.2.1', 9))"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **watched(tmp_path)}, check=True, timeout=60)
    assert (tmp_path / "outside.log").read_text("utf-8") == "socket.connect 192.0.2.1\n"
