"""Making and adjusting spans in a real browser, with exact offsets."""

from __future__ import annotations

import pytest

from storage.records import SpanOrigin, Verdict
from tests.browser.conftest import Site
from tests.browser.gestures import (
    FAMILY,
    LET_GO,
    MODEL_SAYS,
    MOOD_SENTENCE,
    PLAIN,
    SELECT,
    SLEEP_SENTENCE,
    TRICKY,
    Opener,
    answer,
    drag_over,
    place,
    press,
    reload_at,
    snapping,
    wait_saved,
)

pytestmark = pytest.mark.browser


SECOND_LINE = """() => {
  const node = document.createTreeWalker(document.querySelector('[data-part=text]'), NodeFilter.SHOW_TEXT).nextNode();
  const box = document.createRange();
  const top = (at) => (box.setStart(node, at), box.setEnd(node, at + 1), Array.from(box.getClientRects()).at(-1).top);
  let at = 0;
  while (top(at) < top(0) + 8) at += 7; // a word with its space
  return at;
}"""


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
    page.wait_for_selector(".ev-seg.ev-added")
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
    x, y, _, _ = place(page, site, post, "night.")
    page.evaluate(SELECT, [len("I cannot sleep at night"), len(SLEEP_SENTENCE)])  # the full stop
    page.evaluate(LET_GO, [x, y])
    page.wait_for_selector("[data-part=toast]:has-text('There are no words in what you selected')")
    assert site.answer(post, "DEPRESSED_MOOD") is None
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


def test_the_handles_stand_in_the_line_in_which_the_span_stands(site: Site, open_post: Opener) -> None:
    post = site.add_post(" ".join(f"word{n:02d}" for n in range(60)))
    page = open_post(post)
    snapping(page, "off")
    start = page.evaluate(SECOND_LINE)
    page.evaluate(SELECT, [start, start + 6])
    x, y, _, _ = place(page, site, post, f"word{start // 7:02d}")
    page.evaluate(LET_GO, [x, y])
    page.wait_for_selector(".ev-mark.ev-added")
    page.wait_for_function("!document.querySelector('.ev-handle').hidden")
    for edge in ("start", "end"):
        box = page.locator(f".ev-handle[data-edge={edge}]").bounding_box()
        assert box["y"] < y < box["y"] + box["height"]


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
        (PLAIN, ["Home", "Control+ArrowRight", "Shift+Control+ArrowRight"], "cannot"),
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


def test_arrows_go_where_they_point_in_text_that_runs_from_the_right(site: Site, open_post: Opener) -> None:
    hebrew, mixed = "אני לא ישן בלילה. אני עצוב מאוד.", "He said שלום עולם and left."
    post = site.add_post(hebrew)
    page = open_post(post)

    def caret() -> float:
        return float(page.locator("[data-part=caret]").bounding_box()["x"])

    def steps(*keys: str) -> list[float]:
        found = [caret()]
        for key in keys:
            press(page, key)
            found.append(caret())
        return found

    press(page, "4", "c", "Home")
    first, second, third, back = steps("ArrowLeft", "ArrowLeft", "ArrowRight")
    assert first > second > third
    assert back == pytest.approx(second, abs=0.5)
    press(page, "Home", "Shift+Control+ArrowLeft", "Enter")
    wait_saved(page)
    assert site.quotes(post, "SLEEP_ISSUES") == ["אני"]
    press(page, "e", "Control+ArrowLeft", "Enter")  # the end of a span that runs to the left moves to the left
    wait_saved(page)
    assert site.quotes(post, "SLEEP_ISSUES") == ["אני לא"]
    page = open_post(site.add_post(mixed))
    press(page, "4", "c", "Home", *["ArrowRight"] * mixed.index("ש"))
    first, second, third = steps("ArrowLeft", "ArrowLeft")
    assert first > second > third
    for key, start in (("ArrowRight", "Home"), ("ArrowLeft", "End")):  # across both borders, never to and fro
        press(page, start)
        places = steps(*[key] * len(mixed))
        assert places == sorted(places, reverse=key == "ArrowLeft")
        assert len(set(places)) > 12
    press(page, "Escape")
