"""The frame of the pages in a real browser: addresses, header, Try it, narrow screens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NewPage = Callable[..., Any]


def selected_tab(page: Any) -> str:
    page.wait_for_function("window.evidenceOpened === true")
    return str(page.inner_text("#pages > .tab-wrapper [role=tab][aria-selected=true]"))


def test_an_address_opens_its_page_and_going_to_another_changes_it_so_that_a_reload_stays_there(
    new_page: NewPage,
) -> None:
    page = new_page("/")
    assert selected_tab(page) == "Review"
    page.click("#page-overview-button")
    page.wait_for_selector(".ov-cards div")
    assert page.url.endswith("?tab=overview")
    page.reload()
    assert selected_tab(page) == "Overview"


def test_without_a_model_header_and_answer_say_so_and_nothing_that_was_typed_stays_in_the_browser(
    new_page: NewPage,
) -> None:
    page = new_page("/?tab=try")
    assert selected_tab(page) == "Try it"
    page.wait_for_selector('.app-model[data-state="failed"]')
    assert "cannot be loaded" in page.inner_text(".app-model-text")
    page.fill("#try-text textarea", "words that must not be kept. <img src=x onerror=alert(1)>")
    page.wait_for_selector(".try-empty >> text=The model cannot be loaded, so nothing can be highlighted.")
    assert not page.is_visible("#try-run")
    kept = page.evaluate("JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    assert "must not be kept" not in kept


@pytest.mark.parametrize("tab", ["try", "overview"])  # Review: in test_review_access.py
def test_a_narrow_screen_needs_no_sideways_scrolling(new_page: NewPage, tab: str) -> None:
    page = new_page(f"/?tab={tab}", width=360, height=740)
    selected_tab(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
