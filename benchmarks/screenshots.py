"""Pictures of every page, light and dark, on a desktop and on a phone, taken from a fresh demo project.

    python -m benchmarks.screenshots [--url http://127.0.0.1:7860] [--only review,posts]

Starts the app on a temporary project (or uses the one at --url), goes through the pages in headless Chromium and writes
`docs/<page>-<light|dark>[-phone].webp`. Needs the test extra (playwright) and a Chromium or Chrome on the PATH.
"""

from __future__ import annotations

import argparse
import io
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from annotator.settings import Settings
from annotator.teams import rounds
from annotator.teams.rounds import RoundPlan
from encoder.text.sentences import sentences
from storage.records import AnnotatedSpan, Annotation, Role, Span, Verdict
from storage.store import open_store
from storage.team_records import Suggestions

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SIZES = {"": (1280, 800, 960), "-phone": (390, 800, 312)}  # window width and height, width of the picture
LARGEST_BYTES = 60_000
PATIENCE_MS = 300_000
FOLDERS: dict[str, Path] = {}  # the project behind an address that was started here
POST = "demo-03"
TEXT = (
    "I have not slept more than three hours since the move. Nothing tastes of anything. My sister asked what I was looking"
    " forward to and I could not name one thing. Work is fine, people are kind."
)
PAGES = {
    "review": '.ev[data-state="ready"] :is(li[data-verdict=open], li[data-verdict=evidence])',
    "posts": "#posts-list tbody tr",
    "agreement": "#agreement [data-part=report] table",
    "team": "#team .ev-round-body table",
    "people": "#people tbody tr",
    "try": "#try-text textarea",
    "data": "#import-run",
    "retrain": "#retrain-plan .rt-details",
    "overview": ".ov-cards div",
    "guidelines": "#guidelines .ev-card",
}


def main() -> None:
    """Take the pictures and print how large they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="an app that runs already, on a project with the demo posts")
    parser.add_argument("--only", default=",".join(PAGES), help="pages, comma-separated")
    arguments = parser.parse_args()
    wanted = [name for name in PAGES if name in arguments.only.split(",")]
    with demo_app() if arguments.url is None else given(arguments.url) as url, chromium() as browser:
        decide(browser, url)
        if arguments.url is None:
            gather(FOLDERS[url])
        total = sum(
            picture(browser, url, page, scheme, size)
            for page in wanted
            for scheme in ("light", "dark")
            for size in SIZES
        )
    print(f"{total / 1000:.0f} kB in all")


@contextmanager
def given(url: str) -> Iterator[str]:
    yield url.rstrip("/")


@contextmanager
def demo_app() -> Iterator[str]:
    """The app on a new project in a temporary folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "app.py", "--data-dir", f"{folder}/demo", "--port", str(port)]
        with subprocess.Popen(command, cwd=ROOT) as app:
            url = f"http://127.0.0.1:{port}"
            try:
                wait_until_up(url, app)
                FOLDERS[url] = Path(folder) / "demo"
                yield url
            finally:
                app.terminate()
                app.wait(60)


def wait_until_up(url: str, app: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_MS / 1000
    while app.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    raise SystemExit("The app did not come up.")


@contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise SystemExit("No Chromium or Chrome on the PATH.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def opened(browser: Any, url: str, page: str, scheme: str = "light", size: str = "") -> Any:
    """The page in a window of its own, once what it shows is there."""
    width, height, _ = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.add_init_script(
        "for (const k of ['notice', 'guide']) localStorage.setItem('evidence.' + k, 'true');"
        """localStorage.setItem('evidence.settings', '{"reading": "criterion"}')"""
    )
    found = context.new_page()
    found.set_default_timeout(PATIENCE_MS)
    found.goto(f"{url}/?post={POST}" if page == "review" else f"{url}/?tab={page}")
    found.wait_for_function("window.evidenceOpened === true")
    found.wait_for_selector('.app-model[data-state="ready"]')
    if page == "team":
        found.click("#team button[aria-label='More about calibration']")
    found.wait_for_selector(PAGES[page])
    return found


def decide(browser: Any, url: str) -> None:
    """A few decisions, so that the pages have something to show: the shown post is left half-way."""
    page = opened(browser, url, "review")
    if page.locator("li[data-verdict=evidence]").count() == 0:
        for key in ("1", "0", "4", "a", "6", "a"):
            page.keyboard.press(key)
        for _ in range(4):
            before = page.inner_text(".ev-post-id")
            page.keyboard.press("n")
            page.wait_for_function(f"document.querySelector('.ev-post-id').textContent !== '{before}'")
            for key in ("Shift+Enter", "Enter", "Enter"):
                page.keyboard.press(key)
        page.wait_for_function("document.querySelector('[data-part=saved]').dataset.saved === 'saved'")
    page.context.close()


def gather(folder: Path) -> None:
    """Two people more who have read in a round, so that there is a team to be seen. Their answers are drawn by lot."""
    store, lot = open_store(folder), random.Random(7)
    lead = store.reviewer(Settings().local_reviewer)
    for name in ("ada", "ben"):
        store.ensure_reviewer(name, Role.REVIEWER)
    first = RoundPlan("calibration", ("ada", "ben"), posts=8, overlap={2: 1.0}, suggestions=Suggestions.HIDDEN)
    made = rounds.set_up(store, first, model_version=None, by=lead)
    rounds.set_up(store, RoundPlan("main", ("ada", "ben", lead.name), posts=12), model_version=None, by=lead)
    truth: dict[tuple[str, str], Span | None] = {}
    for given in store.assigned(round_id=made.id):
        for criterion in store.criteria():
            key = (given.post_id, criterion.id)
            if key not in truth:
                truth[key] = lot.choice(sentences(store.post(given.post_id).text)) if lot.random() < 0.3 else None
            found = truth[key] if lot.random() < 0.9 else None
            spans = () if found is None else (AnnotatedSpan(found.start, found.end),)
            verdict = Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE
            answer = Annotation(*key, given.reviewer, verdict, spans, seconds=round(lot.uniform(2, 9), 1))
            store.add_annotation(answer, expected_revision=0)
    store.close()


def picture(browser: Any, url: str, name: str, scheme: str, size: str) -> int:
    """Write one picture. Returns its bytes."""
    page = opened(browser, url, name, scheme, size)
    if name == "review":
        page.keyboard.press("8")
        page.keyboard.press("o")
    if name == "try":
        page.fill("#try-text textarea", TEXT)
        page.click("button:has-text('Highlight')")
        page.wait_for_selector(".try-post mark")
        page.locator(".try-post").scroll_into_view_if_needed()
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.context.close()
    target = SIZES[size][2]
    image = image.resize((target, round(image.height * target / image.width)), Image.Resampling.LANCZOS)
    file = FOLDER / f"{name}-{scheme}{size}.webp"
    for quality in (80, 70, 60, 50, 40):
        image.save(file, quality=quality, method=6)
        if file.stat().st_size <= LARGEST_BYTES:
            break
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
    return file.stat().st_size


if __name__ == "__main__":
    main()
