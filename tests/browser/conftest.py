"""A real server and a real Chromium for the tests of the pages.

The model of these tests is a row in the store: posts come with predictions that the test itself wrote, so that every
offset is known. Nothing is downloaded; the browser is Debian's, or whatever Chrome is installed.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from annotator.learning.instant import switch
from annotator.project import STARTED, default_criteria
from annotator.settings import Settings
from storage.records import ModelVersion, Post, Prediction, Span, Split
from storage.store import Store, open_store
from tests.forked import Surroundings, started

MODEL = "m1"
ROOT = Path(__file__).parents[2]
START_SECONDS = 180  # a machine that is busy with other things
PATIENCE_MS = 20_000
FAILED = pytest.StashKey[bool]()


@dataclass(frozen=True)
class Site:
    """The running app of the tests, with its store."""

    url: str
    store: Store
    reviewer: str
    folder: Path

    def add_post(self, text: str, marks: dict[str, list[str | tuple[str, str]]] | None = None, *, id: str = "") -> str:
        """Store a post with predictions: quotes by criterion id, a pair being (quote, tighter core). Returns its id."""
        post = Post(id=id or f"post-{next(_numbers)}", text=text, split=Split.TRAIN)
        self.store.add_posts([post])
        self.store.add_predictions(
            Prediction(post.id, c.id, MODEL, spans, no_evidence_score=0.1 if spans else 0.9)
            for c in self.store.criteria()
            if (spans := tuple(sorted(_span(text, q) for q in (marks or {}).get(c.id, [])))) is not None
        )
        return post.id

    def answer(self, post_id: str, criterion_id: str) -> Any:
        """The reviewer's latest annotation, None if there is none."""
        return self.store.annotations_of(post_id, self.reviewer).get(criterion_id)

    def quotes(self, post_id: str, criterion_id: str) -> list[str]:
        text = self.store.post(post_id).text
        annotation = self.answer(post_id, criterion_id)
        return [s.span.quote(text) for s in annotation.spans] if annotation else []


_numbers = itertools.count(1)


def _span(text: str, quote: str | tuple[str, str]) -> Span:
    whole, core = quote if isinstance(quote, tuple) else (quote, None)
    start = text.index(whole)
    if core is None:
        return Span(start, start + len(whole), 0.87)
    core_start = text.index(core, start)
    return Span(start, start + len(whole), 0.87, core_start, core_start + len(core))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The app as users start it, in a process of its own, on a project with the default criteria."""
    folder = tmp_path_factory.mktemp("site")
    store = open_store(folder)
    store.save_criteria(default_criteria())
    store.add_model(ModelVersion(id=MODEL, path="kept-in-the-tests"))
    store.activate_model(MODEL, by=None)
    store.set_setting(STARTED, True)
    switch(store, on=False)  # it would add passages of its own from what earlier tests decided
    with running_app(folder) as url:
        yield Site(url, store, Settings().local_reviewer, folder)
    store.close()


@contextmanager
def running_app(
    folder: Path, *, port: int | None = None, worker: bool = False, flags: Sequence[str] = ()
) -> Iterator[str]:
    """The app in a process of its own on the project in `folder`, until the block is left. Gives its address.

    The app runs under a watch: any address beyond this machine that it resolves or connects to is a line in
    `folder / "outside.log"`.
    """
    port = port or _free_port()
    command = ["serve", "--data-dir", str(folder), "--port", str(port), *flags]
    environment = {**os.environ, **watched(folder), "EVIDENCE_WORKER": str(int(worker)), "EVIDENCE_LOG_LEVEL": "error"}
    log = folder / "app.log"
    app = started(command, Surroundings(ROOT, environment, log, before=WATCH))
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(url, app, log)
        yield url
    finally:
        app.terminate()
        app.join(60)
        if app.is_alive():
            app.kill()
            pytest.fail("The app did not end when it was told to.")


WATCH = """
import os, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        address = arguments[1] if event == "socket.connect" else arguments[0]
        host = address[0] if isinstance(address, tuple) else address
        if isinstance(address, tuple) or event == "socket.getaddrinfo":
            if str(host) not in ("127.0.0.1", "::1", "localhost", "None", "", "0.0.0.0"):
                with open(os.environ["OUTSIDE_LOG"], "a") as log:
                    log.write(f"{event} {host}\\n")
sys.addaudithook(watch)
"""


def watched(folder: Path) -> dict[str, str]:
    """Environment in which a Python process notes in `folder / "outside.log"` whom it calls beyond this machine."""
    (folder / "watch").mkdir(exist_ok=True)
    (folder / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    return {"PYTHONPATH": str(folder / "watch"), "OUTSIDE_LOG": str(folder / "outside.log")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(url: str, app: ForkServerProcess, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if not app.is_alive():
            break
        try:
            with opener.open(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    app.kill()
    pytest.fail(f"The app did not come up: {log.read_text()[-2000:] if log.exists() else ''}")


class Pages:
    """Opens pages, and remembers what must never happen on one: a script error, a request to another machine."""

    def __init__(self, chromium: Any, url: str) -> None:
        self._chromium = chromium
        self._url = self.url = url
        self._contexts: list[Any] = []
        self.problems: list[str] = []

    def open(
        self,
        path: str = "/",
        *,
        width: int = 1280,
        height: int = 860,
        begun: bool = True,
        fake_clock: bool = False,
        **options: Any,
    ) -> Any:
        """A page in a context of its own. `begun`: the notice before the first post was read already."""
        context = self._chromium.new_context(viewport={"width": width, "height": height}, **options)
        self._contexts.append(context)
        if begun:
            context.add_init_script(
                "for (const k of ['notice', 'guide']) localStorage.setItem('evidence.' + k, 'true')"
            )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        if fake_clock:
            page.clock.install()
        page.on("pageerror", lambda error: self.problems.append(f"{error}"))
        page.on("websocket", lambda w: _foreign(w.url, self._url) and self.problems.append(f"asked for {w.url}"))
        page.on("request", lambda r: _foreign(r.url, self._url) and self.problems.append(f"asked for {r.url}"))
        page.goto(self._url + path)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def new_page(chromium: Any, site: Site) -> Iterator[Callable[..., Any]]:
    """Opens pages that share nothing with those of other tests."""
    pages = Pages(chromium, site.url)
    yield pages.open
    pages.close()
    assert pages.problems == []


@pytest.fixture
def open_alone(new_page: Callable[..., Any]) -> Callable[..., Any]:
    """Opens the Review page at a post in a browser of its own."""

    def opened(post_id: str, **options: Any) -> Any:
        page = new_page(f"/?post={post_id}", **options)
        page.wait_for_selector('.ev[data-state="ready"]')
        return page

    return opened


class SharedPage:
    """The Review page that many tests use one after the other; a new one after a test that left it broken."""

    def __init__(self, chromium: Any, site: Site) -> None:
        self._chromium = chromium
        self._site = site
        self._pages: Pages | None = None
        self._page: Any = None

    def at_hand(self) -> Any:
        if self._page is None:
            self._pages = Pages(self._chromium, self._site.url)
            self._page = self._pages.open(f"/?post={self._site.add_post('The first post.')}")
        return self._page

    def problems(self) -> list[str]:
        return self._pages.problems if self._pages else []

    def close(self) -> None:
        if self._pages is not None:
            with contextlib.suppress(Exception):  # of a browser that died
                self._pages.close()
        self._pages = self._page = None


@pytest.fixture(scope="session")
def _shared(chromium: Any, site: Site) -> Iterator[SharedPage]:
    shared = SharedPage(chromium, site)
    yield shared
    shared.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    report: pytest.TestReport = yield
    item.stash[FAILED] = report.failed or item.stash.get(FAILED, False)
    return report


@pytest.fixture
def open_post(_shared: SharedPage, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Opens a post on the Review page that the tests share: loading the app anew for each would take a second each."""

    def opened(post_id: str) -> Any:
        page = _shared.at_hand()
        page.wait_for_selector('.ev[data-state="ready"]')
        before = page.get_attribute(".ev", "data-shown")
        page.evaluate("id => dispatchEvent(new CustomEvent('evidence:open-post', {detail: {post_id: id}}))", post_id)
        page.wait_for_function(f"document.querySelector('.ev').dataset.shown !== '{before}'")
        assert page.inner_text(".ev-post-id") == post_id
        while page.get_attribute("[data-part=snap]", "data-snap") != "word":
            page.click("[data-part=snap]")
        page.evaluate("document.querySelector('.ev').focus()")
        return page

    yield opened
    problems = _shared.problems()
    if problems or request.node.stash.get(FAILED, False):
        _shared.close()
    assert problems == []


@pytest.fixture
def record() -> Callable[..., None]:
    """Keeps what was measured: a line of JSON in the file that REVIEW_TIMINGS names, if it is set."""

    def write(what: str, **figures: Any) -> None:
        if path := os.environ.get("REVIEW_TIMINGS"):
            with Path(path).open("a", encoding="utf-8") as output:
                output.write(json.dumps({"what": what, **figures}) + "\n")

    return write


def _foreign(url: str, own: str) -> bool:
    asked, here = urllib.parse.urlsplit(url), urllib.parse.urlsplit(own)
    return asked.scheme in ("http", "https", "ws", "wss") and asked.netloc != here.netloc
