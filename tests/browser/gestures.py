"""What the browser tests do with the mouse and the keys, and the texts they do it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storage.records import Annotation
from tests.browser.conftest import Site

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


def confirm_the_rest(page: Any) -> None:
    """Everything as it is shown: the summary is read and confirmed, then what is decided by itself."""
    press(page, "Shift+Enter", "Enter", "Enter")


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
    while page.get_attribute("[data-part=snap]", "data-snap") != wanted:
        press(page, "w")


def answer(site: Site, page: Any, post_id: str, criterion: str) -> Annotation:
    wait_saved(page)
    found = site.answer(post_id, criterion)
    assert found is not None, f"nothing was saved for {criterion}"
    return found
