"""The one browser of a test process.

Playwright keeps an event loop running in its thread and cannot be started there a second time, so every folder shares this
fixture (`tests/conftest.py`), whatever its tests did before.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HOW_TO = "no Chromium or Chrome on the PATH; on Debian or Ubuntu: apt-get install chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--force-color-profile=srgb",
]


def browser_path() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


class Chromium:
    """A browser that is started when it is first needed, and again should it have died: a crash costs one test."""

    def __init__(self, playwright: Any, path: str) -> None:
        self._launch = functools.partial(playwright.chromium.launch, executable_path=path, args=FLAGS)
        self._browser: Any = None

    def new_context(self, **options: Any) -> Any:
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._launch()
        return self._browser.new_context(**options)

    def close(self) -> None:
        if self._browser is not None:
            self._browser.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    path = browser_path()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(HOW_TO)
        pytest.skip(HOW_TO)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = Chromium(playwright, path)
        yield browser
        browser.close()
