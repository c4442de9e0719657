"""The main review in Firefox, driven by what Firefox itself offers for it: WebDriver BiDi over a web socket."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.records import SpanOrigin
from tests.browser.conftest import Site
from tests.browser.gestures import MODEL_SAYS, MOOD_SENTENCE, PLAIN, RECT, SLEEP_SENTENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

KEYS = {"Enter": "\ue007", "Shift": "\ue008", "ArrowDown": "\ue015", "Escape": "\ue00c"}
PATIENCE_SECONDS = 60
HANDLE = """() => {
  const box = document.querySelector('.ev-handle[data-edge=end]').getBoundingClientRect();
  return [box.x + box.width / 2, box.y + 6];
}"""
WAIT = """async (condition, milliseconds) => {
  const end = Date.now() + milliseconds;
  while (!(await (0, eval)(condition))) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}"""


class Firefox:
    """One tab of one Firefox. Only what the tests need of the protocol (https://w3c.github.io/webdriver-bidi)."""

    def __init__(self, address: str) -> None:
        import websocket

        self._socket = websocket.create_connection(f"{address}/session", timeout=PATIENCE_SECONDS, suppress_origin=True)
        self._numbers = itertools.count(1)
        self.send("session.new", {"capabilities": {}})
        self._tab = self.send("browsingContext.getTree", {})["contexts"][0]["context"]

    def send(self, method: str, parameters: dict[str, Any]) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def go(self, url: str) -> None:
        wanted = {"context": self._tab, "url": url, "wait": "complete"}
        try:
            self.send("browsingContext.navigate", wanted)
        except (
            AssertionError
        ) as error:  # another load of the same tab was still under way: on a busy machine it comes in between
            if "NS_BINDING_ABORTED" not in str(error):
                raise
            self.send("browsingContext.navigate", wanted)

    def call(self, function: str, *arguments: Any) -> Any:
        """What a function answers in the page, as JSON values."""
        given = ", ".join(json.dumps(argument) for argument in arguments)
        found = self.send(
            "script.evaluate",
            {
                "expression": f"(async () => JSON.stringify(await ({function})({given})))()",
                "target": {"context": self._tab},
                "awaitPromise": True,
            },
        )
        assert found["type"] == "success", found
        return json.loads(found["result"].get("value", "null"))

    def wait_for(self, condition: str) -> None:
        assert self.call(WAIT, condition, 1000 * PATIENCE_SECONDS), f"never came true: {condition}"

    def press(self, *names: str) -> None:
        """Keys one after the other; "Shift+Enter" holds the first while the second is pressed."""
        for name in names:
            keys = [KEYS.get(key, key) for key in name.split("+")]
            down = [{"type": "keyDown", "value": key} for key in keys]
            up = [{"type": "keyUp", "value": key} for key in reversed(keys)]
            self._perform({"type": "key", "id": "keyboard", "actions": [*down, *up]})

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        points = [start, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), end]
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in points]
        steps = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        self._perform({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps})

    def _perform(self, source: dict[str, Any]) -> None:
        self.send("input.performActions", {"context": self._tab, "actions": [source]})

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    pytest.importorskip("websocket", reason="websocket-client is not installed")
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("no Firefox on the PATH; on Debian or Ubuntu: apt-get install firefox-esr")
    profile: Path = tmp_path_factory.mktemp("firefox")
    command = [
        path,
        "--headless",
        "--no-remote",
        "--profile",
        str(profile),
        "--remote-debugging-port",
        "0",
        "about:blank",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = next(m[1] for line in process.stderr if (m := re.search(r"BiDi listening on (ws://\S+)", line)))
            driver = Firefox(address)
            yield driver
            driver.close()
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def open_in_firefox(firefox: Firefox, site: Site) -> Any:
    def opened(post: str) -> Firefox:
        firefox.go(f"{site.url}/?post={post}")
        firefox.call("() => { for (const k of ['notice', 'guide']) localStorage.setItem('evidence.' + k, 'true'); }")
        firefox.go(f"{site.url}/?post={post}")
        firefox.wait_for("document.querySelector('.ev')?.dataset.state === 'ready'")
        firefox.call("() => { document.querySelector('.ev').focus(); }")
        return firefox

    return opened


def saved(firefox: Firefox, site: Site, post: str, criterion: str) -> Any:
    firefox.wait_for("document.querySelector('[data-part=saved]').dataset.saved === 'saved'")
    return site.answer(post, criterion)


def test_firefox_reviews_a_post_by_keys_and_shows_what_confirming_the_rest_would_take(
    site: Site, open_in_firefox: Any
) -> None:
    post = site.add_post(PLAIN, MODEL_SAYS)
    firefox = open_in_firefox(post)
    firefox.press("4", "a")
    assert saved(firefox, site, post, "SLEEP_ISSUES").spans[0].origin is SpanOrigin.ACCEPTED
    firefox.press("Shift+Enter")
    assert MOOD_SENTENCE in firefox.call("() => document.querySelector('dialog[open]').textContent")
    firefox.press("Escape")
    firefox.wait_for("!document.querySelector('dialog[open]')")
    firefox.call("() => { document.querySelector('.ev').focus(); }")
    firefox.press("9")
    firefox.press("c", "ArrowDown", "Enter")
    firefox.wait_for("document.querySelector('.ev-mark.ev-added')")
    saved(firefox, site, post, "SUICIDAL_THOUGHTS")
    assert site.quotes(post, "SUICIDAL_THOUGHTS") == [SLEEP_SENTENCE]


def test_firefox_selects_with_the_mouse_and_drags_an_edge(site: Site, open_in_firefox: Any) -> None:
    post = site.add_post("So tired 😞😞 tonight, really. The dog is well.")
    firefox = open_in_firefox(post)
    text = site.store.post(post).text
    start = text.index("😞 tonight")
    x1, y1, x2, y2 = firefox.call(RECT, [start, start + len("😞 tonight")])
    firefox.press("w", "w")
    firefox.drag((x1 + 2, y1), (x2 - 1, y2))
    firefox.wait_for("document.querySelector('.ev-mark.ev-added')")
    assert saved(firefox, site, post, "DEPRESSED_MOOD") is not None
    assert site.quotes(post, "DEPRESSED_MOOD") == ["😞 tonight"]
    hx, hy = firefox.call(HANDLE)
    _, y, end, _ = firefox.call(RECT, [text.index("really"), text.index("really") + len("really")])
    firefox.drag((hx, hy), (end - 1, y))
    saved(firefox, site, post, "DEPRESSED_MOOD")
    assert site.quotes(post, "DEPRESSED_MOOD") == ["😞 tonight, really"]
