"""Whole-post mode: all predictions in the order of the text, additions by number, and one key for "nothing else"."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage.records import SpanOrigin, Verdict
from tests.browser.conftest import Site
from tests.browser.gestures import MODEL_SAYS, MOOD_SENTENCE, PLAIN, SLEEP_SENTENCE, Opener, answer, press, wait_saved

pytestmark = pytest.mark.browser


@pytest.fixture
def open_whole(open_post: Opener) -> Iterator[Opener]:
    """Opens a post in whole-post mode, and leaves the mode afterwards for the tests that share the page."""
    pages = []

    def opened(post: str) -> object:
        page = open_post(post)
        press(page, "v")
        assert page.get_attribute(".ev", "data-reading") == "post"
        pages.append(page)
        return page

    yield opened
    for page in pages:
        press(page, "v")


CURRENT = """words => words === [...document.querySelectorAll('.ev-text .ev-current')].map(part => part.textContent).join('')"""


def test_predictions_come_in_the_order_of_the_text_and_one_key_ends_the_post(site: Site, open_whole: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_whole(post)
    page.wait_for_function(CURRENT, arg=SLEEP_SENTENCE)
    press(page, "Enter")
    page.wait_for_function(CURRENT, arg=MOOD_SENTENCE)
    press(page, "x")
    assert "Nothing else" in page.inner_text("[data-part=confirm]")
    press(page, "Enter")
    assert "No evidence: Loss of interest" in page.inner_text("[data-part=dialog-body]")
    press(page, "Enter", "Enter")
    wait_saved(page)
    saved = site.store.annotations_of(post, site.reviewer)
    assert {cid for cid, a in saved.items() if a.verdict is Verdict.EVIDENCE} == {"SLEEP_ISSUES"}
    assert len(saved) == 9
    assert not saved["SLEEP_ISSUES"].bulk
    assert not saved["SUICIDAL_THOUGHTS"].bulk
    assert saved["FATIGUE"].bulk


def test_a_number_says_for_which_criterion_the_chosen_prediction_speaks(site: Site, open_whole: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_whole(post)
    press(page, "?")
    assert "A digit says for which criterion the chosen open passage" in page.inner_text("[data-part=dialog-body]")
    press(page, "Escape", "6")
    assert answer(site, page, post, "FATIGUE").spans[0].origin is SpanOrigin.ADDED
    assert site.quotes(post, "FATIGUE") == [SLEEP_SENTENCE]
    assert [s.quote(PLAIN) for s in site.answer(post, "SLEEP_ISSUES").rejected] == [SLEEP_SENTENCE]
    press(page, "z")
    wait_saved(page)
    assert site.quotes(post, "FATIGUE") == []


SEEN = """box => Array.from(document.querySelectorAll('[data-part=chooser] button')).every(button => {
  const {x, y, width, height} = button.getBoundingClientRect();
  return button.contains(document.elementFromPoint(x + width / 2, y + height / 2));
})"""


@pytest.mark.parametrize("at", ["Home", "End"])
def test_the_criteria_to_choose_from_are_seen_wherever_the_selection_is(
    at: str, site: Site, open_whole: Opener
) -> None:
    page = open_whole(site.add_post("\n".join([PLAIN] * 30)))
    press(page, "c", at, "ArrowUp", "Enter")
    assert page.is_visible("[data-part=chooser]")
    assert page.evaluate(SEEN)
    press(page, "Escape")


def test_a_sentence_is_added_with_four_keys_from_any_place_in_it(site: Site, open_whole: Opener) -> None:
    post = site.add_post(PLAIN)
    page = open_whole(post)
    press(page, "c", "ArrowDown", "Enter")
    assert page.is_visible("[data-part=chooser]")
    press(page, "4")
    assert page.is_hidden("[data-part=chooser]")
    answer(site, page, post, "SLEEP_ISSUES")
    assert site.quotes(post, "SLEEP_ISSUES") == [SLEEP_SENTENCE]
    press(page, "c", "ArrowDown", "ArrowDown", "Enter", "Escape", "Enter")
    assert "Nothing else" not in page.inner_text("[data-part=dialog-body]")
    press(page, "Escape")
    wait_saved(page)
    assert site.answer(post, "DEPRESSED_MOOD") is None
