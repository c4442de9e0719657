"""Reviewing in a real browser: every gesture, by mouse and by keyboard, with exact offsets."""

from __future__ import annotations

import pytest

from storage.records import SpanOrigin, Verdict
from tests.browser.conftest import Site
from tests.browser.gestures import (
    MODEL_SAYS,
    MOOD_SENTENCE,
    PLAIN,
    SLEEP_SENTENCE,
    Opener,
    answer,
    confirm_the_rest,
    press,
    wait_saved,
)

pytestmark = pytest.mark.browser


def test_accepting_a_prediction_is_one_key_and_is_stored_with_what_was_predicted(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4", "a")
    saved = answer(site, page, post, "SLEEP_ISSUES")
    assert saved.verdict is Verdict.EVIDENCE
    assert site.quotes(post, "SLEEP_ISSUES") == [SLEEP_SENTENCE]
    assert saved.spans[0].origin is SpanOrigin.ACCEPTED
    assert saved.spans[0].predicted is not None
    assert saved.spans[0].predicted.score == 0.87
    assert saved.model_version == "m1"
    assert saved.seconds is not None


def test_rejecting_the_only_prediction_means_no_evidence_and_keeps_the_rejected_span(
    site: Site, open_post: Opener
) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4", "x")
    saved = answer(site, page, post, "SLEEP_ISSUES")
    assert saved.verdict is Verdict.NO_EVIDENCE
    assert [s.quote(PLAIN) for s in saved.rejected] == [SLEEP_SENTENCE]


def test_accepting_and_rejecting_by_mouse_take_one_click_each(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    page.click('[aria-label^="4."]')
    page.click(".ev-mark .ev-no")
    assert answer(site, page, post, "SLEEP_ISSUES").verdict is Verdict.NO_EVIDENCE
    page.click('[aria-label^="4."]')
    page.click(".ev-mark .ev-yes")
    assert answer(site, page, post, "SLEEP_ISSUES").verdict is Verdict.EVIDENCE


def test_no_evidence_and_unsure_are_one_key_and_go_on_to_the_next_criterion(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4", "0", "u")
    assert answer(site, page, post, "SLEEP_ISSUES").verdict is Verdict.NO_EVIDENCE
    assert answer(site, page, post, "PSYCHOMOTOR").verdict is Verdict.UNSURE


def test_a_criterion_without_predictions_stays_open_until_somebody_says_that_there_is_nothing(
    site: Site, open_post: Opener
) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "3")
    assert site.answer(post, "APPETITE_CHANGE") is None
    press(page, "Enter")
    assert answer(site, page, post, "APPETITE_CHANGE").verdict is Verdict.NO_EVIDENCE


def test_confirming_the_rest_shows_every_passage_first_and_leaves_out_what_is_decided_by_itself(
    site: Site, open_post: Opener
) -> None:
    own = "I would rather not wake up."  # what is accepted is offered in other posts of the same words
    post = site.add_post(f"{PLAIN} {own}", MODEL_SAYS | {"SUICIDAL_THOUGHTS": [own]})
    page = open_post(post)
    press(page, "Shift+Enter")
    said = page.inner_text("[data-part=dialog-body]")
    assert SLEEP_SENTENCE in said
    assert MOOD_SENTENCE in said
    assert own not in said
    assert "Decided one by one, not here: Thoughts of death or suicide." in said
    press(page, "Escape")
    page.wait_for_function("document.activeElement.dataset.part === 'root'")
    assert site.store.annotations_of(post, site.reviewer) == {}
    press(page, "Shift+Enter", "Enter")
    wait_saved(page)
    saved = site.store.annotations_of(post, site.reviewer)
    assert len(saved) == 8
    assert {cid for cid, a in saved.items() if a.verdict is Verdict.EVIDENCE} == set(MODEL_SAYS)
    assert all(a.bulk for a in saved.values())
    press(page, "Enter")
    wait_saved(page)
    alone = site.answer(post, "SUICIDAL_THOUGHTS")
    assert (alone.verdict, alone.bulk) == (Verdict.EVIDENCE, False)
    press(page, "z", "z")
    wait_saved(page)
    assert {a.verdict for a in site.store.annotations_of(post, site.reviewer).values()} == {None}
    press(page, "Shift+Z", "Shift+Z")
    wait_saved(page)
    assert all(a.decided for a in site.store.annotations_of(post, site.reviewer).values())


def test_while_shift_is_held_all_that_would_be_confirmed_is_seen_in_the_text(site: Site, open_post: Opener) -> None:
    page = open_post(site.add_post(PLAIN, MODEL_SAYS))
    press(page, "3")
    assert page.locator(".ev-text .ev-seg").count() == 0
    page.keyboard.down("Shift")
    assert page.locator(".ev-text .ev-seg").count() == len(MODEL_SAYS)
    page.keyboard.up("Shift")
    assert page.locator(".ev-text .ev-seg").count() == 0


def test_the_offer_to_undo_is_gone_once_something_else_was_decided(site: Site, open_post: Opener) -> None:
    page = open_post(site.add_post(PLAIN, MODEL_SAYS))
    press(page, "Shift+Enter", "Enter")
    undo = page.get_by_role("button", name="Undo", exact=False).locator("visible=true")
    page.wait_for_selector("[data-part=toast] button")
    press(page, "Enter")
    assert page.locator("[data-part=toast] button").locator("visible=true").count() == 0
    assert undo.count() == 1  # the one in the bar, which takes back the last decision, whatever it was


def test_next_and_previous_span_walk_through_all_criteria(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    current = "document.querySelector('.ev-mark.ev-current .ev-quote')?.textContent"
    seen = [page.evaluate(current)]
    for key in ("j", "j", "k"):
        press(page, key)
        seen.append(page.evaluate(current))
    mood, sleep = f"“{MOOD_SENTENCE}”", f"“{SLEEP_SENTENCE}”"
    assert seen == [mood, sleep, mood, sleep]


def test_taking_back_a_decision_opens_the_span_again(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4", "x", "4")
    page.click(".ev-mark .ev-back")
    saved = answer(site, page, post, "SLEEP_ISSUES")
    assert saved.verdict is None
    assert [s.quote(PLAIN) for s in saved.undecided] == [SLEEP_SENTENCE]


def test_a_note_is_saved_with_the_criterion(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4", "a", "4", "m")
    page.keyboard.type("could be the dog")
    press(page, "Escape")
    page.wait_for_function("document.activeElement.dataset.part === 'root'")
    saved = answer(site, page, post, "SLEEP_ISSUES")
    assert (saved.note, saved.verdict) == ("could be the dog", Verdict.EVIDENCE)


def test_overlapping_spans_of_two_criteria_are_drawn_as_stacked_lines(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, {"SLEEP_ISSUES": [SLEEP_SENTENCE], "FATIGUE": [SLEEP_SENTENCE]})
    page = open_post(post)
    press(page, "4")
    lanes = "document.querySelector('.ev-seg').style.backgroundImage.split('var(--ev-c').length - 1"
    assert page.evaluate(lanes) < page.evaluate(f"(document.querySelector('[data-action=others]').click(), {lanes})")
    press(page, "a", "o")


def test_keys_can_be_seen_and_changed_and_two_actions_never_share_one(site: Site, open_alone: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_alone(post)
    press(page, "?")
    page.click('.ev-key[aria-label^="Accept the span"]')
    press(page, "x")
    assert page.inner_text('.ev-key[aria-label^="Reject the span"]') == "a"
    press(page, "Escape")
    page.reload()
    page.wait_for_selector('.ev[data-state="ready"]')
    press(page, "4", "x")
    assert answer(site, page, post, "SLEEP_ISSUES").verdict is Verdict.EVIDENCE


def test_a_key_of_the_browser_is_refused_in_words_and_a_dialog_that_is_closed_listens_no_more(
    site: Site, open_alone: Opener
) -> None:
    page = open_alone(site.add_post(PLAIN, MODEL_SAYS))
    press(page, "?")
    page.click('[data-key="skip"]')
    press(page, "Control+x")
    page.wait_for_selector("text=That key has its own meaning")
    assert page.evaluate("document.activeElement.dataset.key") == "skip"
    page.click('[data-key="skip"]')
    page.click("[data-part=dialog-close]")
    press(page, "g", "?")
    assert page.inner_text('[data-key="skip"]') == "s"


def test_history_says_who_decided_what_and_restores_an_earlier_answer_as_a_new_revision(
    site: Site, open_post: Opener
) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4", "a", "4", "0")
    wait_saved(page)
    press(page, "h")
    page.wait_for_selector(".ev-history li")
    assert "no evidence" in page.inner_text(".ev-history li >> nth=0")
    assert site.reviewer in page.inner_text(".ev-history li >> nth=1")
    page.click(".ev-history li >> nth=1 >> text=Restore")
    page.wait_for_selector(".ev-mark.ev-accepted")
    restored = answer(site, page, post, "SLEEP_ISSUES")
    assert (restored.revision, restored.verdict) == (3, Verdict.EVIDENCE)
    assert restored.restored_from == next(a.id for a in site.store.history(post) if a.revision == 1)


def test_undo_reaches_into_an_earlier_session_and_another_post(
    site: Site, open_post: Opener, open_alone: Opener
) -> None:
    first, second = site.add_post(PLAIN, MODEL_SAYS), site.add_post("Another post. " + PLAIN, MODEL_SAYS)
    page = open_post(first)
    press(page, "4", "a")
    wait_saved(page)
    page = open_alone(second)
    press(page, "z")
    page.wait_for_function(f"document.querySelector('.ev-post-id').textContent === '{first}'")
    taken_back = site.answer(first, "SLEEP_ISSUES")
    assert (taken_back.verdict, taken_back.spans, taken_back.revision) == (None, (), 2)
    press(page, "Shift+Z")
    page.wait_for_selector(".ev-mark.ev-accepted")
    again = site.answer(first, "SLEEP_ISSUES")
    assert (again.verdict, again.revision) == (Verdict.EVIDENCE, 3)


def test_undo_goes_back_to_the_post_of_the_decision(site: Site, open_post: Opener) -> None:
    first, _ = site.add_post(PLAIN, MODEL_SAYS), site.add_post(PLAIN + " More.", MODEL_SAYS)
    page = open_post(first)
    confirm_the_rest(page)
    press(page, "n")
    page.wait_for_function(f"document.querySelector('.ev-post-id').textContent !== '{first}'")
    press(page, "z", "z")
    page.wait_for_function(f"document.querySelector('.ev-post-id').textContent === '{first}'")
    wait_saved(page)
    assert not any(a.decided for a in site.store.annotations_of(first, site.reviewer).values())


def test_skipping_puts_the_post_off_and_previous_comes_back(site: Site, open_post: Opener) -> None:
    first, _ = site.add_post(PLAIN, MODEL_SAYS), site.add_post(PLAIN + " And more.", MODEL_SAYS)
    page = open_post(first)
    press(page, "s")
    page.wait_for_function(f"document.querySelector('.ev-post-id').textContent !== '{first}'")
    press(page, "p")
    page.wait_for_function(f"document.querySelector('.ev-post-id').textContent === '{first}'")


def test_search_finds_posts_by_their_words_and_opens_them(site: Site, open_post: Opener) -> None:
    here, there = site.add_post(PLAIN), site.add_post("A zebrafish kept me up all night.")
    page = open_post(here)
    press(page, "/")
    page.keyboard.type("zebrafish")
    page.wait_for_function("document.querySelectorAll('.ev-results li').length === 1")
    assert page.evaluate("(n => n.scrollWidth <= n.clientWidth)(document.querySelector('[data-part=dialog-body]'))")
    page.click(".ev-results li button")
    page.wait_for_function(f"document.querySelector('.ev-post-id').textContent === '{there}'")


def test_assigning_to_oneself(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN)
    page = open_post(post)
    press(page, "i")
    page.wait_for_selector("text=This post is assigned to you.")
    with site.store.read() as db:
        assert [r["reviewer"] for r in db.query("SELECT reviewer FROM assignment WHERE post_id = ?", [post])] == [
            site.reviewer
        ]


def test_a_queue_without_a_post_offers_the_way_back(site: Site, open_alone: Opener) -> None:
    page = open_alone(site.add_post(PLAIN))
    press(page, "/")
    page.keyboard.type("xylophonist")
    page.wait_for_selector("text=No post matches.")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=No post is left in this queue.")
    assert page.locator(".ev-main").is_hidden()
    page.get_by_role("button", name="Show all posts to review").click()
    page.wait_for_selector('.ev[data-state="ready"] .ev-text')

    page.evaluate("localStorage.setItem('evidence.filter', JSON.stringify({ reviewer: 'R417' }))")
    page.reload()
    page.wait_for_selector("text=Part of the queue's filter was left out. There is nobody called 'R417' here.")
    site.store.ensure_reviewer("who came since")
    press(page, "/")
    page.wait_for_selector("[name=reviewer] option[value='who came since']", state="attached")
    assert page.evaluate("localStorage.getItem('evidence.filter')") == "{}"


def test_at_the_end_of_the_queue_one_can_still_go_back_and_undo(site: Site, open_alone: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_alone(post)
    shown = f"document.querySelector('.ev-post-id').textContent === '{post}'"

    def empty_queue() -> None:
        press(page, "/")
        page.keyboard.type("xylophonist")
        page.wait_for_selector("text=No post matches.")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=No post is left in this queue.")

    confirm_the_rest(page)
    wait_saved(page)
    empty_queue()
    assert page.is_disabled("[data-action=skip]")
    page.click("[data-action=previous_post]")
    page.wait_for_function(shown)
    empty_queue()
    press(page, "Control+z")
    page.wait_for_function(shown)
    press(page, "Control+z")
    wait_saved(page)
    assert not any(a.decided for a in site.store.annotations_of(post, site.reviewer).values())


def test_the_bar_counts_a_post_as_soon_as_its_last_criterion_is_decided(site: Site, open_alone: Opener) -> None:
    page = open_alone(site.add_post(PLAIN, MODEL_SAYS))
    wait_saved(page)

    def left() -> int:
        return int(page.inner_text("[data-part=position] .ev-muted").split()[0])

    before = left()
    confirm_the_rest(page)
    assert left() == before - 1
    press(page, "z")
    assert left() == before


def test_a_notice_above_the_text_leaves_the_last_button_on_the_screen(site: Site, open_alone: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    one, two = open_alone(post), open_alone(post)
    press(one, "4", "a")
    wait_saved(one)
    press(two, "4", "0")
    two.wait_for_selector("[data-part=conflicts] [role=alert]")
    two.wait_for_function("document.querySelector('[data-part=rest]').getBoundingClientRect().bottom <= innerHeight")
