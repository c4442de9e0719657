"""Every page for everybody: no serious finding of axe in light and dark, on a desktop and on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.people.accounts import Accounts
from annotator.project import STARTED, default_criteria
from benchmarks import screenshots
from storage.records import Role
from storage.store import open_store
from tests.browser.conftest import Site, running_app
from tests.browser.gestures import MODEL_SAYS, PLAIN
from tests.browser.test_review_access import AXE, STILL

PAGES = screenshots.PAGES | {
    "review": '.ev[data-state="ready"]',
    "agreement": "#agreement [data-part=report]",  # nobody else has read here
    "team": "#team",
    "people": "#people",
}
pytestmark = [pytest.mark.browser, pytest.mark.slow]
Opener = Callable[..., Any]
LOOKS = {1280: "dark", 390: "light"}

SERIOUS = """async (root) => (await axe.run(root, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}))
  .violations.filter(v => ['serious', 'critical'].includes(v.impact))
  .flatMap(v => v.nodes.map(n => v.id + ': ' + n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')))"""


def serious(page: Any, root: str) -> list[str]:
    """What axe finds below `root` once the page has come to rest."""
    page.add_style_tag(content=STILL)
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    return list(page.evaluate(SERIOUS, root))


def test_no_page_has_a_serious_finding(site: Site, new_page: Opener) -> None:
    """Loaded once: a load takes longer than all looks at a page."""
    site.add_post(PLAIN, MODEL_SAYS)
    page = new_page("/", width=1280, color_scheme="dark")
    found = {}
    for tab, loaded in PAGES.items():
        page.set_viewport_size({"width": 1280, "height": 860})
        page.click(f"#page-{tab}-button")
        page.wait_for_selector(loaded)
        for width, scheme in LOOKS.items():
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 860})
            page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 120)))")
            found[tab, width] = serious(page, f"#page-{tab}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (tab, width)
            if tab == "review":
                found["frame", width] = [*serious(page, "#app-header"), *serious(page, "#app-footer")]
    assert {where: problems for where, problems in found.items() if problems} == {}
    assert len(found) == 2 * len(PAGES) + 2


@pytest.fixture(scope="module")
def signed_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app in which people sign in."""
    folder: Path = tmp_path_factory.mktemp("signed")
    store = open_store(folder)
    store.save_criteria(default_criteria())
    store.set_setting(STARTED, True)
    Accounts(store).add("ana", Role.ADMIN, "correct horse battery")
    with running_app(folder) as url:
        yield url
    store.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_sign_in_page_has_no_serious_finding(width: int, scheme: str, signed_site: str, chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(signed_site)
    assert page.url.endswith("/login")
    assert serious(page, "html") == []
    page.fill("[name=name]", "ana")
    page.fill("[name=password]", "wrong")
    page.click("button")
    page.wait_for_selector("p.note")
    assert serious(page, "html") == []
    context.close()
