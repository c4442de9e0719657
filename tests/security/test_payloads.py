"""Payloads in every text of a project, through every page in a real browser: none runs, none becomes markup, nothing is fetched."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from annotator.people.accounts import Accounts
from encoder.network.hub import BUNDLED
from storage.records import Role
from storage.store import Store, open_store
from tests.browser.conftest import Pages, running_app
from tests.security import payloads
from tests.security.payloads import ALL, HARM, PAYLOADS, SAFE

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE_MS = 90_000
VALUE = "([box, text]) => document.querySelector(box).value.includes(text)"
SHOWN = {
    "posts": "#posts-list tbody tr",
    "adjudicate": "#adjudicate [data-part=case] button",
    "retrain": "#retrain-plan .rt-details",
    "overview": ".ov-cards div",
    "guidelines": "#guidelines .ev-card",
    "team": "#team .ev-round",
    "agreement": "#agreement [data-part=report] table",
    "people": "#people table td",
}
TRAP = """html => {
  const box = document.createElement("div");
  box.id = "trap";
  box.innerHTML = html;
  document.body.append(box);
}"""
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Armed:
    """A project full of payloads, and its page."""

    store: Store
    ids: list[str]
    page: Any
    url: str
    asked_for: list[str]

    def assert_safe(self) -> None:
        self.page.evaluate(
            "() => new Promise(done => setTimeout(done, 100))"
        )  # what an image's error starts comes late
        assert self.page.evaluate(HARM) == SAFE
        assert self.asked_for == []


@pytest.fixture(scope="module")
def armed(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Armed]:
    folder: Path = tmp_path_factory.mktemp("armed")
    store = open_store(folder)
    ids = payloads.fill_with(store)
    with running_app(folder) as url:
        pages = Pages(chromium, url)
        page = pages.open("/")
        page.set_default_timeout(PATIENCE_MS)
        page.on("dialog", lambda dialog: pages.problems.append(f"dialog {dialog.message}"))
        yield Armed(store, ids, page, url, pages.problems)
        pages.close()
    store.close()


def test_a_payload_would_be_noticed(armed: Armed) -> None:
    """The markup of the corpus does run in this browser, under this policy, if a page takes it for markup."""
    armed.page.evaluate(TRAP, PAYLOADS[1])
    armed.page.wait_for_function("() => window.ran && window.ran.includes(1)")
    armed.page.evaluate("() => { document.querySelector('#trap').remove(); window.ran = []; }")


def test_review_shows_them_as_text_with_history_and_list(armed: Armed) -> None:
    page = armed.page
    for post_id in armed.ids[:: max(1, len(armed.ids) // 6)]:
        page.goto(f"{armed.url}/?post={quote(post_id, safe='')}")
        page.wait_for_selector('.ev[data-state="ready"]')
        assert page.inner_text(".ev-post-id").strip() == post_id.strip()
        assert ALL[:60] in page.evaluate("document.querySelector('[data-part=text]').textContent")
        armed.assert_safe()
    page.focus('.ev[data-state="ready"]')
    page.keyboard.press("h")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    armed.assert_safe()


@pytest.mark.parametrize("tab", SHOWN)
def test_each_page_shows_them_as_text(armed: Armed, tab: str) -> None:
    armed.page.goto(f"{armed.url}/?tab={tab}")
    armed.page.wait_for_selector(SHOWN[tab])
    assert "window.ran" in armed.page.evaluate("id => document.querySelector(id).textContent", f"#page-{tab}")
    armed.assert_safe()


def test_the_list_finds_them_by_their_own_words(armed: Armed) -> None:
    page = armed.page
    page.goto(f"{armed.url}/?tab=posts")
    page.wait_for_selector(SHOWN["posts"])
    page.fill("#posts-list [name=query]", "onerror")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#posts-list tbody').textContent.includes('onerror')")
    armed.assert_safe()


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_file_is_looked_at_and_imported_as_text(armed: Armed, tmp_path: Path, ending: str) -> None:
    page = armed.page
    table = tmp_path / f"week {PAYLOADS[1].replace('/', '')}.{ending}"
    if ending == "csv":
        with table.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "text", *PAYLOADS[:12]])
            rows.writerows([[f"{ending} {p}", f"{p} I cannot sleep.", *PAYLOADS[:12]] for p in PAYLOADS])
    else:
        import json

        lines = [
            {"post_id": f"{ending} {p}", "text": p, "criterion": p, "verdict": p, "evidence": p, p: p} for p in PAYLOADS
        ]
        table.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    page.goto(f"{armed.url}/?tab=data")
    page.wait_for_selector("#import-run")
    page.set_input_files("#import-file input[type=file]", str(table))
    page.wait_for_function(VALUE, arg=["#import-seen textarea", ending.upper() if ending == "csv" else "JSON"])
    armed.assert_safe()
    page.click("#import-run")
    page.wait_for_function(VALUE, arg=["#import-result textarea", "imported"])
    armed.assert_safe()
    for name in ("Past imports", "Export"):
        page.get_by_role("tab", name=name, exact=True).click()
        armed.assert_safe()


def test_what_is_pasted_to_try_is_text(armed: Armed) -> None:
    """With the small model in service, which the project's own version, kept nowhere, gives way to for this."""
    page, before = armed.page, armed.store.active_model()
    assert before is not None
    armed.store.activate_model(BUNDLED, by=None)
    try:
        page.goto(f"{armed.url}/?tab=try")
        page.wait_for_selector("#try-text textarea")
        page.fill("#try-text textarea", ALL)
        page.get_by_role("button", name="Highlight").first.click()
        page.wait_for_selector("#try-result .try-post:not([hidden])")
        assert ALL[:60] in page.evaluate("document.querySelector('#try-result .try-post').textContent")
        armed.assert_safe()
    finally:
        armed.store.activate_model(before.id, by=None)


def test_the_sign_in_page_and_the_tokens_show_them_as_text(tmp_path: Path, chromium: Any) -> None:
    store = open_store(tmp_path)
    payloads.fill_with(store, PAYLOADS[:3])
    Accounts(store).add("eva", Role.ADMIN, PASSWORD)
    with running_app(tmp_path) as url:
        pages = Pages(chromium, url)
        page = pages.open("/login")
        for name in (ALL[:150], PAYLOADS[11]):
            page.fill("[name=name]", name)
            page.fill("[name=password]", PAYLOADS[0])
            page.click("button")
            page.wait_for_selector("p.note")
            assert page.evaluate(HARM) == SAFE
        page.fill("[name=name]", "eva")
        page.fill("[name=password]", PASSWORD)
        page.click("button")
        page.goto(f"{url}/tokens")
        page.fill("[name=name]", PAYLOADS[1])
        page.click("button[type=submit]")
        page.wait_for_selector("table")
        assert PAYLOADS[1] in page.inner_text("table")
        assert page.evaluate(HARM) == SAFE
        pages.close()
        assert pages.problems == []
    store.close()
