"""The post can be seen where it is decided: phones, low windows, and a page enlarged to 400 %."""

from __future__ import annotations

import pytest

from storage.records import Annotation, Verdict
from tests.browser.conftest import Site
from tests.browser.gestures import MODEL_SAYS, PLAIN, Opener, press

pytestmark = pytest.mark.browser

SEEN = """() => {
  const text = document.querySelector('[data-part=scroll]').getBoundingClientRect();
  const over = Array.from(document.querySelectorAll('[data-part=verdicts], [data-part=conflicts]:not(:empty)'))
    .filter(box => getComputedStyle(box).position === 'fixed').map(box => box.getBoundingClientRect().top);
  const bottom = Math.min(innerHeight, text.bottom, ...over);
  return (bottom - Math.max(0, text.top)) / innerHeight;
}"""
LONG = " ".join([PLAIN] * 12)


@pytest.mark.parametrize(
    ("width", "height"),
    [(640, 400), (1280, 400), (320, 480), (390, 844), (844, 390), (320, 256), (390, 600), (800, 600)],
)
def test_the_text_has_half_of_the_height_also_after_the_notice_and_beside_a_question(
    width: int, height: int, site: Site, new_page: Opener
) -> None:
    post_id = site.add_post(LONG, MODEL_SAYS)
    page = new_page(f"/?post={post_id}", width=width, height=height, begun=False)
    page.wait_for_selector('.ev[data-state="ready"]')
    page.get_by_role("button", name="Begin", exact=True).click()
    page.wait_for_function(f"({SEEN})() >= 0.5")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    elsewhere = Annotation(post_id, "SLEEP_ISSUES", site.reviewer, Verdict.UNSURE)
    site.store.add_annotation(elsewhere, expected_revision=0)
    press(page, "4", "0")
    page.wait_for_selector("[data-part=conflicts] [role=alert]")
    page.wait_for_function(f"({SEEN})() >= 0.5")
    box = page.get_by_role("button", name="Keep mine").bounding_box()
    assert 0 <= box["y"] <= height - box["height"]


def test_on_a_phone_the_text_begins_in_the_first_third(site: Site, open_alone: Opener) -> None:
    page = open_alone(site.add_post(LONG, MODEL_SAYS), width=390, height=844)
    assert page.locator("[data-part=scroll]").bounding_box()["y"] < 844 / 3
    page.click("[data-part=more-tools]")
    for name in ("undo", "search", "help"):
        box = page.locator(f"[data-action={name}]").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
