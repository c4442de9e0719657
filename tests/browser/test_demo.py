"""What a visitor of the public demo sees first, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.annotator.running import running_app
from tests.browser.conftest import Pages
from tests.browser.test_review_access import violations

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
LOAD_SECONDS = 300
PATIENCE_MS = 90_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a public demo whose model is ready."""
    with running_app(tmp_path_factory.mktemp("demo"), demo=True, empty=False) as app:
        app.models.wait_until_settled(LOAD_SECONDS)
        yield app.url.rstrip("/")


@pytest.fixture
def visit(chromium: Any, demo: str) -> Iterator[Callable[..., Any]]:
    """Opens the demo for a visitor of their own."""
    pages = Pages(chromium, demo)

    def opened(path: str = "/", **options: Any) -> Any:
        page = pages.open(path, **options)
        page.set_default_timeout(PATIENCE_MS)
        page.wait_for_function("window.evidenceOpened === true")
        return page

    yield opened
    pages.close()
    assert pages.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_first_page_shows_a_highlighted_example_that_everybody_can_read(
    width: int, scheme: str, visit: Callable[..., Any]
) -> None:
    page = visit(width=width, color_scheme=scheme)
    page.wait_for_selector(".try-post mark")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page, "#page-try") == []
    lines = "node => node.style.backgroundImage"
    marked = page.locator(".try-post mark").evaluate_all(f"nodes => nodes.map({lines})")
    listed = page.locator(".try-criteria .swatch").evaluate_all(f"nodes => nodes.map({lines})")
    assert len(set(listed)) == len(listed) == 9
    assert all(any(line in mark for line in listed) for mark in marked)
    assert "Measured on text that the model never saw" in page.inner_text(".try-measured")


def test_an_example_is_one_click_away_and_the_slider_shows_more_or_less_of_it(visit: Callable[..., Any]) -> None:
    page = visit()
    page.wait_for_selector(".try-post mark")
    page.click("#try-examples button:has-text('A long message')")
    page.wait_for_function("document.querySelector('.try-post').textContent.startsWith('This is going to be long')")

    def marks_at(score: str) -> int:
        page.fill(".try-slider input", score)
        return int(page.locator(".try-post mark").count())

    assert marks_at("0.05") > marks_at("0.95")


def test_the_models_card_opens_on_the_page(visit: Callable[..., Any]) -> None:
    page = visit()
    page.click("button:has-text('The model and how good it is')")
    page.wait_for_function("document.querySelector('#try-card').textContent.includes('not a medical device')")
    page.wait_for_selector("#try-card table")


def test_the_tour_begins_anew_at_a_click(visit: Callable[..., Any]) -> None:
    page = visit("/?tab=review")
    page.wait_for_selector('.ev[data-state="ready"]')
    page.evaluate("document.querySelector('.ev').focus()")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Enter")
    page.wait_for_function("(document.querySelector('[data-part=saved]')?.dataset.saved ?? '') === 'saved'")
    with page.expect_navigation():
        page.click(".tour-anew")
    page.wait_for_selector('.ev[data-state="ready"]')
    assert violations(page, "#tour") == []
    assert "0 of " in page.inner_text(".ev")
