"""Some of the pages' states, in a wide and a narrow window and in three color schemes: axe finds nothing, and nothing sticks out.

`python -m benchmarks.every_page FOLDER` looks at all states in four widths, and takes pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.every_page import STATES, looks, opened
from tests.browser.every_project import project

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAMES = (
    "review", "review-edges", "review-summary", "review-queue", "review-language", "posts", "data", "data-checked", "data-past",
    "data-export", "guidelines",
)  # fmt: skip
CHOSEN = [state for state in STATES if state.name in NAMES]
TABS = """() => Array.from(document.querySelectorAll('#pages > .tab-wrapper [role=tab]')).filter(tab => tab.offsetParent)
  .map(tab => [tab.textContent.trim(), tab.getBoundingClientRect().x, tab.getBoundingClientRect().width])"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with project("site") as url:
        yield url


@pytest.mark.parametrize("state", CHOSEN, ids=lambda state: state.name)
def test_nothing_is_wrong_in_any_scheme_and_width(state: Any, address: str, chromium: Any) -> None:
    with opened(chromium, address, state) as page:
        found = {f"{scheme} {width}": wrong for scheme, width, wrong in looks(page, widths=(1280, 320))}
    assert {where: wrong for where, wrong in found.items() if wrong} == {}
    assert len(found) == 6


def test_tabs_stay_where_they_are(address: str, chromium: Any) -> None:
    with opened(chromium, address, STATES[0]) as page:
        before = page.evaluate(TABS)
        for name in ("Posts", "Data", "Retrain", "Overview"):
            page.get_by_role("tab", name=name, exact=True).first.click()
            page.wait_for_function(f"new URLSearchParams(location.search).get('tab') === '{name.lower()}'")
            assert page.evaluate(TABS) == before
