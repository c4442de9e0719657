"""A post of 100,000 words: it opens, is reviewed with exact offsets, and every gesture stays quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import Site
from tests.browser.gestures import press, wait_saved
from tests.browser.test_review_saving import measured

pytestmark = [pytest.mark.browser, pytest.mark.slow]
Opener = Callable[..., Any]

SENTENCES = [
    f"Sentence number {n} 😞 tells about the night and the long grey day after it, in which hardly anything began."
    for n in range(5000)
]
MARKED = SENTENCES[5:5000:25]
TEXTS = {
    "paragraphs": "\n\n".join(" ".join(SENTENCES[i : i + 8]) for i in range(0, len(SENTENCES), 8)),
    "a wall of text": " ".join(SENTENCES),
}
IN_VIEW = """() => {
  const at = document.querySelector('.ev-seg.ev-current').getBoundingClientRect().top;
  const frame = document.querySelector('[data-part=scroll]').getBoundingClientRect();
  return frame.top <= at && at <= frame.bottom;
}"""


@pytest.mark.parametrize("shape", TEXTS)
def test_a_post_of_100000_words_is_reviewed_like_any_other(
    shape: str, site: Site, open_alone: Opener, record: Callable[..., None]
) -> None:
    text = TEXTS[shape]
    assert len(text.split()) >= 100_000
    post = site.add_post(text, {"SLEEP_ISSUES": list(MARKED)})
    page = open_alone(post)
    assert (
        page.evaluate("document.querySelector('[data-part=text]').textContent.length")
        == len(text.encode("utf-16-le")) // 2
    )
    press(page, "4")
    page.wait_for_function("performance.getEntriesByName('evidence:gesture').length > 0")
    page.evaluate("performance.clearMeasures()")
    for number, key in enumerate("axj" * 5, start=1):
        press(page, key)
        page.wait_for_function(f"performance.getEntriesByName('evidence:gesture').length >= {number}")
    wait_saved(page)
    press(page, "k", "k", "k", "k")
    page.wait_for_function(IN_VIEW)
    timings = measured(page)
    record(f"100,000 words, {shape}, 200 spans", **timings)
    assert site.quotes(post, "SLEEP_ISSUES")[0] == MARKED[0]
    assert timings["gesture"]["p50"] < 500  # the goal for 40,000 characters is 100; the machine may be busy
