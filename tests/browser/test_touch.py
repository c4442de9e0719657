"""A review by touch alone: real touches, as the browser makes them from a finger."""

from __future__ import annotations

from typing import Any

import pytest

from storage.records import SpanOrigin, Verdict
from tests.browser.conftest import Site
from tests.browser.gestures import MODEL_SAYS, PLAIN, SELECT, SLEEP_SENTENCE, Opener, answer, place, wait_saved

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}


class Finger:
    """Touches through the browser's own input, so that scrolling and `touch-action` count as they do for a finger."""

    def __init__(self, page: Any) -> None:
        self._devtools = page.context.new_cdp_session(page)

    def _send(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y} for x, y in points]
        self._devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, let_go: bool = True) -> None:
        self._send("touchStart", start)
        for step in (0.25, 0.5, 0.75, 1):
            self._send("touchMove", (start[0] + (end[0] - start[0]) * step, start[1] + (end[1] - start[1]) * step))
        self._send("touchEnd" if let_go else "touchCancel")


def middle(page: Any, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.fixture
def phone(site: Site, open_alone: Opener) -> tuple[Any, str]:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_alone(post, **PHONE)
    page.tap('[aria-label^="4."]')
    page.locator(".ev-handle[data-edge=end]").scroll_into_view_if_needed()  # visible, and where it will stay
    return page, post


def test_an_edge_follows_the_finger_and_is_saved_when_it_lets_go(site: Site, phone: tuple[Any, str]) -> None:
    page, post = phone
    box = page.locator(".ev-handle[data-edge=end]").bounding_box()
    assert min(box["width"], box["height"]) >= 44
    _, y, x, _ = place(page, site, post, "sleep")
    Finger(page).drag(middle(page, ".ev-handle[data-edge=end]"), (x - 1, y))
    saved = answer(site, page, post, "SLEEP_ISSUES")
    assert site.quotes(post, "SLEEP_ISSUES") == ["I cannot sleep"]
    assert saved.spans[0].origin is SpanOrigin.ADJUSTED


def test_a_touch_that_is_taken_away_leaves_the_edge_and_a_tap_elsewhere_saves_nothing(
    site: Site, phone: tuple[Any, str]
) -> None:
    page, post = phone
    _, y, x, _ = place(page, site, post, "sleep")
    Finger(page).drag(middle(page, ".ev-handle[data-edge=end]"), (x - 1, y), let_go=False)
    elsewhere, line, _, _ = place(page, site, post, "dog")
    page.touchscreen.tap(elsewhere + 4, line)
    assert site.answer(post, "SLEEP_ISSUES") is None
    page.tap("[data-part=confirm]")
    assert answer(site, page, post, "SLEEP_ISSUES").spans[0].origin is SpanOrigin.ACCEPTED
    assert site.quotes(post, "SLEEP_ISSUES") == [SLEEP_SENTENCE]


def test_selecting_accepting_rejecting_and_the_next_post_by_touch(site: Site, phone: tuple[Any, str]) -> None:
    page, post = phone
    page.tap('[data-action="reject"]')
    assert answer(site, page, post, "SLEEP_ISSUES").verdict is Verdict.NO_EVIDENCE
    page.tap('[aria-label^="1."]')
    page.tap("[data-part=confirm]")
    assert answer(site, page, post, "DEPRESSED_MOOD").verdict is Verdict.EVIDENCE
    page.tap('[aria-label^="6."]')
    page.tap("[data-part=text]", position={"x": 5, "y": 5})
    start = PLAIN.index("grey and empty")
    page.evaluate(SELECT, [start, start + len("grey and empty")])  # what a long press and its handles leave
    page.tap("[data-part=add-selection]")
    answer(site, page, post, "FATIGUE")
    assert site.quotes(post, "FATIGUE") == ["grey and empty"]
    page.tap('[data-action="next_post"]')
    page.wait_for_function(f"document.querySelector('.ev-post-id').textContent !== '{post}'")
    wait_saved(page)
