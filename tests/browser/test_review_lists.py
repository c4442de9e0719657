"""The pages beside Review: the list of posts with its bulk actions, and the guidelines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.doubts import Doubt
from storage.jobs import Jobs
from storage.records import JobKind, JobStatus, Split, Verdict
from storage.settings import LEARN_AT_ONCE
from tests.browser.conftest import Site
from tests.browser.test_review_access import violations
from tests.builders import a_span, an_annotation

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
    page.dblclick("text=Move to split")  # asks, and does not answer itself
    assert site.store.post(one).split is Split.TRAIN
    page.click("text=Move 2 posts to test?")
    page.wait_for_selector("text=2 posts moved.")
    assert {site.store.post(p).split for p in (one, two)} == {Split.TEST}
    page.click("#posts-list >> text=Assign to >> nth=0")
    page.wait_for_function("document.querySelector('#posts-list tbody').innerText.includes('" + site.reviewer + "')")
    page.click(f"#posts-list a:text-is('{two}')")
    page.wait_for_selector('.ev[data-state="ready"]')
    assert page.inner_text(".ev-post-id") == two


def test_posts_are_withdrawn_after_a_question(site: Site, new_page: Opener) -> None:
    gone, kept = site.add_post("An okapi took back what it said."), site.add_post("An okapi stayed.")
    page = new_page("/?tab=posts")
    page.fill("#posts-list [name=query]", "okapi")
    page.wait_for_function("document.querySelectorAll('#posts-list tbody tr').length === 2")
    page.check(f'[aria-label="Choose post {gone}"]')
    page.dblclick("#posts-list >> text=Withdraw")  # asks, and does not answer itself
    assert gone in site.store.known_post_ids([gone])
    page.click("text=Remove 1 post for good, with all that was said?")
    page.wait_for_selector("text=1 post removed. Backups and snapshots made before")
    page.wait_for_function("document.querySelectorAll('#posts-list tbody tr').length === 1")
    assert set(site.store.known_post_ids([gone, kept])) == {kept}


def test_an_admin_changes_a_guideline_and_the_earlier_wording_can_still_be_read(site: Site, new_page: Opener) -> None:
    page = new_page("/?tab=guidelines")
    page.wait_for_selector("#guidelines .ev-card")
    assert violations(page, "#guidelines") == []
    card = page.locator("#guidelines .ev-card", has_text="PSYCHOMOTOR")
    card.get_by_role("button", name="Edit").click()
    card.locator("[name=guideline]").fill("Mark pacing. `${1}` {{2}} <script>3</script>")
    card.locator("[name=examples]").fill("I pace all night.\n<i>My legs</i> will not stop.")
    card.locator("[name=counterexamples]").fill("The dog paces.")
    card.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=Saved as wording 2.")
    page.wait_for_selector("text=PSYCHOMOTOR · wording 2")
    assert "Mark pacing. `${1}` {{2}} <script>3</script>" in card.inner_text()
    assert card.locator(".ev-examples li").all_inner_texts() == [
        "I pace all night.",
        "<i>My legs</i> will not stop.",
        "The dog paces.",
    ]
    assert violations(page, "#guidelines") == []
    card.get_by_text("1 earlier wording").click()
    assert "Wording 1, from 20" in card.inner_text()
    assert ": Restlessness or slowing" in card.inner_text()
    assert [c.version for c in site.store.criterion_versions("PSYCHOMOTOR")] == [1, 2]


def test_what_is_being_written_on_one_guideline_stays_when_another_changes(site: Site, new_page: Opener) -> None:
    page = new_page("/?tab=guidelines")
    written = page.locator('#guidelines .ev-card[data-id="FATIGUE"]')
    written.get_by_role("button", name="Edit").click()
    written.locator("[name=guideline]").fill("Half a sentence")
    other = page.locator('#guidelines .ev-card[data-id="SLEEP_ISSUES"]')
    other.get_by_role("button", name="Edit").click()
    other.get_by_role("button", name="Save").click()
    other.get_by_role("button", name="Edit").wait_for()
    assert written.locator("[name=guideline]").input_value() == "Half a sentence"


def test_posts_that_are_chosen_but_out_of_sight_are_counted_and_filters_cleared(site: Site, new_page: Opener) -> None:
    post = site.add_post("A heron at the pond.")
    page = new_page("/?tab=posts")
    page.fill("#posts-list [name=query]", "heron")
    page.check(f'[aria-label="Choose post {post}"]')
    page.fill("#posts-list [name=query]", "nowhere-to-be-found")
    page.wait_for_selector("text=1 post chosen, 1 not in view")
    page.click("text=Clear the filters")
    page.wait_for_function("document.querySelector('#posts-list tbody')")
    assert page.input_value("#posts-list [name=query]") == ""


def ids_in_order(page: Any) -> list[str]:
    """The numbered criteria of the Guidelines page, by name."""
    return list(page.locator("#guidelines .ev-card:has(.ev-number) h2").all_inner_texts())


def test_an_admin_puts_the_criteria_in_another_order_by_keyboard_and_by_mouse(site: Site, new_page: Opener) -> None:
    page = new_page("/?tab=guidelines")
    page.wait_for_selector("#guidelines .ev-card")
    before = ids_in_order(page)
    up = page.get_by_role("button", name=f"Move {before[2]} up")
    up.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(f"text={before[2]} is now number 2 of 9.")
    assert ids_in_order(page)[:3] == [before[0], before[2], before[1]]
    page.keyboard.press("Enter")  # the focus has moved along with the criterion
    page.wait_for_selector(f"text={before[2]} is now number 1 of 9.")
    grip = page.locator("#guidelines .ev-card", has=page.locator("h2", has_text=before[2])).locator(".ev-grip")
    grip.drag_to(page.locator("#guidelines .ev-card >> nth=2"))
    page.wait_for_selector(f"text={before[2]} is now number 3 of 9.")
    assert ids_in_order(page) == before
    assert [c.version for c in site.store.criteria() if c.name == before[2]] == [1]
    page.get_by_role("button", name=f"Move {before[0]} down").click()
    page.wait_for_selector(f"text={before[0]} is now number 2 of 9.")
    post = site.add_post("The order is seen on the Review page.")
    review = new_page(f"/?post={post}")
    review.wait_for_selector('.ev[data-state="ready"]')
    assert review.locator(".ev-criterion").first.get_attribute("aria-label").startswith(f"1. {before[1]}:")
    page.get_by_role("button", name=f"Move {before[0]} up").click()
    page.wait_for_selector(f"text={before[0]} is now number 1 of 9.")


def test_many_posts_are_predicted_by_a_job_whose_progress_is_shown_and_which_can_be_stopped(
    site: Site, new_page: Opener
) -> None:
    for number in range(101):
        site.add_post(f"Narwhal number {number}.")
    page = new_page("/?tab=posts")
    page.fill("#posts-list [name=query]", "narwhal")
    page.wait_for_selector("text=101 posts, showing 1 to 50")
    page.click("#posts-list >> text=Choose all that fit")
    page.wait_for_selector("text=101 posts chosen")
    page.click("text=Predict next")
    page.wait_for_selector("text=Prediction of 101 posts waits for the worker.")
    jobs = Jobs(site.store)
    job = jobs.claim("a test", kinds=[JobKind.PREDICT])
    assert job is not None
    assert len(job.payload["posts"]) == 101
    jobs.progress(job, 0.4, message="40 posts")
    page.wait_for_selector("text=Predicting 101 posts: 40 % · 40 posts")
    page.reload()
    page.wait_for_selector("text=Predicting 101 posts: 40 % · 40 posts")
    page.click("[data-part=job] >> text=Stop")
    page.wait_for_selector("text=Stopping…")
    jobs.acknowledge_cancel(job)
    page.wait_for_selector("text=The prediction was stopped.")
    assert jobs.get(job.id).status is JobStatus.CANCELLED


def test_an_answer_that_the_model_doubts_is_kept_or_handed_over(site: Site, new_page: Opener) -> None:
    post_id = site.add_post("I pace all night. The dog is well.")
    post = site.store.post(post_id)
    stored = site.store.add_annotation(
        an_annotation(post, criterion=site.store.criteria()[4], reviewer=site.reviewer), expected_revision=0
    )
    found = Doubt(post_id, stored.criterion_id, stored.id or 0, a_span(post, "I pace all night."), False, 0.93)
    site.store.replace_doubts(stored.criterion_id, [found])
    page = new_page(f"/?post={post_id}")
    page.wait_for_selector('.ev[data-state="ready"]')
    page.locator(".ev-criterion").nth(4).click()
    page.wait_for_selector("text=The model doubts this answer.")
    assert "I pace all night." in page.inner_text(".ev-doubts li")
    assert violations(page, ".ev") == []
    page.get_by_role("button", name="Keep the answer").click()
    page.wait_for_selector(".ev-doubts", state="hidden")
    assert site.store.doubts_of(post_id, site.reviewer) == []
    site.store.replace_doubts(stored.criterion_id, [found])
    assert site.store.doubts_of(post_id, site.reviewer) == []


def test_the_same_words_elsewhere_in_the_post_are_offered_and_decided_by_themselves(
    site: Site, new_page: Opener, request: pytest.FixtureRequest
) -> None:
    site.store.set_setting(LEARN_AT_ONCE, True)
    request.addfinalizer(lambda: site.store.set_setting(LEARN_AT_ONCE, False))
    post_id = site.add_post(
        "I pace all night. Then it is day. I pace, all night.", {"PSYCHOMOTOR": ["I pace all night."]}
    )
    page = new_page(f"/?post={post_id}")
    page.wait_for_selector('.ev[data-state="ready"]')
    page.locator(".ev-criterion").nth(4).click()
    page.keyboard.press("a")
    page.wait_for_selector("text=The same words stand in 1 other place of this post.")
    assert site.answer(post_id, "PSYCHOMOTOR").verdict is Verdict.EVIDENCE
    page.get_by_role("button", name="Mark to decide").click()
    page.locator(".ev-mark", has_text="same words").wait_for()
    page.locator(".ev-criterion").nth(4).click()
    page.keyboard.press("a")
    page.wait_for_function("document.querySelector('[data-part=saved]').dataset.saved === 'saved'")
    assert site.quotes(post_id, "PSYCHOMOTOR") == ["I pace all night.", "I pace, all night"]
