"""The two ways of reviewing, side by side: criterion by criterion, and the whole post at once.

    python -m benchmarks.two_modes [--posts 20]

A script that knows the gold answers reviews whole posts of the bundled corpus that no model was trained on, with the bundled
model's predictions, by keys and (for a passage that the model missed) by dragging, in the real page in headless Chromium. It counts
keys and drags, what the page scrolls, and adds up the seconds at a human's pace. That pace is the keystroke-level model's (Card,
Moran and Newell 1980): a key .28 s, a drag 1.3 s, a decision 1.35 s; words are read at 4.2 a second, and skimmed three times as fast.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotator.models.bundled import BUNDLED_ID
from annotator.project import open_project
from annotator.settings import Settings
from encoder.bundled.corpus import read_test_posts
from encoder.examples import Example
from storage.records import Span
from storage.store import Store
from tests.browser.conftest import running_app
from tests.browser.gestures import RECT
from tests.browsers import FLAGS, browser_path

KEY, DRAG, DECISION, WORDS_PER_SECOND, SKIM = 0.28, 1.3, 1.35, 4.2, 3.0
STATE = """() => {
  const text = document.querySelector('[data-part=text]'), current = text.querySelector('.ev-seg.ev-current');
  let offset = null, state = null;
  if (current) {
    const range = document.createRange();
    range.selectNodeContents(text); range.setEndBefore(current);
    offset = Array.from(range.toString()).length;
    state = ['undecided', 'accepted', 'adjusted', 'added', 'rejected'].find(s => current.classList.contains('ev-' + s));
  }
  const rows = Array.from(document.querySelectorAll('[data-part=criteria] > li'));
  return {offset, state, active: rows.findIndex(r => r.classList.contains('ev-active')),
    open: rows.map(r => ['open', 'blank'].includes(r.dataset.verdict)),
    post: document.querySelector('.ev-post-id').textContent, dialog: document.querySelector('dialog[open]')?.innerText ?? '',
    label: document.querySelector('[data-part=confirm]').firstChild.textContent};
}"""
WATCH = """() => {
  const scroll = document.querySelector('[data-part=scroll]');
  window.scrolled = 0; let last = scroll.scrollTop;
  scroll.addEventListener('scroll', () => { window.scrolled += Math.abs(scroll.scrollTop - last); last = scroll.scrollTop; });
}"""


@dataclass
class Effort:
    """What a way of reviewing costs. seconds: at a human's pace, the text read once; skimming: what skimming it again adds."""

    posts: int = 0
    keys: int = 0
    drags: int = 0
    decisions: int = 0
    pixels: float = 0.0
    seconds: float = 0.0
    skimming: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Reviewer:
    """Reviews one post after the other on the page as the gold says."""

    def __init__(self, page: Any, store: Store, gold: dict[str, Example], criteria: Sequence[str]) -> None:
        self.page, self.store, self.gold, self.criteria = page, store, gold, criteria
        self.effort = Effort()

    def state(self) -> Any:
        return self.page.evaluate(STATE)

    def key(self, key: str, *, decides: bool = True) -> None:
        self.page.keyboard.press(key)
        self.effort.keys += 1
        self.effort.decisions += decides
        self.effort.seconds += KEY + DECISION * decides

    def drag(self, post: str, span: Span) -> None:
        self.page.evaluate(  # a reader has it in view by then
            "([o]) => { const w = document.createTreeWalker(document.querySelector('[data-part=text]'), NodeFilter.SHOW_TEXT);"
            " let seen = 0; for (let n = w.nextNode(); n; n = w.nextNode()) { const l = Array.from(n.data).length;"
            " if (seen + l > o) { n.parentElement.scrollIntoView({block: 'nearest'}); return; } seen += l; } }",
            [span.start],
        )
        x1, y1, x2, y2 = self.page.evaluate(RECT, [span.start, span.end])
        self.page.mouse.move(x1 + 1, y1)
        self.page.mouse.down()
        self.page.mouse.move((x1 + x2) / 2, (y1 + y2) / 2)
        self.page.mouse.move(x2 - 1, y2)
        self.page.mouse.up()
        self.page.mouse.move(2, 2)
        self.effort.drags += 1
        self.effort.decisions += 1
        self.effort.seconds += DRAG + DECISION

    def spans(self, post: str, criterion: str) -> list[Span]:
        label = self.gold[post].labels.get(criterion)
        return list(label.spans) if label else []

    def right(self, post: str, criterion: str, offset: int) -> bool:
        return any(s.start <= offset < s.end for s in self.spans(post, criterion))

    def missed(self, post: str, criterion: str) -> list[Span]:
        """Gold passages at which the model marked nothing."""
        predicted = self.store.predictions(post, BUNDLED_ID)[criterion].spans
        return [s for s in self.spans(post, criterion) if not any(p.overlaps(s) for p in predicted)]

    def read(self, post: str, *, times: int) -> None:
        words = len(self.gold[post].post.text.split())
        self.effort.seconds += words / WORDS_PER_SECOND
        self.effort.skimming += (times - 1) * words / WORDS_PER_SECOND / SKIM

    def by_criterion(self) -> None:
        """Read it from top to bottom; then for each criterion add what is missing, decide what is marked, confirm."""
        post = self.state()["post"]
        self.read(post, times=len(self.criteria))
        self.to_the_end()
        added: set[str] = set()
        while True:
            now = self.state()
            criterion = self.criteria[now["active"]]
            if not any(now["open"]):
                break
            self.effort.seconds += len(criterion.split("_")) / WORDS_PER_SECOND * (criterion not in added)
            for span in [] if criterion in added else self.missed(post, criterion):
                self.drag(post, span)
            fresh = criterion not in added
            added.add(criterion)
            now = self.state() if fresh else now
            if now["open"][now["active"]] and now["state"] == "added":
                self.key("j", decides=False)
            elif now["state"] == "undecided":
                self.key("a" if self.right(post, criterion, now["offset"]) else "x")
            else:
                self.key("Enter", decides=now["open"][now["active"]])
        self.key("Enter", decides=False)

    def whole(self) -> None:
        """Read it while deciding what is marked, in the order of the text; add what is missing; then one summary for the rest."""
        post = self.state()["post"]
        self.read(post, times=1)
        while (now := self.state())["state"] == "undecided":
            self.key("Enter" if self.right(post, self.criteria[now["active"]], now["offset"]) else "x")
        self.to_the_end()
        for number, criterion in enumerate(self.criteria, start=1):
            for span in self.missed(post, criterion):
                self.drag(post, span)
                self.key(str(number), decides=False)
        while any((now := self.state())["open"]):
            if now["dialog"]:
                self.effort.seconds += len(now["dialog"].split()) / WORDS_PER_SECOND
            self.key("Enter", decides=bool(now["dialog"]) or now["label"].startswith("Confirm"))
        self.key("Enter", decides=False)

    def to_the_end(self) -> None:
        self.page.evaluate(
            "() => { const s = document.querySelector('[data-part=scroll]'); s.scrollTop = s.scrollHeight; }"
        )
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def check(self, post: str) -> None:
        """The answers that were stored are the gold ones."""
        self.page.wait_for_function("document.querySelector('[data-part=saved]').dataset.saved === 'saved'")
        answers = self.store.annotations_of(post, Settings().local_reviewer)
        for criterion in self.criteria:
            wanted = bool(self.spans(post, criterion))
            if criterion not in answers or (str(answers[criterion].verdict) == "evidence") is not wanted:
                self.effort.wrong.append(f"{post} {criterion}")


def review(browser: Any, examples: Sequence[Example], mode: str, predictions: Any) -> Effort:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        project = open_project(Settings(data_dir=folder, empty=True, first_model="bundled"))
        store = project.store
        store.add_posts([e.post for e in examples])
        store.add_predictions(predictions)
        criteria = [c.id for c in store.criteria()]
        with running_app(folder) as url:
            context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
            settings = json.dumps({"snap": "sentence", "reading": mode})
            context.add_init_script(
                "for (const k of ['notice', 'guide']) localStorage.setItem('evidence.' + k, 'true');"
                f"localStorage.setItem('evidence.settings', {json.dumps(settings)})"
            )
            page = context.new_page()
            page.set_default_timeout(120_000)
            page.goto(f"{url}/?post={examples[0].post.id}")
            page.wait_for_selector('.ev[data-state="ready"]')
            reviewer = Reviewer(page, store, {e.post.id: e for e in examples}, criteria)
            page.evaluate(WATCH)
            page.evaluate("document.querySelector('.ev').focus()")
            for _ in examples:
                post = reviewer.state()["post"]
                reviewer.whole() if mode == "post" else reviewer.by_criterion()
                reviewer.check(post)
                reviewer.effort.posts += 1
                if reviewer.effort.posts < len(examples):
                    page.wait_for_function("id => document.querySelector('.ev-post-id').textContent !== id", arg=post)
            reviewer.effort.pixels = page.evaluate("window.scrolled")
            context.close()
        store.close()
    return reviewer.effort


def main() -> None:
    """Print a table of both ways."""
    from playwright.sync_api import sync_playwright

    from annotator.project import default_criteria
    from encoder.predict import Predictor

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=20)
    examples = read_test_posts()[: parser.parse_args().posts]
    predictions = Predictor.load("bundled", version=BUNDLED_ID, threads=1).predict(
        [e.post for e in examples], default_criteria()
    )
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        for mode in ("criterion", "post"):
            found[mode] = review(browser, examples, mode, predictions)
        browser.close()
    words = sum(len(e.post.text.split()) for e in examples)
    print(f"{len(examples)} posts, {words} words, {sum(len(p.spans) for p in predictions)} predicted passages")
    print("| | criterion by criterion | whole post |\n|---|---|---|")
    for name in ("keys", "drags", "decisions", "pixels", "seconds", "skimming"):
        print(f"| {name} | " + " | ".join(f"{getattr(e, name):.0f}" for e in found.values()) + " |")
    for mode, effort in found.items():
        print(mode, "answers unlike gold:", effort.wrong)


if __name__ == "__main__":
    main()
