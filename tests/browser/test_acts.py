"""An act does what was meant, once, and to what was seen: double clicks, late answers, words and edges half done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from storage.records import Annotation, SpanOrigin, Verdict
from tests.browser.conftest import Site
from tests.browser.gestures import (
    MODEL_SAYS,
    MOOD_SENTENCE,
    PLAIN,
    SLEEP_SENTENCE,
    Opener,
    answer,
    place,
    press,
    wait_saved,
)

pytestmark = pytest.mark.browser

POSTS = re.compile("/ask/review_item")
TWICE = [("SLEEP_ISSUES", [SLEEP_SENTENCE, MOOD_SENTENCE])]


@contextmanager
def posts_come_late(page: Any) -> Iterator[list[Any]]:
    """What is asked of posts meanwhile waits in the list that is given, and goes on when the block is left."""
    held: list[Any] = []
    page.route(POSTS, lambda route: held.append(route))
    yield held
    for route in held:
        route.continue_()
    page.unroute(POSTS)


OTHER_POST = "post => document.querySelector('.ev-post-id').textContent !== post"


def wait_for_post(page: Any, post: str) -> None:
    page.wait_for_function(f"document.querySelector('.ev-post-id').textContent === '{post}'")


def open_anew(page: Any, post: str) -> None:
    page.evaluate("id => dispatchEvent(new CustomEvent('evidence:open-post', {detail: {post_id: id}}))", post)


def test_a_double_click_is_one_decision(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, dict(TWICE))
    page = open_post(post)
    press(page, "4")
    page.locator("[data-part=marks] .ev-yes").first.dblclick()
    wait_saved(page)
    history = site.store.history(post, criterion_id="SLEEP_ISSUES")
    assert [[s.origin for s in a.spans] for a in history] == [[SpanOrigin.ACCEPTED]]
    assert len(history[0].undecided) == 1
    page.focus("[data-part=marks] li:nth-child(2) .ev-yes")
    for _ in range(3):
        page.keyboard.down("Enter")  # held
    page.keyboard.up("Enter")
    wait_saved(page)
    assert site.quotes(post, "SLEEP_ISSUES") == [SLEEP_SENTENCE, MOOD_SENTENCE]
    assert len(site.store.history(post)) == 2


def test_a_double_click_asks_and_leaves_the_question_open(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    page.click("[data-action=confirm_rest]", click_count=2)
    assert page.locator("[data-part=dialog]").is_visible()
    press(page, "Escape")
    assert site.store.annotations_of(post, site.reviewer) == {}


def test_a_note_is_kept_whatever_is_clicked_next(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4", "m")
    page.keyboard.type("since June")
    page.click('[aria-label^="1."]')
    assert answer(site, page, post, "SLEEP_ISSUES").note == "since June"
    assert page.input_value("[data-part=note]") == ""
    press(page, "6", "m")
    page.keyboard.type("with coffee")
    page.click('[data-action="undo"]')
    wait_saved(page)
    assert [a.note for a in site.store.history(post, criterion_id="FATIGUE")] == ["", "with coffee"]


@pytest.mark.parametrize("where", ["accept", "list", "text"])
def test_an_edge_that_was_moved_belongs_to_its_passage_whatever_is_clicked_next(
    where: str, site: Site, open_post: Opener
) -> None:
    post = site.add_post(PLAIN, dict(TWICE))
    page = open_post(post)
    press(page, "4", "e", "Control+ArrowLeft")
    if where == "text":
        x, y, _, _ = place(page, site, post, "grey")
        page.mouse.click(x + 3, y)
    else:
        page.click({"accept": "[data-part=confirm]", "list": "[data-part=marks] li:nth-child(2) .ev-mark-text"}[where])
    page.wait_for_selector(".ev[data-mode=review]")
    press(page, "Enter")
    saved = answer(site, page, post, "SLEEP_ISSUES")
    assert site.quotes(post, "SLEEP_ISSUES") == ["I cannot sleep at night", MOOD_SENTENCE]
    assert [s.origin for s in saved.spans] == [SpanOrigin.ADJUSTED, SpanOrigin.ACCEPTED]


def test_a_question_about_a_post_goes_with_it_when_the_next_one_comes_late(site: Site, open_post: Opener) -> None:
    before, after = site.add_post(PLAIN, MODEL_SAYS), site.add_post(PLAIN)
    page = open_post(before)
    with posts_come_late(page) as held:
        open_anew(page, after)
        press(page, "Shift+Enter")
        assert page.locator("[data-part=dialog]").is_visible()
        assert held
    wait_for_post(page, after)
    assert page.locator("[data-part=dialog]").is_hidden()
    press(page, "Enter")
    wait_saved(page)
    assert site.store.annotations_of(before, site.reviewer) == {}
    assert [a.criterion_id for a in site.store.history(after)] == ["DEPRESSED_MOOD"]


def test_next_that_is_pressed_again_while_it_is_on_its_way_is_one_post_further(site: Site, open_alone: Opener) -> None:
    for _ in range(4):
        site.add_post(PLAIN)
    page = open_alone(site.add_post(PLAIN, MODEL_SAYS))
    page.evaluate("document.querySelector('.ev').focus()")
    first = page.inner_text(".ev-post-id")
    with posts_come_late(page):
        press(page, "n")  # fetched while the first one was read
        page.wait_for_function(OTHER_POST, arg=first)
        second = page.inner_text(".ev-post-id")
        press(page, "n", "n", "n")
        page.wait_for_function("document.querySelector('[data-part=toast]').textContent.includes('on its way')")
        press(page, "p")  # somebody who does not wait
        wait_for_post(page, first)
        press(page, "n")
        wait_for_post(page, second)
        press(page, "n", "n")
    page.wait_for_function(OTHER_POST, arg=second)
    assert page.locator("[data-part=toast]").is_hidden()
    page.click("[data-action=previous_post]", click_count=2)
    wait_for_post(page, first)


@pytest.mark.parametrize("moved", ["before theirs is taken", "before it is loaded anew"])
def test_an_edge_that_is_half_moved_never_replaces_what_was_saved_elsewhere(
    moved: str, site: Site, open_post: Opener
) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    theirs = Annotation(post, "SLEEP_ISSUES", site.reviewer, Verdict.UNSURE)
    site.store.add_annotation(theirs, expected_revision=0)
    if moved == "before theirs is taken":
        press(page, "4", "a")
        page.wait_for_selector("[data-part=conflicts] [role=alert]")
        press(page, "4", "e", "Control+ArrowLeft")
    else:
        press(page, "4", "e", "Control+ArrowLeft")
        open_anew(page, post)
        page.wait_for_selector("[data-part=conflicts] [role=alert]")
    before = page.get_attribute(".ev", "data-shown")
    page.click("text=Take theirs")
    page.wait_for_function(f"document.querySelector('.ev').dataset.shown !== '{before}'")
    wait_saved(page)
    assert page.locator("[data-part=conflicts] [role=alert]").count() == 0
    assert [a.verdict for a in site.store.history(post, criterion_id="SLEEP_ISSUES")] == [Verdict.UNSURE]


def test_a_model_that_says_the_same_again_changes_nothing_of_what_is_asked(site: Site, open_post: Opener) -> None:
    def loading(route: Any) -> None:
        reply = route.fetch()
        said = reply.json()
        if said["item"]:
            said["item"]["model"].update(missing=1, status="loading")
        route.fulfill(response=reply, json=said)

    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(site.add_post(PLAIN))
    page.route(POSTS, loading)
    open_post(post)
    press(page, "Shift+Enter")
    with page.expect_response(lambda reply: '"post_id"' in (reply.request.post_data or "")):
        pass  # the page asks until the model has answered
    page.evaluate("new Promise(requestAnimationFrame)")
    press(page, "Enter")
    wait_saved(page)
    assert page.locator("[data-part=dialog]").is_hidden()
    assert site.quotes(post, "SLEEP_ISSUES") == [SLEEP_SENTENCE]
    page.unroute_all(behavior="wait")


def test_what_is_selected_by_keys_stays_while_the_look_changes(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "6", "c", "ArrowDown")
    for name in ("bigger", "others", "blur", "smaller"):
        page.click(f"[data-action={name}]", click_count=2 if name in ("others", "blur") else 1)
        assert page.evaluate("getSelection().toString()") == SLEEP_SENTENCE
        assert page.get_attribute(f"[data-action={name}]", "aria-pressed") != "true"
    press(page, "Enter")
    wait_saved(page)
    assert site.quotes(post, "FATIGUE") == [SLEEP_SENTENCE]
