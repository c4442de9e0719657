"""The Adjudicate page in a real browser: a disagreement is decided by keys, taken up again, and the queue runs empty."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.project import STARTED, default_criteria
from annotator.teams.naming import codes_of
from storage.attributes import Attributes, Scale
from storage.records import OF_POST, AnnotatedSpan, Annotation, Post, Role, Split, Verdict
from storage.store import Store, open_store
from storage.team_records import Outcome
from tests.browser.conftest import PATIENCE_MS, Pages, running_app
from tests.browser.test_pages_access import serious
from tests.browser.test_touch import Finger, middle

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TEXT = "I lie awake until four. 🌙\nThe rest of the week was fine."
SLEEP, MOOD = "SLEEP_ISSUES", "DEPRESSED_MOOD"
AWAKE = (0, TEXT.index("🌙") + 1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str, Path]]:
    folder = tmp_path_factory.mktemp("adjudicate-page")
    store = open_store(folder)
    store.save_criteria(default_criteria())
    store.set_setting(STARTED, True)
    for name in ("ben", "cem"):
        store.add_reviewer(name, Role.REVIEWER)
    with running_app(folder) as url:
        yield store, url, folder
    store.close()


@pytest.fixture
def open_page(running: tuple[Store, str, Path], chromium: Any) -> Iterator[Any]:
    """Opens the page, and holds that no script of it fails."""
    pages = Pages(chromium, running[1])

    def opened(**options: Any) -> Any:
        page = pages.open("/?tab=adjudicate", **options)
        page.wait_for_selector("#adjudicate [data-part=count]:not(:empty)")
        return page

    yield opened
    pages.close()
    assert pages.problems == []


def disagree(store: Store, post_id: str, criterion_id: str = SLEEP) -> None:
    """A new post, in which Ben marks the first line, Cem finds nothing."""
    store.add_posts([Post(id=post_id, text=TEXT, split=Split.TRAIN)])
    ben = Annotation(post_id, criterion_id, "ben", Verdict.EVIDENCE, (AnnotatedSpan(*AWAKE),))
    store.add_annotation(ben, expected_revision=0)
    store.add_annotation(Annotation(post_id, criterion_id, "cem", Verdict.NO_EVIDENCE), expected_revision=0)


def decision(store: Store, post_id: str, criterion_id: str = SLEEP) -> Any:
    return store.adjudications(post_id, criterion_id=criterion_id)[-1]


def wait_for(page: Any, count: str) -> None:
    page.wait_for_function(
        "said => document.querySelector('#adjudicate [data-part=count]').innerText === said", arg=count
    )


def choose(page: Any, criterion: str, count: str) -> None:
    """Chooses a criterion of the queue, and waits until its first case is drawn: the count may be as it was."""
    page.wait_for_selector("#adjudicate .ev-lane")
    page.evaluate("document.querySelectorAll('#adjudicate .ev-lane').forEach(lane => { lane.dataset.old = '' })")
    page.select_option("#adjudicate [name=criterion]", criterion)
    page.wait_for_selector("#adjudicate .ev-lane:not([data-old])")
    wait_for(page, count)


def digit_of_ben(store: Store) -> str:
    """The key of his answer: readers stand in the order of their codes, which every project draws anew."""
    return "1" if codes_of(store)["ben"] < codes_of(store)["cem"] else "2"


def press(page: Any, key: str, count: str) -> None:
    """Presses a key, and waits until the page says `count`."""
    page.keyboard.press(key)
    wait_for(page, count)


def test_a_key_decides_and_the_next_one_is_shown_until_none_is_left(
    running: tuple[Store, str, Path], open_page: Any
) -> None:
    store = running[0]
    for post_id in ("a", "b", "c", "d"):
        disagree(store, post_id)
    page = open_page()
    choose(page, SLEEP, "1 of 4 to decide")
    page.focus("#adjudicate .ev")
    assert page.locator("#adjudicate .ev-lane").count() == 2
    assert page.inner_text("#adjudicate .ev-lane mark") == TEXT[: AWAKE[1]]
    press(page, "j", "2 of 4 to decide")
    press(page, "k", "1 of 4 to decide")
    press(page, digit_of_ben(store), "1 of 3 to decide")
    taken = decision(store, "a")
    assert (taken.outcome, [(s.start, s.end) for s in taken.spans]) == (Outcome.EVIDENCE, [AWAKE])

    page.fill("#adjudicate [name=reason]", "nights of one week")
    page.select_option("#adjudicate [name=error_kind]", "span too wide")
    page.focus("#adjudicate [name=reason]")
    page.keyboard.press("Enter")
    press(page, "n", "1 of 2 to decide")
    refused = decision(store, "b")
    assert (refused.outcome, refused.reason, refused.error_kind) == (
        Outcome.NO_EVIDENCE,
        "nights of one week",
        "span too wide",
    )
    press(page, "u", "1 of 1 to decide")
    press(page, "m", "Nothing is left to decide: nobody disagrees, or it is decided.")
    assert decision(store, "c").outcome is Outcome.UNDECIDABLE
    assert decision(store, "d").outcome is Outcome.EVIDENCE
    assert page.locator("#adjudicate .ev-lane").count() == 0


def test_a_decision_is_shown_with_its_reason_and_can_be_opened_again(
    running: tuple[Store, str, Path], open_page: Any
) -> None:
    store = running[0]
    disagree(store, "e", MOOD)
    page = open_page()
    choose(page, MOOD, "1 of 1 to decide")
    page.fill("#adjudicate [name=reason]", "said of a single night")
    page.click("#adjudicate button:has-text('No evidence')")
    wait_for(page, "Nothing is left to decide: nobody disagrees, or it is decided.")
    page.select_option("#adjudicate [name=done]", "1")
    wait_for(page, "1 of 1 decided")
    assert page.inner_text("#adjudicate .ev-said") == "said of a single night"
    page.focus("#adjudicate .ev")
    press(page, "o", "Nothing has been decided here yet.")
    assert decision(store, "e", MOOD).outcome is Outcome.REOPENED
    page.select_option("#adjudicate [name=done]", "")
    wait_for(page, "1 of 1 to decide")


WHERE = """([start, words]) => {
  const text = document.querySelector("#adjudicate [data-part=text]");
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  const box = document.createRange();
  for (let node = walker.nextNode(), seen = 0; node; seen += node.length, node = walker.nextNode())
    if (start + words > seen && start + words <= seen + node.length) {
      box.setStart(node, Math.max(0, start - seen)); box.setEnd(node, start + words - seen);
    }
  const rect = Array.from(box.getClientRects()).findLast((r) => r.width > 0);
  return [rect.right - 1, rect.top + rect.height / 2];
}"""


def end_of(page: Any, words: str) -> tuple[float, float]:
    """Where the words end on the screen."""
    x, y = page.evaluate(WHERE, [TEXT.index(words), len(words)])
    return x, y


def handle_of_end(page: Any) -> tuple[float, float]:
    return middle(page, "#adjudicate .ev-handle[data-edge=end]")


def words_of(store: Store, post_id: str, criterion_id: str) -> list[str]:
    return [span.quote(TEXT) for span in decision(store, post_id, criterion_id).spans]


def test_borders_are_moved_by_key_mouse_and_finger_and_what_was_marked_is_decided(
    running: tuple[Store, str, Path], open_page: Any
) -> None:
    store, criterion = running[0], "WORTHLESSNESS"
    for post_id in ("i", "j", "k", "l"):
        disagree(store, post_id, criterion)
    page = open_page()
    choose(page, criterion, "1 of 4 to decide")
    page.focus("#adjudicate .ev")
    page.keyboard.press("Enter")  # nobody's passage is everybody's: nothing is marked yet
    page.keyboard.press("Shift+M")  # everybody's, to be edited
    for key in ("e", *["Control+ArrowLeft"] * 3):
        page.keyboard.press(key)
    page.click("#adjudicate [data-part=marked]")  # what was moved counts without Enter
    wait_for(page, "1 of 3 to decide")
    assert words_of(store, "i", criterion) == ["I lie awake"]

    page.mouse.click(*end_of(page, "I lie"))  # on a reader's passage: it is taken into the decision
    page.wait_for_selector("#adjudicate .ev-handle[data-edge=end]:not([hidden])")
    page.mouse.move(*handle_of_end(page))
    page.mouse.down()
    page.mouse.move(*end_of(page, "I lie awake until"), steps=4)
    page.mouse.up()
    page.keyboard.press("j")
    wait_for(page, "2 of 3 to decide")
    press(page, "k", "1 of 3 to decide")  # what was marked is still there
    page.click("#adjudicate [data-part=marked]")
    wait_for(page, "1 of 2 to decide")
    assert words_of(store, "j", criterion) == ["I lie awake until"]
    send = "key => document.querySelector('#adjudicate .ev').dispatchEvent(new KeyboardEvent('keydown', {bubbles: true, ...key}))"
    page.evaluate(send, {"key": "&", "code": "Digit" + digit_of_ben(store)})  # where digits need Shift
    page.wait_for_selector("#adjudicate .ev-handle[data-edge=end]:not([hidden])")
    page.keyboard.press("z")
    for key in ("c", "ArrowDown", "Enter", "z", "c", "ArrowDown", "ArrowDown", "Enter"):  # the second sentence
        page.keyboard.press(key)
    press(page, "Enter", "1 of 1 to decide")
    assert words_of(store, "k", criterion) == ["The rest of the week was fine."]

    phone = open_page(width=390, has_touch=True, is_mobile=True)
    choose(phone, criterion, "1 of 1 to decide")
    phone.locator("#adjudicate [data-part=text]").scroll_into_view_if_needed()
    phone.touchscreen.tap(*end_of(phone, "I lie"))
    phone.wait_for_selector("#adjudicate .ev-handle[data-edge=end]:not([hidden])")
    phone.locator("#adjudicate .ev-handle[data-edge=end]").scroll_into_view_if_needed()
    Finger(phone).drag(handle_of_end(phone), end_of(phone, "I lie awake"))
    phone.click(
        "#adjudicate [data-part=marked]"
    )  # no tap: the browser takes one right after a drag for the end of a scroll
    wait_for(phone, "Nothing is left to decide: nobody disagrees, or it is decided.")
    assert words_of(store, "l", criterion) == ["I lie awake"]


def test_the_queue_is_of_whom_one_chooses(running: tuple[Store, str, Path], open_page: Any) -> None:
    store = running[0]
    disagree(store, "m", "PSYCHOMOTOR")
    store.ensure_reviewer("dan")
    store.add_annotation(Annotation("m", "ANHEDONIA", "dan", Verdict.UNSURE), expected_revision=0)
    page = open_page()
    choose(page, "PSYCHOMOTOR", "1 of 1 to decide")
    for name, other in (("ben", "dan"), ("cem", "ben")):
        page.select_option("#adjudicate [name=one]", codes_of(store)[name])
        page.select_option("#adjudicate [name=other]", codes_of(store)[other])
        left = (
            "1 of 1 to decide" if other == "ben" else "Nothing is left to decide: nobody disagrees, or it is decided."
        )
        wait_for(page, left)


def test_a_decision_that_is_answered_late_takes_no_other_case_off_the_list(
    running: tuple[Store, str, Path], open_page: Any
) -> None:
    store = running[0]
    for post_id, criterion in (("x", "APPETITE_CHANGE"), ("y", "COGNITIVE_ISSUES"), ("z", "COGNITIVE_ISSUES")):
        disagree(store, post_id, criterion)
    page = open_page()
    choose(page, "APPETITE_CHANGE", "1 of 1 to decide")
    held: list[Any] = []
    page.route(re.compile("/ask/adjudicate_decide"), lambda route: held.append(route))
    page.focus("#adjudicate .ev")
    with page.expect_request(re.compile("/ask/adjudicate_decide")):
        page.keyboard.press("n")
    choose(page, "COGNITIVE_ISSUES", "1 of 2 to decide")
    with page.expect_response(re.compile("/ask/adjudicate_queue")):
        held[0].continue_()
    wait_for(page, "1 of 2 to decide")
    assert decision(store, "x", "APPETITE_CHANGE").outcome is Outcome.NO_EVIDENCE


def test_a_key_that_is_held_down_and_a_double_click_decide_once(
    running: tuple[Store, str, Path], open_page: Any
) -> None:
    store = running[0]
    for post_id in ("f", "f2", "g"):
        disagree(store, post_id, "FATIGUE")
    page = open_page()
    choose(page, "FATIGUE", "1 of 3 to decide")
    page.focus("#adjudicate .ev")
    for _ in range(2):
        page.keyboard.press("Shift+M")
    page.locator("#adjudicate button:has-text('Undo')").click(click_count=2)
    page.wait_for_selector("#adjudicate [data-part=marked]:disabled")
    for _ in range(6):
        page.keyboard.down("n")  # from the second on the browser says that the key repeats
    page.keyboard.up("n")
    wait_for(page, "1 of 2 to decide")
    page.locator("#adjudicate button:has-text('Cannot be decided')").click(click_count=2, delay=100)
    wait_for(page, "1 of 1 to decide")
    assert store.adjudications("g", criterion_id="FATIGUE") == []


def test_a_label_of_the_post_is_decided_by_the_key_of_its_level(
    running: tuple[Store, str, Path], open_page: Any
) -> None:
    store = running[0]
    store.replace_attributes(Attributes(labels=(Scale("Risk", ("none", "low", "high")),)))
    store.add_posts([Post(id="h", text=TEXT, split=Split.TRAIN)])
    for name, level in (("ben", "none"), ("cem", "high")):
        label = Annotation("h", OF_POST, name, None, labels=(("Risk", level),))
        store.add_annotation(label, expected_revision=0)
    page = open_page()
    choose(page, "@post:Risk", "1 of 1 to decide")
    said = {codes_of(store)["ben"]: "none", codes_of(store)["cem"]: "high"}
    assert page.locator("#adjudicate .ev-lane h4").all_inner_texts() == [f"{who}: {said[who]}" for who in sorted(said)]
    assert serious(page, "#page-adjudicate") == []
    page.focus("#adjudicate .ev")
    page.keyboard.press("n")  # of evidence alone
    press(page, "2", "Nothing is left to decide: nobody disagrees, or it is decided.")
    assert (decision(store, "h", "@post:Risk").outcome, decision(store, "h", "@post:Risk").level) == (
        Outcome.LABEL,
        "low",
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_has_no_serious_finding(
    width: int, scheme: str, running: tuple[Store, str, Path], open_page: Any
) -> None:
    disagree(running[0], f"post-{width}-{scheme}", "ANHEDONIA")
    page = open_page(width=width, color_scheme=scheme)
    page.wait_for_selector("#adjudicate .ev-lane", timeout=PATIENCE_MS)
    assert serious(page, "#page-adjudicate") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
