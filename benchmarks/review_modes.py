"""Criterion by criterion against whole post: keys, scrolling and time for 20 posts, in a real browser.

    python -m benchmarks.review_modes [--posts 20]

The bundled model reads 20 of the corpus's whole test posts. A script that knows the right answers reviews each post twice, once in either
mode, with the keys that a person would press: right passages are accepted, wrong ones rejected, missing ones added by a triple click.
Time is the script's own count at a human pace, not the clock: KEY_SECONDS a key, CLICK_SECONDS a triple click, DECISION_SECONDS before
each thing that has to be judged (a predicted passage, a criterion said to have none, a summary).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.models.bundled import BUNDLED_ID, bundled_model
from annotator.project import STARTED, default_criteria, default_set
from annotator.review.about import save_about
from encoder.bundled.corpus import read_test_posts
from encoder.predict import Predictor
from storage.records import Post, Span, Verdict
from storage.store import Store, open_store
from tests.browser.conftest import FLAGS, browser_path, running_app

KEY_SECONDS = 0.28  # an average typist's keystroke, Card, Moran and Newell 1983
CLICK_SECONDS = 1.5  # pointing, then clicking
DECISION_SECONDS = 1.35  # mental preparation, ibid.
LARGEST_STEPS = 400

BEGUN = "for (const k of ['notice', 'guide']) localStorage.setItem('evidence.' + k, 'true');"
SCROLLED = """() => { window.scrolled = 0; const pane = document.querySelector('[data-part=scroll]'); let last = pane.scrollTop;
  pane.addEventListener('scroll', () => { window.scrolled += Math.abs(pane.scrollTop - last); last = pane.scrollTop; }); }"""
STATE = """() => {
  const root = document.querySelector('.ev'), rows = Array.from(document.querySelectorAll('[data-part=criteria] > li'));
  const current = document.querySelector('.ev-mark.ev-current'), word = current && current.querySelector('small').textContent;
  const holds = p => current && p.dataset.marks.split(' ').includes(current.dataset.mark);
  const pieces = Array.from(document.querySelectorAll('.ev-text .ev-seg')).filter(holds);
  return {
    active: rows.findIndex(r => r.classList.contains('ev-active')),
    open: rows.map(r => !['evidence', 'no_evidence', 'unsure'].includes(r.dataset.verdict)),
    undecided: Boolean(word && word.startsWith('predicted')),
    quote: pieces.map(p => p.textContent).join(''),
    dialog: document.querySelector('dialog').open,
  };
}"""
WORD = """([start, end]) => {
  const walker = document.createTreeWalker(document.querySelector('[data-part=text]'), NodeFilter.SHOW_TEXT);
  let seen = 0; const range = document.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const points = Array.from(node.data).length;
    if (seen <= start && start < seen + points) {
      range.setStart(node, start - seen); range.setEnd(node, Math.min(start - seen + 2, node.length));
      break;
    }
    seen += points;
  }
  const pane = document.querySelector('[data-part=scroll]');
  const [before, frame] = [range.getBoundingClientRect(), pane.getBoundingClientRect()];
  const hidden = before.top < frame.top || before.bottom > frame.bottom;
  if (hidden) pane.scrollBy(0, before.top - frame.top - frame.height / 2);
  const box = range.getClientRects()[0];
  return [box.left + 1, box.top + box.height / 2];
}"""


@dataclass
class Work:
    """What one review cost."""

    keys: int = 0
    clicks: int = 0
    decisions: int = 0
    scrolled: float = 0.0
    wrong: int = 0
    answers: int = 0

    @property
    def seconds(self) -> float:
        return self.keys * KEY_SECONDS + self.clicks * CLICK_SECONDS + self.decisions * DECISION_SECONDS


class Reviewer:
    """Reviews one post in the open page; knows the gold passages by criterion."""

    def __init__(self, page: Any, post: Post, gold: dict[str, list[Span]], criteria: Sequence[str]) -> None:
        self.page, self.post, self.gold, self.criteria = page, post, gold, criteria
        self.work = Work()
        self.added: set[tuple[str, int]] = set()

    def press(self, key: str) -> None:
        self.work.keys += 1
        self.page.keyboard.press(key)

    def judge(self) -> None:
        self.work.decisions += 1

    def right(self, criterion: str, quote: str) -> bool:
        return any(
            quote.strip() in self.post.text[s.start : s.end] or self.post.text[s.start : s.end] in quote
            for s in self.gold.get(criterion, [])
        )

    def missing(self, criterion: str, predicted: Sequence[Span]) -> list[Span]:
        return [
            g for g in self.gold.get(criterion, []) if not any(p.start < g.end and g.start < p.end for p in predicted)
        ]

    def add(self, span: Span, *, number: int | None) -> None:
        self.judge()
        x, y = self.page.evaluate(WORD, [span.start, span.end])
        self.work.clicks += 1
        self.page.mouse.click(x, y, click_count=3, delay=5)
        if number is None:
            self.page.wait_for_function("document.querySelector('.ev-mark.ev-added')")
        else:
            self.page.wait_for_selector("[data-part=chooser]", state="visible")
            self.press(str(number))

    def by_criterion(self, predicted: dict[str, list[Span]]) -> None:
        done: set[int] = set()
        for _ in range(LARGEST_STEPS):
            state = self.page.evaluate(STATE)
            if not any(state["open"]):
                return
            at = state["active"]
            criterion = self.criteria[at]
            if at not in done:
                done.add(at)
                for span in self.missing(criterion, predicted[criterion]):
                    self.add(span, number=None)
                state = self.page.evaluate(STATE)
            self.judge()
            if state["undecided"]:
                self.press("a" if self.right(criterion, state["quote"]) else "x")
            else:
                self.press("Enter")
        raise RuntimeError(f"The review of {self.post.id} does not come to its end.")

    def whole(self, predicted: dict[str, list[Span]]) -> None:
        for _ in range(LARGEST_STEPS):
            state = self.page.evaluate(STATE)
            if not state["undecided"]:
                break
            self.judge()
            self.press("a" if self.right(self.criteria[state["active"]], state["quote"]) else "x")
        for number, criterion in enumerate(self.criteria, 1):
            for span in self.missing(criterion, predicted[criterion]):
                self.add(span, number=number)
        for _ in range(LARGEST_STEPS):
            state = self.page.evaluate(STATE)
            if not any(state["open"]):
                return
            self.judge()
            self.press("Enter")
        raise RuntimeError(f"The review of {self.post.id} does not come to its end.")


def review(
    browser: Any, url: str, store: Store, posts: Sequence[tuple[Post, dict[str, list[Span]]]], mode: str
) -> list[Work]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    settings = json.dumps({"keys": {}, "snap": "word", "reading": mode})
    context.add_init_script(BEGUN + f"localStorage.setItem('evidence.settings', {settings!r})")
    page = context.new_page()
    criteria = [c.id for c in store.criteria()]
    done = []
    for post, gold in posts:
        page.goto(f"{url}/?post={post.id}")
        page.wait_for_selector('.ev[data-state="ready"]')
        page.evaluate("document.querySelector('.ev').focus()")
        page.evaluate(SCROLLED)
        found = {c: list(p.spans) for c, p in store.predictions(post.id, BUNDLED_ID).items()}
        reviewer = Reviewer(page, post, gold, criteria)
        (reviewer.whole if mode == "post" else reviewer.by_criterion)(found)
        page.wait_for_function("document.querySelector('[data-part=saved]').dataset.saved === 'saved'")
        reviewer.work.scrolled = page.evaluate("window.scrolled")
        answers = store.annotations_of(post.id, "local")
        reviewer.work.answers = len(answers)
        reviewer.work.wrong = sum((a.verdict is Verdict.EVIDENCE) != bool(gold.get(c)) for c, a in answers.items())
        done.append(reviewer.work)
    context.close()
    return done


def project(folder: Path, posts: Sequence[tuple[Post, dict[str, list[Span]]]]) -> Store:
    store = open_store(folder)
    store.save_criteria(default_criteria())
    save_about(store, default_set().about)
    model = bundled_model()
    store.add_model(model)
    store.activate_model(model.id, by=None)
    store.set_setting(STARTED, True)
    store.add_posts([post for post, _ in posts])
    predictor = Predictor.load(model.path, version=model.id)
    store.add_predictions(predictor.predict([post for post, _ in posts], store.criteria()))
    return store


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=20)
    arguments = parser.parse_args()
    examples = read_test_posts()[: arguments.posts]
    posts = [(e.post, {k: list(label.spans) for k, label in e.labels.items()}) for e in examples]
    for mode in ("criterion", "post"):
        with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
            store = project(Path(name), posts)
            browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
            with running_app(Path(name)) as url:
                works = review(browser, url, store, posts, mode)
            browser.close()
            store.close()
        total = sum(w.answers for w in works)
        figures = {
            n: round(statistics.mean(getattr(w, n) for w in works), 1)
            for n in ("keys", "clicks", "decisions", "seconds", "scrolled")
        }
        print(json.dumps({"mode": mode, "posts": len(works), "answers": total, "wrong": sum(w.wrong for w in works), "a_post": figures,
                          "keys_a_decision": round(sum(w.keys for w in works) / total, 2)}))  # fmt: skip


if __name__ == "__main__":
    main()
