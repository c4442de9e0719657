"""Care for the reader: the notice, where help is found, blurred text, and a reminder to take a break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from annotator.project import default_set
from tests.browser.conftest import Site
from tests.browser.gestures import MODEL_SAYS, PLAIN, press

pytestmark = pytest.mark.browser
Opener = Callable[..., Any]

REMINDER = "[data-part=break] p"


def work_for(page: Any, minutes: int) -> None:
    """So many minutes pass, in which somebody keeps reading."""
    for _ in range(minutes):
        page.clock.fast_forward(60_000)
        press(page, "j")


@pytest.fixture
def reminded(site: Site, open_alone: Opener) -> Opener:
    """Opens a post for somebody who wants to be reminded of a break as `choice` says; the page's clock is the test's."""

    def opened(choice: str) -> Any:
        page = open_alone(site.add_post(PLAIN, MODEL_SAYS), fake_clock=True)
        press(page, "?")
        page.select_option("dialog select[name=break]", label=choice)
        press(page, "Escape")
        page.wait_for_function("!document.querySelector('dialog[open]')")
        return page

    return opened


def test_the_notice_says_what_may_come_what_this_is_not_and_where_help_is(site: Site, new_page: Opener) -> None:
    page = new_page(f"/?post={site.add_post(PLAIN)}", begun=False)
    page.wait_for_selector("text=Before you begin")
    notice = page.inner_text("[data-part=notice]")
    assert "self-harm, suicide" in notice
    assert "not a diagnosis" in notice
    link = page.locator("[data-part=notice] a")
    assert link.get_attribute("href") == default_set().about.crisis_url
    assert link.get_attribute("rel") == "noopener noreferrer"
    page.click("text=Begin >> nth=1")
    assert page.locator("#app-footer a").get_attribute("href") == default_set().about.crisis_url
    assert "not a diagnosis" in page.inner_text("#app-footer")


def test_blurred_text_is_clear_under_the_mouse_and_where_the_chosen_span_is(site: Site, open_alone: Opener) -> None:
    page = open_alone(site.add_post("Nobody has marked this.\n" + PLAIN, MODEL_SAYS))
    blur = "n => getComputedStyle(document.querySelectorAll('.ev-par')[n]).filter"
    press(page, "4")
    assert page.evaluate(blur, 0) == "none"
    press(page, "b")
    page.mouse.move(5, 5)
    assert page.evaluate(blur, 0) == "blur(6px)"
    assert page.evaluate(blur, 1) == "none"
    page.hover(".ev-par >> nth=0")
    assert page.evaluate(blur, 0) == "none"


def test_a_break_is_proposed_after_the_chosen_time_and_can_be_put_off(reminded: Opener) -> None:
    page = reminded("after 15 minutes")
    work_for(page, 14)
    assert page.locator(REMINDER).count() == 0
    work_for(page, 2)
    page.wait_for_selector(REMINDER)
    assert "for 15 minutes" in page.inner_text(REMINDER)
    page.click("text=Remind me in 5 minutes")
    assert page.locator(REMINDER).count() == 0
    work_for(page, 4)
    assert page.locator(REMINDER).count() == 0
    work_for(page, 2)
    page.wait_for_selector(REMINDER)
    page.click("text=I had a break")
    work_for(page, 14)
    assert page.locator(REMINDER).count() == 0


def test_who_was_away_is_not_reminded(reminded: Opener) -> None:
    page = reminded("after 15 minutes")
    work_for(page, 10)
    page.clock.fast_forward(6 * 60_000)
    page.clock.fast_forward(20_000)
    work_for(page, 10)
    assert page.locator(REMINDER).count() == 0


def test_the_reminder_can_be_switched_off_for_good(reminded: Opener) -> None:
    page = reminded("never")
    work_for(page, 60)
    assert page.locator(REMINDER).count() == 0
    page.reload()
    page.wait_for_selector('.ev[data-state="ready"]')
    press(page, "?")
    assert page.locator("dialog select[name=break]").input_value() == "0"
