"""Saying more of a span and of the whole post, by key, by hand and by touch; nothing of it where a project defines nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from annotator.teams.naming import codes_of
from storage.attributes import Attributes, Scale
from storage.records import OF_POST, AnnotatedSpan, Annotation, Post, SpanAttributes, Split, Verdict
from tests.browser.conftest import Site
from tests.browser.gestures import MODEL_SAYS, PLAIN, Opener, answer, press, reload_at, wait_saved
from tests.browser.test_review_access import violations

pytestmark = pytest.mark.browser
NASTY = "<img src=x onerror=alert(1)> `${2}` {{3}}"


@pytest.fixture
def site_with_attributes(site: Site) -> Iterator[Site]:
    severity, risk = Scale("Severity", ("mild", "severe")), Scale("Risk", ("none", "low", "high"))
    site.store.replace_attributes(Attributes("Why is this evidence?", severity, ("past", "negated"), (risk,)))
    yield site
    site.store.set_setting("attributes", {})


def said_of(site: Site, page: Any, post_id: str) -> list[SpanAttributes]:
    return [span.attributes for span in answer(site, page, post_id, "SLEEP_ISSUES").spans]


def test_more_is_said_of_a_span_by_key_and_kept(site_with_attributes: Site, open_alone: Opener) -> None:
    site = site_with_attributes
    post_id = site.add_post(PLAIN, MODEL_SAYS)
    page = open_alone(post_id)
    press(page, "4")  # SLEEP_ISSUES
    assert "2 severe" in (press(page, "l"), page.inner_text("[data-part=mode]"))[1]
    press(page, "2", "p")
    assert said_of(site, page, post_id) == [SpanAttributes("", "severe", ("past",))]
    press(page, "n", "r")
    page.keyboard.type(NASTY)
    page.keyboard.press("Escape")
    assert said_of(site, page, post_id) == [SpanAttributes(NASTY, "severe", ("past", "negated"))]
    assert page.get_attribute(".ev-seg.ev-current", "data-tag") == "✓ 0.87 severe · past negated · ✎"
    assert NASTY in page.inner_text("[data-part=marks]")
    assert violations(page, ".ev") == []
    press(page, "h")
    page.wait_for_selector(".ev-history .ev-what")
    assert NASTY in page.locator(".ev-history").inner_text()
    press(page, "Escape", "z")
    wait_saved(page)
    assert said_of(site, page, post_id) == [SpanAttributes("", "severe", ("past", "negated"))]
    reload_at(page, "4")
    assert page.get_attribute('[data-value="severe"]', "aria-pressed") == "true"


def test_a_post_is_labelled_by_key_and_by_touch_and_undone(site_with_attributes: Site, open_alone: Opener) -> None:
    site = site_with_attributes
    post_id = site.add_post(PLAIN, MODEL_SAYS)
    page = open_alone(post_id, width=390, height=844, has_touch=True)
    press(page, "y", "3")
    assert answer(site, page, post_id, OF_POST).labels == (("Risk", "high"),)
    page.locator('[data-part=whole] [data-value="low"]').tap()
    wait_saved(page)
    assert answer(site, page, post_id, OF_POST).labels == (("Risk", "low"),)
    press(page, "z", "z")
    wait_saved(page)
    assert answer(site, page, post_id, OF_POST).labels == ()
    page.locator('[data-part=said] [data-value="mild"]').tap()
    wait_saved(page)
    named = next(c for c in site.store.criteria() if c.name == page.inner_text("[data-part=detail-head] h2"))
    assert [s.attributes.severity for s in answer(site, page, post_id, named.id).spans] == ["mild"]


def test_a_project_that_defines_nothing_shows_nothing_of_it(site: Site, open_alone: Opener) -> None:
    page = open_alone(site.add_post(PLAIN, MODEL_SAYS))
    press(page, "4", "l", "y")
    assert page.locator("[data-part=said]:visible, [data-part=whole]:visible, [data-part=mode]:visible").count() == 0
    press(page, "?")
    assert "Label the whole post" not in page.locator(".ev-keys").inner_text()


def test_an_admin_adds_levels_and_flags_on_guidelines(site: Site, new_page: Opener) -> None:
    page = new_page("/?tab=guidelines")
    box = page.locator("#guidelines .ev-attributes")
    box.get_by_role("button", name="Add levels").click()
    box.locator("[name=severity]").fill("Burden: light < heavy")
    box.locator("[name=flags]").fill("past, other person")
    box.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=Burden: light < heavy")
    assert violations(page, "#guidelines") == []
    assert site.store.attributes().flags == ("past", "other person")
    site.store.set_setting("attributes", {})


def test_an_adjudicator_sees_what_readers_say_and_takes_it_with_the_span(
    site_with_attributes: Site, new_page: Opener
) -> None:
    store = site_with_attributes.store
    post_id = site_with_attributes.add_post(PLAIN)
    said = {"ben": SpanAttributes(NASTY, "mild"), "cem": SpanAttributes("", "severe", ("past",))}
    for start, (name, more) in enumerate(said.items()):
        store.ensure_reviewer(name)
        span = AnnotatedSpan(2 + 40 * start, 14 + 40 * start, attributes=more)
        store.add_annotation(Annotation(post_id, "FATIGUE", name, Verdict.EVIDENCE, (span,)), expected_revision=0)
    page = new_page("/?tab=adjudicate")
    page.wait_for_selector("#adjudicate .ev-lane .ev-what")
    lanes = page.locator("#adjudicate .ev-lane .ev-what").all_inner_texts()
    order = sorted(said, key=lambda name: codes_of(store)[name])
    assert (NASTY in lanes[order.index("ben")], "severe · past" in lanes[order.index("cem")]) == (True, True)
    assert violations(page, "#adjudicate") == []
    page.wait_for_function("document.querySelector('#adjudicate [data-part=root]') === document.activeElement")
    press(page, str(order.index("cem") + 1))
    page.wait_for_selector("text=Nothing is left to decide")
    (decision,) = store.adjudications(post_id)
    assert [span.attributes for span in decision.spans] == [said["cem"]]


def test_an_authors_other_posts_are_a_key_away_and_nothing_of_them_is_answered(site: Site, open_alone: Opener) -> None:
    texts = {"day-1": "I slept well.", "day-2": PLAIN, "day-3": NASTY}
    posts = [
        Post(id, text, Split.TRAIN, author="Ann Onym", posted_at=f"2026-01-0{id[-1]}") for id, text in texts.items()
    ]
    site.store.add_posts(posts)
    page = open_alone("day-2")
    assert page.locator("[data-part=author] [data-action=author]").inner_text().startswith("Post 2 of 3 by this author")
    press(page, "q")
    page.wait_for_selector(".ev-neighbours")
    shown = page.locator(".ev-neighbours li").all_inner_texts()
    assert (len(shown), "I slept well." in shown[0], "This post" in shown[1], NASTY in shown[2]) == (
        3,
        True,
        True,
        True,
    )
    assert "Ann Onym" not in page.locator(".ev").inner_text()
    assert page.locator(".ev-neighbours :is(mark, .ev-seg)").count() == 0
    assert violations(page, ".ev") == []
    page.get_by_role("button", name="Open day-3").click()
    page.wait_for_function("document.querySelector('.ev-post-id').textContent === 'day-3'")
    assert site.store.history("day-2") == []
