"""Reviewing in a real browser: every gesture, by mouse and by keyboard, with exact offsets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.records import Annotation, SpanOrigin, Verdict
from tests.browser.conftest import Site

pytestmark = pytest.mark.browser

PLAIN = "I cannot sleep at night. The dog is well. Everything feels grey and empty."
SLEEP_SENTENCE = "I cannot sleep at night."
MOOD_SENTENCE = "Everything feels grey and empty."
MODEL_SAYS: dict[str, list[str | tuple[str, str]]] = {
    "SLEEP_ISSUES": [(SLEEP_SENTENCE, "cannot sleep")],
    "DEPRESSED_MOOD": [MOOD_SENTENCE],
}
Opener = Callable[..., Any]
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"

TRICKY = {
    "emoji": ("So tired 😞😞 tonight, really.", "😞 tonight"),
    "a family of emoji": (
        f"We {FAMILY} are {FAMILY} tired.",
        f"{FAMILY} tired",
    ),
    "a flag": ("In 🇩🇪 nobody 🇩🇪 sleeps.", "🇩🇪 sleeps"),
    "combining marks": ("La cafe\u0301 e\u0301tait vide et je suis e\u0301puise\u0301.", "suis e\u0301puise\u0301"),
    "CRLF": ("one\r\ntwo three\r\n\r\nfour", "two three"),
    "tabs and double spaces": ("a\tb  c\t\td  e", "b  c\t\td"),
    "right to left": ("אני לא ישן בלילה. אני עצוב מאוד.", "לא ישן"),
    "mixed directions": ("He said שלום עולם and left 😞 again.", "עולם and left 😞"),
    "first character": ("😞 is how it begins", "😞"),
    "last character": ("it ends with 😞", "😞"),
    "mathematical letters": ("𝓘 𝓪𝓶 tired of 𝓽𝓱𝓲𝓼.", "𝓪𝓶 tired"),
    "template and script": (
        "x `${document.title='no'}` {{value}} <script>alert(1)</script> <img src=x onerror=alert(2)> y",
        "<script>alert(1)</script>",
    ),
}

SELECT = """([start, end]) => {
  // independent of the component's own maps: walks the text nodes and counts code points
  const walker = document.createTreeWalker(document.querySelector('[data-part=text]'), NodeFilter.SHOW_TEXT);
  let seen = 0; const places = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    let unit = 0;
    for (const ch of node.data) {
      if (seen === start && places.length === 0) places.push([node, unit]);
      seen += 1; unit += ch.length;
      if (seen === end) places.push([node, unit]);
    }
  }
  const box = document.createRange();
  box.setStart(...places[0]); box.setEnd(...places[1]);
  getSelection().removeAllRanges(); getSelection().addRange(box);
}"""
RECT = """([start, end]) => {
  const walker = document.createTreeWalker(document.querySelector('[data-part=text]'), NodeFilter.SHOW_TEXT);
  let seen = 0; const box = document.createRange(); let begun = false;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    let unit = 0;
    for (const ch of node.data) {
      if (seen === start && !begun) { box.setStart(node, unit); begun = true; }
      seen += 1; unit += ch.length;
      if (seen === end) { box.setEnd(node, unit); }
    }
  }
  const rects = Array.from(box.getClientRects()).filter(r => r.width > 0);
  const first = rects[0], last = rects[rects.length - 1];
  return [first.left, first.top + first.height / 2, last.right, last.top + last.height / 2];
}"""

LET_GO = """([x, y]) => {
  const text = document.querySelector('[data-part=text]');
  const at = {bubbles: true, button: 0, detail: 1, clientX: x, clientY: y};
  text.dispatchEvent(new PointerEvent('pointerdown', {...at, clientX: x - 30}));
  text.dispatchEvent(new MouseEvent('mouseup', at));
}"""


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def reload_at(page: Any, criterion: str) -> None:
    page.reload()
    page.wait_for_selector('.ev[data-state="ready"]')
    press(page, criterion)


def wait_saved(page: Any) -> None:
    page.wait_for_function("document.querySelector('[data-part=saved]').dataset.saved === 'saved'")


def place(page: Any, site: Site, post_id: str, quote: str) -> tuple[float, float, float, float]:
    text = site.store.post(post_id).text
    start = text.rindex(quote)
    x1, y1, x2, y2 = page.evaluate(RECT, [start, start + len(quote)])
    return x1, y1, x2, y2


def drag_over(page: Any, site: Site, post_id: str, quote: str) -> None:
    """Select the quote with the mouse, from its first to its last character."""
    x1, y1, x2, y2 = place(page, site, post_id, quote)
    there = page.locator(".ev-mark").count()
    page.mouse.move(x1 + 1, y1)
    page.mouse.down()
    page.mouse.move((x1 + x2) / 2, (y1 + y2) / 2)
    page.mouse.move(x2 - 1, y2)
    page.mouse.up()
    page.locator(".ev-mark").nth(there).wait_for()


def snapping(page: Any, wanted: str) -> None:
    while page.inner_text("[data-part=snap]") != f"Snap: {wanted}":
        press(page, "w")


def answer(site: Site, page: Any, post_id: str, criterion: str) -> Annotation:
    wait_saved(page)
    found = site.answer(post_id, criterion)
    assert found is not None, f"nothing was saved for {criterion}"
    return found


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


def test_one_key_confirms_the_rest_and_one_undo_takes_all_of_it_back(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "Shift+Enter")
    wait_saved(page)
    verdicts = {cid: a.verdict for cid, a in site.store.annotations_of(post, site.reviewer).items()}
    assert len(verdicts) == 9
    assert {cid for cid, v in verdicts.items() if v is Verdict.EVIDENCE} == set(MODEL_SAYS)
    press(page, "z")
    wait_saved(page)
    assert {a.verdict for a in site.store.annotations_of(post, site.reviewer).values()} == {None}
    press(page, "Shift+Z")
    wait_saved(page)
    assert all(a.decided for a in site.store.annotations_of(post, site.reviewer).values())


@pytest.mark.parametrize("name", TRICKY)
def test_a_selection_is_stored_with_exact_code_points(name: str, site: Site, open_post: Opener) -> None:
    text, quote = TRICKY[name]
    post = site.add_post(text)
    page = open_post(post)
    snapping(page, "off")
    assert page.evaluate("document.querySelector('[data-part=text]').textContent") == text
    start = text.rindex(quote)
    page.evaluate(SELECT, [start, start + len(quote)])
    x, y, _, _ = place(page, site, post, quote)
    page.evaluate(LET_GO, [x, y])
    page.wait_for_selector(".ev-mark.ev-added")
    saved = answer(site, page, post, "DEPRESSED_MOOD")
    assert [(s.start, s.end, s.origin) for s in saved.spans] == [(start, start + len(quote), SpanOrigin.ADDED)]
    press(open_post(post), "1")  # from the server again
    assert "".join(page.locator(".ev-seg.ev-added").all_text_contents()) == quote
    assert page.title() == "Evidence annotator"


def test_selecting_words_with_the_mouse_across_an_emoji_survives_a_reload(site: Site, open_alone: Opener) -> None:
    text = "Since May 😞 I lie awake, and 😞 nobody knows why."
    post = site.add_post(text)
    page = open_alone(post)
    snapping(page, "off")
    drag_over(page, site, post, "awake, and 😞 nobody")
    assert answer(site, page, post, "DEPRESSED_MOOD").verdict is Verdict.EVIDENCE
    assert site.quotes(post, "DEPRESSED_MOOD") == ["awake, and 😞 nobody"]
    reload_at(page, "1")
    assert "".join(page.locator(".ev-seg.ev-added").all_text_contents()) == "awake, and 😞 nobody"


def test_snapping_takes_whole_words_without_the_punctuation_or_whole_sentences(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN)
    page = open_post(post)
    snapping(page, "word")
    drag_over(page, site, post, "nnot sleep at nigh")
    wait_saved(page)
    assert site.quotes(post, "DEPRESSED_MOOD") == ["cannot sleep at night"]
    snapping(page, "sentence")
    press(page, "2")
    drag_over(page, site, post, "dog is")
    wait_saved(page)
    assert site.quotes(post, "ANHEDONIA") == ["The dog is well."]


def test_a_double_click_marks_the_word_and_a_triple_click_the_sentence(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN)
    page = open_post(post)
    x1, y1, x2, _ = place(page, site, post, "dog")
    page.mouse.dblclick((x1 + x2) / 2, y1)
    page.wait_for_selector(".ev-mark.ev-added")
    wait_saved(page)
    assert site.quotes(post, "DEPRESSED_MOOD") == ["dog"]
    press(page, "2")
    x1, y1, x2, _ = place(page, site, post, "grey")
    page.mouse.click((x1 + x2) / 2, y1, click_count=3, delay=10)
    page.wait_for_selector(".ev-mark.ev-added")
    wait_saved(page)
    assert site.quotes(post, "ANHEDONIA") == [MOOD_SENTENCE]


def test_an_edge_can_be_dragged_and_the_span_says_what_it_was_adjusted_from(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4")
    handle = page.locator('.ev-handle[data-edge="end"]').bounding_box()
    _, y, x2, _ = place(page, site, post, "sleep")
    page.mouse.move(handle["x"], handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(x2 + 30, y)
    page.mouse.move(x2 - 1, y)
    page.mouse.up()
    saved = answer(site, page, post, "SLEEP_ISSUES")
    assert site.quotes(post, "SLEEP_ISSUES") == ["I cannot sleep"]
    assert saved.spans[0].origin is SpanOrigin.ADJUSTED
    assert saved.spans[0].predicted is not None
    assert saved.spans[0].predicted.quote(PLAIN) == SLEEP_SENTENCE


@pytest.mark.parametrize(
    ("keys", "quote"),
    [
        (["ArrowLeft"], "I cannot sleep at night"),
        (["Control+ArrowLeft", "Control+ArrowLeft"], "I cannot sleep at"),
        (["Shift+Control+ArrowRight"], "cannot sleep at night."),
        (["ArrowDown"], "I cannot sleep at night. The dog is well."),
        (["Shift+ArrowRight", "Shift+ArrowRight", "ArrowLeft"], "cannot sleep at night"),
        (["ArrowDown", "Shift+ArrowDown"], "The dog is well."),
    ],
)
def test_both_edges_move_by_character_word_and_sentence(
    keys: list[str], quote: str, site: Site, open_post: Opener
) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4", "e", *keys, "Enter")
    saved = answer(site, page, post, "SLEEP_ISSUES")
    assert site.quotes(post, "SLEEP_ISSUES") == [quote]
    assert saved.spans[0].origin is SpanOrigin.ADJUSTED


def test_escape_leaves_the_edges_as_they_were(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4", "e", "ArrowLeft", "Escape", "a")
    assert answer(site, page, post, "SLEEP_ISSUES").spans[0].origin is SpanOrigin.ACCEPTED


def test_tightening_takes_the_core_that_the_model_offers(site: Site, open_post: Opener) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    page = open_post(post)
    press(page, "4", "t")
    assert answer(site, page, post, "SLEEP_ISSUES").spans[0].origin is SpanOrigin.ADJUSTED
    assert site.quotes(post, "SLEEP_ISSUES") == ["cannot sleep"]


@pytest.mark.parametrize(
    ("text", "keys", "quote"),
    [
        (PLAIN, ["Home", "Shift+Control+ArrowRight", "Shift+Control+ArrowRight"], "I cannot"),
        (PLAIN, ["Home", "Shift+ArrowDown"], SLEEP_SENTENCE),
        (PLAIN, ["Home", "Control+ArrowRight", "Control+ArrowRight", "Shift+Control+ArrowLeft"], "cannot"),
        (f"😞 ok {FAMILY}", ["Home", "Shift+ArrowRight"], "😞"),
        (f"😞 ok {FAMILY}", ["End", "Shift+ArrowLeft"], FAMILY),
        (
            "one\r\ntwo",
            ["Home", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "Shift+Control+ArrowRight"],
            "two",
        ),
        (PLAIN, ["Home", "ArrowRight", "ArrowRight", "ArrowRight", " "], "cannot"),
        (PLAIN, ["Home", "ArrowRight", "ArrowRight", "ArrowRight", " ", " "], SLEEP_SENTENCE),
    ],
)
def test_text_is_selected_without_a_mouse(
    text: str, keys: list[str], quote: str, site: Site, open_post: Opener
) -> None:
    post = site.add_post(text)
    page = open_post(post)
    press(page, "c", *keys, "Enter")
    wait_saved(page)
    assert site.quotes(post, "DEPRESSED_MOOD") == [quote]


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
    press(page, "Shift+Enter", "n")
    page.wait_for_function(f"document.querySelector('.ev-post-id').textContent !== '{first}'")
    press(page, "z")
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
