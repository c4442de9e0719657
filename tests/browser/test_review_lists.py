"""The pages beside Review: the list of posts with its bulk actions, and the guidelines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.records import Split
from tests.browser.conftest import Site
from tests.browser.test_review_access import violations

pytestmark = pytest.mark.browser
Opener = Callable[..., Any]


def test_posts_are_found_by_their_words_changed_together_and_opened_by_a_link(site: Site, new_page: Opener) -> None:
    one = site.add_post("A walrus and <b>nothing</b> `${else}` {{here}}.")
    two = site.add_post("Another walrus, another night.")
    page = new_page("/?tab=posts")
    page.fill("#posts-list [name=query]", "walrus")
    page.wait_for_function("document.querySelectorAll('#posts-list tbody tr').length === 2")
    assert "<b>nothing</b> `${else}` {{here}}" in page.inner_text("#posts-list tbody")
    assert violations(page, "#posts-list") == []
    page.check('[aria-label="Choose all on this page"]')
    page.select_option('[aria-label="Split"]', "test")
    page.click("text=Move to split")
    page.wait_for_selector("text=2 posts moved.")
    assert {site.store.post(p).split for p in (one, two)} == {Split.TEST}
    page.click("text=Assign to >> nth=0")
    page.wait_for_function("document.querySelector('#posts-list tbody').innerText.includes('" + site.reviewer + "')")
    page.click(f"#posts-list a:text-is('{two}')")
    page.wait_for_selector('.ev[data-state="ready"]')
    assert page.inner_text(".ev-post-id") == two


def test_an_admin_changes_a_guideline_and_the_earlier_wording_can_still_be_read(site: Site, new_page: Opener) -> None:
    page = new_page("/?tab=guidelines")
    page.wait_for_selector("#guidelines .ev-card")
    assert violations(page, "#guidelines") == []
    card = page.locator("#guidelines .ev-card", has_text="PSYCHOMOTOR")
    card.get_by_role("button", name="Edit").click()
    card.locator("[name=guideline]").fill("Mark pacing. `${1}` {{2}} <script>3</script>")
    card.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=Saved as wording 2.")
    page.wait_for_selector("text=PSYCHOMOTOR · wording 2")
    assert "Mark pacing. `${1}` {{2}} <script>3</script>" in card.inner_text()
    card.get_by_text("1 earlier wording").click()
    assert "Wording 1: Restlessness or slowing" in card.inner_text()
    assert [c.version for c in site.store.criterion_versions("PSYCHOMOTOR")] == [1, 2]
