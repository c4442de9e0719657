"""What somebody looks at stays where it is, and what they come back to is as they left it."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Site
from tests.browser.gestures import MODEL_SAYS, PLAIN, Opener, press

pytestmark = pytest.mark.browser

PLACES = """() => ['[data-part=text]', ...Array.from(document.querySelectorAll('[data-part=criteria] > li'), (_, n) =>
  `[data-part=criteria] > li:nth-child(${n + 1})`)].map(s => Math.round(document.querySelector(s).getBoundingClientRect().y))"""


def test_no_key_moves_the_text_or_the_criteria(site: Site, open_alone: Opener) -> None:
    page = open_alone(site.add_post(PLAIN, MODEL_SAYS))
    page.evaluate("document.querySelector('.ev').focus()")
    before = page.evaluate(PLACES)
    assert len(before) == 10
    for key in ("c", "Escape", "4", "e", "Escape", "1", "9", "o", "o", "4", "a", "z", "v", "v"):
        press(page, key)
        assert page.evaluate(PLACES) == before, key


def test_the_panel_begins_at_its_top_with_each_criterion(site: Site, open_alone: Opener) -> None:
    page = open_alone(site.add_post(PLAIN, MODEL_SAYS), height=500)
    assert (
        page.evaluate(
            "() => { const d = document.querySelector('[data-part=detail]'); d.scrollTop = 80; return d.scrollTop; }"
        )
        > 0
    )
    press(page, "9")
    assert page.evaluate("document.querySelector('[data-part=detail]').scrollTop") == 0


def test_the_editor_hears_keys_again_when_its_tab_is_clicked(site: Site, open_alone: Opener) -> None:
    page = open_alone(site.add_post(PLAIN, MODEL_SAYS))
    page.wait_for_function("window.evidenceOpened === true")
    page.click("#page-posts-button")
    page.wait_for_selector("#posts-list tbody tr")
    page.click("#page-review-button")
    page.wait_for_function("document.activeElement.dataset.part === 'root'")
    press(page, "4")
    assert page.inner_text("[data-part=detail-head] h2") == "Sleep problems"


def test_posts_are_found_again_as_they_were_filtered(site: Site, new_page: Opener) -> None:
    post = site.add_post("Bees are quiet in winter, she said.")
    page = new_page("/?tab=posts")
    page.wait_for_selector("#posts-list tbody tr")
    page.fill("#posts-list input[name=query]", "bees quiet winter")
    page.wait_for_function("document.querySelectorAll('#posts-list tbody tr').length === 1")
    page.click(f"#posts-list a:has-text('{post}')")
    page.wait_for_selector('.ev[data-state="ready"]')
    page.go_back()
    page.wait_for_function("document.querySelectorAll('#posts-list tbody tr').length === 1")
    assert page.input_value("#posts-list input[name=query]") == "bees quiet winter"
