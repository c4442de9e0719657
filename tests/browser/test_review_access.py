"""Everybody can use it: axe, narrow screens, the notice, the keyboard outside the text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Site
from tests.browser.gestures import MODEL_SAYS, PLAIN, press

pytestmark = pytest.mark.browser
Opener = Callable[..., Any]

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RUN = """async (root) => (await axe.run(root, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}))
  .violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')))"""


STILL = "*, *::before, *::after { transition: none !important; animation: none !important; }"


def violations(page: Any, root: str) -> list[str]:
    """What axe finds once the page has come to rest: colors half-way through a fade say nothing."""
    page.add_style_tag(content=STILL)
    page.wait_for_function("(document.querySelector('[data-part=saved]')?.dataset.saved ?? 'saved') === 'saved'")
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    return list(page.evaluate(RUN, root))


def close_dialog(page: Any) -> None:
    """Escape, and wait until keys are the text's again."""
    press(page, "Escape")
    page.wait_for_function("!document.querySelector('dialog[open]') && document.activeElement.dataset.part === 'root'")


def in_both_schemes(page: Any, root: str) -> list[str]:
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {problem}" for problem in violations(page, root)]
    return found


@pytest.mark.parametrize("width", [1280, 390])
def test_the_review_page_has_no_violation_of_wcag_aa(width: int, site: Site, open_alone: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_alone(post, width=width)
    press(page, "4", "a", "o", "1", "x", "1")
    assert in_both_schemes(page, "#span-editor") == []
    press(page, "?")
    page.wait_for_selector(".ev-keys")
    assert in_both_schemes(page, "dialog") == []
    close_dialog(page)
    press(page, "/")
    page.wait_for_selector(".ev-results li")
    assert in_both_schemes(page, "dialog") == []
    close_dialog(page)
    press(page, "h")
    page.wait_for_selector(".ev-history")
    assert in_both_schemes(page, "dialog") == []


def test_nothing_sticks_out_at_any_width(site: Site, open_alone: Opener) -> None:
    page = open_alone(site.add_post(PLAIN, MODEL_SAYS), width=360)
    for width in (360, 768, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 860})
        page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 120)))")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        for name in ("confirm", "none", "unsure", "text"):
            box = page.locator(f"[data-part={name}]").bounding_box()
            assert box["x"] >= 0, (width, name)
            assert box["x"] + box["width"] <= width, (width, name)


def test_the_notice_comes_once_and_offers_to_blur_the_text(site: Site, new_page: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = new_page(f"/?post={post}", begun=False)
    page.wait_for_selector("text=Before you begin")
    assert not page.is_visible("[data-part=text]")
    page.click("text=Begin with the text blurred")
    assert "blur" in page.evaluate(
        "getComputedStyle(document.querySelector('.ev-par')).filter + document.querySelector('.ev').className"
    )
    page.reload()
    page.wait_for_selector('.ev[data-state="ready"]')
    assert not page.is_visible("text=Before you begin")


def test_typing_in_a_field_decides_nothing(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "/")
    page.keyboard.type("ax0u")
    press(page, "Escape")
    assert site.store.annotations_of(post, site.reviewer) == {}
    page.wait_for_function("document.activeElement.dataset.part === 'root'")


def test_the_outcome_of_a_key_is_said_in_the_live_region(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4", "a")
    assert page.inner_text("[data-part=live]").strip().startswith("Accepted: “I cannot sleep")
